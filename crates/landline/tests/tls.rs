//! TLS conns: what any conn must do, and what is TLS's own.

#[allow(dead_code)] // The other tests try more kinds of conns.
mod adapter;

use std::sync::Arc;
use std::time::Duration;

use adapter::Tried;
use adapter::tls::Tls;
use conntest::suite;
use landline::{Cause, Conn, Context, Dialer, ListenConfig, Proxy, ProxyStep, TlsConn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;

async fn tcp_pair() -> (Conn, Conn) {
    let listener = ListenConfig::new().listen("tcp", "127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::try_join!(landline::dial("tcp", &address), listener.accept()).unwrap()
}

async fn secured(tls: &Tls, (a, b): (Conn, Conn)) -> (Conn, Conn) {
    let (client, server) = tls.configs();
    let (a, b) =
        tokio::try_join!(TlsConn::connect(a, "localhost", client), TlsConn::accept(b, server)).unwrap();
    (a.into(), b.into())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_do_what_any_conn_must() {
    let tls = Tls::new();
    suite::run_all(async || {
        let (a, b) = secured(&tls, tcp_pair().await).await;
        (Tried(a), Tried(b))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn they_are_byte_streams() {
    let tls = Tls::new();
    suite::stream::run_all(async || secured(&tls, tcp_pair().await).await).await;
    suite::stream::run_all(async || {
        let (a, b) = landline::pipe();
        secured(&tls, (a.into(), b.into())).await
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tls_in_tls_is_a_conn_too() {
    let tls = Tls::new();
    suite::stream::run_all(async || secured(&tls, secured(&tls, tcp_pair().await).await).await).await;
}

#[tokio::test]
async fn others_implementations_understand_it() {
    let tls = Tls::new();
    let (client, _) = tls.configs();
    let (a, b) = tcp_pair().await;
    let acceptor = tokio_rustls::TlsAcceptor::from(tls.configs().1);
    let (ours, theirs) =
        tokio::join!(TlsConn::connect(a, "localhost", client), async { acceptor.accept(b).await.unwrap() });
    let (ours, mut theirs) = (ours.unwrap(), theirs);
    ours.write_all(b"from us").await.unwrap();
    let mut buffer = [0; 7];
    theirs.read_exact(&mut buffer).await.unwrap();
    assert_eq!(&buffer, b"from us");
    theirs.write_all(b"from them").await.unwrap();
    theirs.shutdown().await.unwrap();
    let mut buffer = [0; 64];
    assert_eq!(ours.peek(&mut buffer).await.unwrap(), 9);
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 9);
    assert_eq!(&buffer[..9], b"from them");
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 0, "an end that was announced");
}

#[tokio::test]
async fn an_end_without_notice_is_an_error() {
    let tls = Tls::new();
    let (ours, theirs) = secured(&tls, tcp_pair().await).await;
    theirs.write_all(b"half").await.unwrap();
    theirs.as_tls().unwrap().below().close_write().unwrap();
    let mut buffer = [0; 16];
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 4);
    let error = ours.read(&mut buffer).await.unwrap_err();
    assert!(matches!(error.cause(), Cause::UnexpectedEof), "{error}");
}

#[tokio::test]
async fn a_deadline_holds_for_what_has_already_arrived_too() {
    let tls = Tls::new();
    let (ours, theirs) = secured(&tls, tcp_pair().await).await;
    theirs.write_all(b"two parts").await.unwrap();
    let mut buffer = [0; 4];
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 4);
    ours.set_read_deadline(Instant::now() - Duration::from_millis(1));
    assert!(ours.read(&mut buffer).await.unwrap_err().is_timeout());
    ours.set_read_deadline(None);
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 4);
    ours.close().unwrap();
    assert!(ours.read(&mut buffer).await.unwrap_err().is_closed());
    assert!(ours.close().unwrap_err().is_closed());
}

#[tokio::test]
async fn a_read_that_is_dropped_loses_nothing() {
    let tls = Tls::new();
    let (ours, theirs) = secured(&tls, tcp_pair().await).await;
    let mut buffer = [0; 16];
    tokio::select! {
        biased;
        _ = ours.read(&mut buffer) => panic!("nobody has written"),
        () = tokio::task::yield_now() => {}
    }
    theirs.write_all(b"whole").await.unwrap();
    assert_eq!(ours.read(&mut buffer).await.unwrap(), 5);
    assert_eq!(&buffer[..5], b"whole");
}

#[tokio::test]
async fn a_task_that_polls_gets_its_turn_after_a_call() {
    let tls = Tls::new();
    let (ours, theirs) = secured(&tls, tcp_pair().await).await;
    let ours = Arc::new(ours);
    let called = tokio::spawn({
        let ours = ours.clone();
        async move {
            let mut byte = [0];
            ours.read(&mut byte).await.unwrap();
            byte[0]
        }
    });
    let polled = tokio::spawn({
        let ours = ours.clone();
        async move { (&mut &*ours).read_u8().await.unwrap() }
    });
    // Both wait, or will; whichever takes a byte leaves the other's.
    tokio::task::yield_now().await;
    theirs.write_all(&[1, 2]).await.unwrap();
    let mut bytes = [called.await.unwrap(), polled.await.unwrap()];
    bytes.sort_unstable();
    assert_eq!(bytes, [1, 2]);
}

#[tokio::test]
async fn a_stranger_is_not_trusted_and_is_told_so() {
    let (client, _) = Tls::new().configs();
    let (_, server) = Tls::new().configs();
    let (a, b) = tcp_pair().await;
    let (ours, theirs) = tokio::join!(TlsConn::connect(a, "localhost", client), TlsConn::accept(b, server));
    let error = ours.unwrap_err().to_string();
    assert!(error.contains("invalid peer certificate"), "{error}");
    let error = theirs.unwrap_err().to_string();
    assert!(error.contains("fatal alert"), "{error}");
}

#[tokio::test]
async fn what_is_no_name_and_what_is_no_stream_is_refused() {
    let (client, _) = Tls::new().configs();
    let (a, _b) = tcp_pair().await;
    assert!(TlsConn::connect(a, "not a name", client.clone()).await.is_err());
    let udp = landline::dial("udp", "127.0.0.1:9").await.unwrap();
    let error = TlsConn::connect(udp, "localhost", client).await.unwrap_err().to_string();
    assert!(error.contains("TLS needs a stream"), "{error}");
}

#[tokio::test]
async fn a_handshake_with_somebody_silent_ends_at_the_conns_limits() {
    let (client, _) = Tls::new().configs();
    let (a, _b) = tcp_pair().await;
    let context = Context::background().with_timeout(Duration::from_millis(20));
    a.bind_context(&context);
    assert!(TlsConn::connect(a, "localhost", client).await.unwrap_err().is_timeout());
}

/// An `https` proxy that takes one conn and answers `answer` to whatever head it hears.
async fn tls_proxy(tls: &Tls, answer: &'static [u8]) -> (Proxy, tokio::task::JoinHandle<Vec<u8>>) {
    let (client, server) = tls.configs();
    let listener = ListenConfig::new().listen("tcp", "127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().unwrap();
    let heard = tokio::spawn(async move {
        let conn = listener.accept().await.unwrap();
        let Ok(conn) = TlsConn::accept(conn, server).await else { return Vec::new() };
        let mut heard = Vec::new();
        while !heard.ends_with(b"\r\n\r\n") {
            let mut buffer = [0; 256];
            let count = conn.read(&mut buffer).await.unwrap();
            heard.extend_from_slice(&buffer[..count]);
        }
        conn.write_all(answer).await.unwrap();
        conn.close_write().unwrap();
        // Until the dialer has gone.
        while let Ok(1..) = conn.read(&mut [0; 64]).await {}
        heard
    });
    let proxy: Proxy = format!("https://localhost:{port}").parse().unwrap();
    (proxy.tls_config(client), heard)
}

#[tokio::test]
async fn a_dial_goes_through_a_proxy_over_tls_and_loses_nothing() {
    let tls = Tls::new();
    let (proxy, heard) = tls_proxy(&tls, b"HTTP/1.1 200 OK\r\n\r\nfirst words").await;
    let dialer = Dialer::new().timeout(Duration::from_secs(30)).proxy(proxy);
    let (conn, report) = dialer.explain("tcp", "example.com:22").await;
    let mut conn = conn.unwrap();
    assert!(conn.as_tls().is_some() && conn.as_fd().is_none());
    let mut words = String::new();
    conn.read_to_string(&mut words).await.unwrap();
    assert_eq!(words, "first words");
    let drawn = report.waterfall().to_string();
    assert!(drawn.contains("TLS for localhost: TLSv1"), "{drawn}");
    drop(conn);
    assert_eq!(heard.await.unwrap(), b"CONNECT example.com:22 HTTP/1.1\r\nHost: example.com:22\r\n\r\n");
}

#[tokio::test]
async fn a_proxy_that_nobody_vouches_for_is_refused_at_the_step_tls() {
    let (proxy, heard) = tls_proxy(&Tls::new(), b"HTTP/1.1 200 OK\r\n\r\n").await;
    let proxy = proxy.tls_config(Tls::new().configs().0);
    let error = Dialer::new().proxy(proxy).dial("tcp", "example.com:22").await.unwrap_err();
    assert_eq!(error.proxy_error().unwrap().step(), ProxyStep::Tls);
    assert!(error.to_string().contains(": tls: invalid peer certificate"), "{error}");
    assert!(heard.await.unwrap().is_empty());
}

#[tokio::test]
async fn whom_the_system_does_not_trust_is_not_trusted() {
    let tls = Tls::new();
    let (_, server) = tls.configs();
    let listener = ListenConfig::new().listen("tcp", "127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port().unwrap();
    let proxy: Proxy = format!("https://localhost:{port}").parse().unwrap();
    let dialer = Dialer::new().proxy(proxy);
    let (result, refused) = tokio::join!(dialer.dial("tcp", "example.com:22"), async {
        TlsConn::accept(listener.accept().await.unwrap(), server).await
    });
    assert_eq!(result.unwrap_err().proxy_error().unwrap().step(), ProxyStep::Tls);
    assert!(refused.is_err());
}

#[tokio::test]
async fn a_client_knows_the_certificate_it_was_shown() {
    let (client, server) = secured(&Tls::new(), tcp_pair().await).await;
    let shown = client.as_tls().unwrap().peer_certificates().unwrap();
    assert_eq!(shown.len(), 1);
    // The server's, which has the name in it.
    assert!(shown[0].windows(9).any(|part| part == b"localhost"));
    // Nobody has asked the client.
    assert_eq!(server.as_tls().unwrap().peer_certificates(), None);
}
