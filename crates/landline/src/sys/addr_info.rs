//! The C library's resolver: getaddrinfo(3) and getnameinfo(3), which block for as long as they like.

use std::ffi::{CStr, c_char, c_int};
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::ptr;

use rustix::io::Errno;

use crate::addr::ScopedIp;
use crate::network::Family;

/// What getaddrinfo knows of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AddrInfo {
    /// Its addresses in the order given, which getaddrinfo makes by RFC 6724.
    pub(crate) addresses: Vec<ScopedIp>,
    /// The name that its aliases lead to.
    pub(crate) canonical: Option<String>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum AddrInfoError {
    /// The name is not known.
    NoName,
    /// The name is known, and has nothing of what was asked for.
    NoData,
    /// It may be known later, in the C library's words.
    Again(String),
    /// A system call failed.
    System(Errno),
    /// Anything else, in the C library's words.
    Other(String),
}

/// `getaddrinfo(HOST, NULL, {AI_CANONNAME, family, SOCK_STREAM})`
pub(crate) fn addr_info(host: &CStr, family: Family) -> Result<AddrInfo, AddrInfoError> {
    // SAFETY: the struct holds integers and pointers only, for which zero is a value.
    let mut hints: libc::addrinfo = unsafe { mem::zeroed() };
    hints.ai_flags = libc::AI_CANONNAME;
    // Without a type, each address would come once for every type.
    hints.ai_socktype = libc::SOCK_STREAM;
    hints.ai_family = match family {
        Family::Any => libc::AF_UNSPEC,
        Family::V4 => libc::AF_INET,
        Family::V6 => libc::AF_INET6,
    };
    let mut list: *mut libc::addrinfo = ptr::null_mut();
    // SAFETY: `host` ends in NUL, `hints` is initialised, and `list` is a place for the result.
    let code = unsafe { libc::getaddrinfo(host.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
    if code != 0 {
        return Err(AddrInfoError::from_code(code));
    }
    let list = List(list);
    let mut info = AddrInfo { addresses: Vec::new(), canonical: None };
    let mut next = list.0;
    // SAFETY: the pointers are null or lead to entries of the list, which lives until `list` is dropped.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ai_next;
        if info.canonical.is_none() && !entry.ai_canonname.is_null() {
            // SAFETY: not null, and so a string that ends in NUL and lives as long as the list.
            let name = unsafe { CStr::from_ptr(entry.ai_canonname) };
            info.canonical = Some(name.to_string_lossy().into_owned());
        }
        // SAFETY: an entry's address is null or valid for its length.
        if let Some(address) = unsafe { scoped_ip(entry.ai_addr, entry.ai_addrlen) } {
            info.addresses.push(address);
        }
    }
    Ok(info)
}

/// `getnameinfo(IP, NI_NAMEREQD)`
pub(crate) fn name_info(ip: ScopedIp) -> Result<String, AddrInfoError> {
    let address = socket2::SockAddr::from(ip.with_port(0));
    let mut name = [0 as c_char; libc::NI_MAXHOST as usize];
    // SAFETY: `address` is valid for its length, and `name` is as long as is said.
    let code = unsafe {
        libc::getnameinfo(
            address.as_ptr().cast(),
            address.len(),
            name.as_mut_ptr(),
            libc::NI_MAXHOST as _,
            ptr::null_mut(),
            0,
            libc::NI_NAMEREQD,
        )
    };
    if code != 0 {
        return Err(AddrInfoError::from_code(code));
    }
    // SAFETY: on success the name in the array ends in NUL.
    Ok(unsafe { CStr::from_ptr(name.as_ptr()) }.to_string_lossy().into_owned())
}

/// The list that getaddrinfo made, to be freed.
struct List(*mut libc::addrinfo);

impl Drop for List {
    fn drop(&mut self) {
        if !self.0.is_null() {
            // SAFETY: it came from getaddrinfo and is freed once.
            unsafe { libc::freeaddrinfo(self.0) };
        }
    }
}

/// # Safety
///
/// `address` must be null or point to a socket address of `length` bytes.
unsafe fn scoped_ip(address: *const libc::sockaddr, length: libc::socklen_t) -> Option<ScopedIp> {
    if address.is_null() || length as usize > size_of::<libc::sockaddr_storage>() {
        return None;
    }
    // SAFETY: the caller's promise for the source; the storage is at least `length` bytes long, as was checked. Zeroed
    // first, all of it is initialised, and its length is what was copied.
    let address = unsafe {
        let mut storage = socket2::SockAddrStorage::zeroed();
        ptr::copy_nonoverlapping(address.cast::<u8>(), (&raw mut storage).cast::<u8>(), length as usize);
        socket2::SockAddr::new(storage, length)
    };
    address.as_socket().map(|address| match address {
        SocketAddr::V4(address) => IpAddr::V4(*address.ip()).into(),
        SocketAddr::V6(address) => ScopedIp { ip: IpAddr::V6(*address.ip()), scope_id: address.scope_id() },
    })
}

impl AddrInfoError {
    /// To be called right after the failed call, while `errno` is still its own.
    fn from_code(code: c_int) -> AddrInfoError {
        /// "Address family for hostname not supported": glibc's number, which the libc crate lacks.
        const EAI_ADDRFAMILY: c_int = -9;
        match code {
            libc::EAI_NONAME => AddrInfoError::NoName,
            libc::EAI_NODATA | EAI_ADDRFAMILY => AddrInfoError::NoData,
            libc::EAI_AGAIN => AddrInfoError::Again(text(code)),
            libc::EAI_SYSTEM => match Errno::from_io_error(&std::io::Error::last_os_error()) {
                Some(error) => AddrInfoError::System(error),
                None => AddrInfoError::Other(text(code)),
            },
            _ => AddrInfoError::Other(text(code)),
        }
    }
}

/// The C library's words for a code, begun in lower case.
fn text(code: c_int) -> String {
    // SAFETY: gai_strerror takes any number, and returns a constant string or, for a library without words, null.
    let words = unsafe {
        let words = libc::gai_strerror(code);
        if words.is_null() { c"unknown error" } else { CStr::from_ptr(words) }
    };
    let words = words.to_string_lossy();
    let mut chars = words.chars();
    chars.next().map(|first| first.to_lowercase().chain(chars).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(info: &AddrInfo) -> Vec<String> {
        info.addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn literals_come_back_as_they_are() {
        let info = addr_info(c"192.0.2.1", Family::Any).unwrap();
        assert_eq!(ips(&info), ["192.0.2.1"]);
        assert_eq!(info.canonical.as_deref(), Some("192.0.2.1"));
        assert_eq!(ips(&addr_info(c"fe80::1%1", Family::V6).unwrap()), ["fe80::1%1"]);
        assert_eq!(addr_info(c"192.0.2.1", Family::V6), Err(AddrInfoError::NoData));
    }

    #[test]
    fn this_host_is_known_both_ways() {
        let info = addr_info(c"localhost", Family::V4).unwrap();
        assert_eq!(ips(&info), ["127.0.0.1"]);
        let loopback: IpAddr = "127.0.0.1".parse().unwrap();
        assert!(!name_info(loopback.into()).unwrap().is_empty());
    }

    #[test]
    fn codes_have_their_words() {
        assert_eq!(AddrInfoError::from_code(libc::EAI_NONAME), AddrInfoError::NoName);
        let again = "temporary failure in name resolution".to_owned();
        assert_eq!(AddrInfoError::from_code(libc::EAI_AGAIN), AddrInfoError::Again(again));
        assert_eq!(AddrInfoError::from_code(-999), AddrInfoError::Other("unknown error".to_owned()));
    }
}
