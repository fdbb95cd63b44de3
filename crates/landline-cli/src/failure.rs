//! How a command ends when it does not end well.

use std::fmt;
use std::io;

use landline::explain::render::printable;
use landline::{AddressErrorKind, Cause, Error, LookupErrorKind, split_host_port};

/// Why a command stopped; decides what is printed and the exit status.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The network, a file or the system said no: status 1.
    Refused(String),
    /// What was asked for makes no sense: status 2.
    Usage(String),
    /// It has been told already, in the output itself: only the status is left to be given.
    Told(u8),
    /// Whoever reads the output has gone: nobody is left to be told, and nothing went wrong.
    ReaderGone,
}

impl Failure {
    /// A file, or a standard stream, that could not be read or written.
    pub(crate) fn of_file(name: impl fmt::Display, error: &io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::ReaderGone,
            _ => Failure::Refused(format!("{name}: {}", without_number(&error.to_string()))),
        }
    }

    /// An error of a dial or listen at `address`, which is put before it where it names an address that was made of it.
    pub(crate) fn at(address: &str, error: &Error) -> Failure {
        let text = error.to_string();
        let message = if names(&text, address) { text } else { format!("{}: {text}", printable(address)) };
        if is_usage(error) { Failure::Usage(message) } else { Failure::Refused(message) }
    }

    /// The line for stderr, without its `landline: `.
    pub(crate) fn message(&self) -> Option<&str> {
        match self {
            Failure::Refused(message) | Failure::Usage(message) => Some(message),
            Failure::Told(_) | Failure::ReaderGone => None,
        }
    }

    /// The exit status.
    pub(crate) fn status(&self) -> u8 {
        match self {
            Failure::ReaderGone => 0,
            Failure::Refused(_) => 1,
            Failure::Told(status) => *status,
            Failure::Usage(_) => 2,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        if is_usage(&error) { Failure::Usage(error.to_string()) } else { Failure::Refused(error.to_string()) }
    }
}

/// Whether a message names an address, or at least its host.
fn names(message: &str, address: &str) -> bool {
    let host = split_host_port(address).map_or("", |(host, _)| host);
    message.contains(address) || (!host.is_empty() && message.contains(host))
}

/// Whether an error is about how the command was put, and not about what the network answered: an address with an
/// unknown service among them, which nobody was asked about.
pub(crate) fn is_usage(error: &Error) -> bool {
    match error.cause() {
        Cause::Network(_) => true,
        Cause::Address(address) => *address.kind() != AddressErrorKind::NoSuitableAddress,
        Cause::Lookup(lookup) => {
            matches!(lookup.kind(), LookupErrorKind::InvalidName | LookupErrorKind::UnknownPort)
        }
        _ => false,
    }
}

/// What Rust says of an I/O error, without the number behind it.
pub(crate) fn without_number(text: &str) -> &str {
    text.split_once(" (os error").map_or(text, |(words, _)| words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_an_address() {
        let refused = "dial tcp 127.0.0.1:1: connect: connection refused";
        for (address, named) in [
            ("127.0.0.1:1", true),
            ("127.0.0.1:tcpmux", true),
            (":1", true),
            (":tcpmux", false),
            ("localhost:1", false),
            ("[::1]:1", false),
        ] {
            assert_eq!(names(refused, address), named, "{address}");
        }
        assert!(names("dial tcp: lookup x.example: no such host", "x.example:80"));
        assert!(!names("dial tcp [fe80::1%2]:80: connect: no route to host", "[fe80::1%eth0]:80"));
    }
}
