//! Resource records to answer with.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::name::Name;

/// A record type by its number (IANA "Domain Name System Parameters").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

#[allow(missing_docs)] // Each is the type of its name.
impl RecordType {
    pub const A: RecordType = RecordType(1);
    pub const NS: RecordType = RecordType(2);
    pub const CNAME: RecordType = RecordType(5);
    pub const SOA: RecordType = RecordType(6);
    pub const PTR: RecordType = RecordType(12);
    pub const MX: RecordType = RecordType(15);
    pub const TXT: RecordType = RecordType(16);
    pub const AAAA: RecordType = RecordType(28);
    pub const SRV: RecordType = RecordType(33);
    pub const OPT: RecordType = RecordType(41);
    pub const SVCB: RecordType = RecordType(64);
    pub const HTTPS: RecordType = RecordType(65);
    pub const ANY: RecordType = RecordType(255);
}

/// The mnemonic, else `TYPE` and the number (RFC 3597).
impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            RecordType::A => "A",
            RecordType::NS => "NS",
            RecordType::CNAME => "CNAME",
            RecordType::SOA => "SOA",
            RecordType::PTR => "PTR",
            RecordType::MX => "MX",
            RecordType::TXT => "TXT",
            RecordType::AAAA => "AAAA",
            RecordType::SRV => "SRV",
            RecordType::OPT => "OPT",
            RecordType::SVCB => "SVCB",
            RecordType::HTTPS => "HTTPS",
            RecordType::ANY => "ANY",
            RecordType(number) => return write!(f, "TYPE{number}"),
        };
        f.write_str(name)
    }
}

/// One record of an answer: owned by the name asked for, of class IN, with 300 seconds to live, unless said otherwise.
///
/// Functions that take a name panic, naming it, if it cannot be one.
#[derive(Clone, Debug)]
pub struct Record {
    pub(super) owner: Option<Name>,
    pub(super) record_type: RecordType,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) data: Vec<u8>,
}

pub(super) const CLASS_IN: u16 = 1;

impl Record {
    /// Any type with any data, which is sent as it is.
    pub fn raw(record_type: RecordType, data: impl Into<Vec<u8>>) -> Record {
        Record { owner: None, record_type, class: CLASS_IN, ttl: 300, data: data.into() }
    }

    /// An IPv4 address.
    pub fn a(address: impl Into<Ipv4Addr>) -> Record {
        Record::raw(RecordType::A, address.into().octets())
    }

    /// An IPv6 address.
    pub fn aaaa(address: impl Into<Ipv6Addr>) -> Record {
        Record::raw(RecordType::AAAA, address.into().octets())
    }

    /// An A or AAAA record, as the address is.
    pub fn address(address: impl Into<IpAddr>) -> Record {
        match address.into() {
            IpAddr::V4(address) => Record::a(address),
            IpAddr::V6(address) => Record::aaaa(address),
        }
    }

    /// An alias for `target`.
    #[track_caller]
    pub fn cname(target: &str) -> Record {
        Record::raw(RecordType::CNAME, Name::of(target).wire())
    }

    /// The name of a name server.
    #[track_caller]
    pub fn ns(server: &str) -> Record {
        Record::raw(RecordType::NS, Name::of(server).wire())
    }

    /// A name for an address.
    #[track_caller]
    pub fn ptr(name: &str) -> Record {
        Record::raw(RecordType::PTR, Name::of(name).wire())
    }

    /// A mail server; lower preferences come first.
    #[track_caller]
    pub fn mx(preference: u16, server: &str) -> Record {
        Record::raw(RecordType::MX, [&preference.to_be_bytes()[..], Name::of(server).wire()].concat())
    }

    /// A server of a service (RFC 2782).
    #[track_caller]
    pub fn srv(priority: u16, weight: u16, port: u16, target: &str) -> Record {
        let numbers = [priority, weight, port].map(u16::to_be_bytes).concat();
        Record::raw(RecordType::SRV, [&numbers, Name::of(target).wire()].concat())
    }

    /// Text in one or several strings.
    ///
    /// # Panics
    ///
    /// If a string has more than 255 bytes.
    #[track_caller]
    pub fn txt<S: AsRef<[u8]>>(strings: impl IntoIterator<Item = S>) -> Record {
        let mut data = Vec::new();
        for string in strings {
            push_string(&mut data, string.as_ref());
        }
        Record::raw(RecordType::TXT, data)
    }

    /// The start of a zone's authority. `minimum` is how long, in seconds, the absence of a name may be remembered
    /// (RFC 2308), together with the record's own time to live; the other numbers are fixed.
    #[track_caller]
    pub fn soa(primary: &str, mailbox: &str, minimum: u32) -> Record {
        const SERIAL_REFRESH_RETRY_EXPIRE: [u32; 4] = [1, 7200, 900, 1_209_600];
        let numbers = [&SERIAL_REFRESH_RETRY_EXPIRE[..], &[minimum]].concat();
        let numbers: Vec<u8> = numbers.into_iter().flat_map(u32::to_be_bytes).collect();
        Record::raw(RecordType::SOA, [Name::of(primary).wire(), Name::of(mailbox).wire(), &numbers].concat())
    }

    /// A service binding (RFC 9460). Priority 0 makes it an alias. The parameters are sent in the order given, which
    /// ought to be that of their keys.
    #[track_caller]
    pub fn svcb(priority: u16, target: &str, params: impl IntoIterator<Item = SvcParam>) -> Record {
        let mut data = [&priority.to_be_bytes()[..], Name::of(target).wire()].concat();
        for param in params {
            let (key, value) = param.encoded();
            data.extend(key.to_be_bytes());
            data.extend((value.len() as u16).to_be_bytes());
            data.extend(value);
        }
        Record::raw(RecordType::SVCB, data)
    }

    /// As [`Record::svcb`], for HTTPS.
    #[track_caller]
    pub fn https(priority: u16, target: &str, params: impl IntoIterator<Item = SvcParam>) -> Record {
        Record { record_type: RecordType::HTTPS, ..Record::svcb(priority, target, params) }
    }

    /// Owned by `owner`, not by the name asked for.
    #[track_caller]
    #[must_use]
    pub fn owner(mut self, owner: &str) -> Record {
        self.owner = Some(Name::of(owner));
        self
    }

    /// With `seconds` to live.
    #[must_use]
    pub fn ttl(mut self, seconds: u32) -> Record {
        self.ttl = seconds;
        self
    }

    /// Of another class than IN, such as 3 for CHAOS.
    #[must_use]
    pub fn class(mut self, class: u16) -> Record {
        self.class = class;
        self
    }
}

/// A parameter of a service binding (RFC 9460 section 14.3.2).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SvcParam {
    /// Keys that a client must understand.
    Mandatory(Vec<u16>),
    /// Protocols, such as `h2`.
    Alpn(Vec<String>),
    /// The default protocol is not among them.
    NoDefaultAlpn,
    /// The port to use.
    Port(u16),
    /// IPv4 addresses of the target.
    Ipv4Hint(Vec<Ipv4Addr>),
    /// The key configuration for encrypted ClientHello.
    Ech(Vec<u8>),
    /// IPv6 addresses of the target.
    Ipv6Hint(Vec<Ipv6Addr>),
    /// Any key with any value.
    Other(u16, Vec<u8>),
}

impl SvcParam {
    fn encoded(self) -> (u16, Vec<u8>) {
        match self {
            SvcParam::Mandatory(keys) => (0, keys.into_iter().flat_map(u16::to_be_bytes).collect()),
            SvcParam::Alpn(protocols) => {
                let mut value = Vec::new();
                for protocol in protocols {
                    push_string(&mut value, protocol.as_bytes());
                }
                (1, value)
            }
            SvcParam::NoDefaultAlpn => (2, Vec::new()),
            SvcParam::Port(port) => (3, port.to_be_bytes().to_vec()),
            SvcParam::Ipv4Hint(addresses) => (4, addresses.iter().flat_map(Ipv4Addr::octets).collect()),
            SvcParam::Ech(configuration) => (5, configuration),
            SvcParam::Ipv6Hint(addresses) => (6, addresses.iter().flat_map(Ipv6Addr::octets).collect()),
            SvcParam::Other(key, value) => (key, value),
        }
    }
}

/// A string with its length in front (RFC 1035 section 3.3).
#[track_caller]
fn push_string(data: &mut Vec<u8>, string: &[u8]) {
    let Ok(length) = u8::try_from(string.len()) else {
        panic!("conntest: a string of {} bytes does not fit a record, 255 do", string.len());
    };
    data.push(length);
    data.extend(string);
}
