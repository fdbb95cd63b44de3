//! The addresses of `net/netip`.

use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::str::FromStr;

use super::Opaque;

/// Go's `netip.Addr`: an IP address, with a zone if it has one, or none, which is the zero value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Addr {
    ip: Option<IpAddr>,
    zone: String,
}

impl Addr {
    /// The address, unless it is the zero value.
    pub fn ip(&self) -> Option<IpAddr> {
        self.ip
    }

    /// The zone of an IPv6 address, such as `eth0`; empty as a rule.
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// The address with a zone, which has no effect on IPv4.
    #[must_use]
    pub fn with_zone(mut self, zone: &str) -> Addr {
        if matches!(self.ip, Some(IpAddr::V6(_))) {
            self.zone = zone.to_owned();
        }
        self
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        match self.ip {
            None => {}
            Some(IpAddr::V4(ip)) => bytes.extend(ip.octets()),
            Some(IpAddr::V6(ip)) => {
                bytes.extend(ip.octets());
                bytes.extend(self.zone.as_bytes());
            }
        }
    }
}

impl<T: Into<IpAddr>> From<T> for Addr {
    fn from(ip: T) -> Addr {
        Addr { ip: Some(ip.into()), zone: String::new() }
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            None => Ok(()),
            Some(ip) if self.zone.is_empty() => write!(f, "{ip}"),
            Some(ip) => write!(f, "{ip}%{}", self.zone),
        }
    }
}

impl FromStr for Addr {
    type Err = String;

    fn from_str(text: &str) -> Result<Addr, String> {
        if text.is_empty() {
            return Ok(Addr::default());
        }
        let (ip, zone) = match text.split_once('%') {
            Some((ip, zone)) if !zone.is_empty() => (ip, zone),
            Some(_) => return Err("a zone without a name".to_owned()),
            None => (text, ""),
        };
        let addr = Addr::from(ip.parse::<IpAddr>().map_err(|error| error.to_string())?).with_zone(zone);
        if addr.zone == zone { Ok(addr) } else { Err("an IPv4 address with a zone".to_owned()) }
    }
}

impl Opaque for Addr {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(16 + self.zone.len());
        self.put(&mut bytes);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Addr, String> {
        if bytes.is_empty() {
            return Ok(Addr::default());
        }
        if let Ok(octets) = <[u8; 4]>::try_from(bytes) {
            return Ok(Addr::from(octets));
        }
        let Some((octets, zone)) = bytes.split_first_chunk::<16>() else {
            return Err(format!("an IP address of {} bytes", bytes.len()));
        };
        let zone = std::str::from_utf8(zone).map_err(|_| "a zone that is not UTF-8")?;
        Ok(Addr::from(*octets).with_zone(zone))
    }

    fn zero() -> Addr {
        Addr::default()
    }

    fn is_zero(&self) -> bool {
        self.ip.is_none()
    }

    fn to_text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn from_text(text: &str) -> Result<Addr, String> {
        text.parse()
    }
}

crate::opaque!(Addr, BinaryMarshaler, "netip.Addr");

/// Go's `netip.AddrPort`: an IP address and a port.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct AddrPort {
    /// The address.
    pub addr: Addr,
    /// The port.
    pub port: u16,
}

impl From<SocketAddr> for AddrPort {
    fn from(addr: SocketAddr) -> AddrPort {
        AddrPort { addr: addr.ip().into(), port: addr.port() }
    }
}

impl fmt::Display for AddrPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr.ip {
            None => Ok(()),
            Some(IpAddr::V4(_)) => write!(f, "{}:{}", self.addr, self.port),
            Some(IpAddr::V6(_)) => write!(f, "[{}]:{}", self.addr, self.port),
        }
    }
}

impl FromStr for AddrPort {
    type Err = String;

    fn from_str(text: &str) -> Result<AddrPort, String> {
        if text.is_empty() {
            return Ok(AddrPort::default());
        }
        let wrong = || "no address with a port".to_owned();
        let (addr, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let port = port.parse().map_err(|_| wrong())?;
        let addr = match addr.strip_prefix('[').and_then(|addr| addr.strip_suffix(']')) {
            Some(addr) => addr.parse()?,
            None => Addr::from(addr.parse::<std::net::Ipv4Addr>().map_err(|_| wrong())?),
        };
        match addr {
            Addr { ip: None, .. } => Err(wrong()),
            addr => Ok(AddrPort { addr, port }),
        }
    }
}

impl TryFrom<&AddrPort> for SocketAddr {
    type Error = String;

    /// Without the zone, which only the system that it comes from knows.
    fn try_from(value: &AddrPort) -> Result<SocketAddr, String> {
        match value.addr.ip {
            Some(IpAddr::V6(ip)) => Ok(SocketAddrV6::new(ip, value.port, 0, 0).into()),
            Some(ip) => Ok(SocketAddr::new(ip, value.port)),
            None => Err("no address".to_owned()),
        }
    }
}

impl Opaque for AddrPort {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.addr.to_bytes();
        bytes.extend(self.port.to_le_bytes());
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<AddrPort, String> {
        let (addr, port) = bytes.split_last_chunk().ok_or("an address with a port of one byte")?;
        Ok(AddrPort { addr: Addr::from_bytes(addr)?, port: u16::from_le_bytes(*port) })
    }

    fn zero() -> AddrPort {
        AddrPort::default()
    }

    fn is_zero(&self) -> bool {
        self.addr.is_zero() && self.port == 0
    }

    fn to_text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn from_text(text: &str) -> Result<AddrPort, String> {
        text.parse()
    }
}

crate::opaque!(AddrPort, BinaryMarshaler, "netip.AddrPort");

/// Go's `netip.Prefix`: an IP address and how many of its bits count, or none, which is the zero value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Prefix(Option<(IpAddr, u8)>);

impl Prefix {
    /// A prefix; nothing when the address has fewer bits.
    pub fn new(ip: IpAddr, bits: u8) -> Option<Prefix> {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        (bits <= most).then_some(Prefix(Some((ip, bits))))
    }

    /// The address, of which bits beyond the prefix may be set, unless it is the zero value.
    pub fn ip(&self) -> Option<IpAddr> {
        self.0.map(|(ip, _)| ip)
    }

    /// How many bits count, unless it is the zero value.
    pub fn bits(&self) -> Option<u8> {
        self.0.map(|(_, bits)| bits)
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some((ip, bits)) => write!(f, "{ip}/{bits}"),
        }
    }
}

impl FromStr for Prefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Prefix, String> {
        if text.is_empty() {
            return Ok(Prefix::default());
        }
        let prefix =
            text.split_once('/').and_then(|(ip, bits)| Prefix::new(ip.parse().ok()?, bits.parse().ok()?));
        prefix.ok_or_else(|| "no IP address with a number of bits".to_owned())
    }
}

/// What Go has for the bits of the zero value.
const NO_BITS: u8 = 0xff;

impl Opaque for Prefix {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(17);
        if let Some(ip) = self.ip() {
            Addr::from(ip).put(&mut bytes);
        }
        bytes.push(self.bits().unwrap_or(NO_BITS));
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<Prefix, String> {
        let (bits, ip) = bytes.split_last().ok_or("a prefix of no bytes")?;
        match Addr::from_bytes(ip)? {
            Addr { ip: None, .. } => Ok(Prefix::default()),
            Addr { ip: Some(ip), zone } if zone.is_empty() => {
                Prefix::new(ip, *bits).ok_or_else(|| format!("a prefix of {bits} bits"))
            }
            _ => Err("a prefix with a zone".to_owned()),
        }
    }

    fn zero() -> Prefix {
        Prefix::default()
    }

    fn is_zero(&self) -> bool {
        self.0.is_none()
    }

    fn to_text(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn from_text(text: &str) -> Result<Prefix, String> {
        text.parse()
    }
}

crate::opaque!(Prefix, BinaryMarshaler, "netip.Prefix");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_and_texts_are_those_of_go() {
        fn holds<T: Opaque + PartialEq + fmt::Debug>(text: &str, bytes: &[u8]) {
            let value = T::from_text(text).unwrap_or_else(|why| panic!("{text}: {why}"));
            assert_eq!(value.to_bytes(), bytes, "{text}");
            assert_eq!(T::from_bytes(bytes).as_ref(), Ok(&value), "{text}");
            assert_eq!(value.to_text().as_deref(), Some(text));
            assert_eq!(value.is_zero(), value == T::zero());
        }
        holds::<Addr>("", b"");
        holds::<Addr>("1.2.3.4", &[1, 2, 3, 4]);
        holds::<Addr>("fe80::1%eth0", b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01eth0");
        holds::<Addr>("::ffff:1.2.3.4", b"\0\0\0\0\0\0\0\0\0\0\xff\xff\x01\x02\x03\x04");
        holds::<AddrPort>("", &[0, 0]);
        holds::<AddrPort>("1.2.3.4:80", &[1, 2, 3, 4, 80, 0]);
        holds::<AddrPort>("[fe80::1%eth0]:8080", b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01eth0\x90\x1f");
        holds::<Prefix>("", &[0xff]);
        holds::<Prefix>("1.2.3.0/24", &[1, 2, 3, 0, 24]);
        holds::<Prefix>("fe80::/10", b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["1.2.3", "1.2.3.4%eth0", "fe80::1%", "%"] {
            assert!(text.parse::<Addr>().is_err(), "{text}");
        }
        for text in ["1.2.3.4", "1.2.3.4:", "1.2.3.4:65536", "::1:80", "[]:80", ":80"] {
            assert!(text.parse::<AddrPort>().is_err(), "{text}");
        }
        for text in ["1.2.3.4", "1.2.3.4/33", "::/129", "/8", "::1%a/8"] {
            assert!(text.parse::<Prefix>().is_err(), "{text}");
        }
        assert!(Addr::from_bytes(&[1, 2, 3]).is_err());
        assert!(Addr::from_bytes(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xff").is_err());
        assert!(AddrPort::from_bytes(&[1]).is_err());
        assert!(Prefix::from_bytes(&[]).is_err());
        assert!(Prefix::from_bytes(&[1, 2, 3, 4, 33]).is_err());
        assert!(Prefix::from_bytes(b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0z\x08").is_err());
    }
}
