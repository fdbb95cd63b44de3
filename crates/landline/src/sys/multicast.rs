//! Multicast groups by interface, for both versions of IP alike (RFC 3678).

use std::net::{IpAddr, SocketAddr};
use std::os::fd::BorrowedFd;

use rustix::net::addr::SocketAddrArg;

use super::socket_option::set;

/// What to do with a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Membership {
    Join,
    Leave,
}

impl Membership {
    /// What errors call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Membership::Join => "MCAST_JOIN_GROUP",
            Membership::Leave => "MCAST_LEAVE_GROUP",
        }
    }
}

// From linux/in.h; libc lacks some.
const MCAST_JOIN_GROUP: libc::c_int = 42;
const MCAST_LEAVE_GROUP: libc::c_int = 45;
const MCAST_JOIN_SOURCE_GROUP: libc::c_int = 46;
const MCAST_LEAVE_SOURCE_GROUP: libc::c_int = 47;

/// Joins or leaves a group on an interface, 0 for the kernel's choice; for all sources, or for one.
pub(crate) fn set_membership(
    fd: BorrowedFd<'_>,
    membership: Membership,
    group: IpAddr,
    source: Option<IpAddr>,
    interface: u32,
) -> rustix::io::Result<()> {
    let level = match group {
        IpAddr::V4(_) => libc::IPPROTO_IP,
        IpAddr::V6(_) => libc::IPPROTO_IPV6,
    };
    let group = storage(group);
    let Some(source) = source else {
        let option = match membership {
            Membership::Join => MCAST_JOIN_GROUP,
            Membership::Leave => MCAST_LEAVE_GROUP,
        };
        let request = libc::group_req { gr_interface: interface, gr_group: group };
        // SAFETY: the option's value is this struct.
        return unsafe { set(fd, level, option, &request) };
    };
    let option = match membership {
        Membership::Join => MCAST_JOIN_SOURCE_GROUP,
        Membership::Leave => MCAST_LEAVE_SOURCE_GROUP,
    };
    let request =
        libc::group_source_req { gsr_interface: interface, gsr_group: group, gsr_source: storage(source) };
    // SAFETY: the option's value is this struct.
    unsafe { set(fd, level, option, &request) }
}

/// The interface by which IPv4 multicast leaves (`IP_MULTICAST_IF`, ip(7)).
pub(crate) fn set_multicast_interface_v4(fd: BorrowedFd<'_>, interface: u32) -> rustix::io::Result<()> {
    let any = libc::in_addr { s_addr: 0 };
    let request =
        libc::ip_mreqn { imr_multiaddr: any, imr_address: any, imr_ifindex: interface.cast_signed() };
    // SAFETY: the option's value is this struct.
    unsafe { set(fd, libc::IPPROTO_IP, libc::IP_MULTICAST_IF, &request) }
}

fn storage(ip: IpAddr) -> libc::sockaddr_storage {
    // SAFETY: the struct holds integers only, for which zero is a value.
    let mut storage: libc::sockaddr_storage = unsafe { std::mem::zeroed() };
    // SAFETY: the storage is as long as rustix's, and takes any address.
    unsafe { SocketAddr::new(ip, 0).write_sockaddr((&raw mut storage).cast()) };
    storage
}
