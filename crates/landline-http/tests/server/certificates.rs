//! Certificates that change, certificates of clients, and sessions that go on.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use landline_http::Body;
use landline_http::client::Client;
use landline_http::server::{PeerCertificates, RequestBody, Server, Serving, Tls, handle};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind};
use tempfile::TempDir;
use tokio::time::Instant;

use super::tls::{Authority, client, serve, shake_hands, shown, url};
use super::{PATIENCE, dial, one};

#[tokio::test]
async fn files_that_change_are_read_again() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let serving = serve(Tls::new(&certificate, &key).unwrap()).await;
    let before = shown(&serving, &authority, "localhost").await;
    // One that fits nothing leaves all as it is.
    fs::write(&certificate, "nothing").unwrap();
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert_eq!(shown(&serving, &authority, "localhost").await, before);
    authority.write(folder.path(), "localhost");
    let began = Instant::now();
    while shown(&serving, &authority, "localhost").await == before {
        assert!(began.elapsed() < PATIENCE, "it is never read again");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Waits until a handshake shows another certificate than `before`.
async fn until_other(
    serving: &Serving,
    authority: &Authority,
    before: &CertificateDer<'_>,
) -> CertificateDer<'static> {
    let began = Instant::now();
    loop {
        let now = shown(serving, authority, "localhost").await;
        if now != *before {
            return now;
        }
        assert!(began.elapsed() < PATIENCE, "it is never read again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_file_that_takes_long_to_read_keeps_nobody_waiting() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let (certificate, key) = authority.write(folder.path(), "localhost");
    let serving = serve(Tls::new(&certificate, &key).unwrap()).await;
    let before = shown(&serving, &authority, "localhost").await;
    // Reading a pipe takes until somebody has written it.
    let (pem, key_pem, der) = authority.sign("localhost");
    let (pipe, file) = (folder.path().join("pipe"), folder.path().join("file"));
    fs::write(&file, &pem).unwrap();
    fs::write(&key, key_pem).unwrap();
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap();
    fs::rename(&pipe, &certificate).unwrap();
    // To be opened for writing it has to be open for reading.
    let path = certificate.clone();
    let opening = tokio::task::spawn_blocking(move || fs::OpenOptions::new().write(true).open(path));
    let began = Instant::now();
    while !opening.is_finished() {
        // One worker shakes hands, and reads.
        assert_eq!(shown(&serving, &authority, "localhost").await, before);
        assert!(began.elapsed() < PATIENCE, "it is never read again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(shown(&serving, &authority, "localhost").await, before);
    // Whoever looks again finds a file.
    fs::rename(&file, &certificate).unwrap();
    opening.await.unwrap().unwrap().write_all(pem.as_bytes()).unwrap();
    assert_eq!(until_other(&serving, &authority, &before).await, der);
}

/// Answers with what it was shown: how many certificates, and the first of them.
async fn serve_shown(tls: Tls) -> Serving {
    let service = handle(async |request: Request<RequestBody>| {
        let body = match request.extensions().get::<PeerCertificates>() {
            Some(shown) => {
                assert_eq!(shown.chain()[0], *shown.end_entity());
                [&[u8::try_from(shown.chain().len()).unwrap()], shown.end_entity().as_ref()].concat()
            }
            None => vec![0],
        };
        Response::new(Body::from(body))
    });
    let server = Server::new().transport(one()).tls(tls.into_config().unwrap());
    server.serve("tcp", "127.0.0.1:0", service).await.unwrap()
}

/// A client of this authority, and its certificate.
fn somebody(authority: &Authority) -> (ClientConfig, CertificateDer<'static>) {
    let (_, key, certificate) = authority.sign("a client");
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ClientConfig::builder()
        .with_root_certificates(authority.trusted())
        .with_client_auth_cert(vec![certificate.clone()], key)
        .unwrap();
    (config, certificate)
}

/// TLS that knows clients of this authority.
fn knowing(authority: &Authority, folder: &Path) -> Tls {
    let (certificate, key) = authority.write(folder, "localhost");
    let roots = folder.join("clients.pem");
    fs::write(&roots, &authority.pem).unwrap();
    Tls::new(certificate, key).unwrap().clients_signed_by(roots).unwrap()
}

async fn body(client: &Client, serving: &Serving) -> Vec<u8> {
    client.get(&url(serving)).await.unwrap().into_body().bytes(1 << 16).await.unwrap().to_vec()
}

#[tokio::test]
async fn clients_need_the_certificate_they_are_asked_for_and_handlers_see_it() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let serving = serve_shown(knowing(&authority, folder.path())).await;
    client(&authority).get(&url(&serving)).await.unwrap_err();
    // Nor will another authority's do.
    let (mut stranger, _) = somebody(&Authority::new());
    stranger = ClientConfig::builder()
        .with_root_certificates(authority.trusted())
        .with_client_cert_resolver(stranger.client_auth_cert_resolver);
    Client::new().tls(stranger).get(&url(&serving)).await.unwrap_err();
    assert_eq!(serving.http_counters().requests, 0);
    let (config, certificate) = somebody(&authority);
    for protocol in ["h2", "http/1.1"] {
        let mut config = config.clone();
        config.alpn_protocols = vec![protocol.into()];
        let client = Client::new().tls(config);
        // The second request of a conn as well.
        for _ in 0..2 {
            assert_eq!(body(&client, &serving).await, [&[1], &certificate[..]].concat(), "{protocol}");
        }
    }
}

#[tokio::test]
async fn clients_without_a_certificate_are_served_where_they_may_have_none() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let serving = serve_shown(knowing(&authority, folder.path()).clients_may_have_none()).await;
    assert_eq!(body(&client(&authority), &serving).await, [0]);
    let (config, certificate) = somebody(&authority);
    assert_eq!(body(&Client::new().tls(config), &serving).await, [&[1], &certificate[..]].concat());
}

/// Asks over a conn of its own, and how the handshake was.
async fn ask(serving: &Serving, config: &Arc<ClientConfig>) -> (HandshakeKind, Vec<u8>) {
    let conn = dial(serving).await;
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = ClientConnection::new(config.clone(), name).unwrap();
    shake_hands(&conn, &mut session).await;
    session.writer().write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut out = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut out).unwrap();
    }
    conn.write_all(&out).await.unwrap();
    // Tickets of TLS 1.3 come after the handshake, before the answer.
    let mut answer = Vec::new();
    let reading = async {
        let mut buffer = [0; 16 << 10];
        loop {
            let count = conn.read(&mut buffer).await.unwrap();
            let mut records = &buffer[..count];
            while !records.is_empty() {
                session.read_tls(&mut records).unwrap();
                session.process_new_packets().unwrap();
            }
            let mut plain = [0; 16 << 10];
            match std::io::Read::read(&mut session.reader(), &mut plain) {
                Ok(0) => break,
                Ok(count) => answer.extend(&plain[..count]),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    };
    tokio::time::timeout(PATIENCE, reading).await.expect("the server answers and closes");
    let body = answer.windows(4).position(|end| end == b"\r\n\r\n").expect("a head") + 4;
    (session.handshake_kind().unwrap(), answer.split_off(body))
}

#[tokio::test]
async fn a_second_handshake_goes_on_where_the_first_ended() {
    let (authority, folder) = (Authority::new(), TempDir::new().unwrap());
    let serving = serve_shown(knowing(&authority, folder.path())).await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let (config, certificate) = somebody(&authority);
        let config = ClientConfig::builder_with_protocol_versions(&[version])
            .with_root_certificates(authority.trusted())
            .with_client_cert_resolver(config.client_auth_cert_resolver);
        let config = Arc::new(config);
        let expected = [&[1], &certificate[..]].concat();
        let first = ask(&serving, &config).await;
        assert_eq!(first, (HandshakeKind::Full, expected.clone()), "{version:?}");
        // Without the certificate it is known who it is.
        assert_eq!(ask(&serving, &config).await, (HandshakeKind::Resumed, expected), "{version:?}");
    }
}
