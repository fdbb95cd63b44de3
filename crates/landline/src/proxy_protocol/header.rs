//! The header itself: pure code.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::ffi::OsStrExt;

use crate::addr::{Addr, UnixAddr};

/// What a proxy says of the conn that it relays.
///
/// ```
/// use landline::{ProxyHeader, ProxyHeaderVersion};
///
/// let source = "192.0.2.7:50000".parse::<std::net::SocketAddr>().unwrap();
/// let destination = "198.51.100.1:443".parse::<std::net::SocketAddr>().unwrap();
/// let header = ProxyHeader::relayed(source, destination);
///
/// let line = header.encode(ProxyHeaderVersion::V1);
/// assert_eq!(line, b"PROXY TCP4 192.0.2.7 198.51.100.1 50000 443\r\n");
/// assert_eq!(ProxyHeader::parse(&line), Ok(Some((header, line.len()))));
/// assert_eq!(ProxyHeader::parse(b"PROXY TCP4 192.0"), Ok(None), "there is more to come");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeader {
    /// It is the proxy's own conn, such as a health check, or the proxy does not know whose (`LOCAL`, `UNKNOWN`).
    Local,
    /// Somebody else's conn.
    Relayed {
        /// Where the client came from.
        source: Addr,
        /// Where the client went to.
        destination: Addr,
    },
}

/// How the header is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ProxyHeaderVersion {
    /// A line of text; TCP alone, anything else is `UNKNOWN`.
    V1,
    /// A block of bytes; TCP and Unix sockets.
    V2,
}

/// Why bytes are no PROXY header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyHeaderError {
    reason: &'static str,
    /// What there was, as far as it tells anything.
    bytes: Vec<u8>,
}

/// Section 2.2: twelve bytes that no other protocol begins with.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
/// Section 2.1: the longest line, its end included.
const LONGEST_LINE: usize = 107;
/// What follows the 16 bytes that every second version begins with: addresses, and what may be told besides. The format
/// admits 65,535, of which nobody uses a fraction.
const LONGEST_BLOCK: usize = 4096;
const UNIX_PATH: usize = 108;

impl ProxyHeader {
    /// The header of a relayed TCP conn. The two are written as addresses of IPv6 where one of them is.
    pub fn relayed(source: SocketAddr, destination: SocketAddr) -> ProxyHeader {
        ProxyHeader::Relayed { source: source.into(), destination: destination.into() }
    }

    /// Reads a header of either version from the beginning of what a conn sends, and says how long it is; the rest is
    /// the client's. `None` while what there is may become one: at most 4,112 bytes.
    ///
    /// What a second version tells besides the addresses (TLVs) is skipped, and datagrams' addresses are read like those
    /// of streams.
    pub fn parse(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
        let begins_as = |whole: &[u8]| bytes.iter().zip(whole).all(|(byte, other)| byte == other);
        if begins_as(SIGNATURE) {
            if bytes.len() < 16 { Ok(None) } else { block(bytes) }
        } else if begins_as(b"PROXY ") {
            line(bytes)
        } else {
            Err(refused("it does not begin as one", bytes))
        }
    }

    /// The header's bytes. What the version cannot say of the addresses, it says of nobody's conn.
    pub fn encode(&self, version: ProxyHeaderVersion) -> Vec<u8> {
        match version {
            ProxyHeaderVersion::V1 => self.encode_line(),
            ProxyHeaderVersion::V2 => self.encode_block(),
        }
    }

    fn encode_line(&self) -> Vec<u8> {
        let Some((source, destination)) = self.sockets() else { return b"PROXY UNKNOWN\r\n".to_vec() };
        let (from, to, family) = match same_family(source.ip(), destination.ip()) {
            Ips::V4(from, to) => (from.to_string(), to.to_string(), "TCP4"),
            Ips::V6(from, to) => (from.to_string(), to.to_string(), "TCP6"),
        };
        format!("PROXY {family} {from} {to} {} {}\r\n", source.port(), destination.port()).into_bytes()
    }

    fn encode_block(&self) -> Vec<u8> {
        let (mut family, mut addresses) = (0, Vec::new());
        if let Some((source, destination)) = self.sockets() {
            match same_family(source.ip(), destination.ip()) {
                Ips::V4(from, to) => {
                    family = 0x11;
                    addresses.extend(from.octets());
                    addresses.extend(to.octets());
                }
                Ips::V6(from, to) => {
                    family = 0x21;
                    addresses.extend(from.octets());
                    addresses.extend(to.octets());
                }
            }
            addresses.extend(source.port().to_be_bytes());
            addresses.extend(destination.port().to_be_bytes());
        } else if let ProxyHeader::Relayed {
            source: Addr::Unix(source),
            destination: Addr::Unix(destination),
        } = self
        {
            family = 0x31;
            addresses.extend(unix_field(source));
            addresses.extend(unix_field(destination));
        }
        // A header that says nothing of a client is the proxy's own: LOCAL, and addresses that are not to be looked at.
        let command = if family == 0 { 0x20 } else { 0x21 };
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        // 216 at most.
        bytes.extend((addresses.len() as u16).to_be_bytes());
        bytes.extend(addresses);
        bytes
    }

    fn sockets(&self) -> Option<(SocketAddr, SocketAddr)> {
        match self {
            ProxyHeader::Relayed { source, destination } => {
                Some((source.as_socket()?, destination.as_socket()?))
            }
            ProxyHeader::Local => None,
        }
    }
}

/// Two addresses of one family: IPv4 if both are.
enum Ips {
    V4(Ipv4Addr, Ipv4Addr),
    V6(Ipv6Addr, Ipv6Addr),
}

fn same_family(from: IpAddr, to: IpAddr) -> Ips {
    let six = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped(),
        IpAddr::V6(ip) => ip,
    };
    match (from.to_canonical(), to.to_canonical()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Ips::V4(from, to),
        (from, to) => Ips::V6(six(from), six(to)),
    }
}

/// Section 2.1.
fn line(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
    let window = &bytes[..bytes.len().min(LONGEST_LINE)];
    let end = match window.iter().position(|byte| *byte == b'\n') {
        Some(feed) if window[..feed].ends_with(b"\r") => feed - 1,
        // Nothing that may follow makes a header of it.
        Some(feed) => return Err(refused("a line that ends without a carriage return", &bytes[..feed])),
        None if bytes.len() < LONGEST_LINE => return Ok(None),
        None => return Err(refused("a line of more than 107 bytes", bytes)),
    };
    let words = std::str::from_utf8(&bytes[..end]).map_err(|_| refused("a line that is no text", bytes))?;
    let mut words = words.split(' ').skip(1);
    let header = match words.next() {
        // Whatever follows it is not to be looked at.
        Some("UNKNOWN") => ProxyHeader::Local,
        Some(family @ ("TCP4" | "TCP6")) => {
            let malformed =
                || refused("a line of other words than two addresses and two ports", &bytes[..end]);
            let mut ip = || -> Option<IpAddr> {
                let ip: IpAddr = words.next()?.parse().ok()?;
                (ip.is_ipv4() == (family == "TCP4")).then_some(ip)
            };
            let (from, to) = (ip().ok_or_else(malformed)?, ip().ok_or_else(malformed)?);
            let mut port = || words.next().and_then(decimal);
            let (source, destination) = (port().ok_or_else(malformed)?, port().ok_or_else(malformed)?);
            if words.next().is_some() {
                return Err(malformed());
            }
            ProxyHeader::relayed(SocketAddr::new(from, source), SocketAddr::new(to, destination))
        }
        _ => return Err(refused("a family that is neither TCP4, TCP6 nor UNKNOWN", &bytes[..end])),
    };
    Ok(Some((header, end + 2)))
}

/// Digits alone, and no zeros before them.
fn decimal(word: &str) -> Option<u16> {
    let plain = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
    if plain { word.parse().ok() } else { None }
}

/// Section 2.2; there are 16 bytes at least.
fn block(bytes: &[u8]) -> Result<Option<(ProxyHeader, usize)>, ProxyHeaderError> {
    let length = usize::from(u16::from_be_bytes([bytes[14], bytes[15]]));
    if bytes[12] >> 4 != 2 {
        return Err(refused("a version that is not 2", &bytes[12..13]));
    }
    if length > LONGEST_BLOCK {
        return Err(refused("a block of more than 4096 bytes", &bytes[14..16]));
    }
    let Some(block) = bytes.get(16..16 + length) else { return Ok(None) };
    let header = match bytes[12] & 0xf {
        0 => ProxyHeader::Local,
        1 => relayed(bytes[13], block)?,
        _ => return Err(refused("a command that is neither LOCAL nor PROXY", &bytes[12..13])),
    };
    Ok(Some((header, 16 + length)))
}

fn relayed(family: u8, block: &[u8]) -> Result<ProxyHeader, ProxyHeaderError> {
    let short = || refused("a block too short for its addresses", block);
    let port = |at: usize| Some(u16::from_be_bytes(block.get(at..at + 2)?.try_into().ok()?));
    Ok(match family {
        0x11 | 0x12 => {
            let ip = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(block.get(at..at + 4)?).ok()?));
            let end = |ip_at, port_at| Some(SocketAddr::from((ip(ip_at)?, port(port_at)?)));
            ProxyHeader::relayed(end(0, 8).ok_or_else(short)?, end(4, 10).ok_or_else(short)?)
        }
        0x21 | 0x22 => {
            let ip = |at: usize| Some(Ipv6Addr::from(<[u8; 16]>::try_from(block.get(at..at + 16)?).ok()?));
            let end = |ip_at, port_at| Some(SocketAddr::from((ip(ip_at)?, port(port_at)?)));
            ProxyHeader::relayed(end(0, 32).ok_or_else(short)?, end(16, 34).ok_or_else(short)?)
        }
        0x31 | 0x32 => {
            let end = |at: usize| Some(unix_addr(block.get(at..at + UNIX_PATH)?));
            ProxyHeader::Relayed {
                source: end(0).ok_or_else(short)?.into(),
                destination: end(UNIX_PATH).ok_or_else(short)?.into(),
            }
        }
        // UNSPEC: to be accepted, and nothing known.
        0 => ProxyHeader::Local,
        _ => return Err(refused("an unknown family", &[family])),
    })
}

/// A path ends with its first NUL byte; an abstract name begins with one, and ends before those that fill the field.
fn unix_addr(field: &[u8]) -> UnixAddr {
    let until_nul = |bytes: &[u8]| bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    match field {
        [0, name @ ..] => {
            let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
            if end == 0 { UnixAddr::Unnamed } else { UnixAddr::Abstract(name[..end].to_vec()) }
        }
        path => UnixAddr::Path(std::ffi::OsStr::from_bytes(&path[..until_nul(path)]).into()),
    }
}

fn unix_field(addr: &UnixAddr) -> [u8; UNIX_PATH] {
    let mut field = [0; UNIX_PATH];
    let (from, name): (usize, &[u8]) = match addr {
        UnixAddr::Path(path) => (0, path.as_os_str().as_bytes()),
        UnixAddr::Abstract(name) => (1, name),
        UnixAddr::Unnamed => (0, &[]),
    };
    // An address of the kernel's fits; of any other the beginning is told.
    let length = name.len().min(UNIX_PATH - from);
    field[from..from + length].copy_from_slice(&name[..length]);
    field
}

fn refused(reason: &'static str, bytes: &[u8]) -> ProxyHeaderError {
    ProxyHeaderError { reason, bytes: bytes[..bytes.len().min(32)].to_vec() }
}

impl fmt::Display for ProxyHeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no PROXY header: {}: {}", self.reason, self.bytes.escape_ascii())
    }
}

impl std::error::Error for ProxyHeaderError {}

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    use super::*;

    /// What must hold of any input.
    pub fn proxy_header(data: &[u8]) {
        match ProxyHeader::parse(data) {
            Ok(Some((header, length))) => {
                assert!(length <= data.len() && length <= 16 + LONGEST_BLOCK);
                // What was enough is enough, and what is less is not an error.
                assert_eq!(ProxyHeader::parse(&data[..length]), Ok(Some((header.clone(), length))));
                assert_eq!(ProxyHeader::parse(&data[..length - 1]), Ok(None));
                let written = header.encode(ProxyHeaderVersion::V2);
                let (read, whole) = ProxyHeader::parse(&written).unwrap().unwrap();
                assert_eq!(whole, written.len());
                // A family that the other end has not is written in the one that can say both.
                assert_eq!(read.encode(ProxyHeaderVersion::V2), written);
                assert!(header.encode(ProxyHeaderVersion::V1).len() <= LONGEST_LINE);
            }
            Ok(None) => assert!(data.len() < 16 + LONGEST_BLOCK),
            Err(error) => assert!(error.to_string().starts_with("no PROXY header: ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relayed(source: &str, destination: &str) -> ProxyHeader {
        ProxyHeader::relayed(source.parse().unwrap(), destination.parse().unwrap())
    }

    #[test]
    fn lines_of_the_first_version() {
        for (text, header) in [
            (
                "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
                relayed("255.255.255.255:65535", "255.255.255.255:65535"),
            ),
            ("PROXY TCP6 2001:db8::1 ::1 1 0\r\n", relayed("[2001:db8::1]:1", "[::1]:0")),
            ("PROXY UNKNOWN\r\n", ProxyHeader::Local),
            ("PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", ProxyHeader::Local),
        ] {
            let whole = format!("{text}GET / HTTP/1.1\r\n");
            assert_eq!(ProxyHeader::parse(whole.as_bytes()), Ok(Some((header, text.len()))), "{text}");
            for end in 0..text.len() {
                assert_eq!(ProxyHeader::parse(&text.as_bytes()[..end]), Ok(None), "{text} up to {end}");
            }
        }
    }

    #[test]
    fn what_is_no_header_is_refused_and_named() {
        let long = format!("PROXY TCP4 {}", "1".repeat(120));
        for (bytes, reason) in [
            (&b"GET / HTTP/1.1\r\n"[..], "it does not begin as one: GET / HTTP/1.1"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "a line of other words"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n", "a line of other words"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n", "a line of other words"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n", "a line of other words"),
            (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 65536\r\n", "a line of other words"),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n", "a line of other words"),
            (b"PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n", "a line of other words"),
            (b"PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n", "a family that is neither"),
            (b"PROXY TCP4  192.0.2.1 192.0.2.2 1 2\r\n", "a line of other words"),
            (b"PROXY \xff\r\n", "a line that is no text"),
            (long.as_bytes(), "a line of more than 107 bytes"),
            (b"\r\n\r\n\0\r\nQUIT\n\x11\x11\0\0", "a version that is not 2"),
            (b"\r\n\r\n\0\r\nQUIT\n\x22\x11\0\0", "a command that is neither"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff", "a block of more than 4096 bytes"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x01\0", "a block too short"),
            (b"\r\n\r\n\0\r\nQUIT\n\x21\x41\0\0", "an unknown family"),
        ] {
            let error = ProxyHeader::parse(bytes).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
    }

    #[test]
    fn blocks_of_the_second_version_read_as_they_were_written() {
        let unix = ProxyHeader::Relayed {
            source: UnixAddr::Abstract(b"a\0b".to_vec()).into(),
            destination: UnixAddr::Path("/run/app.sock".into()).into(),
        };
        for header in [
            relayed("192.0.2.7:50000", "198.51.100.1:443"),
            relayed("[2001:db8::7]:50000", "[2001:db8::1]:443"),
            unix,
            ProxyHeader::Local,
        ] {
            let mut bytes = header.encode(ProxyHeaderVersion::V2);
            let length = bytes.len();
            bytes.extend(b"hello");
            assert_eq!(ProxyHeader::parse(&bytes), Ok(Some((header, length))));
        }
    }

    #[test]
    fn a_block_is_as_haproxy_writes_it() {
        // With one TLV behind the addresses: PP2_TYPE_NOOP (section 2.2.7), three bytes.
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([
            0x21, 0x11, 0, 18, 192, 0, 2, 7, 198, 51, 100, 1, 0xc3, 0x50, 0x01, 0xbb, 0x04, 0, 3, 1, 2, 3,
        ]);
        let header = relayed("192.0.2.7:50000", "198.51.100.1:443");
        assert_eq!(ProxyHeader::parse(&bytes), Ok(Some((header.clone(), bytes.len()))));
        assert_eq!(header.encode(ProxyHeaderVersion::V2)[12..16], [0x21, 0x11, 0, 12]);
    }

    #[test]
    fn families_that_differ_are_told_in_ipv6() {
        let header = relayed("192.0.2.7:1", "[2001:db8::1]:2");
        let line = header.encode(ProxyHeaderVersion::V1);
        assert_eq!(line, b"PROXY TCP6 ::ffff:192.0.2.7 2001:db8::1 1 2\r\n");
        let mapped = relayed("[::ffff:192.0.2.7]:1", "192.0.2.1:2");
        assert!(mapped.encode(ProxyHeaderVersion::V1).starts_with(b"PROXY TCP4 192.0.2.7 "));
        let unix =
            ProxyHeader::Relayed { source: UnixAddr::Unnamed.into(), destination: UnixAddr::Unnamed.into() };
        assert_eq!(unix.encode(ProxyHeaderVersion::V1), b"PROXY UNKNOWN\r\n");
    }
}
