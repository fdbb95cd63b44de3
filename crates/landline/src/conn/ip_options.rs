//! Options that UDP and IP sockets share: each exists once for IPv4 and once for IPv6, and an IPv6 socket that serves
//! both has both.

use std::io::IoSliceMut;
use std::net::{IpAddr, SocketAddr};

use libc::{IPPROTO_IP, IPPROTO_IPV6, c_int};
use rustix::io::Errno;
use rustix::net::{ReturnFlags, SocketAddrAny};

use super::ancillary::Ancillary;
use super::received::Received;
use crate::addr::canonical;
use crate::error::Cause;
use crate::fd::NetFd;
use crate::sys;

/// The options of one socket.
pub(crate) struct IpOptions<'a> {
    pub(crate) fd: &'a NetFd,
    pub(crate) versions: Versions,
}

/// The versions of IP whose options a socket has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Versions {
    V4,
    V6,
    Both,
}

/// An option in both versions, with the name that its errors carry.
#[derive(Clone, Copy)]
pub(crate) struct IpOption {
    name: &'static str,
    v4: c_int,
    v6: c_int,
}

const fn option(name: &'static str, v4: c_int, v6: c_int) -> IpOption {
    IpOption { name, v4, v6 }
}

pub(crate) const TTL: IpOption = option("IP_TTL", libc::IP_TTL, libc::IPV6_UNICAST_HOPS);
pub(crate) const TRAFFIC_CLASS: IpOption = option("IP_TOS", libc::IP_TOS, libc::IPV6_TCLASS);
pub(crate) const MULTICAST_TTL: IpOption =
    option("IP_MULTICAST_TTL", libc::IP_MULTICAST_TTL, libc::IPV6_MULTICAST_HOPS);
pub(crate) const MULTICAST_LOOP: IpOption =
    option("IP_MULTICAST_LOOP", libc::IP_MULTICAST_LOOP, libc::IPV6_MULTICAST_LOOP);
pub(crate) const RECV_DESTINATION: IpOption = option("IP_PKTINFO", libc::IP_PKTINFO, libc::IPV6_RECVPKTINFO);
pub(crate) const RECV_TTL: IpOption = option("IP_RECVTTL", libc::IP_RECVTTL, libc::IPV6_RECVHOPLIMIT);
pub(crate) const RECV_TRAFFIC_CLASS: IpOption = option("IP_RECVTOS", libc::IP_RECVTOS, libc::IPV6_RECVTCLASS);

impl IpOptions<'_> {
    pub(crate) fn set(&self, option: IpOption, value: c_int) -> Result<(), Cause> {
        self.fd.with_fd(option.name, |fd| {
            if self.versions != Versions::V6 {
                sys::set_int(fd, IPPROTO_IP, option.v4, value)?;
            }
            if self.versions != Versions::V4 {
                sys::set_int(fd, IPPROTO_IPV6, option.v6, value)?;
            }
            Ok(())
        })
    }

    /// Of a socket with both, the one for IPv6.
    pub(crate) fn get(&self, option: IpOption) -> Result<c_int, Cause> {
        self.fd.with_fd(option.name, |fd| match self.versions {
            Versions::V4 => sys::get_int(fd, IPPROTO_IP, option.v4),
            Versions::V6 | Versions::Both => sys::get_int(fd, IPPROTO_IPV6, option.v6),
        })
    }

    /// The interface by which multicast datagrams leave.
    pub(crate) fn set_multicast_interface(&self, index: u32) -> Result<(), Cause> {
        self.fd.with_fd("IP_MULTICAST_IF", |fd| {
            if self.versions != Versions::V6 {
                sys::set_multicast_interface_v4(fd, index)?;
            }
            if self.versions != Versions::V4 {
                sys::set_int(fd, IPPROTO_IPV6, libc::IPV6_MULTICAST_IF, index.cast_signed())?;
            }
            Ok(())
        })
    }

    /// Joins or leaves a group, of all sources or of one.
    pub(crate) fn member(
        &self,
        membership: sys::Membership,
        group: IpAddr,
        source: Option<IpAddr>,
        interface: u32,
    ) -> Result<(), Cause> {
        let (group, source) = (group.to_canonical(), source.map(|source| source.to_canonical()));
        self.fd.with_fd(membership.name(), |fd| sys::set_membership(fd, membership, group, source, interface))
    }
}

/// Room for all the control messages of a datagram that landline asks for, and for some that it does not.
const CONTROL: usize = 256;

/// Receives a datagram and what its control messages say.
pub(crate) async fn recv_msg(
    fd: &NetFd,
    buffer: &mut [u8],
) -> Result<(Received<SocketAddr>, Ancillary), Cause> {
    let mut control = sys::ControlBuffer([0; CONTROL]);
    let incoming = fd.recv_msg(&mut [IoSliceMut::new(buffer)], &mut control.0).await?;
    let truncated = incoming.flags.contains(ReturnFlags::TRUNC);
    let received = Received::new(incoming.bytes, truncated, sender(incoming.from)?);
    Ok((received, Ancillary::from_control(&control.0[..incoming.control])))
}

/// The sender of a datagram, which always has an address; never IPv4-mapped.
pub(crate) fn sender(from: Option<SocketAddrAny>) -> Result<SocketAddr, Cause> {
    Ok(canonical(SocketAddr::try_from(from.ok_or(Errno::AFNOSUPPORT)?)?))
}

/// Makes the methods of a conn that has a method `ip_options`.
macro_rules! ip_option_methods {
    () => {
        /// The time to live of what is sent, which IPv6 calls hop limit: 64 by default.
        pub fn ttl(&self) -> Result<u32> {
            self.ip_option($crate::conn::ip_options::TTL).map(i32::cast_unsigned)
        }

        /// Sets [`ttl`](Self::ttl), from 1 to 255.
        pub fn set_ttl(&self, ttl: u32) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::TTL, ttl.cast_signed())
        }

        /// The traffic class of what is sent (IPv4: type of service): DSCP and ECN; 0 by default.
        pub fn traffic_class(&self) -> Result<u8> {
            let class = self.ip_option($crate::conn::ip_options::TRAFFIC_CLASS)?;
            Ok(u8::try_from(class).unwrap_or(0))
        }

        /// Sets [`traffic_class`](Self::traffic_class).
        pub fn set_traffic_class(&self, class: u8) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::TRAFFIC_CLASS, class.into())
        }

        /// Whether [`recv_msg`](Self::recv_msg) tells the address that a datagram was sent to, and the interface by
        /// which it came (`IP_PKTINFO`, `IPV6_RECVPKTINFO`). Off by default.
        pub fn set_recv_destination(&self, on: bool) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::RECV_DESTINATION, on.into())
        }

        /// Whether [`recv_msg`](Self::recv_msg) tells a datagram's time to live or hop limit (`IP_RECVTTL`,
        /// `IPV6_RECVHOPLIMIT`). Off by default.
        pub fn set_recv_ttl(&self, on: bool) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::RECV_TTL, on.into())
        }

        /// Whether [`recv_msg`](Self::recv_msg) tells a datagram's traffic class, which holds its ECN (`IP_RECVTOS`,
        /// `IPV6_RECVTCLASS`). Off by default.
        pub fn set_recv_traffic_class(&self, on: bool) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::RECV_TRAFFIC_CLASS, on.into())
        }

        /// Whether broadcast addresses can be sent to (`SO_BROADCAST`). On by default for conns that landline made.
        pub fn broadcast(&self) -> Result<bool> {
            self.option("SO_BROADCAST", |fd| rustix::net::sockopt::socket_broadcast(fd))
        }

        /// Sets [`broadcast`](Self::broadcast).
        pub fn set_broadcast(&self, on: bool) -> Result<()> {
            self.option("SO_BROADCAST", |fd| rustix::net::sockopt::set_socket_broadcast(fd, on))
        }

        /// Joins a multicast group on the interface with this index ([`Interface::index`](crate::Interface::index)),
        /// 0 for the kernel's choice. What others send to the group then arrives here, from any source.
        pub fn join_multicast(&self, group: std::net::IpAddr, interface: u32) -> Result<()> {
            self.membership($crate::sys::Membership::Join, group, None, interface)
        }

        /// Leaves a group joined with [`join_multicast`](Self::join_multicast) on the same interface. Closing the conn
        /// leaves all.
        pub fn leave_multicast(&self, group: std::net::IpAddr, interface: u32) -> Result<()> {
            self.membership($crate::sys::Membership::Leave, group, None, interface)
        }

        /// Joins a multicast group for what `source` sends to it alone (RFC 4607).
        pub fn join_multicast_from(
            &self,
            group: std::net::IpAddr,
            source: std::net::IpAddr,
            interface: u32,
        ) -> Result<()> {
            self.membership($crate::sys::Membership::Join, group, Some(source), interface)
        }

        /// Leaves a group joined with [`join_multicast_from`](Self::join_multicast_from).
        pub fn leave_multicast_from(
            &self,
            group: std::net::IpAddr,
            source: std::net::IpAddr,
            interface: u32,
        ) -> Result<()> {
            self.membership($crate::sys::Membership::Leave, group, Some(source), interface)
        }

        /// Makes multicast datagrams leave by the interface with this index, 0 for the kernel's choice.
        pub fn set_multicast_interface(&self, interface: u32) -> Result<()> {
            let set = self.ip_options().and_then(|options| options.set_multicast_interface(interface));
            self.named(Operation::Set, set)
        }

        /// The time to live, or hop limit, of multicast datagrams: 1 by default, so that they stay on the link.
        pub fn multicast_ttl(&self) -> Result<u32> {
            self.ip_option($crate::conn::ip_options::MULTICAST_TTL).map(i32::cast_unsigned)
        }

        /// Sets [`multicast_ttl`](Self::multicast_ttl), from 0 to 255.
        pub fn set_multicast_ttl(&self, ttl: u32) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::MULTICAST_TTL, ttl.cast_signed())
        }

        /// Whether this host's own members of a group get what is sent to it here. On by default.
        pub fn multicast_loop(&self) -> Result<bool> {
            Ok(self.ip_option($crate::conn::ip_options::MULTICAST_LOOP)? != 0)
        }

        /// Sets [`multicast_loop`](Self::multicast_loop).
        pub fn set_multicast_loop(&self, on: bool) -> Result<()> {
            self.set_ip_option($crate::conn::ip_options::MULTICAST_LOOP, on.into())
        }

        fn ip_option(&self, option: $crate::conn::ip_options::IpOption) -> Result<i32> {
            let value = self.ip_options().and_then(|options| options.get(option));
            self.named(Operation::Set, value)
        }

        fn set_ip_option(&self, option: $crate::conn::ip_options::IpOption, value: i32) -> Result<()> {
            let set = self.ip_options().and_then(|options| options.set(option, value));
            self.named(Operation::Set, set)
        }

        fn membership(
            &self,
            membership: $crate::sys::Membership,
            group: std::net::IpAddr,
            source: Option<std::net::IpAddr>,
            interface: u32,
        ) -> Result<()> {
            let set =
                self.ip_options().and_then(|options| options.member(membership, group, source, interface));
            self.named(Operation::Set, set)
        }
    };
}

pub(crate) use ip_option_methods;
