//! The TLS of a server, from files or made on the spot.

use std::path::Path;
use std::sync::Arc;

use landline::Addr;
use landline_http::server::Tls;
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use time::OffsetDateTime;

use super::certificate::{SelfSigned, names};
use crate::failure::{Failure, without_number};
use crate::output;

/// From a file with the certificate and those of the authorities between it and the root, and one with its key, both PEM;
/// they are read again when they change.
pub(super) fn from_files(certificates: &Path, key: &Path) -> Result<Arc<ServerConfig>, Failure> {
    let config = Tls::new(certificates, key).and_then(Tls::into_config);
    config.map(Arc::new).map_err(|error| Failure::Refused(plain(&error.to_string())))
}

/// What is wrong with a file, in words for who has written neither rustls nor Rust.
fn plain(error: &str) -> String {
    let text = without_number(error).replace(": I/O error: ", ": ");
    for (words, better) in [
        ("keys may not be consistent: KeyMismatch", "the key does not belong to the certificate"),
        ("no items found", "no private key in it, in PEM"),
    ] {
        if let Some(file) = text.strip_suffix(words) {
            return format!("{file}{better}");
        }
    }
    text
}

/// With a certificate made on the spot, whose fingerprint is told.
pub(super) fn self_signed(local: &Addr) -> Result<Arc<ServerConfig>, Failure> {
    let failed = |error: &dyn std::fmt::Display| Failure::Refused(format!("--self-signed: {error}"));
    let uname = rustix::system::uname();
    let host = uname.nodename().to_string_lossy().into_owned();
    let made =
        SelfSigned::new(names(local, &host), OffsetDateTime::now_utc()).map_err(|error| failed(&error))?;
    output::tell(&format!("certificate SHA-256 {}\n", made.fingerprint()));
    let key = PrivateKeyDer::try_from(made.key).map_err(|error| failed(&error))?;
    config(vec![made.certificate.into()], key).map_err(|error| failed(&error))
}

fn config(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_with_files_in_plain_words() {
        for (error, expected) in [
            ("k: keys may not be consistent: KeyMismatch", "k: the key does not belong to the certificate"),
            ("k: no items found", "k: no private key in it, in PEM"),
            ("c: I/O error: No such file or directory (os error 2)", "c: No such file or directory"),
            ("c: no certificate in it", "c: no certificate in it"),
        ] {
            assert_eq!(plain(error), expected);
        }
    }
}
