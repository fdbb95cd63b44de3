//! `landline forward`, used as it will be: between sockets of this machine.
#![allow(clippy::disallowed_methods)] // Plain threads, and no runtime to block.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream, UdpSocket};
use std::os::unix::net::{UnixListener, UnixStream};
use std::thread::JoinHandle;
use std::time::Duration;

use common::{Running, landline, run};
use rustix::process::Signal;

/// Long enough for a busy machine; only what hangs takes it.
const PATIENCE: Duration = Duration::from_secs(30);

/// Starts it, and gives the address it listens at.
fn start(arguments: &[&str]) -> (Running, String) {
    let mut command = landline(&["forward"]);
    let mut running = Running::start(command.args(arguments));
    let line = running.line();
    let address = line.strip_prefix("listening on ").unwrap_or_else(|| panic!("{line:?}"));
    (running, address.to_owned())
}

/// Ends it by a signal: exit status 0, and the counters as its last line.
fn end(running: Running, signal: Signal) -> String {
    running.signal(signal);
    let done = running.end().expect(0);
    done.stderr.lines().last().expect("the counters").to_owned()
}

/// A server of one conn, which reads all and answers with it.
fn answer_once(listener: TcpListener) -> JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let (mut conn, _) = listener.accept().unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut all = Vec::new();
        conn.read_to_end(&mut all).unwrap();
        conn.write_all(&all).unwrap();
        all
    })
}

fn tcp_server() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

fn connect(address: &str) -> TcpStream {
    let conn = TcpStream::connect(address).unwrap();
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    conn
}

/// A conn that has said this to the server behind, and the server's end of it.
fn passed_on(listener: &TcpListener, address: &str, words: &[u8]) -> (TcpStream, TcpStream) {
    let mut conn = connect(address);
    conn.write_all(words).unwrap();
    let (mut far, _) = listener.accept().unwrap();
    let mut heard = vec![0; words.len()];
    far.read_exact(&mut heard).unwrap();
    assert_eq!(heard, words);
    (conn, far)
}

fn rest(conn: &mut impl Read) -> Vec<u8> {
    let mut all = Vec::new();
    conn.read_to_end(&mut all).unwrap();
    all
}

#[test]
fn the_end_of_one_direction_is_passed_on_and_the_answer_comes_back() {
    let (listener, backend) = tcp_server();
    let server = answer_once(listener);
    let (running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend]);
    let said = vec![b'x'; 1 << 20];
    let mut conn = connect(&address);
    conn.write_all(&said).unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    assert!(rest(&mut conn) == said, "the answer is what was said");
    assert!(server.join().unwrap() == said);
    let counters = end(running, Signal::TERM);
    assert_eq!(counters, "0 open, 1 conns, 0 failed, 1048576 bytes there, 1048576 back");
}

#[test]
fn between_tcp_and_unix_sockets_both_ways() {
    let folder = tempfile::tempdir().unwrap();
    let (inner, outer) = (folder.path().join("inner"), folder.path().join("outer"));
    let server = UnixListener::bind(&inner).unwrap();
    // Out of a Unix socket, over TCP, and into another.
    let (second, tcp) = start(&["tcp", "127.0.0.1:0", "unix", inner.to_str().unwrap()]);
    let (first, _) = start(&["unix", outer.to_str().unwrap(), "tcp", &tcp]);
    let mut conn = UnixStream::connect(&outer).unwrap();
    conn.write_all(b"ping").unwrap();
    let (mut far, _) = server.accept().unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut word = [0; 4];
    far.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"ping");
    far.write_all(b"pong").unwrap();
    drop(far);
    assert_eq!(rest(&mut conn), b"pong");
    drop(conn);
    for (running, signal) in [(first, Signal::INT), (second, Signal::HUP)] {
        assert_eq!(end(running, signal), "0 open, 1 conns, 0 failed, 4 bytes there, 4 back");
    }
    assert!(!outer.exists(), "its file is removed");
}

#[test]
fn datagrams_have_a_session_for_each_sender() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let backend = server.local_addr().unwrap().to_string();
    let (running, address) = start(&["udp", "127.0.0.1:0", "udp", &backend, "--max-conns", "2"]);
    let clients: Vec<UdpSocket> = (0..3)
        .map(|_| {
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            client.connect(&address).unwrap();
            client
        })
        .collect();
    let mut buffer = [0; 64];
    let mut seen = Vec::new();
    for (index, client) in clients[..2].iter().enumerate() {
        let word = format!("from {index}");
        client.send(word.as_bytes()).unwrap();
        let (length, from) = server.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], word.as_bytes());
        seen.push(from);
    }
    assert_ne!(seen[0], seen[1], "the server tells them apart");
    for (index, from) in seen.iter().enumerate() {
        server.send_to(format!("to {index}").as_bytes(), from).unwrap();
    }
    for (index, client) in clients[..2].iter().enumerate() {
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..length], format!("to {index}").as_bytes());
    }
    // A third has no session left; what the first says after it shows that it was looked at.
    clients[2].send(b"in vain").unwrap();
    clients[0].send(b"again").unwrap();
    let (length, from) = server.recv_from(&mut buffer).unwrap();
    assert_eq!((&buffer[..length], from), (&b"again"[..], seen[0]));
    // The end waits for those that were not answered.
    server.send_to(b"again", seen[0]).unwrap();
    clients[0].recv(&mut buffer).unwrap();
    let counters = end(running, Signal::TERM);
    assert!(counters.ends_with(", 1 refused"), "{counters}");
}

#[test]
fn a_session_in_which_nothing_moves_ends() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let backend = server.local_addr().unwrap().to_string();
    let (running, address) =
        start(&["udp", "127.0.0.1:0", "udp", &backend, "--idle", "50ms", "--max-conns", "1"]);
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.connect(&address).unwrap();
    let mut buffer = [0; 64];
    let mut session = || {
        client.send(b"hello").unwrap();
        server.recv_from(&mut buffer).unwrap().1
    };
    let first = session();
    // Sooner or later the session is another one.
    while session() == first {
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(running);
}

#[test]
fn a_server_behind_learns_who_the_client_is() {
    for version in ["v1", "v2"] {
        let (listener, backend) = tcp_server();
        let server = answer_once(listener);
        // The inner one takes the header off and writes another, which still names the client.
        let (inner, between) =
            start(&["tcp", "127.0.0.1:0", "tcp", &backend, "--proxy-in", "--proxy-out", "v1"]);
        let (outer, address) = start(&["tcp", "127.0.0.1:0", "tcp", &between, "--proxy-out", version]);
        let mut conn = connect(&address);
        conn.write_all(b"hello").unwrap();
        conn.shutdown(Shutdown::Write).unwrap();
        let client = conn.local_addr().unwrap();
        let front: std::net::SocketAddr = address.parse().unwrap();
        let expected = format!("PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\nhello", client.port(), front.port());
        assert_eq!(rest(&mut conn), expected.as_bytes(), "{version}");
        assert_eq!(server.join().unwrap(), expected.as_bytes());
        drop((inner, outer));
    }
}

#[test]
fn a_conn_without_its_header_is_closed_and_told_of() {
    let (listener, backend) = tcp_server();
    let (mut running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend, "--proxy-in"]);
    let mut conn = connect(&address);
    conn.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    let complaint = running.error_line();
    assert!(
        complaint.starts_with("landline: 127.0.0.1:") && complaint.contains("no PROXY header"),
        "{complaint}"
    );
    // Closed with what was not read: an end, or a reset.
    assert!(matches!(conn.read(&mut [0; 16]), Ok(0) | Err(_)));
    listener.set_nonblocking(true).unwrap();
    assert!(listener.accept().is_err(), "nothing was dialed for it");
    assert!(end(running, Signal::TERM).contains("1 failed"));
}

#[test]
fn a_dead_server_ends_the_conn_and_not_the_program() {
    let (listener, backend) = tcp_server();
    drop(listener);
    let (mut running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend]);
    for _ in 0..2 {
        let mut conn = connect(&address);
        assert!(matches!(conn.read(&mut [0; 16]), Ok(0) | Err(_)));
        let complaint = running.error_line();
        assert!(complaint.contains(&backend) && complaint.contains("refused"), "{complaint}");
    }
    running.signal(Signal::USR1);
    assert_eq!(running.error_line(), "0 open, 2 conns, 2 failed, 0 bytes there, 0 back");
    drop(running);
}

#[test]
fn a_conn_that_goes_on_is_cut_when_the_drain_is_over() {
    let (listener, backend) = tcp_server();
    let (running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend, "--drain", "100ms"]);
    let (mut conn, _far) = passed_on(&listener, &address, b"hello");
    let counters = end(running, Signal::TERM);
    assert_eq!(counters, "0 open, 1 conns, 0 failed, 5 bytes there, 0 back, 1 cut");
    let error = conn.read(&mut [0; 16]).expect_err("a conn that is cut has not ended");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
}

#[test]
fn conns_that_wait_until_the_drain_is_over_are_counted() {
    let (listener, backend) = tcp_server();
    let (running, address) =
        start(&["tcp", "127.0.0.1:0", "tcp", &backend, "--max-conns", "1", "--drain", "1s"]);
    let _first = passed_on(&listener, &address, b"hello");
    let _waiting = [connect(&address), connect(&address)];
    let counters = end(running, Signal::TERM);
    assert_eq!(counters, "0 open, 1 conns, 0 failed, 5 bytes there, 0 back, 2 refused, 1 cut");
}

#[test]
fn an_idle_conn_is_ended() {
    let (listener, backend) = tcp_server();
    let (mut running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend, "--idle", "50ms"]);
    let mut conn = connect(&address);
    let _far = listener.accept().unwrap();
    assert!(matches!(conn.read(&mut [0; 16]), Ok(0) | Err(_)));
    let complaint = running.error_line();
    assert!(complaint.contains("timeout") && complaint.contains("--idle"), "{complaint}");
    drop(running);
}

#[test]
fn bad_usage_is_status_2_and_names_the_input() {
    for (arguments, named) in [
        (&["tcp", ":0", "tcp"][..], "TO_ADDRESS"),
        (&["tpc", ":0", "tcp", "localhost:1"], "tpc"),
        (&["tcp", ":0", "tpc", "localhost:1"], "tpc"),
        (&["tcp", "127.0.0.1:65536", "tcp", "localhost:1"], "65536"),
        (&["unixgram", "@x", "tcp", "localhost:1"], "unixgram"),
        (&["ip4:icmp", "127.0.0.1", "tcp", "localhost:1"], "ip4:icmp"),
        (&["udp", ":0", "udp", "localhost:1", "--proxy-in"], "PROXY"),
        (&["tcp", ":0", "udp", "localhost:1", "--proxy-out", "v1"], "PROXY"),
        (&["tcp", ":0", "tcp", "localhost:1", "--proxy-out", "v3"], "v3"),
        (&["tcp", ":0", "tcp", "nohost"], "nohost"),
        (&["tcp", ":0", "tcp", "127.0.0.1:99999"], "99999"),
        (&["tcp", ":0", "tcp", "a..b:1"], "a..b"),
        (&["udp", ":0", "udp", "localhost:1", "--workers", "2"], "--workers"),
        (&["tcp", ":0", "tcp", "localhost:1", "--max-conns", "0"], "--max-conns 0"),
        (&["tcp", ":0", "tcp", "localhost:1", "--idle", "0"], "--idle 0"),
    ] {
        let done = run(&[&["forward"], arguments].concat()).expect(2);
        assert!(done.complaint().contains(named), "{arguments:?}: {}", done.stderr);
        assert_eq!(done.text(), "");
    }
}

#[test]
fn an_address_that_is_taken_is_status_1() {
    let (_listener, taken) = tcp_server();
    let done = run(&["forward", "tcp", &taken, "tcp", "127.0.0.1:1"]).expect(1);
    assert!(done.complaint().contains(&taken), "{}", done.stderr);
}

#[test]
fn the_bytes_of_conns_that_are_open_are_told() {
    let (listener, backend) = tcp_server();
    let (mut running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend]);
    let (mut conn, mut far) = passed_on(&listener, &address, b"hello");
    far.write_all(b"hi").unwrap();
    conn.read_exact(&mut [0; 2]).unwrap();
    // They have arrived a moment before they are counted.
    let expected = "1 open, 1 conns, 0 failed, 5 bytes there, 2 back";
    let mut told = String::new();
    for _ in 0..1000 {
        running.signal(Signal::USR1);
        told = running.error_line();
        if told == expected {
            break;
        }
    }
    assert_eq!(told, expected);
    drop((conn, far));
    assert_eq!(end(running, Signal::TERM), "0 open, 1 conns, 0 failed, 5 bytes there, 2 back");
}

#[test]
fn a_stderr_that_nobody_reads_stops_nobody() {
    let (listener, backend) = tcp_server();
    drop(listener);
    let (running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend]);
    // Each is refused, and told of: more than a pipe and the queue before it hold.
    for _ in 0..4000 {
        assert!(matches!(connect(&address).read(&mut [0; 1]), Ok(0) | Err(_)));
    }
    running.signal(Signal::TERM);
    let done = running.end_unread();
    assert_eq!(done.code(), Some(0));
}

#[test]
fn a_stdout_whose_reader_has_gone_stops_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("front");
    let (listener, backend) = tcp_server();
    let (reader, stdout) = std::io::pipe().unwrap();
    drop(reader);
    let running = Running::start(
        landline(&["forward", "unix", path.to_str().unwrap(), "tcp", &backend]).stdout(stdout),
    );
    let began = tokio::time::Instant::now();
    let mut conn = loop {
        match UnixStream::connect(&path) {
            Ok(conn) => break conn,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{error}"),
        }
    };
    conn.write_all(b"hello").unwrap();
    let (mut far, _) = listener.accept().unwrap();
    far.read_exact(&mut [0; 5]).unwrap();
    drop((conn, far));
    assert_eq!(end(running, Signal::TERM), "0 open, 1 conns, 0 failed, 5 bytes there, 0 back");
}

#[test]
fn a_reset_is_passed_on_as_one() {
    let (listener, backend) = tcp_server();
    let (running, address) = start(&["tcp", "127.0.0.1:0", "tcp", &backend]);
    let (mut conn, mut far) = passed_on(&listener, &address, b"ask");
    far.write_all(b"half an answer").unwrap();
    conn.read_exact(&mut [0; 14]).unwrap();
    rustix::net::sockopt::set_socket_linger(&far, Some(Duration::ZERO)).unwrap();
    drop(far);
    let error = conn.read(&mut [0; 16]).expect_err("half an answer is no whole one");
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    drop(running);
}

#[test]
fn a_conn_to_datagrams_ends_with_its_client() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let backend = server.local_addr().unwrap().to_string();
    let (running, address) = start(&["tcp", "127.0.0.1:0", "udp", &backend, "--timeout", "1s"]);
    let mut conn = connect(&address);
    conn.write_all(b"x").unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut conn), b"", "it is closed, though a socket of datagrams never ends");
    assert_eq!(end(running, Signal::TERM), "0 open, 1 conns, 0 failed, 1 bytes there, 0 back");
}

#[test]
fn an_answer_comes_from_where_the_datagram_was_sent() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(PATIENCE)).unwrap();
    let backend = server.local_addr().unwrap().to_string();
    let (running, address) = start(&["udp4", ":0", "udp", &backend]);
    let port = address.rsplit(':').next().unwrap();
    let client = UdpSocket::bind("127.0.0.1:0").unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    // Connected, it takes nothing from any other address.
    client.connect(format!("127.0.0.7:{port}")).unwrap();
    client.send(b"ask").unwrap();
    let mut buffer = [0; 16];
    let (_, from) = server.recv_from(&mut buffer).unwrap();
    server.send_to(b"answer", from).unwrap();
    assert_eq!(client.recv(&mut buffer).unwrap(), 6);
    drop(running);
}
