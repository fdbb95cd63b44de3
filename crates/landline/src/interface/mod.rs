//! The network interfaces of this host, their addresses, and the multicast groups they have joined.

mod address;
mod flags;
mod multicast;
mod netlink;

use std::fmt;
use std::io;
use std::net::IpAddr;

use rustix::io::Errno;

pub(crate) use address::ipv6_addr_flags;
pub use address::{AddrScope, InterfaceAddr};
pub use flags::InterfaceFlags;

use crate::error::{Cause, Error, Operation, Result};
use netlink::Question;

/// A network interface, as it was when it was asked for.
///
/// ```
/// let lo = landline::Interface::by_name("lo")?;
/// assert!(lo.flags().is_loopback());
/// for addr in lo.addrs()? {
///     println!("{} has {addr}", lo.name());
/// }
/// # Ok::<(), landline::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Interface {
    index: u32,
    name: String,
    mtu: u32,
    flags: InterfaceFlags,
    hardware_addr: Option<HardwareAddr>,
}

/// The link-layer address of an interface, such as an Ethernet address. Prints as `02:fc:00:00:00:01`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct HardwareAddr(Box<[u8]>);

/// All interfaces of this host, by index.
///
/// Asks the kernel by rtnetlink(7); does not wait. Fails where that cannot be done, as in a sandbox that forbids it.
pub fn interfaces() -> Result<Vec<Interface>> {
    let mut all = netlink::dump(Question::Link, Interface::parse).map_err(failed)?;
    all.sort_unstable_by_key(|interface| interface.index);
    Ok(all)
}

/// The addresses of all interfaces of this host.
pub fn interface_addrs() -> Result<Vec<InterfaceAddr>> {
    address::dump().map_err(failed)
}

impl Interface {
    /// The interface of this name, or alternative name.
    ///
    /// An error whose [`is_not_found`](Error::is_not_found) is true if there is none.
    pub fn by_name(name: &str) -> Result<Interface> {
        let kind = if name.len() < LONGEST_NAME { NAME } else { ALTERNATIVE_NAME };
        if name.is_empty() || name.contains('\0') || name.len() > LONGEST_ALTERNATIVE_NAME {
            return Err(failed(Errno::NODEV).to_text(name));
        }
        let mut body = vec![0; LINK_HEADER];
        netlink::push_attribute(&mut body, kind, &[name.as_bytes(), b"\0"].concat());
        Interface::ask(body).map_err(|error| failed(error).to_text(name))
    }

    /// The interface of this index.
    ///
    /// An error whose [`is_not_found`](Error::is_not_found) is true if there is none.
    pub fn by_index(index: u32) -> Result<Interface> {
        let refuse = |error| Err(failed(error).to_text(&index.to_string()));
        match i32::try_from(index) {
            // The kernel takes 0 for a question without an index.
            Err(_) | Ok(0) => refuse(Errno::NODEV),
            Ok(_) => {
                let mut body = vec![0; LINK_HEADER];
                body[4..8].copy_from_slice(&index.to_ne_bytes());
                Interface::ask(body).or_else(refuse)
            }
        }
    }

    fn ask(body: Vec<u8>) -> Result<Interface, Errno> {
        netlink::ask(Question::Link, &[body], Interface::parse)?.pop().unwrap_or(Err(Errno::NODEV))
    }

    /// Its index, from 1; the number that stands for it in an IPv6 zone.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// Its name, such as `eth0`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The largest packet it sends, in bytes, without the link layer's header.
    pub fn mtu(&self) -> u32 {
        self.mtu
    }

    /// What it can and does do.
    pub fn flags(&self) -> InterfaceFlags {
        self.flags
    }

    /// Its link-layer address, where it has one: neither loopback nor tunnels do.
    pub fn hardware_addr(&self) -> Option<&HardwareAddr> {
        self.hardware_addr.as_ref()
    }

    /// The addresses it has now; empty if it is gone.
    pub fn addrs(&self) -> Result<Vec<InterfaceAddr>> {
        let mut addrs = address::dump().map_err(|error| failed(error).to_text(&self.name))?;
        addrs.retain(|addr| addr.interface_index() == self.index);
        Ok(addrs)
    }

    /// The multicast groups it is a member of now, IPv4 first, from `/proc/net/igmp` and `/proc/net/igmp6`; empty if
    /// it is gone.
    pub fn multicast_addrs(&self) -> Result<Vec<IpAddr>> {
        let mut groups = Vec::new();
        for (file, parse) in MULTICAST_FILES {
            match std::fs::read(file) {
                Ok(bytes) => groups.extend(parse(&String::from_utf8_lossy(&bytes), self.index)),
                // The kernel lacks this family.
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(Error::new(Operation::Interface, error).to_text(&self.name)),
            }
        }
        Ok(groups)
    }

    /// From the body of an `RTM_NEWLINK`.
    fn parse(body: &[u8]) -> Option<Interface> {
        let kind = u16::from_ne_bytes(*body.get(2..)?.first_chunk()?);
        let mut parsed = Interface {
            index: netlink::number(body, 4)?,
            name: String::new(),
            mtu: 0,
            flags: InterfaceFlags::new(netlink::number(body, 8)?),
            hardware_addr: None,
        };
        for (attribute, value) in netlink::attributes(body, LINK_HEADER) {
            match attribute {
                NAME => {
                    let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
                    parsed.name = String::from_utf8_lossy(name).into_owned();
                }
                MTU => parsed.mtu = netlink::number(value, 0)?,
                HARDWARE_ADDRESS if !TUNNELS.contains(&kind) && value.iter().any(|&byte| byte != 0) => {
                    parsed.hardware_addr = Some(HardwareAddr(value.into()));
                }
                _ => {}
            }
        }
        (!parsed.name.is_empty()).then_some(parsed)
    }
}

/// `/proc/net` would be that of the process's first thread, which may be in another network namespace.
const MULTICAST_FILES: [(&str, ParseGroups); 2] = [
    ("/proc/thread-self/net/igmp", multicast::parse_igmp),
    ("/proc/thread-self/net/igmp6", multicast::parse_igmp6),
];

/// Gives the groups of the interface with this index.
type ParseGroups = fn(&str, u32) -> Vec<IpAddr>;

/// `sizeof(struct ifinfomsg)`: family, type, index, flags, change mask.
const LINK_HEADER: usize = 16;
// IFLA_… of linux/if_link.h
const HARDWARE_ADDRESS: u16 = 1;
const NAME: u16 = 3;
const MTU: u16 = 4;
const ALTERNATIVE_NAME: u16 = 53;
/// `IFNAMSIZ` and `ALTIFNAMSIZ`, each with the NUL byte.
const LONGEST_NAME: usize = 16;
const LONGEST_ALTERNATIVE_NAME: usize = 127;
/// The link types of IP tunnels (linux/if_arp.h: IPIP, IP6IP6, SIT, GRE, GRE over IPv6), whose link-layer address is
/// the IP address of their near end.
const TUNNELS: [u16; 5] = [768, 769, 776, 778, 823];

fn failed(error: Errno) -> Error {
    let call = if error == Errno::NODEV { "" } else { "rtnetlink" };
    Error::new(Operation::Interface, Cause::System { call, error })
}

/// Reads an answer of rtnetlink(7) as if it were each of those that are asked for.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_answer(datagram: &[u8]) {
    for body in netlink::messages(datagram).map(|message| message.body) {
        if let Some(interface) = Interface::parse(body) {
            assert!(!interface.name.is_empty() && !format!("{interface:?}").is_empty());
        }
        if let Some(addr) = InterfaceAddr::parse(body) {
            assert_ne!(addr.peer(), Some(addr.ip()));
            assert!(!format!("{addr} {addr:?}").is_empty());
        }
    }
}

/// Reads a text as either of the files of multicast groups.
#[cfg(any(test, fuzzing))]
pub(crate) fn parse_multicast(text: &str, index: u32) -> Vec<IpAddr> {
    MULTICAST_FILES.iter().flat_map(|(_, parse)| parse(text, index)).collect()
}

impl HardwareAddr {
    /// Its bytes, six for Ethernet.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().enumerate().try_for_each(|(index, byte)| {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02x}")
        })
    }
}

impl fmt::Debug for HardwareAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HardwareAddr({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, UdpSocket};

    fn loopback() -> Interface {
        let found = interfaces().unwrap().into_iter().find(|interface| interface.flags().is_loopback());
        found.expect("every host has a loopback interface")
    }

    #[test]
    fn the_loopback_interface_is_what_it_is() {
        let lo = loopback();
        assert!(lo.flags().is_up() && !lo.flags().is_broadcast() && !lo.flags().is_point_to_point());
        assert_eq!(lo.hardware_addr(), None);
        assert!(lo.mtu() >= 1280, "{}", lo.mtu());
        let addrs = lo.addrs().unwrap();
        let shown: Vec<String> = addrs.iter().map(ToString::to_string).collect();
        assert!(shown.contains(&"127.0.0.1/8".to_owned()), "{shown:?}");
        assert!(addrs.iter().all(|addr| addr.interface_index() == lo.index()));
        assert!(interface_addrs().unwrap().iter().any(|addr| addr.ip() == IpAddr::from(Ipv4Addr::LOCALHOST)));
    }

    #[test]
    fn all_interfaces_that_sysfs_shows_are_found_by_name_and_index() {
        let all = interfaces().unwrap();
        for interface in &all {
            assert_eq!(Interface::by_name(interface.name()).unwrap().index(), interface.index());
            assert_eq!(Interface::by_index(interface.index()).unwrap().name(), interface.name());
            let read = |file: &str| {
                std::fs::read_to_string(format!("/sys/class/net/{}/{file}", interface.name())).ok()
            };
            if let (Some(index), Some(mtu)) = (read("ifindex"), read("mtu")) {
                assert_eq!(index.trim(), interface.index().to_string());
                assert_eq!(mtu.trim(), interface.mtu().to_string());
            }
            if let (Some(addr), Some(hardware)) = (read("address"), interface.hardware_addr()) {
                assert_eq!(addr.trim(), hardware.to_string());
            }
        }
        assert!(all.windows(2).all(|pair| pair[0].index() < pair[1].index()));
    }

    #[test]
    fn an_interface_that_does_not_exist_is_not_found_by_name() {
        let long = "x".repeat(300);
        for name in ["", "nonesuch0", "no\0ne", "a-name-that-is-longer-than-fifteen", &long] {
            let error = Interface::by_name(name).unwrap_err();
            assert!(error.is_not_found(), "{error}");
            assert!(error.to_string().ends_with("no such device"), "{error}");
        }
        assert_eq!(
            Interface::by_name("nonesuch0").unwrap_err().to_string(),
            "interface nonesuch0: no such device"
        );
        for index in [0, 0x7fff_ffff, u32::MAX] {
            let error = Interface::by_index(index).unwrap_err();
            assert_eq!(error.to_string(), format!("interface {index}: no such device"));
        }
    }

    #[test]
    fn a_joined_group_is_listed_until_it_is_left() {
        let lo = loopback();
        let group = Ipv4Addr::new(239, 255, 77, 1);
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        assert!(lo.multicast_addrs().unwrap().contains(&group.into()));
        socket.leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST).unwrap();
        assert!(!lo.multicast_addrs().unwrap().contains(&group.into()));
    }

    #[test]
    fn a_joined_ipv6_group_is_listed() {
        let Ok(socket) = UdpSocket::bind("[::1]:0") else { return };
        let lo = loopback();
        let group = "ff02::77:1".parse().unwrap();
        socket.join_multicast_v6(&group, lo.index()).unwrap();
        assert!(lo.multicast_addrs().unwrap().contains(&group.into()));
    }

    #[test]
    fn an_ipv6_address_of_this_host_has_its_flags_and_a_strangers_has_none() {
        let strangers =
            ["::2", "2001:db8::1"].map(|ip| crate::addr::ScopedIp::from(ip.parse::<IpAddr>().unwrap()));
        assert_eq!(ipv6_addr_flags(&strangers).unwrap(), [None, None]);
        for addr in interface_addrs().unwrap().iter().filter(|addr| addr.ip().is_ipv6()) {
            let flags = ipv6_addr_flags(&[addr.scoped()]).unwrap();
            assert!(flags[0].is_some_and(|flags| flags.is_deprecated() == addr.is_deprecated()), "{addr}");
        }
    }

    #[test]
    fn hardware_addresses_print_in_hexadecimal() {
        assert_eq!(HardwareAddr([2, 0xfc, 0, 0, 0, 1].into()).to_string(), "02:fc:00:00:00:01");
    }

    #[test]
    fn links_without_a_name_are_passed_over() {
        assert_eq!(Interface::parse(&[]), None);
        assert_eq!(Interface::parse(&[0; 16]), None);
        let mut body = vec![0; LINK_HEADER];
        netlink::push_attribute(&mut body, NAME, b"sit0\0");
        netlink::push_attribute(&mut body, HARDWARE_ADDRESS, &[192, 0, 2, 1]);
        body[2..4].copy_from_slice(&776_u16.to_ne_bytes());
        assert_eq!(Interface::parse(&body).unwrap().hardware_addr(), None);
        netlink::push_attribute(&mut body, MTU, &[0]);
        assert_eq!(Interface::parse(&body), None);
    }
}
