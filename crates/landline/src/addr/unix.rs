//! Unix domain socket addresses (unix(7)).

use std::ffi::OsStr;
use std::fmt;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use super::{AddressError, AddressErrorKind};

/// The name of a Unix domain socket.
///
/// In text, a leading `@` stands for the NUL byte of Linux's abstract namespace and the empty string for no name,
/// as in Go, socat and `ss`. A path that itself begins with `@` is written `./@…`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum UnixAddr {
    /// A file.
    Path(PathBuf),
    /// A name in the abstract namespace, without its leading NUL byte. It vanishes with its last socket.
    Abstract(Vec<u8>),
    /// No name: a socket never bound, or one end of a pair. Binding to it lets the kernel choose an abstract name.
    Unnamed,
}

/// `sizeof(sockaddr_un.sun_path)` on Linux.
const SUN_PATH: usize = 108;

impl UnixAddr {
    /// Parses the text form; refuses NUL bytes, and names longer than the kernel takes: 107 bytes of path (so that
    /// every program can read it back NUL-terminated) or 107 of abstract name.
    pub fn parse(text: &OsStr) -> Result<UnixAddr, AddressError> {
        let bytes = text.as_bytes();
        let refuse = |kind| Err(AddressError::new(text.to_string_lossy(), kind));
        if bytes.contains(&0) {
            return refuse(AddressErrorKind::InteriorNul);
        }
        let limit = SUN_PATH - 1;
        match bytes {
            [] => Ok(UnixAddr::Unnamed),
            [b'@', name @ ..] if name.len() <= limit => Ok(UnixAddr::Abstract(name.to_vec())),
            path if path[0] != b'@' && path.len() <= limit => Ok(UnixAddr::Path(PathBuf::from(text))),
            _ => {
                let length = if bytes[0] == b'@' { bytes.len() - 1 } else { bytes.len() };
                refuse(AddressErrorKind::PathTooLong { length, limit })
            }
        }
    }

    /// The file's path, where the address is one.
    pub fn as_path(&self) -> Option<&Path> {
        match self {
            UnixAddr::Path(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn to_raw(&self) -> rustix::io::Result<rustix::net::SocketAddrUnix> {
        match self {
            UnixAddr::Path(path) => rustix::net::SocketAddrUnix::new(path.as_path()),
            UnixAddr::Abstract(name) => rustix::net::SocketAddrUnix::new_abstract_name(name),
            UnixAddr::Unnamed => Ok(rustix::net::SocketAddrUnix::new_unnamed()),
        }
    }

    /// What the kernel wrote as an address; a socket without a name has none, or only its family.
    pub(crate) fn from_any(raw: Option<rustix::net::SocketAddrAny>) -> UnixAddr {
        match raw {
            // Looked at first, because rustix makes it an abstract name of no length, which is something else.
            Some(raw) if raw.addr_len() as usize > size_of::<u16>() => {
                rustix::net::SocketAddrUnix::try_from(raw)
                    .map_or(UnixAddr::Unnamed, |raw| UnixAddr::from_raw(&raw))
            }
            _ => UnixAddr::Unnamed,
        }
    }

    pub(crate) fn from_raw(raw: &rustix::net::SocketAddrUnix) -> UnixAddr {
        if let Some(name) = raw.abstract_name() {
            return UnixAddr::Abstract(name.to_vec());
        }
        match raw.path() {
            Some(path) if !path.is_empty() => {
                UnixAddr::Path(PathBuf::from(std::ffi::OsString::from_vec(path.to_bytes().to_vec())))
            }
            _ => UnixAddr::Unnamed,
        }
    }
}

impl std::str::FromStr for UnixAddr {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<UnixAddr, AddressError> {
        UnixAddr::parse(OsStr::new(text))
    }
}

/// The text form; bytes that are not UTF-8 or not printable are escaped.
impl fmt::Display for UnixAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnixAddr::Path(path) => write!(f, "{}", path.display()),
            UnixAddr::Abstract(name) => write!(f, "@{}", name.escape_ascii()),
            UnixAddr::Unnamed => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_forms() {
        assert_eq!("".parse(), Ok(UnixAddr::Unnamed));
        assert_eq!("@x".parse(), Ok(UnixAddr::Abstract(b"x".to_vec())));
        assert_eq!("/run/x".parse(), Ok(UnixAddr::Path("/run/x".into())));
        assert_eq!(UnixAddr::Abstract(vec![b'a', 0, 255]).to_string(), "@a\\x00\\xff");
    }

    #[test]
    fn limits_are_those_of_the_kernel() {
        for prefix in ["", "@"] {
            let fits = format!("{prefix}{}", "p".repeat(107));
            assert!(fits.parse::<UnixAddr>().unwrap().to_raw().is_ok());
            let over = format!("{prefix}{}", "p".repeat(108));
            let error = over.parse::<UnixAddr>().unwrap_err();
            assert_eq!(error.kind(), &AddressErrorKind::PathTooLong { length: 108, limit: 107 });
        }
        assert_eq!("a\0b".parse::<UnixAddr>().unwrap_err().kind(), &AddressErrorKind::InteriorNul);
    }

    #[test]
    fn the_kernel_form_round_trips() {
        for text in ["", "@abstract", "/run/socket"] {
            let addr: UnixAddr = text.parse().unwrap();
            assert_eq!(UnixAddr::from_raw(&addr.to_raw().unwrap()), addr);
        }
    }
}
