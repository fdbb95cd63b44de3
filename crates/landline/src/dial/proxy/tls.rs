//! TLS to a proxy.

use std::sync::{Arc, OnceLock};

use rustls::crypto::{CryptoProvider, ring};
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use super::address::Proxy;
use crate::conn::{Conn, TlsConn};
use crate::error::{Cause, Error, Operation, Result};

/// Shakes hands with the proxy to which `conn` leads.
pub(super) async fn secure(proxy: &Proxy, conn: Conn) -> Result<TlsConn> {
    let config = match proxy.tls() {
        Some(config) => config.clone(),
        None => default_config().map_err(|cause| Error::new(Operation::Dial, cause))?,
    };
    // A zone is ours alone, and no certificate has one.
    let name = proxy.host().split('%').next().unwrap_or_default();
    TlsConn::connect(conn, name, config).await
}

/// Trusts whom the system trusts, or Mozilla where the system trusts nobody; made once, since it reads files.
fn default_config() -> Result<Arc<ClientConfig>, Cause> {
    static CONFIG: OnceLock<Result<Arc<ClientConfig>, rustls::Error>> = OnceLock::new();
    let config = CONFIG.get_or_init(|| {
        // Somebody may have installed another provider for the whole process.
        let provider =
            CryptoProvider::get_default().cloned().unwrap_or_else(|| Arc::new(ring::default_provider()));
        let builder =
            ClientConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions()?;
        let config = match Verifier::new(provider) {
            Ok(verifier) => {
                builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
            }
            Err(_) => {
                let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
                builder.with_root_certificates(roots).with_no_client_auth()
            }
        };
        Ok(Arc::new(config))
    });
    config.clone().map_err(|error| Cause::Other(Arc::new(error)))
}
