//! Step 1: the network name, `"tcp"`, `"udp6"`, `"ip4:icmp"`, `"unixgram"`, parsed once into a [`Network`].

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// What kind of endpoint to talk to, parsed from the name Go and landline share.
///
/// | name | kind |
/// |---|---|
/// | `tcp` `tcp4` `tcp6` | TCP over either, or one, IP family |
/// | `udp` `udp4` `udp6` | UDP |
/// | `ip:PROTO` `ip4:PROTO` `ip6:PROTO` | raw IP; `PROTO` is a number from 0 to 255 or a name of the IANA registry such as `icmp` |
/// | `unix` | Unix stream socket |
/// | `unixgram` | Unix datagram socket |
/// | `unixpacket` | Unix seqpacket socket |
///
/// ```
/// use landline::{Family, Network, Protocol};
///
/// assert_eq!("tcp6".parse::<Network>().unwrap(), Network::Tcp(Family::V6));
/// assert_eq!("ip4:icmp".parse::<Network>().unwrap(), Network::Ip(Family::V4, Protocol(1)));
/// assert_eq!("tcp9".parse::<Network>().unwrap_err().to_string(), "unknown network tcp9");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// TCP.
    Tcp(Family),
    /// UDP.
    Udp(Family),
    /// Raw IP with the protocol number that goes into, or is filtered from, the IP header.
    Ip(Family, Protocol),
    /// A Unix domain socket.
    Unix(UnixKind),
}

/// Which IP versions a network admits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4 and IPv6.
    #[default]
    Any,
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
}

/// The three types of Unix domain socket (unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnixKind {
    /// `unix`: `SOCK_STREAM`.
    Stream,
    /// `unixgram`: `SOCK_DGRAM`.
    Datagram,
    /// `unixpacket`: `SOCK_SEQPACKET`.
    Seqpacket,
}

/// An IP protocol number (IANA "Assigned Internet Protocol Numbers").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Protocol(pub u8);

impl Protocol {
    /// ICMP for IPv4, 1.
    pub const ICMP: Protocol = Protocol(1);
    /// ICMP for IPv6, 58.
    pub const ICMPV6: Protocol = Protocol(58);
    /// TCP, 6.
    pub const TCP: Protocol = Protocol(6);
    /// UDP, 17.
    pub const UDP: Protocol = Protocol(17);

    /// The number of a protocol given by name or in decimal; names are those of the IANA registry, in any case.
    pub fn parse(text: &str) -> Option<Protocol> {
        if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            return text.parse().ok().map(Protocol);
        }
        PROTOCOLS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(text))
            .map(|&(_, number)| Protocol(number))
    }

    /// The registered name, where there is one.
    pub fn name(self) -> Option<&'static str> {
        PROTOCOLS.iter().find(|&&(_, number)| number == self.0).map(|&(name, _)| name)
    }
}

/// Names that programs use on the command line; from IANA's "Assigned Internet Protocol Numbers" registry and
/// netbase's /etc/protocols. The first name of a number is the one it is printed with.
const PROTOCOLS: &[(&str, u8)] = &[
    ("icmp", 1),
    ("igmp", 2),
    ("ggp", 3),
    ("ipencap", 4),
    ("ipip", 4),
    ("st", 5),
    ("tcp", 6),
    ("egp", 8),
    ("igp", 9),
    ("pup", 12),
    ("udp", 17),
    ("hmp", 20),
    ("xns-idp", 22),
    ("rdp", 27),
    ("iso-tp4", 29),
    ("dccp", 33),
    ("xtp", 36),
    ("ddp", 37),
    ("idpr-cmtp", 38),
    ("ipv6", 41),
    ("ipv6-route", 43),
    ("ipv6-frag", 44),
    ("idrp", 45),
    ("rsvp", 46),
    ("gre", 47),
    ("esp", 50),
    ("ipsec-esp", 50),
    ("ah", 51),
    ("ipsec-ah", 51),
    ("skip", 57),
    ("ipv6-icmp", 58),
    ("icmp6", 58),
    ("icmpv6", 58),
    ("ipv6-nonxt", 59),
    ("ipv6-opts", 60),
    ("rspf", 73),
    ("vmtp", 81),
    ("eigrp", 88),
    ("ospf", 89),
    ("ospfigp", 89),
    ("ax.25", 93),
    ("etherip", 97),
    ("encap", 98),
    ("pim", 103),
    ("ipcomp", 108),
    ("vrrp", 112),
    ("l2tp", 115),
    ("isis", 124),
    ("sctp", 132),
    ("fc", 133),
    ("mobility-header", 135),
    ("udplite", 136),
    ("mpls-in-ip", 137),
    ("hip", 139),
    ("shim6", 140),
    ("wesp", 141),
    ("rohc", 142),
];

/// Why a network name was refused; names the input.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseNetworkError {
    /// Not a name of the table at [`Network`].
    #[error("unknown network {0}")]
    Unknown(String),
    /// An `ip` network without its `:proto`.
    #[error("network {0} needs a protocol, as in {0}:icmp")]
    MissingProtocol(String),
    /// An `ip` network whose protocol is neither a number up to 255 nor a known name.
    #[error("network {network}: unknown IP protocol {protocol:?}")]
    UnknownProtocol {
        /// The whole input.
        network: String,
        /// Its part after the colon.
        protocol: String,
    },
}

impl ParseNetworkError {
    /// The name as it was given.
    pub fn input(&self) -> &str {
        match self {
            ParseNetworkError::Unknown(network)
            | ParseNetworkError::MissingProtocol(network)
            | ParseNetworkError::UnknownProtocol { network, .. } => network,
        }
    }
}

impl FromStr for Network {
    type Err = ParseNetworkError;

    fn from_str(text: &str) -> Result<Network, ParseNetworkError> {
        let (name, protocol) = match text.split_once(':') {
            Some((name, protocol)) => (name, Some(protocol)),
            None => (text, None),
        };
        let network = match name {
            "tcp" => Network::Tcp(Family::Any),
            "tcp4" => Network::Tcp(Family::V4),
            "tcp6" => Network::Tcp(Family::V6),
            "udp" => Network::Udp(Family::Any),
            "udp4" => Network::Udp(Family::V4),
            "udp6" => Network::Udp(Family::V6),
            "unix" => Network::Unix(UnixKind::Stream),
            "unixgram" => Network::Unix(UnixKind::Datagram),
            "unixpacket" => Network::Unix(UnixKind::Seqpacket),
            "ip" | "ip4" | "ip6" => {
                let family = match name {
                    "ip4" => Family::V4,
                    "ip6" => Family::V6,
                    _ => Family::Any,
                };
                let Some(protocol) = protocol else {
                    return Err(ParseNetworkError::MissingProtocol(text.to_owned()));
                };
                return match Protocol::parse(protocol) {
                    Some(protocol) => Ok(Network::Ip(family, protocol)),
                    None => Err(ParseNetworkError::UnknownProtocol {
                        network: text.to_owned(),
                        protocol: protocol.to_owned(),
                    }),
                };
            }
            _ => return Err(ParseNetworkError::Unknown(text.to_owned())),
        };
        match protocol {
            None => Ok(network),
            Some(_) => Err(ParseNetworkError::Unknown(text.to_owned())),
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Network::Tcp(family) => write!(f, "tcp{family}"),
            Network::Udp(family) => write!(f, "udp{family}"),
            Network::Ip(family, protocol) => write!(f, "ip{family}:{protocol}"),
            Network::Unix(UnixKind::Stream) => f.write_str("unix"),
            Network::Unix(UnixKind::Datagram) => f.write_str("unixgram"),
            Network::Unix(UnixKind::Seqpacket) => f.write_str("unixpacket"),
        }
    }
}

/// The suffix of a network name: `""`, `"4"` or `"6"`.
impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Family::Any => "",
            Family::V4 => "4",
            Family::V6 => "6",
        })
    }
}

/// The registered name, else the number.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.0),
        }
    }
}

impl Family {
    /// Whether an address may be used on a network of this family. An IPv4-mapped IPv6 address counts as IPv4.
    pub fn admits(self, ip: IpAddr) -> bool {
        match self {
            Family::Any => true,
            Family::V4 => ip.to_canonical().is_ipv4(),
            Family::V6 => ip.to_canonical().is_ipv6(),
        }
    }
}

impl Network {
    /// The IP family, or `None` for a Unix network.
    pub fn family(self) -> Option<Family> {
        match self {
            Network::Tcp(family) | Network::Udp(family) | Network::Ip(family, _) => Some(family),
            Network::Unix(_) => None,
        }
    }

    /// The same network narrowed to the family of `ip`; a Unix network is returned as it is.
    pub fn narrowed_to(self, ip: IpAddr) -> Network {
        let family = if ip.is_ipv4() { Family::V4 } else { Family::V6 };
        match self {
            Network::Tcp(_) => Network::Tcp(family),
            Network::Udp(_) => Network::Udp(family),
            Network::Ip(_, protocol) => Network::Ip(family, protocol),
            Network::Unix(kind) => Network::Unix(kind),
        }
    }

    /// The name without family or protocol: `tcp`, `udp`, `ip`, `unix`, `unixgram` or `unixpacket`.
    pub fn base_name(self) -> &'static str {
        match self {
            Network::Tcp(_) => "tcp",
            Network::Udp(_) => "udp",
            Network::Ip(..) => "ip",
            Network::Unix(UnixKind::Stream) => "unix",
            Network::Unix(UnixKind::Datagram) => "unixgram",
            Network::Unix(UnixKind::Seqpacket) => "unixpacket",
        }
    }

    /// Whether conns of this network keep message boundaries and need no connection: `udp`, `ip`, `unixgram`.
    pub fn is_packet(self) -> bool {
        matches!(self, Network::Udp(_) | Network::Ip(..) | Network::Unix(UnixKind::Datagram))
    }
}

/// Anything that names a network: a [`Network`], or its name as a string.
pub trait ToNetwork {
    /// Parses, or returns the value as it is.
    fn to_network(&self) -> Result<Network, ParseNetworkError>;
}

impl ToNetwork for Network {
    fn to_network(&self) -> Result<Network, ParseNetworkError> {
        Ok(*self)
    }
}

impl ToNetwork for str {
    fn to_network(&self) -> Result<Network, ParseNetworkError> {
        self.parse()
    }
}

impl ToNetwork for String {
    fn to_network(&self) -> Result<Network, ParseNetworkError> {
        self.parse()
    }
}

impl<T: ToNetwork + ?Sized> ToNetwork for &T {
    fn to_network(&self) -> Result<Network, ParseNetworkError> {
        (**self).to_network()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for name in [
            "tcp",
            "tcp4",
            "tcp6",
            "udp",
            "udp4",
            "udp6",
            "ip:icmp",
            "ip4:icmp",
            "ip6:ipv6-icmp",
            "ip4:253",
            "unix",
            "unixgram",
            "unixpacket",
        ] {
            assert_eq!(name.parse::<Network>().expect(name).to_string(), name);
        }
    }

    #[test]
    fn numbers_and_other_names_of_a_protocol_mean_the_same() {
        assert_eq!("ip4:1".parse(), Ok(Network::Ip(Family::V4, Protocol::ICMP)));
        assert_eq!("ip6:ICMPv6".parse(), Ok(Network::Ip(Family::V6, Protocol::ICMPV6)));
    }

    #[test]
    fn refused_names_say_what_was_wrong() {
        for (name, message) in [
            ("", "unknown network "),
            ("TCP", "unknown network TCP"),
            ("tcp5", "unknown network tcp5"),
            ("tcp:80", "unknown network tcp:80"),
            ("ip", "network ip needs a protocol, as in ip:icmp"),
            ("ip4:", "network ip4:: unknown IP protocol \"\""),
            ("ip4:256", "network ip4:256: unknown IP protocol \"256\""),
            ("ip4:-1", "network ip4:-1: unknown IP protocol \"-1\""),
            ("ip4:nonesuch", "network ip4:nonesuch: unknown IP protocol \"nonesuch\""),
        ] {
            assert_eq!(name.parse::<Network>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn mapped_addresses_count_as_ipv4() {
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        assert!(Family::V4.admits(mapped));
        assert!(!Family::V6.admits(mapped));
        assert!(Family::Any.admits(mapped));
    }
}
