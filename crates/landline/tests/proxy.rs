//! Dialing through proxies: scripted ones on loopback that behave, and that do not.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use conntest::dns::{self, RecordType, Reply};
use landline::explain::{Fate, Report, Step, What};
use landline::resolve::Config;
use landline::{
    Context, Dialer, ListenConfig, Proxies, Proxy, ProxyEnvironment, ProxyErrorKind, ProxyStep, Resolver,
    TcpConn, TcpListener,
};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// One thing that a scripted proxy does.
enum Do {
    /// Reads exactly this.
    Hear(Vec<u8>),
    Say(Vec<u8>),
    /// Says one byte after the other, each in a packet of its own.
    Spell(Vec<u8>),
    /// Dials and relays until both sides have ended.
    Relay(SocketAddr),
    /// Waits until the dialer goes away.
    Stall,
    /// Ends with a reset.
    Reset,
    /// Says to the test that it has come this far.
    Tell(oneshot::Sender<()>),
}

use Do::{Hear, Relay, Reset, Say, Spell, Stall, Tell};

fn hear(bytes: &[u8]) -> Do {
    Hear(bytes.to_vec())
}

fn say(bytes: &[u8]) -> Do {
    Say(bytes.to_vec())
}

struct Scripted {
    address: SocketAddr,
    done: JoinHandle<()>,
}

impl Scripted {
    /// Takes one conn for each script, in order, and follows it; closes it at its end.
    async fn start(scripts: Vec<Vec<Do>>) -> Scripted {
        let listener = listener().await;
        let address = listener.local_addr().unwrap();
        let done = tokio::spawn(async move {
            for script in scripts {
                let conn = listener.accept().await.unwrap();
                follow(conn, script).await;
            }
        });
        Scripted { address, done }
    }

    fn url(&self, scheme: &str) -> Proxy {
        format!("{scheme}://{}", self.address).parse().unwrap()
    }

    /// Its script has been followed to the end.
    async fn finished(self) {
        self.done.await.unwrap();
    }
}

async fn follow(conn: TcpConn, script: Vec<Do>) {
    for step in script {
        match step {
            Hear(expected) => {
                let heard = read_exactly(&conn, expected.len()).await;
                assert_eq!(heard.escape_ascii().to_string(), expected.escape_ascii().to_string());
            }
            Say(bytes) => conn.write_all(&bytes).await.unwrap(),
            Spell(bytes) => {
                for byte in bytes {
                    conn.write_all(&[byte]).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
            Relay(to) => {
                let to = Dialer::new().dial_tcp(&to.to_string()).await.unwrap();
                tokio::join!(pass_on(&conn, &to), pass_on(&to, &conn));
            }
            Stall => while let Ok(1..) = conn.read(&mut [0; 64]).await {},
            Reset => conn.set_linger(Some(Duration::ZERO)).unwrap(),
            Tell(sender) => sender.send(()).unwrap(),
        }
    }
}

async fn pass_on(from: &TcpConn, to: &TcpConn) {
    let mut buffer = vec![0; 4096];
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        if to.write_all(&buffer[..count]).await.is_err() {
            return;
        }
    }
    let _ = to.close_write();
}

async fn read_exactly(conn: &TcpConn, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    let mut read = 0;
    while read < length {
        match conn.read(&mut bytes[read..]).await.unwrap() {
            0 => break,
            count => read += count,
        }
    }
    bytes.truncate(read);
    bytes
}

async fn listener() -> TcpListener {
    ListenConfig::new().listen_tcp("127.0.0.1:0").await.unwrap()
}

/// A server that speaks first, repeats what it hears, and ends.
async fn server() -> SocketAddr {
    let listener = listener().await;
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok(conn) = listener.accept().await {
            conn.write_all(b"220 hello\r\n").await.unwrap();
            pass_on(&conn, &conn).await;
        }
    });
    address
}

/// What is said over a conn to [`server`], after its greeting.
async fn converse(conn: &landline::Conn) {
    conn.write_all(b"ping").await.unwrap();
    conn.close_write().unwrap();
    let mut heard = Vec::new();
    let mut buffer = [0; 64];
    loop {
        match conn.read(&mut buffer).await.unwrap() {
            0 => break,
            count => heard.extend_from_slice(&buffer[..count]),
        }
    }
    assert_eq!(heard, b"220 hello\r\nping");
}

fn dialer(proxies: impl Into<Proxies>) -> Dialer {
    // Long enough for a machine that is busy with other tests.
    Dialer::new().timeout(Duration::from_secs(30)).proxy(proxies)
}

const CONNECT: &[u8] = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\r\n";
const ESTABLISHED: &[u8] = b"HTTP/1.1 200 Connection established\r\n\r\n";
const SOCKS5_REQUEST: &[u8] = b"\x05\x01\0\x03\x0bexample.com\x01\xbb";
const SOCKS5_GRANTED: &[u8] = b"\x05\0\0\x01\0\0\0\0\0\0";

#[tokio::test]
async fn a_dial_goes_through_http_and_hears_a_server_that_speaks_first() {
    let proxy = Scripted::start(vec![vec![hear(CONNECT), say(ESTABLISHED), Relay(server().await)]]).await;
    let conn = dialer(proxy.url("http")).dial("tcp", "example.com:443").await.unwrap();
    assert_eq!(conn.peer_addr().unwrap(), proxy.address.into());
    converse(&conn).await;
    proxy.finished().await;
}

#[tokio::test]
async fn what_comes_in_one_packet_with_the_answer_is_not_lost() {
    for (scheme, script) in [
        ("http", vec![hear(CONNECT), say(&[ESTABLISHED, b"first words"].concat())]),
        ("http", vec![hear(CONNECT), Spell([ESTABLISHED, b"first words"].concat())]),
        (
            "socks5h",
            vec![
                hear(b"\x05\x01\0"),
                say(b"\x05\0"),
                hear(SOCKS5_REQUEST),
                say(&[SOCKS5_GRANTED, b"first words"].concat()),
            ],
        ),
        (
            "socks4a",
            vec![hear(b"\x04\x01\x01\xbb\0\0\0\x01\0example.com\0"), say(b"\0\x5a\0\0\0\0\0\0first words")],
        ),
    ] {
        let proxy = Scripted::start(vec![script]).await;
        let conn = dialer(proxy.url(scheme)).dial_tcp("example.com:443").await.unwrap();
        assert_eq!(read_exactly(&conn, 11).await, b"first words");
        proxy.finished().await;
    }
}

#[tokio::test]
async fn logins_are_given() {
    let request = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\
                    Proxy-Authorization: Basic bWU6cHc=\r\n\r\n";
    let proxy = Scripted::start(vec![vec![hear(request), say(ESTABLISHED)]]).await;
    dialer(proxy.url("http").login("me", "pw")).dial("tcp", "example.com:443").await.unwrap();
    proxy.finished().await;

    let request = b"CONNECT example.com:443 HTTP/1.1\r\nHost: example.com:443\r\n\
                    Proxy-Authorization: Bearer token\r\n\r\n";
    let proxy = Scripted::start(vec![vec![hear(request), say(ESTABLISHED)]]).await;
    dialer(proxy.url("http").authorization("Bearer token")).dial("tcp", "example.com:443").await.unwrap();
    proxy.finished().await;

    let script = vec![
        hear(b"\x05\x02\0\x02"),
        say(b"\x05\x02"),
        hear(b"\x01\x02me\x02pw"),
        say(b"\x01\0"),
        hear(SOCKS5_REQUEST),
        say(SOCKS5_GRANTED),
    ];
    let proxy = Scripted::start(vec![script]).await;
    dialer(proxy.url("socks5h").login("me", "pw")).dial("tcp", "example.com:443").await.unwrap();
    proxy.finished().await;
}

#[tokio::test]
async fn a_chain_is_gone_through_hop_by_hop() {
    let request = |to: SocketAddr| format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n\r\n").into_bytes();
    let third = Scripted::start(vec![vec![hear(CONNECT), say(ESTABLISHED), Relay(server().await)]]).await;
    let second = third.address;
    let SocketAddr::V4(v4) = second else { panic!() };
    let by_address = [&b"\x05\x01\0\x01"[..], &v4.ip().octets(), &v4.port().to_be_bytes()].concat();
    let script = vec![
        hear(b"\x05\x01\0"),
        say(b"\x05\0"),
        Hear(by_address),
        say(SOCKS5_GRANTED),
        Relay(third.address),
    ];
    let second = Scripted::start(vec![script]).await;
    let script = vec![Hear(request(second.address)), say(ESTABLISHED), Relay(second.address)];
    let first = Scripted::start(vec![script]).await;
    let chain = [first.url("http"), second.url("socks5"), third.url("http")];
    let (conn, report) = dialer(chain).explain("tcp", "example.com:443").await;
    converse(&conn.unwrap()).await;
    assert_eq!(
        hops(&report),
        [
            format!("1 http://{} to {} done", first.address, second.address),
            format!("2 socks5://{} to {} done", second.address, third.address),
            format!("3 http://{} to example.com:443 done", third.address),
        ]
    );
    for proxy in [first, second, third] {
        proxy.finished().await;
    }
}

/// Each hop: its number, the proxy, its target, and how it ended.
fn hops(report: &Report) -> Vec<String> {
    let spans = report.spans().iter();
    spans
        .filter_map(|span| match &span.step {
            Step::Hop { hop, proxy, target } => {
                let fate = match &span.fate {
                    Fate::Failed(error) => format!("failed: {error}"),
                    fate => format!("{fate:?}").to_lowercase(),
                };
                Some(format!("{hop} {proxy} to {target} {fate}"))
            }
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn errors_name_the_proxy_the_step_and_what_it_answered() {
    let refused =
        "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
    for (scheme, script, step, words) in [
        (
            "http",
            vec![hear(CONNECT), say(refused.as_bytes())],
            ProxyStep::Request,
            "request: 407 Proxy Authentication Required (it asks for Basic)",
        ),
        (
            "http",
            vec![hear(CONNECT), say(b"HTTP/1.0 502 Bad Gateway\r\nContent-Length: 9\r\n\r\nno such x")],
            ProxyStep::Request,
            "request: 502 Bad Gateway",
        ),
        ("http", vec![hear(CONNECT)], ProxyStep::Request, "request: unexpected end of stream"),
        (
            "http",
            vec![hear(CONNECT), say(b"HTTP/1.1 200 OK\r\nVia:")],
            ProxyStep::Request,
            "request: unexpected end of stream",
        ),
        ("http", vec![hear(CONNECT), Reset], ProxyStep::Request, "request: connection reset by peer"),
        (
            "http",
            vec![say(b"SSH-2.0-OpenSSH_9.2\r\n"), Stall],
            ProxyStep::Request,
            "request: malformed answer: no HTTP/1 status line but SSH-2.0-",
        ),
        (
            "socks5h",
            vec![hear(b"\x05\x01\0"), say(b"\x05\xff")],
            ProxyStep::Greeting,
            "greeting: it lets nobody in without a password",
        ),
        (
            "socks5h",
            vec![hear(b"\x05\x01\0"), say(b"\x05\0"), hear(SOCKS5_REQUEST), say(b"\x05\x05")],
            ProxyStep::Request,
            "request: connection refused (reply 5)",
        ),
        (
            "socks5h",
            vec![hear(b"\x05\x01\0"), say(b"\x05\0"), hear(SOCKS5_REQUEST), say(b"\x05\0\0")],
            ProxyStep::Request,
            "request: unexpected end of stream",
        ),
        (
            "socks4a",
            vec![hear(b"\x04\x01\x01\xbb\0\0\0\x01\0example.com\0"), say(b"\0\x5b\0\0\0\0\0\0")],
            ProxyStep::Request,
            "request: rejected or failed (code 91)",
        ),
    ] {
        let proxy = Scripted::start(vec![script]).await;
        let url = proxy.url(scheme);
        let error = dialer(url.clone()).dial("tcp", "example.com:443").await.unwrap_err();
        let expected = format!("dial tcp example.com:443: proxy {url}: {words}");
        assert!(error.to_string().starts_with(&expected), "{error}\nis not\n{expected}");
        let at_proxy = error.proxy_error().unwrap();
        assert_eq!((at_proxy.step(), at_proxy.proxy()), (step, url.to_string().as_str()));
        proxy.finished().await;
    }
}

#[tokio::test]
async fn predicates_see_through_the_proxy() {
    let script = vec![hear(b"\x05\x01\0"), say(b"\x05\0"), hear(SOCKS5_REQUEST), say(b"\x05\x05")];
    let proxy = Scripted::start(vec![script]).await;
    let error = dialer(proxy.url("socks5h")).dial("tcp", "example.com:443").await.unwrap_err();
    assert!(error.is_connection_refused());
    let ProxyErrorKind::Refused { code: 5, .. } = error.proxy_error().unwrap().kind() else {
        panic!("{error:?}")
    };

    let gone = listener().await.local_addr().unwrap();
    let error = dialer(format!("http://{gone}").parse::<Proxy>().unwrap())
        .dial("tcp", "example.com:443")
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("dial tcp example.com:443: proxy http://{gone}: connect: connection refused")
    );
    assert!(error.is_connection_refused());
    assert_eq!(error.errno(), Some(rustix::io::Errno::CONNREFUSED));

    let nowhere: Proxy = "http://proxy.invalid:3128".parse().unwrap();
    let (_running, resolver) = names(dns::Server::new()).await;
    let error = dialer(nowhere).resolver(resolver).dial("tcp", "example.com:443").await.unwrap_err();
    assert!(error.is_not_found(), "{error}");
    assert!(error.to_string().contains("proxy http://proxy.invalid:3128: lookup proxy.invalid"), "{error}");
}

#[tokio::test]
async fn the_budget_covers_a_proxy_that_stalls_at_any_step() {
    for (scheme, script) in [
        ("http", vec![Stall]),
        ("http", vec![hear(CONNECT), say(b"HTTP/1.1 200"), Stall]),
        ("socks5h", vec![hear(b"\x05\x01\0"), say(b"\x05\0"), hear(SOCKS5_REQUEST), Stall]),
    ] {
        let proxy = Scripted::start(vec![script]).await;
        let (result, report) = Dialer::new()
            .timeout(Duration::from_millis(100))
            .proxy(proxy.url(scheme))
            .explain("tcp", "example.com:443")
            .await;
        let error = result.unwrap_err();
        assert!(error.is_timeout(), "{error}");
        assert!(error.to_string().ends_with(": i/o timeout"), "{error}");
        let failed = hops(&report);
        assert!(failed[0].contains("failed"), "{failed:?}");
        // The conn is closed, or this would go on for ever.
        proxy.finished().await;
    }
}

#[tokio::test]
async fn a_cancel_closes_the_conn_to_the_proxy() {
    let (sender, heard) = oneshot::channel();
    let (sender_again, heard_again) = oneshot::channel();
    let scripts = [sender, sender_again].map(|sender| vec![hear(CONNECT), Tell(sender), Stall]);
    let proxy = Scripted::start(scripts.into()).await;
    let (context, guard) = Context::background().with_cancel();
    let dialer = dialer(proxy.url("http"));
    let (result, ()) = tokio::join!(dialer.dial_in(&context, "tcp", "example.com:443"), async {
        heard.await.unwrap();
        drop(guard);
    });
    let error = result.unwrap_err();
    assert!(error.is_canceled(), "{error}");
    // And so does a future that is dropped.
    tokio::select! {
        _ = dialer.dial("tcp", "example.com:443") => panic!("the proxy stalls"),
        heard = heard_again => heard.unwrap(),
    }
    proxy.finished().await;
}

async fn names(server: dns::Server) -> (dns::Running, Resolver) {
    let running = server.start().await.unwrap();
    let config = Config::new().with_servers([running.addr()]).with_timeout(Duration::from_secs(10));
    (running, Resolver::new(config))
}

#[tokio::test]
async fn names_are_resolved_here_where_the_proxy_does_not_and_the_next_address_is_tried() {
    let addresses = [Ipv4Addr::new(192, 0, 2, 1), Ipv4Addr::new(192, 0, 2, 2)];
    let server = dns::Server::new().on("two.example", RecordType::A, Reply::addresses(addresses)).on(
        "two.example",
        RecordType::AAAA,
        Reply::no_data(),
    );
    let (_running, resolver) = names(server).await;
    let request = |last: u8| [&b"\x05\x01\0\x01\xc0\0\x02"[..], &[last], b"\x01\xbb"].concat();
    let script =
        |last: u8, answer: &[u8]| vec![hear(b"\x05\x01\0"), say(b"\x05\0"), Hear(request(last)), say(answer)];
    let proxy = Scripted::start(vec![script(1, b"\x05\x04"), script(2, SOCKS5_GRANTED)]).await;
    let dialer_here = dialer(proxy.url("socks5")).resolver(resolver.clone());
    let (result, report) = dialer_here.explain("tcp", "two.example:443").await;
    result.unwrap();
    assert_eq!(
        hops(&report),
        [
            format!("1 socks5://{} to 192.0.2.1:443 failed: host unreachable (reply 4)", proxy.address),
            format!("1 socks5://{} to 192.0.2.2:443 done", proxy.address),
        ]
    );
    proxy.finished().await;

    // With SOCKS4, and when every one fails, all are named.
    let request = |last: u8| [&b"\x04\x01\x01\xbb\xc0\0\x02"[..], &[last, 0]].concat();
    let scripts = [1, 2].map(|last| vec![Hear(request(last)), say(b"\0\x5b\0\0\0\0\0\0")]);
    let proxy = Scripted::start(scripts.into()).await;
    let error =
        dialer(proxy.url("socks4")).resolver(resolver).dial("tcp", "two.example:443").await.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.attempts().len(), 2);
    assert!(text.contains("192.0.2.1:443: proxy") && text.contains("192.0.2.2:443: proxy"), "{text}");
    proxy.finished().await;
}

#[tokio::test]
async fn a_family_that_no_proxy_can_be_told_has_the_name_resolved_here() {
    let server = dns::Server::new()
        .host("both.example", ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()]);
    let (_running, resolver) = names(server).await;
    let request = b"CONNECT [2001:db8::1]:443 HTTP/1.1\r\nHost: [2001:db8::1]:443\r\n\r\n";
    let proxy = Scripted::start(vec![vec![hear(request), say(ESTABLISHED)]]).await;
    dialer(proxy.url("http")).resolver(resolver).dial("tcp6", "both.example:443").await.unwrap();
    proxy.finished().await;
}

#[tokio::test]
async fn what_cannot_be_asked_of_a_proxy_is_refused_in_words() {
    for (scheme, target, words) in [
        ("socks4", "[2001:db8::1]:80", "SOCKS4 has no IPv6 addresses such as 2001:db8::1"),
        ("http", "a b:80", "' ' in a name"),
        ("http", "[fe80::1%1]:80", "means nothing to a proxy"),
    ] {
        // Nobody listens there, and nobody is dialed.
        let proxy: Proxy = format!("{scheme}://127.0.0.1:1").parse().unwrap();
        let error = dialer(proxy).dial("tcp", target).await.unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        assert!(matches!(error.proxy_error().unwrap().kind(), ProxyErrorKind::Unsupported(_)));
    }
}

#[tokio::test]
async fn other_networks_do_without_proxies() {
    let gone = listener().await.local_addr().unwrap();
    let dialer = dialer(format!("http://{gone}").parse::<Proxy>().unwrap());
    dialer.dial("udp", "127.0.0.1:9").await.unwrap();
    let path = std::env::temp_dir().join(format!("landline-proxy-{}", std::process::id()));
    let path = path.display().to_string();
    let _listener = landline::listen("unix", &path).await.unwrap();
    dialer.dial("unix", &path).await.unwrap();
}

#[tokio::test]
async fn the_environment_is_asked_for_every_target() {
    let proxy = Scripted::start(vec![vec![hear(CONNECT), say(ESTABLISHED)]]).await;
    let vars = [("all_proxy", proxy.url("http").to_string()), ("no_proxy", "192.0.2.0/24".to_owned())];
    let dialer = dialer(ProxyEnvironment::from_vars(vars));
    let (result, report) = dialer.explain("tcp", "example.com:443").await;
    result.unwrap();
    let chosen = |report: &Report| {
        report.events().iter().find_map(|event| match &event.what {
            What::ProxyChosen { proxies, .. } => Some(proxies.clone()),
            _ => None,
        })
    };
    assert_eq!(chosen(&report), Some(vec![proxy.url("http").to_string()]));
    // Loopback is not proxied.
    let listener = listener().await;
    let (result, report) = dialer.explain("tcp", &listener.local_addr().unwrap().to_string()).await;
    assert_eq!(result.unwrap().peer_addr().unwrap(), listener.local_addr().unwrap().into());
    assert_eq!(chosen(&report), Some(Vec::new()));
    proxy.finished().await;

    let broken = Dialer::new().proxy(ProxyEnvironment::from_vars([("all_proxy", "ftp://h")]));
    let error = broken.dial("tcp", "192.0.2.1:1").await.unwrap_err().to_string();
    assert!(error.contains("all_proxy=ftp://h: unknown scheme"), "{error}");
}

#[tokio::test]
async fn every_step_is_drawn() {
    let script = vec![hear(b"\x05\x01\0"), say(b"\x05\0"), hear(SOCKS5_REQUEST), say(SOCKS5_GRANTED)];
    let proxy = Scripted::start(vec![script]).await;
    let (result, report) = dialer(proxy.url("socks5h")).explain("tcp", "example.com:443").await;
    result.unwrap();
    let drawn = report.waterfall().to_string();
    for words in [
        format!("socks5h://{} to example.com:443: open", proxy.address),
        "without a password: no authentication".to_owned(),
        "connect to example.com:443: granted".to_owned(),
    ] {
        assert!(drawn.contains(&words), "{drawn}\nhas no\n{words}");
    }
    assert_eq!(report.winner().map(|winner| winner.fate.clone()), Some(Fate::Won));
    proxy.finished().await;
}
