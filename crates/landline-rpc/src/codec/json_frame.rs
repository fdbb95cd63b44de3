//! Where a JSON value ends, found as its bytes come in.

/// Looks for the end of the first value, and remembers how far it has looked.
#[derive(Debug, Default)]
pub(super) struct Frame {
    /// How far it has looked.
    at: usize,
    depth: usize,
    state: State,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Nothing of the value was seen.
    #[default]
    Before,
    Within,
    InText,
    /// After a backslash in a text.
    Escaped,
}

/// What is there.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The value is in this range of the input.
    Whole(usize),
    Partial,
    /// It is no object.
    Other(u8),
}

impl Frame {
    /// Looks on. `input` begins where it began when this was made, white space before the object apart: that is taken off
    /// the front.
    pub(super) fn find(&mut self, input: &mut &[u8]) -> Found {
        if self.state == State::Before {
            *input = input.trim_ascii_start();
            match input.first() {
                None => return Found::Partial,
                Some(b'{') => self.state = State::Within,
                Some(&other) => return Found::Other(other),
            }
        }
        while let Some(&byte) = input.get(self.at) {
            self.at += 1;
            match (self.state, byte) {
                (State::InText, b'"') => self.state = State::Within,
                (State::InText, b'\\') => self.state = State::Escaped,
                (State::InText, _) => {}
                (State::Escaped, _) => self.state = State::InText,
                (_, b'"') => self.state = State::InText,
                (_, b'{' | b'[') => self.depth += 1,
                (_, b'}' | b']') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        let end = self.at;
                        *self = Frame::default();
                        return Found::Whole(end);
                    }
                }
                _ => {}
            }
        }
        Found::Partial
    }

    /// How long the value is by now.
    pub(super) fn seen(&self) -> usize {
        self.at
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn objects_end_where_their_brackets_do() {
        for (text, end) in [
            ("{}", Some(2)),
            ("  \n{} ", Some(2)),
            (r#"{"a":[1,{"b":"}"}]}{"#, Some(19)),
            (r#"{"a":"\"}"}x"#, Some(11)),
            (r#"{"a":"\\"}"#, Some(10)),
            (r#"{"a":"\\"#, None),
            ("", None),
            (" ", None),
        ] {
            let expected = end.map_or(Found::Partial, Found::Whole);
            assert_eq!(Frame::default().find(&mut text.as_bytes()), expected, "{text}");
        }
        assert_eq!(Frame::default().find(&mut &b" [1]"[..]), Found::Other(b'['));
    }

    proptest! {
        #[test]
        fn however_it_comes_the_end_is_the_same(text in r#"\{("[a-z\\"{}\[\]]{0,6}"|[\[\]{},: 1]){0,12}\}?"#, cut in 0..40_usize) {
            let whole = Frame::default().find(&mut text.as_bytes());
            let mut frame = Frame::default();
            let cut = cut.min(text.len());
            let mut found = frame.find(&mut &text.as_bytes()[..cut]);
            if found == Found::Partial {
                found = frame.find(&mut text.as_bytes());
            }
            prop_assert_eq!(found, whole);
        }
    }
}
