//! SPDX licence expressions, as far as crates use them.

/// Whether `expression` can be satisfied with the licences in `allowed`.
///
/// `AND` binds tighter than `OR`; a licence `WITH` an exception is one licence of that full name. The slash of old
/// manifests means `OR`.
pub(super) fn is_allowed(expression: &str, allowed: &[String]) -> Result<bool, String> {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let verdict = any(&mut words, allowed)?;
    match words.next() {
        None => Ok(verdict),
        Some(word) => Err(format!("{word} is not expected there")),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, allowed: &[String]) -> Result<bool, String> {
    let mut verdict = all(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        verdict |= all(words, allowed)?;
    }
    Ok(verdict)
}

fn all(words: &mut Words<'_>, allowed: &[String]) -> Result<bool, String> {
    let mut verdict = one(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        verdict &= one(words, allowed)?;
    }
    Ok(verdict)
}

fn one(words: &mut Words<'_>, allowed: &[String]) -> Result<bool, String> {
    match words.next() {
        None => Err("ends too early".to_owned()),
        Some("(") => {
            let verdict = any(words, allowed)?;
            words.next_if_eq(&")").map(|_| verdict).ok_or_else(|| "a bracket is not closed".to_owned())
        }
        Some(word @ (")" | "AND" | "OR" | "WITH")) => Err(format!("{word} is not expected there")),
        Some(license) => {
            let license = match words.next_if_eq(&"WITH") {
                Some(_) => format!("{license} WITH {}", words.next().ok_or("ends too early")?),
                None => license.to_owned(),
            };
            Ok(allowed.contains(&license))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_are_judged_by_what_can_be_chosen() {
        let allowed =
            ["MIT".to_owned(), "Unicode-3.0".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        for (expression, verdict) in [
            ("MIT", Ok(true)),
            ("GPL-3.0", Ok(false)),
            ("MIT OR GPL-3.0", Ok(true)),
            ("GPL-3.0/MIT", Ok(true)),
            ("MIT AND GPL-3.0", Ok(false)),
            ("(MIT OR GPL-3.0) AND Unicode-3.0", Ok(true)),
            ("GPL-3.0 OR MIT AND Unicode-3.0", Ok(true)),
            ("Apache-2.0", Ok(false)),
            ("Apache-2.0 WITH LLVM-exception", Ok(true)),
            ("", Err("ends too early".to_owned())),
            ("MIT OR", Err("ends too early".to_owned())),
            ("(MIT", Err("a bracket is not closed".to_owned())),
            ("MIT MIT", Err("MIT is not expected there".to_owned())),
        ] {
            assert_eq!(is_allowed(expression, &allowed), verdict, "{expression}");
        }
    }
}
