//! `landline listen` and those who come.

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::Stdio;
use std::time::Duration;

use common::{Running, landline, run, run_with};
use rustix::process::Signal;

/// Starts it, and gives the address that it says it got.
fn listening(arguments: &[&str]) -> (Running, String) {
    let arguments = [&["listen"], arguments].concat();
    let mut running = Running::start(landline(&arguments).stdin(Stdio::piped()));
    let address = if arguments.contains(&"--echo") || arguments.contains(&"--exec") {
        running.line()
    } else {
        let line = running.error_line();
        line.strip_prefix("listening on ").expect("it says where").to_owned()
    };
    (running, address)
}

fn connect(address: &str) -> TcpStream {
    let conn = landline_connect(address);
    conn.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    conn
}

#[allow(clippy::disallowed_methods)] // There is no runtime here to block.
fn landline_connect(address: &str) -> TcpStream {
    TcpStream::connect(address).unwrap()
}

fn exchange(mut conn: TcpStream, say: &[u8]) -> Vec<u8> {
    conn.write_all(say).unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    conn.read_to_end(&mut heard).unwrap();
    heard
}

#[test]
fn it_converses_with_the_first_and_refuses_the_second() {
    let (mut running, address) = listening(&["tcp", "127.0.0.1:0"]);
    assert!(!address.ends_with(":0"), "{address}");
    let mut conn = connect(&address);
    conn.write_all(b"to stdout\n").unwrap();
    assert_eq!(running.line(), "to stdout");
    #[allow(clippy::disallowed_methods)]
    let second = TcpStream::connect(&address);
    assert_eq!(second.unwrap_err().kind(), std::io::ErrorKind::ConnectionRefused);
    running.say(b"from stdin\n");
    running.hush();
    assert_eq!(exchange(conn, b""), b"from stdin\n");
    let done = running.end().expect(0);
    assert_eq!((done.text(), done.stderr.as_str()), ("", ""));
}

#[test]
fn echo_serves_many_at_once_until_ctrl_c() {
    let (running, address) = listening(&["tcp", "127.0.0.1:0", "--echo"]);
    let idle = connect(&address);
    for n in 0..8 {
        let say = format!("message {n}");
        assert_eq!(exchange(connect(&address), say.as_bytes()), say.as_bytes());
    }
    running.signal(Signal::INT);
    let done = running.end().expect(130);
    assert_eq!(done.stderr, "");
    assert_eq!(exchange(idle, b""), b"", "the conn was closed");
}

#[test]
fn one_conn_that_is_reset_does_not_end_the_others() {
    let (mut running, address) = listening(&["tcp", "127.0.0.1:0", "--echo"]);
    let mut resets = connect(&address);
    resets.write_all(b"unread").unwrap();
    resets.peek(&mut [0; 1]).unwrap();
    let local = resets.local_addr().unwrap().to_string();
    drop(resets);
    assert!(running.error_line().contains(&local));
    assert_eq!(exchange(connect(&address), b"still here"), b"still here");
}

#[test]
fn once_ends_after_the_first() {
    let (running, address) = listening(&["tcp", "127.0.0.1:0", "--echo", "--once"]);
    assert_eq!(exchange(connect(&address), b"only"), b"only");
    running.end().expect(0);
}

#[test]
fn max_conns_lets_others_wait() {
    let (_running, address) = listening(&["tcp", "127.0.0.1:0", "--echo", "--max-conns", "1"]);
    let mut first = connect(&address);
    first.write_all(b"a").unwrap();
    first.read_exact(&mut [0]).unwrap();
    let mut second = connect(&address);
    second.write_all(b"b").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "it is not served yet");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    second.read_exact(&mut [0]).unwrap();
}

#[test]
fn exec_gives_the_command_the_conn() {
    let (running, address) =
        listening(&["tcp", "127.0.0.1:0", "--once", "--exec", "echo \"$LANDLINE_PEER\"; tr a-z A-Z"]);
    let conn = connect(&address);
    let peer = conn.local_addr().unwrap();
    assert_eq!(exchange(conn, b"shout"), format!("{peer}\nSHOUT").as_bytes());
    running.end().expect(0);
}

#[test]
fn exec_says_when_the_command_fails() {
    let (running, address) = listening(&["tcp", "127.0.0.1:0", "--once", "--exec", "exit 7"]);
    assert_eq!(exchange(connect(&address), b""), b"");
    let done = running.end().expect(1);
    assert_eq!(done.complaint(), "landline: --exec exit 7: exit status: 7");
}

#[test]
fn ctrl_c_ends_the_commands_too() {
    let (running, address) = listening(&["tcp", "127.0.0.1:0", "--exec", "echo ready; exec sleep 1000"]);
    let mut conn = BufReader::new(connect(&address));
    let mut line = String::new();
    conn.read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    running.signal(Signal::INT);
    running.end().expect(130);
    assert_eq!(conn.read(&mut [0; 1]).unwrap(), 0, "nobody holds the conn open");
}

#[test]
fn signals_end_what_the_commands_started_too() {
    for (signal, status) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        // The shell waits for a child of its own, which holds the conn.
        let (running, address) =
            listening(&["tcp", "127.0.0.1:0", "--exec", "sleep 1000 & echo ready; wait; echo never"]);
        let mut conn = BufReader::new(connect(&address));
        let mut line = String::new();
        conn.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        running.signal(signal);
        running.end().expect(status);
        assert_eq!(conn.read(&mut [0; 1]).unwrap(), 0, "nobody holds the conn open");
    }
}

#[test]
fn a_unix_socket_is_unlinked_at_the_end_and_by_ctrl_c() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let (running, address) = listening(&["unix", path.to_str().unwrap(), "--echo", "--once"]);
    assert_eq!(address, path.to_str().unwrap());
    let mut conn = UnixStream::connect(&path).unwrap();
    conn.write_all(b"hi").unwrap();
    conn.shutdown(Shutdown::Write).unwrap();
    let mut heard = String::new();
    conn.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "hi");
    running.end().expect(0);
    assert!(!path.exists());

    let (running, _) = listening(&["unix", path.to_str().unwrap()]);
    assert!(path.exists());
    running.signal(Signal::INT);
    running.end().expect(130);
    assert!(!path.exists());
}

#[test]
fn seqpacket_keeps_messages_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let (_running, _) = listening(&["unixpacket", path.to_str().unwrap(), "--echo"]);
    let done = run_with(&["dial", "unixpacket", path.to_str().unwrap()], b"one\ntwo\n").expect(0);
    assert_eq!(done.text(), "one\ntwo\n");
}

#[test]
fn udp_echo_answers_each_sender() {
    let (running, address) = listening(&["udp", "127.0.0.1:0", "--echo"]);
    let sockets = [UdpSocket::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap()];
    for socket in &sockets {
        socket.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        socket.send_to(b"datagram", &address).unwrap();
        let mut buffer = [0; 20];
        assert_eq!(socket.recv(&mut buffer).unwrap(), 8);
    }
    running.signal(Signal::INT);
    running.end().expect(130);
}

#[test]
fn udp_converses_with_the_first_sender() {
    let (mut running, address) = listening(&["udp", "127.0.0.1:0"]);
    let first = UdpSocket::bind("127.0.0.1:0").unwrap();
    let second = UdpSocket::bind("127.0.0.1:0").unwrap();
    first.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    first.send_to(b"first\n", &address).unwrap();
    assert_eq!(running.line(), "first");
    second.send_to(b"second\n", &address).unwrap();
    first.send_to(b"again\n", &address).unwrap();
    assert_eq!(running.line(), "again");
    running.say(b"answer\n");
    let mut buffer = [0; 20];
    assert_eq!(first.recv(&mut buffer).unwrap(), 7);
    running.end().expect(0);
}

#[test]
fn unix_datagrams_are_echoed_to_senders_with_a_name() {
    let directory = tempfile::tempdir().unwrap();
    let (path, me) = (directory.path().join("s"), directory.path().join("me"));
    let (mut running, _) = listening(&["unixgram", path.to_str().unwrap(), "--echo"]);
    UnixDatagram::unbound().unwrap().send_to(b"nameless", &path).unwrap();
    running.error_line();
    let socket = UnixDatagram::bind(me).unwrap();
    socket.send_to(b"named", &path).unwrap();
    let mut buffer = [0; 20];
    assert_eq!(socket.recv(&mut buffer).unwrap(), 5);
    let done = run_with(&["dial", "unixgram", path.to_str().unwrap()], b"named by the kernel\n").expect(0);
    assert_eq!(done.text(), "named by the kernel\n");
}

#[test]
fn an_address_in_use_is_status_1_and_named() {
    let (_running, address) = listening(&["tcp", "127.0.0.1:0", "--echo"]);
    let done = run(&["listen", "tcp", &address]).expect(1);
    assert_eq!(done.complaint(), format!("landline: listen tcp {address}: bind: address already in use"));
}

#[test]
fn a_stdout_that_has_gone_is_quiet_and_a_full_one_is_not() {
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done =
        Running::start(landline(&["listen", "tcp", "127.0.0.1:0", "--echo"]).stdout(full)).end().expect(1);
    assert_eq!(done.complaint(), "landline: standard output: No space left on device");

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let done =
        Running::start(landline(&["listen", "tcp", "127.0.0.1:0", "--echo"]).stdout(writer)).end().expect(0);
    assert_eq!(done.stderr, "");
}
