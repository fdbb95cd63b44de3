//! How a command ends when it does not end well.

use std::fmt;
use std::io;

use landline::{AddressErrorKind, Cause, Error, LookupErrorKind};

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
            _ => Failure::Refused(format!("{name}: {}", plain(error))),
        }
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

/// An I/O error without the number that Rust prints after it.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}
