//! Sockets that this process was started with: `fd:N`, and systemd's socket activation, `systemd:NAME`
//! (sd_listen_fds(3)).

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::sync::{Mutex, PoisonError};

use rustix::io::FdFlags;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, sockopt};

use crate::addr::{Addr, AddressError, AddressErrorKind, UnixAddr};
use crate::error::Cause;
use crate::network::{Family, Network, UnixKind};
use crate::sys;

/// The first descriptor that systemd passes, `SD_LISTEN_FDS_START`.
const LISTEN_FDS_START: RawFd = 3;

/// So many at most are looked at, however large a number the environment gives.
const MOST_LISTEN_FDS: RawFd = 4096;

/// An address that stands for a descriptor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Inherited {
    /// `fd:N`.
    Number(RawFd),
    /// `systemd:NAME`.
    Named(String),
}

/// What systemd says of the descriptors that it passed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activation {
    pid: Option<String>,
    fds: Option<String>,
    names: Option<String>,
}

/// Whether the socket is to be one that listens, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Listener,
    Conn,
}

impl Inherited {
    /// `None` if the address is of another form.
    pub(crate) fn parse(address: &str) -> Option<Result<Inherited, AddressError>> {
        let invalid =
            |reason: &str| Err(AddressError::new(address, AddressErrorKind::Invalid(reason.to_owned())));
        if let Some(number) = address.strip_prefix("fd:") {
            let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
            return Some(match number.parse() {
                Ok(number) if digits => Ok(Inherited::Number(number)),
                _ => invalid("not the number of a descriptor"),
            });
        }
        let name = address.strip_prefix("systemd:")?;
        Some(match name {
            "" => invalid("systemd: needs the name of a socket"),
            name => Ok(Inherited::Named(name.to_owned())),
        })
    }

    /// Takes the descriptor over: made close-on-exec and non-blocking, and never given out again.
    ///
    /// Descriptors 0 to 2 belong to std's standard streams and are duplicated; they stay open beside the copy.
    pub(crate) fn take(&self, address: &str, network: Network, role: Role) -> Result<OwnedFd, Cause> {
        let invalid =
            |reason: String| Cause::from(AddressError::new(address, AddressErrorKind::Invalid(reason)));
        let number = match self {
            Inherited::Number(number) => *number,
            Inherited::Named(name) => {
                let ours = Activation::from_env().numbers(std::process::id(), name).map_err(invalid)?;
                let taken = taken();
                let free = ours.iter().find(|number| !taken.contains(number));
                *free.ok_or_else(|| invalid(format!("all sockets named {name} were taken already")))?
            }
        };
        let mut taken = taken();
        if taken.contains(&number) {
            return Err(invalid(format!("descriptor {number} was taken already")));
        }
        let fd = sys::with_descriptor(number, |fd| -> Result<(), Cause> {
            rustix::io::fcntl_getfd(fd).map_err(|_| invalid(format!("descriptor {number} is not open")))?;
            check(fd, network, role).map_err(|found| invalid(format!("descriptor {number} is {found}")))
        })
        .and_then(|()| match number {
            0..=2 => sys::with_descriptor(number, |fd| Ok(rustix::io::fcntl_dupfd_cloexec(fd, 3)?)),
            _ => Ok(sys::adopt(number)),
        })?;
        taken.insert(number);
        rustix::io::fcntl_setfd(&fd, FdFlags::CLOEXEC)?;
        rustix::io::ioctl_fionbio(&fd, true)?;
        Ok(fd)
    }
}

/// The name that a socket is bound to.
pub(crate) fn bound_address(fd: &impl AsFd) -> rustix::io::Result<Addr> {
    let name = rustix::net::getsockname(fd)?;
    match SocketAddrUnix::try_from(name.clone()) {
        Ok(unix) => Ok(Addr::Unix(UnixAddr::from_raw(&unix))),
        Err(_) => SocketAddr::try_from(name).map(Addr::Socket),
    }
}

/// The numbers given out so far. A descriptor is the whole process's, and so is the record of its owner.
fn taken() -> std::sync::MutexGuard<'static, BTreeSet<RawFd>> {
    static TAKEN: Mutex<BTreeSet<RawFd>> = Mutex::new(BTreeSet::new());
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether it is the socket that is wanted; says what it is if not.
fn check(fd: BorrowedFd<'_>, network: Network, role: Role) -> Result<(), String> {
    let (Ok(domain), Ok(kind)) = (sockopt::socket_domain(fd), sockopt::socket_type(fd)) else {
        return Err("not a socket".to_owned());
    };
    let (domains, wanted): (&[AddressFamily], SocketType) = match network {
        Network::Unix(UnixKind::Stream) => (&[AddressFamily::UNIX], SocketType::STREAM),
        Network::Unix(UnixKind::Datagram) => (&[AddressFamily::UNIX], SocketType::DGRAM),
        Network::Unix(UnixKind::Seqpacket) => (&[AddressFamily::UNIX], SocketType::SEQPACKET),
        Network::Tcp(family) => (domains(family), SocketType::STREAM),
        Network::Udp(family) => (domains(family), SocketType::DGRAM),
        Network::Ip(family, _) => (domains(family), SocketType::RAW),
    };
    if !domains.contains(&domain) || kind != wanted {
        return Err(format!("not a {network} socket"));
    }
    let listens = sockopt::socket_acceptconn(fd).unwrap_or(false);
    match (role, listens) {
        (Role::Listener, false) if !network.is_packet() => Err("not a listening socket".to_owned()),
        (Role::Conn, true) => Err("a listening socket".to_owned()),
        _ => Ok(()),
    }
}

fn domains(family: Family) -> &'static [AddressFamily] {
    match family {
        Family::Any => &[AddressFamily::INET, AddressFamily::INET6],
        Family::V4 => &[AddressFamily::INET],
        Family::V6 => &[AddressFamily::INET6],
    }
}

impl Activation {
    pub(crate) fn from_env() -> Activation {
        let read = |name| std::env::var(name).ok();
        Activation { pid: read("LISTEN_PID"), fds: read("LISTEN_FDS"), names: read("LISTEN_FDNAMES") }
    }

    /// The descriptors called `name` in the process `process`, in order; or what stands in the way. A descriptor
    /// without a name is called `unknown`, as in sd_listen_fds(3).
    fn numbers(&self, process: u32, name: &str) -> Result<Vec<RawFd>, String> {
        let (Some(pid), Some(fds)) = (&self.pid, &self.fds) else {
            return Err("this process was not started by socket activation (no LISTEN_FDS)".to_owned());
        };
        if pid.parse() != Ok(process) {
            return Err(format!("the sockets of LISTEN_FDS are for process {pid}, not for {process}"));
        }
        let count = fds.parse::<RawFd>().ok().filter(|count| (0..=MOST_LISTEN_FDS).contains(count));
        let count = count.ok_or_else(|| format!("LISTEN_FDS={fds} is not a number of sockets"))?;
        let mut names = self.names.as_deref().map(|names| names.split(':'));
        let mut numbers = Vec::new();
        for number in LISTEN_FDS_START..LISTEN_FDS_START + count {
            let own = names.as_mut().and_then(Iterator::next).filter(|own| !own.is_empty());
            if own.unwrap_or("unknown") == name {
                numbers.push(number);
            }
        }
        match numbers.is_empty() {
            true => Err(format!("none of the {count} sockets passed is named {name}")),
            false => Ok(numbers),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::{AsRawFd, IntoRawFd};

    #[test]
    fn addresses_of_descriptors() {
        let shown = |address| match Inherited::parse(address) {
            None => "another form".to_owned(),
            Some(Ok(inherited)) => format!("{inherited:?}"),
            Some(Err(error)) => error.to_string(),
        };
        assert_eq!(shown("fd:3"), "Number(3)");
        assert_eq!(shown("systemd:web"), "Named(\"web\")");
        assert_eq!(shown("example.com:80"), "another form");
        for wrong in ["fd:", "fd:-1", "fd:+3", "fd:x", "fd:99999999999"] {
            assert_eq!(shown(wrong), format!("address {wrong}: not the number of a descriptor"));
        }
        assert_eq!(shown("systemd:"), "address systemd:: systemd: needs the name of a socket");
    }

    #[test]
    fn what_systemd_says_of_its_sockets() {
        let activation = |pid: &str, fds: &str, names: Option<&str>| Activation {
            pid: Some(pid.to_owned()),
            fds: Some(fds.to_owned()),
            names: names.map(str::to_owned),
        };
        let two = activation("7", "3", Some("web:admin:web"));
        assert_eq!(two.numbers(7, "web"), Ok(vec![3, 5]));
        assert_eq!(two.numbers(7, "admin"), Ok(vec![4]));
        assert_eq!(two.numbers(7, "x"), Err("none of the 3 sockets passed is named x".to_owned()));
        assert_eq!(
            two.numbers(8, "web"),
            Err("the sockets of LISTEN_FDS are for process 7, not for 8".to_owned())
        );
        assert_eq!(activation("7", "2", None).numbers(7, "unknown"), Ok(vec![3, 4]));
        assert_eq!(activation("7", "2", Some("a")).numbers(7, "unknown"), Ok(vec![4]));
        assert!(
            Activation::default().numbers(7, "web").unwrap_err().contains("not started by socket activation")
        );
        for wrong in ["", "-1", "x", "100000"] {
            assert!(activation("7", wrong, None).numbers(7, "web").unwrap_err().contains("not a number"));
        }
    }

    #[test]
    fn a_descriptor_is_taken_once_and_only_if_it_is_what_is_wanted() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let number = OwnedFd::from(listener);
        let raw = number.as_raw_fd();
        let inherited = Inherited::Number(raw);
        let address = format!("fd:{raw}");
        let take = |network: &str, role| {
            inherited.take(&address, network.parse().unwrap(), role).map_err(|cause| cause.to_string())
        };
        let refused = |reason: &str| Err(format!("address {address}: descriptor {raw} is {reason}"));
        let shown = |result: Result<OwnedFd, String>| result.map(|_| ());
        assert_eq!(shown(take("udp", Role::Listener)), refused("not a udp socket"));
        assert_eq!(shown(take("tcp6", Role::Listener)), refused("not a tcp6 socket"));
        assert_eq!(shown(take("tcp", Role::Conn)), refused("a listening socket"));
        // From here on, what was taken owns the number.
        let _ = number.into_raw_fd();
        let fd = take("tcp4", Role::Listener).unwrap();
        assert_eq!(fd.as_raw_fd(), raw);
        assert!(rustix::io::fcntl_getfd(&fd).unwrap().contains(FdFlags::CLOEXEC));
        assert_eq!(
            shown(take("tcp4", Role::Listener)),
            Err(format!("address {address}: descriptor {raw} was taken already"))
        );
    }

    #[test]
    fn a_number_that_is_not_open_is_refused() {
        let cause =
            Inherited::Number(19_999).take("fd:19999", Network::Tcp(Family::Any), Role::Conn).unwrap_err();
        assert_eq!(cause.to_string(), "address fd:19999: descriptor 19999 is not open");
    }
}
