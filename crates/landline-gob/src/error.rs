//! The one error of this crate.

use std::{error, fmt, io};

use crate::limits::Limit;

/// What went wrong, where in the value, and where in the stream.
///
/// ```text
/// gob: Lines[3].Price: expected int, found string (byte 57)
/// ```
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    signal: Signal,
    /// The innermost first.
    path: Vec<Step>,
    offset: Option<u64>,
    fatal: bool,
}

/// What went wrong.
#[derive(Debug)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The stream could not be read or written.
    Io(io::Error),
    /// The stream ends in the middle of a value.
    Truncated,
    /// The bytes are not gob; the text says in what way.
    Corrupt(&'static str),
    /// What a limit of [`Limits`](crate::Limits) does not allow.
    Limit {
        /// Which limit.
        limit: Limit,
        /// What was asked for, or as much of it as was seen: bytes, levels or types.
        wanted: u64,
        /// What is allowed.
        allowed: u64,
    },
    /// A type id that was not defined before.
    UnknownType(i64),
    /// What is on the wire does not fit what is wanted.
    Mismatch {
        /// What the Rust type, or the given gob type, wants.
        expected: String,
        /// What there is.
        found: String,
    },
    /// A number that its target cannot hold.
    Overflow {
        /// The number.
        value: String,
        /// The type that cannot hold it.
        target: String,
    },
    /// A nil where gob, or the Rust type, has no place for one.
    Nil,
    /// The name of an interface's content that the Rust enum has no variant for, or that has no type here.
    UnknownName(String),
    /// Nothing in gob is like this Rust type; the text says what and why.
    Unsupported(String),
    /// Raised by a `Serialize` or `Deserialize` implementation.
    Other(String),
}

/// What is meant for this crate and not for its users.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signal {
    None,
    /// A struct says that it has had this field.
    DuplicateField,
    /// The encoder has to know a type before it can go on.
    Import,
}

#[derive(Clone, Debug)]
enum Step {
    Field(Box<str>),
    Index(usize),
    /// The value of the entry of a map, counted from 0.
    Entry(usize),
}

impl Error {
    /// What went wrong.
    pub fn kind(&self) -> &ErrorKind {
        &self.0.kind
    }

    /// Where in the value: `Lines[3].Price`. Empty for the value as a whole, and where that is not known.
    ///
    /// An entry of a map is counted in the order of the stream: `Prices[entry 2]`.
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in self.0.path.iter().rev() {
            match step {
                Step::Field(name) if path.is_empty() => path.push_str(name),
                Step::Field(name) => {
                    path.push('.');
                    path.push_str(name);
                }
                Step::Index(index) => path.push_str(&format!("[{index}]")),
                Step::Entry(index) => path.push_str(&format!("[entry {index}]")),
            }
        }
        path
    }

    /// Where in the stream: bytes since its beginning, of what was read before the error was noticed.
    pub fn offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// Whether nothing more can be decoded from this stream.
    ///
    /// Otherwise the value has been passed over, as by [`Decoder::skip`](crate::Decoder::skip), and the next one can be
    /// decoded.
    pub fn is_fatal(&self) -> bool {
        self.0.fatal
    }

    pub(crate) fn signal(&self) -> Signal {
        self.0.signal
    }

    pub(crate) fn signalling(signal: Signal, kind: ErrorKind) -> Error {
        let mut error = Error::from(kind);
        error.0.signal = signal;
        error
    }

    #[cold]
    pub(crate) fn mismatch(expected: impl Into<String>, found: impl Into<String>) -> Error {
        ErrorKind::Mismatch { expected: expected.into(), found: found.into() }.into()
    }

    #[cold]
    pub(crate) fn overflow(value: impl fmt::Display, target: &str) -> Error {
        ErrorKind::Overflow { value: value.to_string(), target: target.to_owned() }.into()
    }

    #[cold]
    pub(crate) fn unsupported(text: impl Into<String>) -> Error {
        ErrorKind::Unsupported(text.into()).into()
    }

    #[cold]
    pub(crate) fn limit(limit: Limit, wanted: usize, allowed: usize) -> Error {
        ErrorKind::Limit { limit, wanted: wanted as u64, allowed: allowed as u64 }.into()
    }

    #[cold]
    pub(crate) fn at_field(mut self, name: &str) -> Error {
        self.within_field(name);
        self
    }

    /// The same where the error is.
    #[cold]
    pub(crate) fn within_field(&mut self, name: &str) {
        self.0.path.push(Step::Field(shortened(name).into()));
    }

    #[cold]
    pub(crate) fn at_index(mut self, index: usize) -> Error {
        self.0.path.push(Step::Index(index));
        self
    }

    #[cold]
    pub(crate) fn at_entry(mut self, index: usize) -> Error {
        self.0.path.push(Step::Entry(index));
        self
    }

    /// Keeps the first offset, which is the nearest to the cause.
    pub(crate) fn at_offset(mut self, offset: u64) -> Error {
        self.0.offset.get_or_insert(offset);
        self
    }

    pub(crate) fn fatal(mut self) -> Error {
        self.0.fatal = true;
        self
    }

    /// A copy for another caller; the cause of an I/O error stays behind.
    pub(crate) fn again(&self) -> Error {
        let kind = match &self.0.kind {
            ErrorKind::Io(error) => ErrorKind::Io(error.kind().into()),
            ErrorKind::Truncated => ErrorKind::Truncated,
            ErrorKind::Corrupt(text) => ErrorKind::Corrupt(text),
            ErrorKind::Limit { limit, wanted, allowed } => {
                ErrorKind::Limit { limit: *limit, wanted: *wanted, allowed: *allowed }
            }
            ErrorKind::UnknownType(id) => ErrorKind::UnknownType(*id),
            ErrorKind::Mismatch { expected, found } => {
                ErrorKind::Mismatch { expected: expected.clone(), found: found.clone() }
            }
            ErrorKind::Overflow { value, target } => {
                ErrorKind::Overflow { value: value.clone(), target: target.clone() }
            }
            ErrorKind::Nil => ErrorKind::Nil,
            ErrorKind::UnknownName(name) => ErrorKind::UnknownName(name.clone()),
            ErrorKind::Unsupported(text) => ErrorKind::Unsupported(text.clone()),
            ErrorKind::Other(text) => ErrorKind::Other(text.clone()),
        };
        let mut error = Error::from(kind);
        error.0.fatal = self.0.fatal;
        error.0.offset = self.0.offset;
        error.0.path.clone_from(&self.0.path);
        error
    }
}

/// A name as far as anyone reads: a peer's may be as long as a message, and stand in every step of a path.
pub(crate) fn shortened(name: &str) -> &str {
    /// Bytes.
    const READ: usize = 128;
    let end = (0..=READ).rev().find(|end| name.is_char_boundary(*end));
    if name.len() <= READ { name } else { &name[..end.unwrap_or(0)] }
}

impl From<ErrorKind> for Error {
    #[cold]
    fn from(kind: ErrorKind) -> Error {
        Error(Box::new(Inner { kind, signal: Signal::None, path: Vec::new(), offset: None, fatal: false }))
    }
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        Error::from(ErrorKind::Io(error)).fatal()
    }
}

impl From<Error> for io::Error {
    fn from(error: Error) -> io::Error {
        let kind = match error.kind() {
            ErrorKind::Io(inner) => inner.kind(),
            ErrorKind::Truncated => io::ErrorKind::UnexpectedEof,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, error)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("gob: ")?;
        let path = self.path();
        if !path.is_empty() {
            write!(f, "{path}: ")?;
        }
        write!(f, "{}", self.0.kind)?;
        match self.0.offset {
            Some(offset) => write!(f, " (byte {offset})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ErrorKind::Io(error) => write!(f, "{error}"),
            ErrorKind::Truncated => f.write_str("the stream ends in the middle of a value"),
            ErrorKind::Corrupt(text) => f.write_str(text),
            ErrorKind::Limit { limit, wanted, allowed } => {
                let what = match limit {
                    Limit::Message => format!("a message of {wanted} bytes"),
                    Limit::Depth => format!("a value of {wanted} levels"),
                    Limit::Types => format!("a stream of {wanted} types"),
                    Limit::Memory => format!("a value of {wanted} bytes in memory"),
                };
                write!(f, "{what} is beyond the limit of {allowed} ({limit})")
            }
            ErrorKind::UnknownType(id) => write!(f, "type {id} is used and was not defined"),
            ErrorKind::Mismatch { expected, found } => write!(f, "expected {expected}, found {found}"),
            ErrorKind::Overflow { value, target } => write!(f, "{value} does not fit into {target}"),
            ErrorKind::Nil => f.write_str("nil where there must be a value"),
            ErrorKind::UnknownName(name) => write!(f, "an interface holds {name}, which has no type here"),
            ErrorKind::Unsupported(text) | ErrorKind::Other(text) => f.write_str(text),
        }
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match &self.0.kind {
            ErrorKind::Io(error) => Some(error),
            _ => None,
        }
    }
}

impl serde::ser::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Error {
        ErrorKind::Other(message.to_string()).into()
    }
}

impl serde::de::Error for Error {
    #[cold]
    fn custom<T: fmt::Display>(message: T) -> Error {
        ErrorKind::Other(message.to_string()).into()
    }

    #[cold]
    fn duplicate_field(field: &'static str) -> Error {
        Error::signalling(Signal::DuplicateField, ErrorKind::Other(format!("duplicate field `{field}`")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_where_it_happened() {
        let error =
            Error::mismatch("int", "string").at_field("Price").at_index(3).at_field("Lines").at_offset(57);
        assert_eq!(error.to_string(), "gob: Lines[3].Price: expected int, found string (byte 57)");
        assert_eq!(error.at_offset(3).offset(), Some(57));
        let error = Error::overflow(300, "int8").at_entry(2);
        assert_eq!(error.to_string(), "gob: [entry 2]: 300 does not fit into int8");
    }

    #[test]
    fn a_limit_is_named_with_its_value() {
        for (limit, expected) in [
            (Limit::Message, "gob: a message of 70 bytes is beyond the limit of 64 (max_message)"),
            (Limit::Depth, "gob: a value of 70 levels is beyond the limit of 64 (depth)"),
            (Limit::Types, "gob: a stream of 70 types is beyond the limit of 64 (types)"),
            (Limit::Memory, "gob: a value of 70 bytes in memory is beyond the limit of 64 (memory)"),
        ] {
            assert_eq!(Error::limit(limit, 70, 64).to_string(), expected);
        }
    }

    #[test]
    fn an_error_becomes_one_of_io() {
        let error = io::Error::from(Error::from(ErrorKind::Truncated));
        assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
        assert!(error.get_ref().unwrap().downcast_ref::<Error>().is_some());
    }
}
