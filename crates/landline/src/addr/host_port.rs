//! `host:port`: splitting, joining, and every malformed form refused by name.

use std::fmt;

/// Why an address was refused; prints as `address INPUT: REASON`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(Box<Inner>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Inner {
    address: String,
    kind: AddressErrorKind,
}

/// What was wrong with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressErrorKind {
    /// No `:port` at its end.
    MissingPort,
    /// More than one colon outside brackets: an IPv6 address needs `[…]`.
    TooManyColons,
    /// `[` without its `]`.
    MissingClosingBracket,
    /// A `[` where none may be.
    UnexpectedOpeningBracket,
    /// A `]` where none may be.
    UnexpectedClosingBracket,
    /// Neither a number from 0 to 65535 nor a known service name.
    UnknownPort(String),
    /// An IPv6 zone that names no interface of this host.
    UnknownZone(String),
    /// A Unix path of more bytes than a socket address holds.
    PathTooLong {
        /// Its length in bytes.
        length: usize,
        /// The most that fit.
        limit: usize,
    },
    /// A NUL byte where none may be.
    InteriorNul,
    /// An empty address where one is needed.
    Missing,
    /// No address of the family that the network asks for.
    NoSuitableAddress,
    /// Any other fault, in words.
    Invalid(String),
}

impl AddressError {
    pub(crate) fn new(address: impl Into<String>, kind: AddressErrorKind) -> AddressError {
        AddressError(Box::new(Inner { address: address.into(), kind }))
    }

    /// The address as it was given.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    /// What was wrong with it.
    pub fn kind(&self) -> &AddressErrorKind {
        &self.0.kind
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.address.is_empty() {
            write!(f, "address {}: ", self.0.address.escape_debug())?;
        }
        self.0.kind.fmt(f)
    }
}

impl fmt::Display for AddressErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AddressErrorKind::MissingPort => f.write_str("missing port in address"),
            AddressErrorKind::TooManyColons => f.write_str("too many colons in address"),
            AddressErrorKind::MissingClosingBracket => f.write_str("missing ']' in address"),
            AddressErrorKind::UnexpectedOpeningBracket => f.write_str("unexpected '[' in address"),
            AddressErrorKind::UnexpectedClosingBracket => f.write_str("unexpected ']' in address"),
            AddressErrorKind::UnknownPort(port) => write!(f, "unknown port {port:?}"),
            AddressErrorKind::UnknownZone(zone) => write!(f, "no interface for zone {zone:?}"),
            AddressErrorKind::PathTooLong { length, limit } => {
                write!(f, "path of {length} bytes is longer than the {limit} a Unix socket address holds")
            }
            AddressErrorKind::InteriorNul => f.write_str("NUL byte in address"),
            AddressErrorKind::Missing => f.write_str("missing address"),
            AddressErrorKind::NoSuitableAddress => f.write_str("no suitable address found"),
            AddressErrorKind::Invalid(reason) => f.write_str(reason),
        }
    }
}

impl std::error::Error for AddressError {}

/// Splits `host:port`, `[host]:port` or `[host%zone]:port` into host (with its zone, without brackets) and port.
///
/// Both may be empty; neither is looked at further.
///
/// ```
/// assert_eq!(landline::split_host_port("[fe80::1%eth0]:80").unwrap(), ("fe80::1%eth0", "80"));
/// assert_eq!(landline::split_host_port("golang.org").unwrap_err().to_string(),
///            "address golang.org: missing port in address");
/// ```
pub fn split_host_port(address: &str) -> Result<(&str, &str), AddressError> {
    use AddressErrorKind::{
        MissingClosingBracket, MissingPort, TooManyColons, UnexpectedClosingBracket, UnexpectedOpeningBracket,
    };
    let refuse = |kind| Err(AddressError::new(address, kind));

    let Some(colon) = address.rfind(':') else { return refuse(MissingPort) };
    let (host, port) = (&address[..colon], &address[colon + 1..]);
    let host = match address.strip_prefix('[') {
        Some(rest) => {
            let Some(end) = rest.find(']').map(|at| at + 1) else { return refuse(MissingClosingBracket) };
            if end + 1 == address.len() {
                return refuse(MissingPort);
            }
            if end + 1 != colon {
                return refuse(match address.as_bytes()[end + 1] {
                    b':' => TooManyColons,
                    _ => MissingPort,
                });
            }
            &address[1..end]
        }
        None if host.contains(':') => return refuse(TooManyColons),
        None => host,
    };
    if host.contains('[') || port.contains('[') {
        return refuse(UnexpectedOpeningBracket);
    }
    if port.contains(']') || host.contains(']') {
        return refuse(UnexpectedClosingBracket);
    }
    Ok((host, port))
}

/// Joins host and port, with brackets where the host holds a colon: the inverse of [`split_host_port`].
///
/// ```
/// assert_eq!(landline::join_host_port("::1", 80), "[::1]:80");
/// assert_eq!(landline::join_host_port("golang.org", "http"), "golang.org:http");
/// ```
pub fn join_host_port(host: &str, port: impl fmt::Display) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What Go 1.27's `net.SplitHostPort` answers for the same inputs.
    #[test]
    fn splits_and_refuses_as_go_does() {
        for (input, host, port) in [
            ("golang.org:80", "golang.org", "80"),
            (":http", "", "http"),
            (":", "", ""),
            ("host:", "host", ""),
            ("[::1]:80", "::1", "80"),
            ("[::1%lo]:80", "::1%lo", "80"),
            ("[]:80", "", "80"),
            ("[www.example]:80", "www.example", "80"),
            ("a b:c d", "a b", "c d"),
        ] {
            assert_eq!(split_host_port(input), Ok((host, port)), "{input}");
        }
        for (input, reason) in [
            ("", "missing port in address"),
            ("golang.org", "missing port in address"),
            ("[::1]", "missing port in address"),
            ("[::1]80", "missing port in address"),
            ("[::1]x:80", "missing port in address"),
            ("::1", "too many colons in address"),
            ("::1:80", "too many colons in address"),
            ("[::1]:80:90", "too many colons in address"),
            ("a:b:c", "too many colons in address"),
            ("[::1:80", "missing ']' in address"),
            ("a[b:80", "unexpected '[' in address"),
            ("[a[b]:80", "unexpected '[' in address"),
            ("ab]:80", "unexpected ']' in address"),
            ("host:8]0", "unexpected ']' in address"),
            ("host:[80", "unexpected '[' in address"),
        ] {
            let error = split_host_port(input).expect_err(input).to_string();
            assert!(error.ends_with(reason), "{input}: {error}");
            assert!(error.contains(input), "{input}: {error}");
        }
    }

    proptest! {
        #[test]
        fn join_then_split_is_the_identity(host in "[a-z0-9:.%-]{0,20}", port in "[a-z0-9]{0,6}") {
            let joined = join_host_port(&host, &port);
            prop_assert_eq!(split_host_port(&joined), Ok((host.as_str(), port.as_str())));
        }

        #[test]
        fn no_input_panics(input in "[\\[\\]:a%]{0,12}") {
            let _ = split_host_port(&input);
        }
    }
}
