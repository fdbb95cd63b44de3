//! Domain names in the form they have on the wire.

use std::fmt;

/// A name as uncompressed labels, root included; compares without regard to ASCII case.
#[derive(Clone)]
pub(super) struct Name(Vec<u8>);

/// RFC 1035 section 2.3.4.
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: usize = 63;

impl Name {
    /// The name with the presentation form `text`: labels parted by dots, with `\.`, `\\` and `\DDD` as escapes
    /// (RFC 1035 section 5.1). The final dot may be left out.
    ///
    /// # Panics
    ///
    /// If that cannot be a name, naming it: scripts are written by hand.
    #[track_caller]
    pub(super) fn of(text: &str) -> Name {
        match Name::parse(text) {
            Ok(name) => name,
            Err(why) => panic!("conntest: {text:?} is not a domain name: {why}"),
        }
    }

    fn parse(text: &str) -> Result<Name, &'static str> {
        let mut wire = Vec::new();
        let mut label = Vec::new();
        let mut bytes = text.strip_suffix('.').filter(|rest| !rest.ends_with('\\')).unwrap_or(text).bytes();
        let mut close = |label: &mut Vec<u8>| match label.len() {
            0 => Err("it has an empty label"),
            1..=LONGEST_LABEL => {
                wire.push(label.len() as u8);
                wire.append(label);
                Ok(())
            }
            _ => Err("it has a label of more than 63 bytes"),
        };
        if !matches!(text, "" | ".") {
            while let Some(byte) = bytes.next() {
                match byte {
                    b'.' => close(&mut label)?,
                    b'\\' => label.push(unescape(&mut bytes).ok_or("it has a bad escape")?),
                    _ => label.push(byte),
                }
            }
            close(&mut label)?;
        }
        wire.push(0);
        if wire.len() > LONGEST_NAME {
            return Err("it has more than 255 bytes");
        }
        Ok(Name(wire))
    }

    /// The uncompressed name at the start of `bytes`, and how long it is there. Names of questions are never
    /// compressed, since nothing comes before them to point to.
    pub(super) fn read(bytes: &[u8]) -> Option<(Name, usize)> {
        let mut end = 0;
        loop {
            let length = usize::from(*bytes.get(end)?);
            end += 1 + length;
            if length > LONGEST_LABEL || end > LONGEST_NAME {
                return None;
            }
            if length == 0 {
                return Some((Name(bytes[..end].to_vec()), end));
            }
        }
    }

    pub(super) fn wire(&self) -> &[u8] {
        &self.0
    }

    /// With every letter in the other case.
    pub(super) fn in_other_case(&self) -> Name {
        let other = |&byte: &u8| if byte.is_ascii_alphabetic() { byte ^ 0x20 } else { byte };
        // The length bytes, at most 63, are no letters.
        Name(self.0.iter().map(other).collect())
    }

    fn labels(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (&length, after) = rest.split_first()?;
            let (label, others) = after.split_at(usize::from(length));
            rest = others;
            (length > 0).then_some(label)
        })
    }
}

fn unescape(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let digit = |byte: u8| byte.is_ascii_digit().then(|| u32::from(byte - b'0'));
    let first = bytes.next()?;
    match digit(first) {
        None => Some(first),
        Some(hundreds) => {
            let (tens, ones) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
            u8::try_from(hundreds * 100 + tens * 10 + ones).ok()
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Name) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for Name {}

/// The presentation form, with the final dot.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == [0] {
            return f.write_str(".");
        }
        for label in self.labels() {
            for &byte in label {
                match byte {
                    b'.' | b'\\' => write!(f, "\\{}", char::from(byte))?,
                    b'!'..=b'~' => write!(f, "{}", char::from(byte))?,
                    _ => write!(f, "\\{byte:03}")?,
                }
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn presentation_and_wire_form_agree() {
        for (text, wire, back) in [
            (".", &b"\0"[..], "."),
            ("", b"\0", "."),
            ("a", b"\x01a\0", "a."),
            ("Www.Example.", b"\x03Www\x07Example\0", "Www.Example."),
            (r"a\.b.c", b"\x03a.b\x01c\0", r"a\.b.c."),
            (r"\001\255x\\", b"\x04\x01\xffx\\\0", r"\001\255x\\."),
            (r"end\.", b"\x04end.\0", r"end\.."),
        ] {
            let name = Name::parse(text).unwrap();
            assert_eq!((name.wire(), &*name.to_string()), (wire, back), "{text}");
            assert_eq!(Name::read(wire), Some((name, wire.len())));
        }
        assert_eq!(Name::of("WWW.example"), Name::of("www.EXAMPLE."));
        assert_eq!(Name::of("aB1.z").in_other_case().to_string(), "Ab1.Z.");
    }

    #[test]
    fn what_cannot_be_a_name_is_refused() {
        for text in ["..", "a..b", ".a", r"a\25", r"a\256", r"a\", &"x".repeat(64), &"x.".repeat(128)] {
            assert!(Name::parse(text).is_err(), "{text}");
        }
        for wire in [&b""[..], b"\x01", b"\x01a", b"\xc0\x0c", b"\x40a\0", &[1; 300]] {
            assert_eq!(Name::read(wire), None, "{wire:?}");
        }
    }

    proptest! {
        #[test]
        fn any_name_read_can_be_printed_and_parsed(wire in proptest::collection::vec(any::<u8>(), 0..300)) {
            if let Some((name, length)) = Name::read(&wire) {
                let parsed = Name::parse(&name.to_string()).unwrap();
                prop_assert_eq!(parsed.wire(), &wire[..length]);
            }
        }
    }
}
