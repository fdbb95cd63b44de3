//! Domain names: which are valid, and what is known of one from its text alone.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::error::{LookupError, LookupErrorKind};

/// Octets of a label (RFC 1035 section 2.3.4).
const LABEL: usize = 63;
/// Characters of a name without its final dot: 255 octets on the wire, less the first length and the root.
const NAME: usize = 253;

/// An absolute domain name such as `www.example.com.`, in the characters that host and service names are made of:
/// letters, digits, hyphens inside a label, and underscores; labels of up to 63 octets, 253 in all.
///
/// The text is kept as written, with the final dot added where it was left out. Names are equal whatever the case of
/// their letters (RFC 4343). Clones are cheap.
///
/// ```
/// use landline::resolve::Name;
///
/// let name: Name = "www.Example.com".parse().unwrap();
/// assert_eq!(name.as_str(), "www.Example.com.");
/// assert_eq!(name, "WWW.example.com.".parse().unwrap());
/// assert_eq!("a..b".parse::<Name>().unwrap_err().to_string(), "invalid name a..b: a label is empty");
/// ```
#[derive(Clone)]
pub struct Name(Arc<str>);

/// Why a text is not a [`Name`]; names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidName {
    name: String,
    fault: Fault,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Empty,
    EmptyLabel,
    LongLabel,
    LongName,
    Hyphen,
    Digits,
    Character(char),
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Name {
        Name(Arc::from("."))
    }

    /// The text, always with its final dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text without its final dot; empty for the root.
    pub fn without_dot(&self) -> &str {
        &self.0[..self.0.len() - 1]
    }

    /// The labels from the left, without the root's empty one.
    pub fn labels(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.without_dot().split('.').filter(|label| !label.is_empty())
    }

    /// Whether this is `parent` or a name below it.
    pub fn is_within(&self, parent: &Name) -> bool {
        is_within(self.without_dot(), parent.without_dot())
    }

    /// The valid and absolute name made of `name`, which has no final dot, and `suffix`; `None` if it is too long.
    pub(crate) fn joined(name: &str, suffix: &Name) -> Option<Name> {
        let suffix = if suffix.without_dot().is_empty() { "" } else { suffix.as_str() };
        let length = name.len() + 1 + suffix.len();
        if length > NAME + 1 {
            return None;
        }
        let mut text = String::with_capacity(length);
        text.push_str(name);
        text.push('.');
        text.push_str(suffix);
        Some(Name(text.into()))
    }

    /// A name known to be valid; with its final dot.
    pub(crate) fn from_valid(text: String) -> Name {
        debug_assert!(validate(&text).is_ok(), "{text}");
        Name(text.into())
    }
}

/// Whether `name` is `parent` or below it; both without a final dot, in any case.
pub(crate) fn is_within(name: &str, parent: &str) -> bool {
    if parent.is_empty() {
        return true;
    }
    let (name, parent) = (name.as_bytes(), parent.as_bytes());
    let Some(start) = name.len().checked_sub(parent.len()) else { return false };
    name[start..].eq_ignore_ascii_case(parent) && (start == 0 || name[start - 1] == b'.')
}

/// Says whether `text`, absolute or not, may be asked of the DNS.
///
/// The rules are those of Go's resolver: RFC 1035's lengths, RFC 1123's characters and the underscore, and at least
/// one character that is not a digit, so that a mistyped address such as `10.0.0` is never asked for.
pub(crate) fn validate(text: &str) -> Result<(), InvalidName> {
    check(text).map_err(|fault| InvalidName { name: text.to_owned(), fault })
}

fn check(text: &str) -> Result<(), Fault> {
    if text == "." {
        return Ok(());
    }
    let relative = text.strip_suffix('.').unwrap_or(text);
    if text.is_empty() {
        return Err(Fault::Empty);
    }
    if relative.len() > NAME {
        return Err(Fault::LongName);
    }
    let mut only_digits = true;
    for label in relative.split('.') {
        if label.is_empty() {
            return Err(Fault::EmptyLabel);
        }
        let strange = |c: &char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_');
        if let Some(character) = label.chars().find(strange) {
            return Err(Fault::Character(character));
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(Fault::Hyphen);
        }
        if label.len() > LABEL {
            return Err(Fault::LongLabel);
        }
        only_digits &= label.bytes().all(|byte| byte.is_ascii_digit());
    }
    if only_digits { Err(Fault::Digits) } else { Ok(()) }
}

impl InvalidName {
    /// The text that was refused.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Name, InvalidName> {
        validate(text)?;
        Ok(Name(if text.ends_with('.') { text.into() } else { format!("{text}.").into() }))
    }
}

/// The text with its final dot.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Lower-cased in blocks on the stack: a hash per byte costs more than a short lookup.
        for block in self.0.as_bytes().chunks(64) {
            let mut lower = [0; 64];
            let lower = &mut lower[..block.len()];
            lower.copy_from_slice(block);
            lower.make_ascii_lowercase();
            state.write(lower);
        }
        state.write_u8(0xff);
    }
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid name {}: {}", self.name.escape_debug(), self.fault)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Empty => f.write_str("it is empty"),
            Fault::EmptyLabel => f.write_str("a label is empty"),
            Fault::LongLabel => write!(f, "a label is longer than {LABEL} octets"),
            Fault::LongName => write!(f, "it is longer than {NAME} octets"),
            Fault::Hyphen => f.write_str("a label begins or ends with a hyphen"),
            Fault::Digits => f.write_str("it is all digits"),
            Fault::Character(character) => write!(f, "character {character:?}"),
        }
    }
}

impl std::error::Error for InvalidName {}

impl From<InvalidName> for LookupError {
    fn from(error: InvalidName) -> LookupError {
        let detail = format!("invalid name: {}", error.fault);
        LookupError::new(error.name, LookupErrorKind::InvalidName).with_detail(detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::hash::{BuildHasher, RandomState};

    #[test]
    fn valid_names_get_their_final_dot() {
        let label = "a".repeat(63);
        let longest = format!("{label}.{label}.{label}.{}", "a".repeat(61));
        assert_eq!(longest.len(), 253);
        for text in [
            "a",
            "example.com",
            "1.a",
            "1-2",
            "_dmarc.example.com",
            "a_b",
            "_",
            "xn--bcher-kva.example",
            "3com.com",
            &longest,
        ] {
            let name: Name = text.parse().expect(text);
            assert_eq!(name.as_str(), format!("{text}."));
            assert_eq!(name.without_dot(), text);
            assert_eq!(format!("{text}.").parse::<Name>(), Ok(name));
        }
        assert_eq!(".".parse::<Name>(), Ok(Name::root()));
        assert_eq!(Name::root().without_dot(), "");
    }

    #[test]
    fn refused_names_say_why() {
        let label = "a".repeat(63);
        let long = format!("{label}.{label}.{label}.{}", "a".repeat(62));
        for (text, reason) in [
            ("", "it is empty"),
            ("..", "a label is empty"),
            (".a", "a label is empty"),
            ("a..b", "a label is empty"),
            ("a..", "a label is empty"),
            ("-a", "a label begins or ends with a hyphen"),
            ("a-.b", "a label begins or ends with a hyphen"),
            ("a.b-", "a label begins or ends with a hyphen"),
            ("1.2.3", "it is all digits"),
            ("127", "it is all digits"),
            ("a b", "character ' '"),
            ("a\0b", "character '\\0'"),
            ("bücher.example", "character 'ü'"),
            ("a\\.b", "character '\\\\'"),
            ("a%b", "character '%'"),
            ("a:80", "character ':'"),
            (&"a".repeat(64), "a label is longer than 63 octets"),
            (&long, "it is longer than 253 octets"),
        ] {
            let error = text.parse::<Name>().expect_err(text).to_string();
            assert_eq!(error, format!("invalid name {}: {reason}", text.escape_debug()));
        }
    }

    #[test]
    fn case_does_not_tell_names_apart() {
        let (a, b): (Name, Name) = ("ExAmple.COM".parse().unwrap(), "example.com.".parse().unwrap());
        let state = RandomState::new();
        assert_eq!(a, b);
        assert_eq!(state.hash_one(&a), state.hash_one(&b));
        assert_eq!(a.as_str(), "ExAmple.COM.");
    }

    #[test]
    fn within_compares_whole_labels() {
        let name: Name = "www.Example.com".parse().unwrap();
        for (parent, within) in [
            ("example.COM", true),
            ("www.example.com", true),
            (".", true),
            ("ample.com", false),
            ("org", false),
        ] {
            assert_eq!(name.is_within(&parent.parse().unwrap()), within, "{parent}");
        }
        assert!(!"com".parse::<Name>().unwrap().is_within(&name));
        assert_eq!(name.labels().collect::<Vec<_>>(), ["www", "Example", "com"]);
        assert_eq!(Name::root().labels().count(), 0);
    }

    proptest! {
        #[test]
        fn what_parses_has_the_lengths_that_go_on_the_wire(text in "[a-zA-Z0-9_.-]{0,260}") {
            if let Ok(name) = text.parse::<Name>() {
                prop_assert!(name.labels().all(|label| (1..=63).contains(&label.len())));
                prop_assert!(name.labels().map(|label| label.len() + 1).sum::<usize>() < 255);
                prop_assert_eq!(name.as_str().parse::<Name>(), Ok(name));
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = text.parse::<Name>();
        }
    }
}
