//! Certificates by their digests, as people compare them.

use std::fmt;
use std::str::FromStr;

/// The SHA-256 of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate as DER.
    pub(crate) fn of(certificate: &[u8]) -> Fingerprint {
        let mut bytes = [0; 32];
        let digest = ring::digest::digest(&ring::digest::SHA256, certificate);
        bytes.copy_from_slice(digest.as_ref());
        Fingerprint(bytes)
    }
}

impl FromStr for Fingerprint {
    type Err = &'static str;

    /// 64 hexadecimal digits, a colon between pairs or none, with `sha256:` before them or without.
    fn from_str(text: &str) -> Result<Fingerprint, &'static str> {
        const WRONG: &str = "a fingerprint is the SHA-256 of a certificate, 32 pairs of hexadecimal digits";
        let lower = text.trim().to_ascii_lowercase();
        let digits = lower.strip_prefix("sha256:").unwrap_or(&lower).replace(':', "");
        if digits.len() != 64 || !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(WRONG);
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&digits[2 * index..2 * index + 2], 16).map_err(|_| WRONG)?;
        }
        Ok(Fingerprint(bytes))
    }
}

/// As browsers and `openssl x509 -fingerprint` show it.
impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_as_people_have_them() {
        let plain = "0123456789abcdef".repeat(4);
        let pairs: Vec<&str> = (0..32).map(|index| &plain[2 * index..2 * index + 2]).collect();
        let colons = pairs.join(":").to_uppercase();
        for text in [&plain, &colons, &format!("sha256:{plain}"), &format!("SHA256:{colons}")] {
            assert_eq!(text.parse::<Fingerprint>().map(|read| read.to_string()), Ok(colons.clone()));
        }
        for text in ["", "sha256:", &plain[1..], &plain.replace('a', "g"), &plain.replace('0', "é")] {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }
}
