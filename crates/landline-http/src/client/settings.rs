//! What a client was told, and what holds if it was not.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use landline::{Dialer, Proxies};
use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::cookie::Cookies;
use super::error::{Error, ErrorKind};
use super::pool::Limits;

#[derive(Clone)]
pub(super) struct Settings {
    pub(super) dialer: Dialer,
    /// None where the dialer knows the way.
    pub(super) proxies: Option<Proxies>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) unix_socket: Option<String>,
    pub(super) http2_prior_knowledge: bool,
    pub(super) limits: Limits,
    pub(super) connect_timeout: Duration,
    pub(super) tls_timeout: Duration,
    pub(super) head_timeout: Option<Duration>,
    pub(super) body_timeout: Option<Duration>,
    pub(super) timeout: Option<Duration>,
    pub(super) continue_timeout: Duration,
    pub(super) redirects: usize,
    pub(super) decompress: bool,
    pub(super) cookies: Option<Cookies>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            dialer: Dialer::new(),
            proxies: None,
            tls: None,
            unix_socket: None,
            http2_prior_knowledge: false,
            limits: Limits {
                per_host: usize::MAX,
                idle_per_host: 64,
                idle: 512,
                idle_timeout: Duration::from_secs(90),
            },
            connect_timeout: Duration::from_secs(30),
            tls_timeout: Duration::from_secs(10),
            head_timeout: None,
            body_timeout: None,
            timeout: None,
            continue_timeout: Duration::from_secs(1),
            redirects: 10,
            decompress: true,
            cookies: None,
        }
    }
}

impl Settings {
    pub(super) fn tls_config(&self) -> Result<Arc<ClientConfig>, Error> {
        if let Some(config) = &self.tls {
            return Ok(config.clone());
        }
        default_tls().map_err(no_conn)
    }

    /// For a proxy that says nothing of it.
    pub(super) fn proxy_tls_config() -> Result<Arc<ClientConfig>, Error> {
        let mut config = default_tls().map_err(no_conn)?;
        Arc::make_mut(&mut config).alpn_protocols = vec![HTTP1_ALPN.to_vec()];
        Ok(config)
    }
}

/// There can be no conn, because of this.
pub(super) fn no_conn(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    let cause = landline::Cause::Other(Arc::new(error));
    Error::new(ErrorKind::Connect(landline::Error::new(landline::Operation::Dial, cause)))
}

/// Trusts whom the system trusts, or Mozilla where the system trusts nobody; made once, since it reads files.
fn default_tls() -> Result<Arc<ClientConfig>, rustls::Error> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, rustls::Error>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        // Somebody may have installed another provider for the whole process.
        let provider =
            CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let mut config = match Verifier::new(provider) {
            Ok(verifier) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
            Err(_) => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        config.alpn_protocols = ALPN.map(Vec::from).to_vec();
        Ok(Arc::new(config))
    });
    config.clone()
}

/// The protocols that are offered, the best first (RFC 9113 section 3.2).
pub(super) const ALPN: [&[u8]; 2] = [b"h2", HTTP1_ALPN];

/// The name of HTTP/1.1 (RFC 7301 section 6).
pub(super) const HTTP1_ALPN: &[u8] = b"http/1.1";
