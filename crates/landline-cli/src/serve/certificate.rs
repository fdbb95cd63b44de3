//! A certificate made on the spot, for trying TLS out.

use std::net::IpAddr;

use landline::Addr;
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};

use crate::fingerprint::Fingerprint;

/// It is made anew on every start; a month outlives most.
const LIFETIME: Duration = Duration::days(30);
/// Clocks of clients may be slow.
const SKEW: Duration = Duration::days(1);

/// A certificate and its key, both as DER.
pub(super) struct SelfSigned {
    pub(super) certificate: Vec<u8>,
    pub(super) key: Vec<u8>,
}

impl SelfSigned {
    /// For these names and addresses, of which the first is its subject.
    pub(super) fn new(names: Vec<String>, now: OffsetDateTime) -> Result<SelfSigned, rcgen::Error> {
        let subject = names.first().cloned().unwrap_or_default();
        let mut parameters = CertificateParams::new(names)?;
        parameters.distinguished_name.push(DnType::CommonName, subject);
        parameters.not_before = now - SKEW;
        parameters.not_after = now + LIFETIME;
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        parameters.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate()?;
        let certificate = parameters.self_signed(&key)?;
        Ok(SelfSigned { certificate: certificate.der().to_vec(), key: key.serialize_der() })
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.certificate)
    }
}

/// What clients may call this server: `localhost` and its addresses, the host's name, and where it listens.
pub(super) fn names(local: &Addr, host: &str) -> Vec<String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    let is_name = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'));
    if is_name {
        names.push(host.to_owned());
    }
    if let Some(ip) = local.ip().filter(|ip| !ip.is_unspecified()) {
        names.push(ip.to_canonical().to_string());
    }
    let mut seen = Vec::new();
    names.retain(|name| {
        let name = name.parse::<IpAddr>().map_or_else(|_| name.to_ascii_lowercase(), |ip| ip.to_string());
        let is_new = !seen.contains(&name);
        seen.push(name);
        is_new
    });
    names
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    #[test]
    fn names_are_there_once() {
        let local = |text: &str| Addr::from(text.parse::<SocketAddr>().unwrap());
        for (address, host, more) in [
            ("127.0.0.1:1", "localhost", &[][..]),
            ("0.0.0.0:1", "LOCALHOST", &[]),
            ("192.0.2.1:1", "box", &["box", "192.0.2.1"]),
            ("[::ffff:192.0.2.1]:1", "", &["192.0.2.1"]),
            ("[::]:1", "not a name", &[]),
        ] {
            let expected: Vec<&str> = ["localhost", "127.0.0.1", "::1"].iter().chain(more).copied().collect();
            assert_eq!(names(&local(address), host), expected, "{address} {host}");
        }
    }

    #[test]
    fn each_is_another_and_has_its_fingerprint() {
        let make = || SelfSigned::new(vec!["localhost".to_owned()], OffsetDateTime::now_utc()).unwrap();
        let (first, second) = (make(), make());
        assert_ne!(first.fingerprint(), second.fingerprint());
        assert_eq!(first.fingerprint().to_string().len(), 32 * 3 - 1);
    }
}
