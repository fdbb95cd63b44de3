//! What UDP and IP sockets tell of a datagram besides its bytes, and can be told (ip(7), ipv6(7), RFC 3542).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use libc::{IPPROTO_IP, IPPROTO_IPV6};
use rustix::io::Errno;

use crate::sys::{int, parse_control, push_control};

/// Where a datagram arrived, or is to leave, and what its IP header says.
///
/// Of a received datagram it holds what was asked for with `set_recv_destination`, `set_recv_ttl` and
/// `set_recv_traffic_class`; when sending, what is not given is left to the socket and the kernel.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// // A server that answers from the address it was asked at, whichever of the host's that is.
/// let server = landline::listen_packet("udp4", "0.0.0.0:0").await?.into_udp().expect("a UDP conn");
/// server.set_recv_destination(true)?;
/// # let port = server.local_addr()?.port();
/// # let client = landline::dial("udp", &format!("127.0.0.1:{port}")).await?;
/// # client.write(b"question").await?;
/// let mut buffer = [0; 512];
/// let (question, ancillary) = server.recv_msg(&mut buffer).await?;
/// server.send_msg(&buffer[..question.len], Some(question.from), &ancillary.reply()).await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ancillary {
    /// The address on this host: where the datagram was sent to, which may be a multicast or broadcast address, or
    /// where it is to be sent from.
    pub local: Option<IpAddr>,
    /// The index of the interface on which it arrived, or is to leave.
    pub interface: Option<u32>,
    /// The time to live, which IPv6 calls hop limit.
    pub ttl: Option<u8>,
    /// The traffic class, which IPv4 called type of service: six bits of DSCP (RFC 2474), and two of ECN.
    pub traffic_class: Option<u8>,
    /// The address that the kernel would answer from.
    answering: Option<IpAddr>,
}

/// Explicit congestion notification (RFC 3168 section 5, RFC 8311).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ecn {
    /// `00`: the transport does not take part.
    NotEct,
    /// `01`: it does, by the rules of L4S (RFC 9331).
    Ect1,
    /// `10`: it does.
    Ect0,
    /// `11`: a router on the way was congested.
    Ce,
}

impl Ancillary {
    /// Nothing.
    pub fn new() -> Ancillary {
        Ancillary::default()
    }

    /// Sends from this address.
    #[must_use]
    pub fn local(mut self, local: IpAddr) -> Ancillary {
        self.local = Some(local);
        self
    }

    /// Sends by the interface of this index.
    #[must_use]
    pub fn interface(mut self, index: u32) -> Ancillary {
        self.interface = Some(index);
        self
    }

    /// Sends with this time to live or hop limit.
    #[must_use]
    pub fn ttl(mut self, ttl: u8) -> Ancillary {
        self.ttl = Some(ttl);
        self
    }

    /// Sends with this traffic class.
    #[must_use]
    pub fn traffic_class(mut self, class: u8) -> Ancillary {
        self.traffic_class = Some(class);
        self
    }

    /// Sends with this ECN, and the DSCP of the traffic class given before, or 0.
    #[must_use]
    pub fn ecn_codepoint(mut self, ecn: Ecn) -> Ancillary {
        self.traffic_class = Some(self.traffic_class.unwrap_or(0) & !0b11 | ecn.bits());
        self
    }

    /// The ECN bits of the traffic class.
    pub fn ecn(&self) -> Option<Ecn> {
        self.traffic_class.map(Ecn::of)
    }

    /// The DSCP of the traffic class, from 0 to 63.
    pub fn dscp(&self) -> Option<u8> {
        self.traffic_class.map(|class| class >> 2)
    }

    /// For an answer to a received datagram: from the address it was sent to, by the interface it came in. Where that
    /// is a multicast or broadcast address, nobody can send from it, and the kernel's choice takes its place.
    #[must_use]
    pub fn reply(&self) -> Ancillary {
        let from = self.answering.or(self.local).filter(|local| match local {
            IpAddr::V4(ip) => !ip.is_multicast() && !ip.is_broadcast(),
            IpAddr::V6(ip) => !ip.is_multicast(),
        });
        Ancillary { local: from, interface: self.interface, ..Ancillary::default() }
    }

    /// What the control messages of a received datagram say.
    pub(crate) fn from_control(control: &[u8]) -> Ancillary {
        let mut found = Ancillary::default();
        for message in parse_control(control) {
            let data = message.data;
            match (message.level, message.kind) {
                (IPPROTO_IP, libc::IP_PKTINFO) => {
                    // struct in_pktinfo: the interface, the address to answer from, the destination.
                    found.interface = int(data).and_then(index);
                    found.answering = data.get(4..).and_then(ipv4);
                    found.local = data.get(8..).and_then(ipv4);
                }
                (IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    // struct in6_pktinfo: the destination, the interface.
                    found.local =
                        data.first_chunk::<16>().map(|octets| Ipv6Addr::from(*octets).to_canonical());
                    found.interface = data.get(16..).and_then(int).and_then(index);
                }
                (IPPROTO_IP, libc::IP_TTL) | (IPPROTO_IPV6, libc::IPV6_HOPLIMIT) => {
                    found.ttl = int(data).and_then(|ttl| u8::try_from(ttl).ok());
                }
                // IPv4 sends it as one byte.
                (IPPROTO_IP, libc::IP_TOS) => found.traffic_class = data.first().copied(),
                (IPPROTO_IPV6, libc::IPV6_TCLASS) => {
                    found.traffic_class = int(data).and_then(|class| u8::try_from(class).ok());
                }
                _ => {}
            }
        }
        found
    }

    /// The control messages for a datagram sent over the version of IP of `to`, which for an IPv4 datagram are those of
    /// IPv4 on an IPv6 socket too. `EAFNOSUPPORT` for a local address of the other version.
    pub(crate) fn to_control(self, to: IpAddr) -> rustix::io::Result<Vec<u8>> {
        let mut control = Vec::new();
        let v4 = to.is_ipv4();
        let level = if v4 { IPPROTO_IP } else { IPPROTO_IPV6 };
        if self.local.is_some() || self.interface.is_some() {
            let interface = self.interface.unwrap_or(0).to_ne_bytes();
            let unspecified = if v4 { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            // The structs of `from_control`; what IPv4 has as the destination is ignored.
            let (kind, data) =
                match (v4, self.local.map_or(unspecified, |local: IpAddr| local.to_canonical())) {
                    (true, IpAddr::V4(ip)) => {
                        (libc::IP_PKTINFO, [&interface[..], &ip.octets(), &[0; 4]].concat())
                    }
                    (false, IpAddr::V6(ip)) => (libc::IPV6_PKTINFO, [&ip.octets()[..], &interface].concat()),
                    _ => return Err(Errno::AFNOSUPPORT),
                };
            push_control(&mut control, level, kind, &data);
        }
        if let Some(ttl) = self.ttl {
            let kind = if v4 { libc::IP_TTL } else { libc::IPV6_HOPLIMIT };
            push_control(&mut control, level, kind, &i32::from(ttl).to_ne_bytes());
        }
        if let Some(class) = self.traffic_class {
            let kind = if v4 { libc::IP_TOS } else { libc::IPV6_TCLASS };
            push_control(&mut control, level, kind, &i32::from(class).to_ne_bytes());
        }
        Ok(control)
    }
}

impl Ecn {
    /// The two bits.
    pub fn bits(self) -> u8 {
        match self {
            Ecn::NotEct => 0b00,
            Ecn::Ect1 => 0b01,
            Ecn::Ect0 => 0b10,
            Ecn::Ce => 0b11,
        }
    }

    /// Of a traffic class.
    pub(crate) fn of(traffic_class: u8) -> Ecn {
        match traffic_class & 0b11 {
            0b00 => Ecn::NotEct,
            0b01 => Ecn::Ect1,
            0b10 => Ecn::Ect0,
            _ => Ecn::Ce,
        }
    }
}

fn ipv4(data: &[u8]) -> Option<IpAddr> {
    Some(IpAddr::from(*data.first_chunk::<4>()?))
}

fn index(raw: i32) -> Option<u32> {
    u32::try_from(raw).ok().filter(|index| *index != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn what_is_sent_as_the_structs_of_the_kernel_is_read_back() {
        let whole = |local| Ancillary::new().local(ip(local)).interface(7).ttl(9).traffic_class(0b1011_0110);
        let v6 = Ancillary::from_control(&whole("2001:db8::1").to_control(ip("::1")).unwrap());
        assert_eq!(v6, whole("2001:db8::1"));
        assert_eq!((v6.dscp(), v6.ecn()), (Some(0b10_1101), Some(Ecn::Ect0)));
        // Of IPv4 the kernel reads the source where it writes the address to answer from.
        let v4 = Ancillary::from_control(&whole("192.0.2.1").to_control(ip("127.0.0.1")).unwrap());
        assert_eq!((v4.answering, v4.interface, v4.ttl), (Some(ip("192.0.2.1")), Some(7), Some(9)));
    }

    #[test]
    fn a_local_address_of_the_other_version_is_refused() {
        let v4 = Ancillary::new().local(ip("192.0.2.1"));
        assert_eq!(v4.to_control(ip("::1")), Err(Errno::AFNOSUPPORT));
        assert_eq!(Ancillary::new().local(ip("::1")).to_control(ip("127.0.0.1")), Err(Errno::AFNOSUPPORT));
        assert!(Ancillary::new().local(ip("::ffff:192.0.2.1")).to_control(ip("127.0.0.1")).is_ok());
        assert_eq!(Ancillary::new().to_control(ip("::1")), Ok(Vec::new()));
    }

    #[test]
    fn a_reply_comes_from_an_address_that_can_be_sent_from() {
        let reply =
            |local: &str| Ancillary { local: Some(ip(local)), ttl: Some(1), ..Ancillary::new() }.reply();
        assert_eq!(reply("192.0.2.1"), Ancillary::new().local(ip("192.0.2.1")));
        for multicast in ["224.0.0.251", "ff02::fb", "255.255.255.255"] {
            assert_eq!(reply(multicast), Ancillary::new(), "{multicast}");
        }
        let broadcast = Ancillary {
            local: Some(ip("192.0.2.255")),
            answering: Some(ip("192.0.2.1")),
            interface: Some(3),
            ..Ancillary::new()
        };
        assert_eq!(broadcast.reply(), Ancillary::new().local(ip("192.0.2.1")).interface(3));
    }

    #[test]
    fn ecn_leaves_the_dscp_alone() {
        for ecn in [Ecn::NotEct, Ecn::Ect1, Ecn::Ect0, Ecn::Ce] {
            let ancillary = Ancillary::new().traffic_class(0xff).ecn_codepoint(ecn);
            assert_eq!((ancillary.ecn(), ancillary.dscp()), (Some(ecn), Some(63)));
        }
        assert_eq!(Ancillary::new().ecn(), None);
    }

    proptest! {
        #[test]
        fn any_control_bytes_are_survived(
            kinds in prop::collection::vec((0..60_i32, any::<bool>(), prop::collection::vec(any::<u8>(), 0..24)), 0..6),
        ) {
            let mut control = Vec::new();
            for (kind, v4, data) in kinds {
                push_control(&mut control, if v4 { IPPROTO_IP } else { IPPROTO_IPV6 }, kind, &data);
            }
            let _ = Ancillary::from_control(&control);
        }
    }
}
