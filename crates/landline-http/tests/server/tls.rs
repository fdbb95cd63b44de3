//! TLS: protocols, names, certificates that change, and clients that have one.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use conntest::tls::pem;
use http::{Request, Response, Version};
use landline::{Conn, Dialer};
use landline_http::Body;
use landline_http::client::Client;
use landline_http::server::{Caller, RequestBody, Server, Serving, Tls, handle};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::time::Instant;

use super::{dial, one, rest, until};

/// An authority, and what it signs.
pub(super) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(super) pem: String,
}

impl Authority {
    pub(super) fn new() -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Authority {
            certificate: certificate.der().clone(),
            pem: pem("CERTIFICATE", certificate.der()),
            issuer: Issuer::new(params, key),
        }
    }

    pub(super) fn sign(&self, name: &str) -> (String, String, CertificateDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        (
            pem("CERTIFICATE", certificate.der()),
            pem("PRIVATE KEY", &key.serialize_der()),
            certificate.der().clone(),
        )
    }

    /// Files of a certificate and its key.
    pub(super) fn write(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        let (certificate, key, _) = self.sign(name);
        let paths = (folder.join(format!("{name}.crt")), folder.join(format!("{name}.key")));
        fs::write(&paths.0, certificate).unwrap();
        fs::write(&paths.1, key).unwrap();
        paths
    }

    pub(super) fn trusted(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        roots
    }

    pub(super) fn client(&self) -> ClientConfig {
        ClientConfig::builder().with_root_certificates(self.trusted()).with_no_client_auth()
    }
}

pub(super) async fn serve(tls: Tls) -> Serving {
    let word = handle(async |_: Request<RequestBody>| {
        assert!(Caller::current().unwrap().is_secure());
        Response::new(Body::from("secret"))
    });
    let server = Server::new().transport(one()).tls(tls.into_config().unwrap());
    server.serve("tcp", "127.0.0.1:0", word).await.unwrap()
}

/// Every name is this server.
pub(super) fn client(authority: &Authority) -> Client {
    Client::new().tls(authority.client()).dialer(Dialer::new())
}

pub(super) fn url(serving: &Serving) -> String {
    format!("https://localhost:{}/", serving.local_addr().port().unwrap())
}

/// The certificate that is shown to whoever asks for `name`.
pub(super) async fn shown(serving: &Serving, authority: &Authority, name: &str) -> CertificateDer<'static> {
    use rustls::pki_types::ServerName;
    let conn = dial(serving).await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut session = rustls::ClientConnection::new(Arc::new(authority.client()), name).unwrap();
    shake_hands(&conn, &mut session).await;
    session.peer_certificates().expect("certificates")[0].clone().into_owned()
}

pub(super) async fn shake_hands(conn: &Conn, session: &mut rustls::ClientConnection) {
    while session.is_handshaking() {
        let mut out = Vec::new();
        while session.wants_write() {
            session.write_tls(&mut out).unwrap();
        }
        conn.write_all(&out).await.unwrap();
        if session.is_handshaking() {
            let mut buffer = [0; 16 << 10];
            let count = conn.read(&mut buffer).await.unwrap();
            assert_ne!(count, 0);
            session.read_tls(&mut &buffer[..count]).unwrap();
            session.process_new_packets().unwrap();
        }
    }
}

#[tokio::test]
async fn either_protocol_is_agreed_upon() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let serving = serve(Tls::new(certificate, key).unwrap()).await;
    let response = client(&authority).get(&url(&serving)).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
    assert_eq!(response.into_body().text(64).await.unwrap(), "secret");
    let mut config = authority.client();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let response = Client::new().tls(config).get(&url(&serving)).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_11);
}

#[tokio::test]
async fn whoever_speaks_http_without_tls_is_told_so_and_not_served() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let serving = serve(Tls::new(certificate, key).unwrap()).await;
    let words = "Client sent an HTTP request to an HTTPS server.\n";
    let large = format!("POST / HTTP/1.1\r\nHost: a\r\n\r\n{}", "x".repeat(1 << 20));
    for (pieces, body) in [
        (&["GET / HTTP/1.1\r\nHost: a\r\n\r\n"][..], words),
        (&["G", "E", "T / HTTP/1.1\r\nHost: a\r\n\r\n"], words),
        (&["HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"], ""),
        // More than is read before it is answered.
        (&[&large], words),
    ] {
        let conn = dial(&serving).await;
        conn.as_tcp().unwrap().set_nodelay(true).unwrap();
        for piece in pieces {
            conn.write_all(piece.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let answer = rest(&conn).await;
        let (head, said) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
        assert!(head.starts_with("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n"), "{answer:?}");
        assert_eq!(said, body, "{answer:?}");
    }
    assert_eq!(serving.http_counters().requests, 0);
}

#[tokio::test]
async fn whoever_speaks_neither_tls_nor_http_is_told_nothing_of_http() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let serving = serve(Tls::new(certificate, key).unwrap()).await;
    for pieces in [&["SSH-2.0-OpenSSH\r\n"][..], &["EH", "LO a\r\n"], &["EH"], &["hello\r\n"]] {
        let conn = dial(&serving).await;
        for piece in pieces {
            conn.write_all(piece.as_bytes()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // It may be at an end already.
        let _ = conn.close_write();
        assert!(!rest(&conn).await.contains("HTTP"), "{pieces:?}");
    }
}

#[tokio::test]
async fn each_name_has_its_certificate() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let [first, second, wild] =
        ["localhost", "second.example", "a.wild.example"].map(|name| authority.write(folder.path(), name));
    let tls = Tls::new(&first.0, &first.1).unwrap();
    let tls = tls.and_for("Second.example", &second.0, &second.1).unwrap();
    let tls = tls.and_for("*.wild.example", &wild.0, &wild.1).unwrap();
    let serving = serve(tls).await;
    let mut seen = Vec::new();
    for name in ["localhost", "second.example", "a.wild.example"] {
        seen.push(shown(&serving, &authority, name).await);
    }
    assert!(seen[0] != seen[1] && seen[1] != seen[2] && seen[0] != seen[2]);
}

#[tokio::test]
async fn a_handshake_that_takes_too_long_ends_the_conn() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let server = Server::new().transport(one()).handshake_timeout(Duration::from_millis(200));
    let server = server.tls(Tls::new(certificate, key).unwrap().into_config().unwrap());
    let serving =
        server.serve("tcp", "127.0.0.1:0", handle(async |_| Response::new(Body::empty()))).await.unwrap();
    let conn = dial(&serving).await;
    assert_eq!(rest(&conn).await, "");
    until(&serving, |counters| counters.late == 1).await;
}

#[tokio::test]
async fn a_slow_handler_is_no_slow_client() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let slow = handle(async |_| {
        tokio::time::sleep(Duration::from_millis(2_500)).await;
        Response::new(Body::from(vec![b'x'; 4 << 20]))
    });
    let short = Duration::from_millis(500);
    let server = Server::new().transport(one()).write_timeout(short).head_timeout(short).idle_timeout(short);
    let server = server.tls(Tls::new(certificate, key).unwrap().into_config().unwrap());
    let serving = server.serve("tcp", "127.0.0.1:0", slow).await.unwrap();
    let text = client(&authority).get(&url(&serving)).await.unwrap().into_body().text(8 << 20).await.unwrap();
    assert_eq!((text.len(), serving.http_counters().late), (4 << 20, 0));
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_handshake() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let serving = serve(Tls::new(certificate, key).unwrap()).await;
    let conn = dial(&serving).await;
    while serving.counters().total().conns == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let began = Instant::now();
    serving.shutdown(Duration::from_secs(60)).await;
    assert!(began.elapsed() < Duration::from_secs(8));
    assert_eq!(rest(&conn).await, "");
}
