//! TLS without files: a certificate made on the spot, a server that shows it, and a client that trusts it and no other
//! (feature `tls`).

use std::sync::Arc;

use base64::Engine as _;
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate that vouches for itself, and its key; each is another. It is valid for as long as anybody asks.
///
/// ```
/// use conntest::tls::SelfSigned;
///
/// let own = SelfSigned::new("localhost");
/// let (server, client) = (own.server(&[b"h2", b"http/1.1"]), own.client());
/// assert_eq!(server.alpn_protocols.len(), 2);
/// assert!(client.alpn_protocols.is_empty());
/// assert!(own.certificate_pem().starts_with("-----BEGIN CERTIFICATE-----\n"));
/// ```
#[derive(Debug)]
pub struct SelfSigned {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
}

impl SelfSigned {
    /// For this name, or this IP address.
    ///
    /// # Panics
    /// If it is neither.
    pub fn new(name: &str) -> SelfSigned {
        let made = rcgen::generate_simple_self_signed([name.to_owned()])
            .unwrap_or_else(|error| panic!("conntest: a certificate for {name:?}: {error}"));
        let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
        SelfSigned { certificate: made.cert.der().clone(), key }
    }

    /// In DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// In PEM, as files have it.
    pub fn certificate_pem(&self) -> String {
        pem("CERTIFICATE", &self.certificate)
    }

    /// The key in PEM (PKCS #8).
    pub fn key_pem(&self) -> String {
        pem("PRIVATE KEY", self.key.secret_der())
    }

    /// A server that shows it to everybody, asks nobody for one, and agrees to these protocols (ALPN, RFC 7301), or to none.
    pub fn server(&self, protocols: &[&[u8]]) -> ServerConfig {
        let builder = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| panic!("conntest: {error}"))
            .with_no_client_auth();
        let mut config = builder
            .with_single_cert(vec![self.certificate.clone()], self.key.clone_key())
            .unwrap_or_else(|error| panic!("conntest: {error}"));
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        config
    }

    /// A client that trusts it and no other, has none itself, and offers no protocols.
    pub fn client(&self) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap_or_else(|error| panic!("conntest: {error}"));
        ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap_or_else(|error| panic!("conntest: {error}"))
            .with_root_certificates(roots)
            .with_no_client_auth()
    }
}

/// RFC 7468, whose readers take lines of any length.
pub fn pem(label: &str, der: &[u8]) -> String {
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}
