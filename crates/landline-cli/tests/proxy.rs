//! `landline proxy` and `landline dial --proxy`, on loopback.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use common::{Running, landline, run, run_with};
use rustix::process::Signal;

/// A proxy that runs for as long as this is kept, and its address.
fn proxy(arguments: &[&str]) -> (Running, String) {
    proxy_at("127.0.0.1:0", arguments)
}

fn proxy_at(address: &str, arguments: &[&str]) -> (Running, String) {
    let mut running = Running::start(&mut landline(&[&["proxy", address], arguments].concat()));
    let line = loop {
        let line = running.error_line();
        if line.starts_with("listening on ") {
            break line;
        }
    };
    let address = line.trim_start_matches("listening on ").to_owned();
    (running, address)
}

/// A server that does this with each of its conns.
fn server(serve: impl Fn(TcpStream) + Send + Sync + Clone + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for conn in listener.incoming() {
            let serve = serve.clone();
            thread::spawn(move || serve(conn.unwrap()));
        }
    });
    address
}

/// Speaks first, and then repeats what it hears.
fn echo() -> String {
    server(|mut conn| {
        conn.write_all(b"hello\n").unwrap();
        let mut back = conn.try_clone().unwrap();
        let _ = std::io::copy(&mut conn, &mut back);
        let _ = back.shutdown(Shutdown::Write);
    })
}

fn connect(address: &str) -> TcpStream {
    let address: SocketAddr = address.parse().unwrap();
    let conn = TcpStream::connect_timeout(&address, Duration::from_secs(20)).unwrap();
    conn.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    conn
}

/// Says all of it at once and ends, and hears to the end.
fn say(address: &str, bytes: &[u8]) -> Vec<u8> {
    let mut conn = connect(address);
    conn.write_all(bytes).unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    conn.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn every_protocol_goes_through_one_port() {
    let target = echo();
    let (_proxy, address) = proxy(&[]);
    for scheme in ["http", "socks5", "socks5h"] {
        let url = format!("{scheme}://{address}");
        let done = run_with(&["dial", "tcp", &target, "--proxy", &url], b"ping\n").expect(0);
        assert_eq!(done.text(), "hello\nping\n", "{scheme}");
    }
}

#[test]
fn a_chain_of_proxies_is_explained_hop_by_hop() {
    let target = echo();
    let ((_first, first), (_second, second)) = (proxy(&[]), proxy(&[]));
    let (first, second) = (format!("http://{first}"), format!("socks5h://{second}"));
    let done = run(&["dial", "tcp", &target, "--proxy", &first, "--proxy", &second, "--explain"]).expect(0);
    assert_eq!(done.text(), "hello\n");
    for words in [format!("proxy 1     {first} to "), format!("proxy 2     {second} to {target}: open")] {
        assert!(done.stderr.contains(&words), "{}\nhas no\n{words}", done.stderr);
    }
}

#[test]
fn the_environment_names_the_proxy_where_it_is_asked() {
    let (_proxy, address) = proxy(&[]);
    let mut command =
        landline(&["dial", "tcp", "192.0.2.1:9", "--proxy", "env", "--timeout", "20s", "--json"]);
    command.env("all_proxy", format!("socks5h://{address}")).env("no_proxy", "192.0.2.0/24");
    command.env_remove("ALL_PROXY").env_remove("NO_PROXY");
    command.args(["--local", "127.0.0.1"]);
    // Direct, and from loopback nowhere; the proxy would have said so itself.
    let done = Running::start(&mut command).end().expect(1);
    assert!(!done.stderr.contains("socks5h"), "{}", done.stderr);
    assert!(done.text().contains("\"proxies\":[]"), "{}", done.text());
}

#[test]
fn bytes_behind_a_request_go_to_the_target() {
    let target = echo();
    let (_proxy, address) = proxy(&[]);
    let heard = say(&address, format!("CONNECT {target} HTTP/1.1\r\nHost: x\r\n\r\nearly").as_bytes());
    assert_eq!(String::from_utf8_lossy(&heard), "HTTP/1.1 200 Connection established\r\n\r\nhello\nearly");
    let port = target.rsplit_once(':').unwrap().1.parse::<u16>().unwrap().to_be_bytes();
    let heard = say(&address, &[b"\x05\x01\0\x05\x01\0\x01\x7f\0\0\x01", &port[..], b"early"].concat());
    assert_eq!(heard[..5], *b"\x05\0\x05\0\0");
    assert!(heard.ends_with(b"hello\nearly"), "{}", heard.escape_ascii());
}

#[test]
fn requests_for_whole_urls_are_passed_on() {
    let target = server(|mut conn| {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && conn.read(&mut byte).unwrap() == 1 {
            head.push(byte[0]);
        }
        let mut body = [0; 4];
        conn.read_exact(&mut body).unwrap();
        let echo = [&head[..], &body].concat();
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", echo.len());
        conn.write_all(&[answer.as_bytes(), &echo].concat()).unwrap();
    });
    let (_proxy, address) = proxy(&[]);
    let request = format!(
        "POST http://{target}/a?b HTTP/1.1\r\nHost: {target}\r\nContent-Length: 4\r\n\
         Proxy-Connection: keep-alive\r\n\r\nbody"
    );
    let heard = String::from_utf8(say(&address, request.as_bytes())).unwrap();
    let passed_on = format!(
        "POST /a?b HTTP/1.1\r\nHost: {target}\r\nContent-Length: 4\r\nVia: 1.1 landline\r\n\
         Connection: close\r\n\r\nbody"
    );
    assert!(heard.starts_with("HTTP/1.1 200 OK\r\n") && heard.ends_with(&passed_on), "{heard}");
}

#[test]
fn what_it_does_not_do_it_says() {
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (_proxy, address) = proxy(&["--deny", "denied.example", "--deny", "127.0.0.2"]);
    for (request, answer) in [
        ("GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "HTTP/1.1 400 "),
        ("CONNECT denied.example:443 HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 403 "),
        ("CONNECT 127.0.0.2:443 HTTP/1.1\r\n\r\n".to_owned(), "HTTP/1.1 403 "),
        (format!("CONNECT {gone} HTTP/1.1\r\n\r\n"), "HTTP/1.1 502 "),
        (format!("GET http://{gone}/ HTTP/1.1\r\n\r\n"), "HTTP/1.1 502 "),
    ] {
        let heard = say(&address, request.as_bytes());
        assert!(heard.starts_with(answer.as_bytes()), "{request}: {}", heard.escape_ascii());
    }
    let port = gone.port().to_be_bytes();
    for (host, code) in
        [(&b"\x01\x7f\0\0\x01"[..], 5), (b"\x01\x7f\0\0\x02", 2), (b"\x03\x0edenied.example", 2)]
    {
        let heard = say(&address, &[b"\x05\x01\0\x05\x01\0", host, &port].concat());
        assert_eq!(heard[2..4], [5, code], "{}", heard.escape_ascii());
    }
    // A long head, a TLS hello, and nothing at all.
    let long = say(&address, &[b"GET http://x/ HTTP/1.1\r\nA: ", &vec![b'x'; 100_000][..]].concat());
    assert!(long.starts_with(b"HTTP/1.1 431 "), "{}", long.escape_ascii());
    assert!(say(&address, b"\x16\x03\x01").is_empty());
    assert!(say(&address, b"").is_empty());
}

#[test]
fn a_name_leads_around_no_rule() {
    let target = echo();
    let port = target.rsplit_once(':').unwrap().1;
    // Beyond loopback, this host's own addresses are no targets, whatever they are called.
    let (_proxy, address) = proxy_at("0.0.0.0:0", &["--allow", "localhost", "--allow", "*"]);
    let address = address.replace("0.0.0.0", "127.0.0.1");
    for host in ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]"] {
        let heard = say(&address, format!("CONNECT {host}:{port} HTTP/1.1\r\n\r\n").as_bytes());
        assert!(heard.starts_with(b"HTTP/1.1 403 "), "{host}: {}", heard.escape_ascii());
    }
    let (_proxy, address) = proxy_at("0.0.0.0:0", &["--allow", "127.0.0.0/8"]);
    let address = address.replace("0.0.0.0", "127.0.0.1");
    let heard = say(&address, format!("CONNECT localhost:{port} HTTP/1.1\r\n\r\n").as_bytes());
    assert!(heard.starts_with(b"HTTP/1.1 200 "), "{}", heard.escape_ascii());
}

#[test]
fn only_those_it_knows_are_let_in() {
    let target = echo();
    let users = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(users.path(), "# who\nyou:too\n").unwrap();
    let file = users.path().display().to_string();
    let (_proxy, address) = proxy(&["--auth", "me:pw", "--auth-file", &file]);
    for scheme in ["http", "socks5h"] {
        for login in ["me:pw", "you:too"] {
            let url = format!("{scheme}://{login}@{address}");
            let done = run(&["dial", "tcp", &target, "--proxy", &url]).expect(0);
            assert_eq!(done.text(), "hello\n", "{url}");
        }
        for login in ["me:px@", ""] {
            let url = format!("{scheme}://{login}{address}");
            let done = run(&["dial", "tcp", &target, "--proxy", &url]).expect(1);
            assert!(!done.stderr.contains(":px"), "{}", done.stderr);
        }
    }
}

#[test]
fn datagrams_go_both_ways_for_as_long_as_the_conn_lasts() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port().to_be_bytes();
    thread::spawn(move || {
        let mut buffer = [0; 100];
        while let Ok((length, from)) = server.recv_from(&mut buffer) {
            server.send_to(&buffer[..length], from).unwrap();
        }
    });
    let (_proxy, address) = proxy(&[]);
    let mut conn = connect(&address);
    conn.write_all(b"\x05\x01\0\x05\x03\0\x01\0\0\0\0\0\0").unwrap();
    let mut answer = [0; 12];
    conn.read_exact(&mut answer).unwrap();
    assert_eq!(answer[..6], *b"\x05\0\x05\0\0\x01");
    let relay = SocketAddr::from((
        <[u8; 4]>::try_from(&answer[6..10]).unwrap(),
        u16::from_be_bytes(answer[10..].try_into().unwrap()),
    ));
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let by_address = [b"\0\0\0\x01\x7f\0\0\x01", &port[..]].concat();
    let by_name = [b"\0\0\0\x03\x09localhost", &port[..]].concat();
    let mut heard = [0; 100];
    for header in [&by_address, &by_name] {
        client.send_to(&[header, &b"ping"[..]].concat(), relay).unwrap();
        let length = client.recv(&mut heard).unwrap();
        assert_eq!(heard[..length], [&by_address, &b"ping"[..]].concat());
    }
    // Others are not heard, though they know the address.
    let stranger = UdpSocket::bind("127.0.0.1:0").unwrap();
    stranger.send_to(&[&by_address, &b"mine"[..]].concat(), relay).unwrap();
    client.send_to(&[&by_address, &b"yours"[..]].concat(), relay).unwrap();
    let length = client.recv(&mut heard).unwrap();
    assert_eq!(heard[..length], [&by_address, &b"yours"[..]].concat());
    drop(conn);
    // When the proxy has noticed, nobody listens there any more.
    client.connect(relay).unwrap();
    while client.send(b"x").is_ok() {
        thread::yield_now();
    }
}

#[test]
fn a_signal_lets_conns_finish_and_says_nothing() {
    for signal in [Signal::TERM, Signal::HUP] {
        let target = echo();
        let (proxy, address) = proxy(&["--log", "--drain", "60s"]);
        let mut conn = connect(&address);
        conn.write_all(format!("CONNECT {target} HTTP/1.1\r\n\r\n").as_bytes()).unwrap();
        let mut answer = [0; 45];
        conn.read_exact(&mut answer).unwrap();
        assert!(answer.ends_with(b"\r\n\r\nhello\n"), "{}", answer.escape_ascii());
        proxy.signal(signal);
        conn.write_all(b"still here").unwrap();
        let mut heard = [0; 10];
        conn.read_exact(&mut heard).unwrap();
        assert_eq!(&heard, b"still here");
        drop(conn);
        let done = proxy.end().expect(0);
        assert!(
            done.text().contains(&format!("CONNECT {target}: 10 bytes there, 16 back")),
            "{}",
            done.text()
        );
    }
}

#[test]
fn bad_usage_is_refused_in_one_line() {
    for (arguments, words) in [
        (&["proxy", ":0", "--allow", "a b"][..], "--allow a b: \"a b\" is neither a name"),
        (&["proxy", ":0", "--deny", "10.0.0.0/33"], "is neither a name"),
        (&["proxy", ":0", "--auth", "secret"], "--auth: a login is USER:PASSWORD"),
        (&["proxy", ":0", "--timeout", "0"], "--timeout 0: "),
        (&["proxy", "x"], "missing port"),
        (&["dial", "tcp", "x:1", "--proxy", "ftp://x"], "--proxy ftp://x: unknown scheme"),
        (&["dial", "udp", "x:1", "--proxy", "http://x"], "--proxy: has no effect on udp"),
        (&["dial", "tcp", "x:1", "--proxy", "env", "--proxy", "http://x"], "--proxy env: the environment"),
    ] {
        let done = run(arguments).expect(2);
        assert!(
            done.stderr.contains(words) && done.stderr.lines().count() == 1,
            "{arguments:?}: {}",
            done.stderr
        );
    }
}

#[test]
fn a_refusal_is_one_line_of_the_log() {
    let (mut running, address) = proxy(&["--log", "--deny", "127.0.0.1"]);
    let answer = say(&address, b"CONNECT 127.0.0.1:1 HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with(b"HTTP/1.1 403 "), "{}", answer.escape_ascii());
    let line = running.line();
    assert!(line.contains(": CONNECT 127.0.0.1:1: ") && line.contains("the rule 127.0.0.1"), "{line}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().expect(0).text(), "");
}
