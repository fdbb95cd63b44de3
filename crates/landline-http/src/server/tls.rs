//! Certificates, as files that may change.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{RootCertStore, ServerConfig};
use tokio::runtime::Handle;
use tokio::time::Instant;

/// How often it is looked whether files have changed.
const FRESH: Duration = Duration::from_secs(2);

/// TLS for a server: certificates from PEM files, which are read again when they change; one for each name that clients ask
/// for (SNI, RFC 6066 section 3); certificates of clients ([`PeerCertificates`]); session tickets (RFC 5077, RFC 8446 section
/// 2.2). TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1.
///
/// Whether files have changed is looked at when a client comes and the last look is 2 s old, and not on the thread that
/// serves: that handshake and those that come while files are read have what was there before.
///
/// ```no_run
/// # use landline_http::server::Tls;
/// let tls = Tls::new("default.crt", "default.key")?.and_for("api.example", "api.crt", "api.key")?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Tls {
    pairs: Vec<Arc<Pair>>,
    clients: Option<Arc<RootCertStore>>,
    clients_may_have_none: bool,
}

/// What a client has shown to be who it is: among the extensions of each request of a conn whose client had a certificate,
/// which [`Tls::clients_signed_by`] asks for.
///
/// ```
/// # use http::{Request, Response};
/// # use landline_http::Body;
/// # use landline_http::server::{PeerCertificates, RequestBody};
/// async fn who(request: Request<RequestBody>) -> Response<Body> {
///     match request.extensions().get::<PeerCertificates>() {
///         Some(shown) => Response::new(Body::from(format!("{} bytes\n", shown.end_entity().len()))),
///         None => Response::new(Body::from("nobody I know\n")),
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerCertificates(Arc<[CertificateDer<'static>]>);

impl PeerCertificates {
    /// `None` if there is none.
    pub(super) fn new(chain: Vec<CertificateDer<'static>>) -> Option<PeerCertificates> {
        if chain.is_empty() { None } else { Some(PeerCertificates(chain.into())) }
    }

    /// The client's own, in DER.
    pub fn end_entity(&self) -> &CertificateDer<'static> {
        &self.0[0]
    }

    /// The client's own, and behind it those that it was signed with, as far as the client sent them.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.0
    }
}

/// A certificate with its chain, and its key.
#[derive(Debug)]
struct Pair {
    /// In lower case; of the first, whatever is asked for.
    name: Option<String>,
    certificate: PathBuf,
    key: PathBuf,
    loaded: Mutex<Loaded>,
}

#[derive(Debug)]
struct Loaded {
    certified: Arc<CertifiedKey>,
    stamps: [Option<SystemTime>; 2],
    looked: Instant,
    /// Somebody is at it.
    is_looking: bool,
}

impl Tls {
    /// A certificate with its chain, and its key, for whatever name a client asks for.
    ///
    /// # Errors
    /// If a file cannot be read, has nothing of its kind, or the two do not belong together; the error names it.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> io::Result<Tls> {
        let pair = Pair::load(None, certificate.into(), key.into())?;
        Ok(Tls { pairs: vec![Arc::new(pair)], clients: None, clients_may_have_none: false })
    }

    /// Others for those who ask for `name`, which is a host or, for all directly below one, `*.host`.
    ///
    /// # Errors
    /// As [`Tls::new`].
    pub fn and_for(
        mut self,
        name: &str,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> io::Result<Tls> {
        let pair = Pair::load(Some(name.to_ascii_lowercase()), certificate.into(), key.into())?;
        self.pairs.push(Arc::new(pair));
        Ok(self)
    }

    /// Only serves clients that have a certificate signed by one of those in this PEM file.
    ///
    /// # Errors
    /// If the file cannot be read, or has no certificate.
    pub fn clients_signed_by(mut self, authorities: impl AsRef<Path>) -> io::Result<Tls> {
        let path = authorities.as_ref();
        let mut roots = RootCertStore::empty();
        for certificate in certificates(path)? {
            roots.add(certificate).map_err(|error| about(path, error))?;
        }
        self.clients = Some(Arc::new(roots));
        Ok(self)
    }

    /// Serves clients without a certificate, too, though not those whose certificate is another's; a handler finds no
    /// [`PeerCertificates`] then. Without [`Tls::clients_signed_by`] nobody is asked for one.
    #[must_use]
    pub fn clients_may_have_none(mut self) -> Tls {
        self.clients_may_have_none = true;
        self
    }

    /// As rustls has it, with all else as rustls has it by default.
    ///
    /// # Errors
    /// If the system has no randomness for the keys of session tickets, or the certificates of the clients' authorities
    /// cannot be used.
    pub fn into_config(self) -> io::Result<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?;
        let config = match self.clients {
            None => config.with_no_client_auth(),
            Some(roots) => {
                let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                if self.clients_may_have_none {
                    verifier = verifier.allow_unauthenticated();
                }
                config.with_client_cert_verifier(verifier.build().map_err(io::Error::other)?)
            }
        };
        let mut config = config.with_cert_resolver(Arc::new(Pairs(self.pairs)));
        config.ticketer = rustls::crypto::ring::Ticketer::new().map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

#[derive(Debug)]
struct Pairs(Vec<Arc<Pair>>);

impl ResolvesServerCert for Pairs {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().map(str::to_ascii_lowercase);
        let named = name.and_then(|name| {
            let is = |wanted: &dyn Fn(&str) -> bool| {
                self.0.iter().find(|pair| pair.name.as_deref().is_some_and(wanted))
            };
            is(&|known| known == name).or_else(|| is(&|known| is_below(&name, known)))
        });
        named.or(self.0.first()).map(Pair::current)
    }
}

/// Whether `pattern` is `*.` and what is behind the first label of `name`.
fn is_below(name: &str, pattern: &str) -> bool {
    pattern
        .strip_prefix("*.")
        .is_some_and(|parent| name.split_once('.').is_some_and(|(_, rest)| rest == parent))
}

impl Pair {
    fn load(name: Option<String>, certificate: PathBuf, key: PathBuf) -> io::Result<Pair> {
        // Before they are read, or a change in between would be missed.
        let stamps = stamps(&certificate, &key);
        let certified = Arc::new(certified(&certificate, &key)?);
        let loaded = Mutex::new(Loaded { certified, stamps, looked: Instant::now(), is_looking: false });
        Ok(Pair { name, certificate, key, loaded })
    }

    /// What the files had when they were last looked at; has that done again where it was long ago.
    fn current(self: &Arc<Pair>) -> Arc<CertifiedKey> {
        let mut loaded = self.loaded();
        let is_stale = !loaded.is_looking && loaded.looked.elapsed() >= FRESH;
        if is_stale {
            loaded.looked = Instant::now();
            loaded.is_looking = true;
        }
        let certified = loaded.certified.clone();
        drop(loaded);
        if is_stale {
            let looking = Looking(self.clone());
            match Handle::try_current() {
                // A disk can take its time. If the runtime ends before, this is dropped.
                Ok(runtime) => drop(runtime.spawn_blocking(move || looking.look())),
                Err(_) => {
                    looking.look();
                    return self.loaded().certified.clone();
                }
            }
        }
        certified
    }

    fn loaded(&self) -> MutexGuard<'_, Loaded> {
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A look at the files of a pair, which nobody else takes meanwhile.
struct Looking(Arc<Pair>);

impl Looking {
    /// What cannot be used leaves all as it is.
    fn look(&self) {
        let pair = &self.0;
        let stamps = stamps(&pair.certificate, &pair.key);
        if stamps == pair.loaded().stamps {
            return;
        }
        match certified(&pair.certificate, &pair.key) {
            Ok(certified) => {
                let mut loaded = pair.loaded();
                loaded.certified = Arc::new(certified);
                loaded.stamps = stamps;
            }
            // Perhaps only one of the two has been written yet.
            Err(error) => tracing::warn!(target: "landline_http", %error, "certificate"),
        }
    }
}

impl Drop for Looking {
    fn drop(&mut self) {
        self.0.loaded().is_looking = false;
    }
}

fn stamps(certificate: &Path, key: &Path) -> [Option<SystemTime>; 2] {
    [certificate, key].map(|path| fs::metadata(path).and_then(|found| found.modified()).ok())
}

fn certified(certificate: &Path, key: &Path) -> io::Result<CertifiedKey> {
    let chain = certificates(certificate)?;
    let der = PrivateKeyDer::from_pem_file(key).map_err(|error| about(key, error))?;
    CertifiedKey::from_der(chain, der, &rustls::crypto::ring::default_provider())
        .map_err(|error| about(key, error))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let found = found.map_err(|error| about(path, error))?;
    if found.is_empty() { Err(about(path, "no certificate in it")) } else { Ok(found) }
}

fn about(path: &Path, error: impl std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_below_a_name() {
        for (name, pattern, is) in [
            ("a.example", "*.example", true),
            ("a.b.example", "*.example", false),
            ("example", "*.example", false),
            ("a.example", "a.example", false),
        ] {
            assert_eq!(is_below(name, pattern), is, "{name} {pattern}");
        }
    }

    #[test]
    fn files_without_what_they_should_have_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (empty, gone) = (folder.path().join("empty.pem"), folder.path().join("gone.pem"));
        fs::write(&empty, "").unwrap();
        for path in [&empty, &gone] {
            let error = Tls::new(path, path).unwrap_err().to_string();
            assert!(error.starts_with(&path.display().to_string()), "{error}");
        }
    }
}
