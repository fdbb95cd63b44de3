//! Rust source with its comments and literals blanked out, so that words can be looked for in what is left.

/// The code of `text`: the same lines, with comments, strings and character literals replaced by spaces.
pub(crate) fn code(text: &str) -> String {
    let mut left = text;
    let mut code = String::with_capacity(text.len());
    let mut in_word = false;
    while let Some(first) = left.chars().next() {
        let blanked = if left.starts_with("//") {
            left.find('\n').unwrap_or(left.len())
        } else if left.starts_with("/*") {
            block_comment(left)
        } else if let Some(length) = (!in_word).then(|| raw_string(left)).flatten() {
            length
        } else if first == '"' {
            string(left)
        } else if first == '\'' {
            character(left)
        } else {
            0
        };
        if blanked > 0 {
            code.extend(left[..blanked].chars().map(|c| if c == '\n' { c } else { ' ' }));
            left = &left[blanked..];
            in_word = false;
        } else {
            code.push(first);
            in_word = is_word(first);
            left = &left[first.len_utf8()..];
        }
    }
    code
}

/// The words of a line of code: keywords, names and numbers.
pub(crate) fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c| !is_word(c)).filter(|word| !word.is_empty())
}

pub(crate) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Block comments nest.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// The length of a raw string's literal, if one begins here: `r"…"`, `r#"…"#`, `br"…"`.
fn raw_string(text: &str) -> Option<usize> {
    let prefix = ["r", "br", "cr"].into_iter().find(|prefix| {
        text.strip_prefix(prefix).is_some_and(|rest| rest.trim_start_matches('#').starts_with('"'))
    })?;
    let rest = &text[prefix.len()..];
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let close = format!("\"{}", "#".repeat(hashes));
    let begin = prefix.len() + hashes + 1;
    Some(text[begin..].find(&close).map_or(text.len(), |end| begin + end + close.len()))
}

fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or 0 where the quote begins a lifetime.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            chars.next();
            chars.find(|(_, c)| *c == '\'').map_or(0, |(at, _)| at + 1)
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_stay() {
        for (text, left) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            ("f(\"b \\\" // c\") + d", "f(           ) + d"),
            ("f(r#\"b \" c\"#, d)", "f(          , d)"),
            ("for r in b", "for r in b"),
            ("'x' + '\\'' + 'a: loop", "    +      + 'a: loop"),
            ("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)"),
            ("\"two\nlines\" a", "    \n       a"),
        ] {
            assert_eq!(code(text), left, "{text}");
        }
    }
}
