//! Service bindings: the SVCB and HTTPS records (RFC 9460).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::text::{self, Unquoted};

/// How to reach a service (SVCB and HTTPS, RFC 9460); prints in the zone-file form of its section 2.1, such as
/// `1 . alpn=h2,h3 ipv4hint=192.0.2.1`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Svcb {
    /// 0 is an alias to `target`; otherwise lower is tried first.
    pub priority: u16,
    /// The host, absolute, with its trailing dot. `.` stands for the owner of the record, or in an alias for
    /// "not available".
    pub target: String,
    /// `mandatory`: the keys that a client must understand to use the record.
    pub mandatory: Vec<u16>,
    /// `alpn`: the protocols, in the form that goes into a TLS handshake, such as `h2`.
    pub alpn: Vec<Vec<u8>>,
    /// `no-default-alpn`: the scheme's default protocol is not offered.
    pub no_default_alpn: bool,
    /// `port`: in place of the scheme's default.
    pub port: Option<u16>,
    /// `ipv4hint`: addresses to try while the target's are looked up.
    pub ipv4_hints: Vec<Ipv4Addr>,
    /// `ech`: the configuration list for Encrypted Client Hello.
    pub ech: Option<Vec<u8>>,
    /// `ipv6hint`.
    pub ipv6_hints: Vec<Ipv6Addr>,
    /// The parameters that have no field here, by key number, as they came.
    pub others: Vec<(u16, Vec<u8>)>,
}

const MANDATORY: u16 = 0;
const ALPN: u16 = 1;
const NO_DEFAULT_ALPN: u16 = 2;
const PORT: u16 = 3;
const IPV4_HINT: u16 = 4;
const ECH: u16 = 5;
const IPV6_HINT: u16 = 6;

impl Svcb {
    /// A record without parameters.
    pub fn new(priority: u16, target: impl Into<String>) -> Svcb {
        Svcb { priority, target: target.into(), ..Svcb::default() }
    }

    /// Whether it is an alias (AliasMode, RFC 9460 section 2.4.2).
    pub fn is_alias(&self) -> bool {
        self.priority == 0
    }

    /// Whether every key it calls mandatory has a field here; a client ignores the record otherwise (section 8).
    pub fn is_usable(&self) -> bool {
        self.mandatory.iter().all(|&key| key <= IPV6_HINT)
    }

    /// Takes in one parameter from the wire; they must come in the order of their keys. The error says what is
    /// malformed, and then no record of the set may be used (section 2.2).
    pub(crate) fn add_param(&mut self, key: u16, value: &[u8]) -> Result<(), &'static str> {
        match key {
            MANDATORY => {
                let keys = fixed(value, u16::from_be_bytes).ok_or("malformed mandatory")?;
                if !keys.is_sorted_by(|one, next| one < next) || keys.contains(&MANDATORY) {
                    return Err("malformed mandatory");
                }
                self.mandatory = keys;
            }
            ALPN => self.alpn = strings(value).ok_or("malformed alpn")?,
            NO_DEFAULT_ALPN if value.is_empty() => self.no_default_alpn = true,
            NO_DEFAULT_ALPN => return Err("no-default-alpn with a value"),
            PORT => {
                let port = value.try_into().map_err(|_| "malformed port")?;
                self.port = Some(u16::from_be_bytes(port));
            }
            IPV4_HINT => {
                self.ipv4_hints =
                    fixed(value, <Ipv4Addr as From<[u8; 4]>>::from).ok_or("malformed ipv4hint")?;
            }
            ECH if value.is_empty() => return Err("empty ech"),
            ECH => self.ech = Some(value.to_vec()),
            IPV6_HINT => {
                self.ipv6_hints =
                    fixed(value, <Ipv6Addr as From<[u8; 16]>>::from).ok_or("malformed ipv6hint")?;
            }
            _ => self.others.push((key, value.to_vec())),
        }
        Ok(())
    }

    /// Whether each key called mandatory is there, as it must (section 8).
    pub(crate) fn check(&self) -> Result<(), &'static str> {
        let present = |key| match key {
            ALPN => !self.alpn.is_empty(),
            NO_DEFAULT_ALPN => self.no_default_alpn,
            PORT => self.port.is_some(),
            IPV4_HINT => !self.ipv4_hints.is_empty(),
            ECH => self.ech.is_some(),
            IPV6_HINT => !self.ipv6_hints.is_empty(),
            key => self.others.iter().any(|&(other, _)| other == key),
        };
        match self.mandatory.iter().all(|&key| present(key)) {
            true => Ok(()),
            false => Err("a mandatory key is missing"),
        }
    }
}

/// A list, not empty, of values of the same size.
fn fixed<const N: usize, T>(value: &[u8], make: impl Fn([u8; N]) -> T) -> Option<Vec<T>> {
    let (chunks, rest) = value.as_chunks::<N>();
    (!chunks.is_empty() && rest.is_empty()).then(|| chunks.iter().map(|&chunk| make(chunk)).collect())
}

/// A list, not empty, of strings, none of them empty, each after its length.
fn strings(mut value: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut list = Vec::new();
    while let Some((&length, rest)) = value.split_first() {
        let (string, rest) = rest.split_at_checked(usize::from(length))?;
        if string.is_empty() {
            return None;
        }
        list.push(string.to_vec());
        value = rest;
    }
    (!list.is_empty()).then_some(list)
}

impl fmt::Display for Svcb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.priority, self.target)?;
        if !self.mandatory.is_empty() {
            f.write_str(" mandatory=")?;
            text::joined(f, ",", self.mandatory.iter().map(|&key| Key(key)))?;
        }
        if !self.alpn.is_empty() {
            f.write_str(" alpn=")?;
            // A comma or backslash inside an item is escaped once for the list, and the result once more as a
            // character string (RFC 9460 appendix A.1).
            let items: Vec<Vec<u8>> = self.alpn.iter().map(|item| escape_item(item)).collect();
            text::joined(f, ",", items.iter().map(|item| Unquoted(item)))?;
        }
        if self.no_default_alpn {
            f.write_str(" no-default-alpn")?;
        }
        if let Some(port) = self.port {
            write!(f, " port={port}")?;
        }
        if !self.ipv4_hints.is_empty() {
            f.write_str(" ipv4hint=")?;
            text::joined(f, ",", &self.ipv4_hints)?;
        }
        if let Some(ech) = &self.ech {
            f.write_str(" ech=")?;
            base64(f, ech)?;
        }
        if !self.ipv6_hints.is_empty() {
            f.write_str(" ipv6hint=")?;
            text::joined(f, ",", &self.ipv6_hints)?;
        }
        for (key, value) in &self.others {
            write!(f, " {}", Key(*key))?;
            if !value.is_empty() {
                write!(f, "={}", Unquoted(value))?;
            }
        }
        Ok(())
    }
}

struct Key(u16);

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            MANDATORY => f.write_str("mandatory"),
            ALPN => f.write_str("alpn"),
            NO_DEFAULT_ALPN => f.write_str("no-default-alpn"),
            PORT => f.write_str("port"),
            IPV4_HINT => f.write_str("ipv4hint"),
            ECH => f.write_str("ech"),
            IPV6_HINT => f.write_str("ipv6hint"),
            key => write!(f, "key{key}"),
        }
    }
}

fn escape_item(item: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(item.len());
    for &byte in item {
        if matches!(byte, b',' | b'\\') {
            escaped.push(b'\\');
        }
        escaped.push(byte);
    }
    escaped
}

fn base64(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for chunk in bytes.chunks(3) {
        let mut group = [0; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for digit in 0..4 {
            let value = (bits >> (18 - 6 * digit)) & 63;
            let char = if digit <= chunk.len() { char::from(DIGITS[value as usize]) } else { '=' };
            fmt::Write::write_char(f, char)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(priority: u16, target: &str, params: &[(u16, &[u8])]) -> Result<Svcb, &'static str> {
        let mut record = Svcb::new(priority, target);
        for (key, value) in params {
            record.add_param(*key, value)?;
        }
        record.check()?;
        Ok(record)
    }

    type Parameters<'a> = &'a [(u16, &'a [u8])];

    /// The wire and presentation forms of RFC 9460 appendix D.
    #[test]
    fn the_vectors_of_rfc_9460_print_as_they_should() {
        let cases: [(u16, &str, Parameters<'_>, &str); 9] = [
            (0, "foo.example.com.", &[], "0 foo.example.com."),
            (1, ".", &[], "1 ."),
            (16, "foo.example.com.", &[(3, &[0, 53])], "16 foo.example.com. port=53"),
            (1, "foo.example.com.", &[(667, b"hello")], "1 foo.example.com. key667=hello"),
            (1, "foo.example.com.", &[(667, b"hello\xd2qoo")], r"1 foo.example.com. key667=hello\210qoo"),
            (
                1,
                "foo.example.com.",
                &[(
                    6,
                    b"\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\x53\0\x01",
                )],
                "1 foo.example.com. ipv6hint=2001:db8::1,2001:db8::53:1",
            ),
            (
                1,
                "example.com.",
                &[(6, b"\0\0\0\0\0\0\0\0\0\0\xff\xff\xc6\x33\x64\x64")],
                "1 example.com. ipv6hint=::ffff:198.51.100.100",
            ),
            (
                16,
                "foo.example.org.",
                &[(0, &[0, 1, 0, 4]), (1, b"\x02h2\x05h3-19"), (4, &[192, 0, 2, 1])],
                "16 foo.example.org. mandatory=alpn,ipv4hint alpn=h2,h3-19 ipv4hint=192.0.2.1",
            ),
            (
                16,
                "foo.example.org.",
                &[(1, b"\x08f\\oo,bar\x02h2")],
                r"16 foo.example.org. alpn=f\\\\oo\\,bar,h2",
            ),
        ];
        for (priority, target, params, text) in cases {
            assert_eq!(with(priority, target, params).expect(text).to_string(), text);
        }
    }

    #[test]
    fn malformed_values_are_refused() {
        let cases: [&[(u16, &[u8])]; 13] = [
            &[(0, &[])],
            &[(0, &[0])],
            &[(0, &[0, 4, 0, 1])],
            &[(0, &[0, 0])],
            &[(0, &[0, 3])], // mandatory=port without a port
            &[(1, &[])],
            &[(1, &[0])],
            &[(1, b"\x03h2")],
            &[(2, &[1])],
            &[(3, &[80])],
            &[(4, &[192, 0, 2])],
            &[(5, &[])],
            &[(6, &[])],
        ];
        for params in cases {
            assert!(with(1, ".", params).is_err(), "{params:?}");
        }
    }

    #[test]
    fn a_record_that_demands_what_is_unknown_is_not_usable() {
        assert!(with(1, ".", &[(0, &[0, 3]), (3, &[0, 80])]).unwrap().is_usable());
        assert!(!with(1, ".", &[(0, &[2, 155]), (667, &[])]).unwrap().is_usable());
    }

    /// RFC 4648 section 10.
    #[test]
    fn ech_prints_as_base64() {
        for (plain, coded) in [("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foobar", "Zm9vYmFy")] {
            let record = Svcb { ech: Some(plain.into()), ..Svcb::new(1, ".") };
            assert_eq!(record.to_string(), format!("1 . ech={coded}"));
        }
    }

    proptest! {
        #[test]
        fn no_value_panics(key in 0..9u16, value in prop::collection::vec(any::<u8>(), 0..40)) {
            let mut record = Svcb::new(1, ".");
            if record.add_param(key, &value).is_ok() {
                prop_assert!(record.to_string().is_ascii());
            }
        }
    }
}
