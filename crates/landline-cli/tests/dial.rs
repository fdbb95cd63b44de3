//! `landline dial` against servers on loopback.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, UdpSocket};
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::process::Stdio;
use std::thread;

use common::{Running, landline, run, run_with};
use conntest::loopback::{BlackHole, V4};
use rustix::process::Signal;

/// A server that does this with its only conn.
fn server(serve: impl FnOnce(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || serve(listener.accept().unwrap().0));
    address
}

fn read_all(conn: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    conn.read_to_end(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_end_of_stdin_is_a_half_close_and_the_answer_still_comes() {
    let address = server(|mut conn| {
        let request = read_all(&mut conn);
        conn.write_all(&[b"heard ", &request[..]].concat()).unwrap();
    });
    let done = run_with(&["dial", "tcp", &address], b"question\n").expect(0);
    assert_eq!((done.text(), done.stderr.as_str()), ("heard question\n", ""));
}

#[test]
fn a_megabyte_goes_both_ways_unchanged() {
    let address = server(|mut conn| {
        let mut back = conn.try_clone().unwrap();
        std::io::copy(&mut conn, &mut back).unwrap();
        back.shutdown(Shutdown::Write).unwrap();
    });
    let bytes: Vec<u8> = (0..1_048_576_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let mut running = Running::start(landline(&["dial", "tcp", &address]).stdin(Stdio::piped()));
    let sent = bytes.clone();
    let done = thread::scope(|scope| {
        let mut stdin = running.take_stdin();
        scope.spawn(move || stdin.write_all(&sent).unwrap());
        running.end()
    });
    assert!(done.expect(0).stdout == bytes);
}

#[test]
fn a_peer_that_ends_first_still_gets_what_stdin_holds() {
    let (told, heard) = std::sync::mpsc::channel();
    let address = server(move |mut conn| {
        conn.shutdown(Shutdown::Write).unwrap();
        told.send(read_all(&mut conn)).unwrap();
    });
    let mut running = Running::start(landline(&["dial", "tcp", &address]).stdin(Stdio::piped()));
    running.say(b"all of it");
    running.end().expect(0);
    assert_eq!(heard.recv().unwrap(), b"all of it");
}

#[test]
fn a_peer_that_has_gone_ends_the_conversation_though_stdin_stays_open() {
    let address = server(|mut conn| conn.write_all(b"bye\n").unwrap());
    let mut running = Running::start(landline(&["dial", "tcp", &address]).stdin(Stdio::piped()));
    assert_eq!(running.line(), "bye");
    let stdin = running.take_stdin();
    running.end().expect(0);
    drop(stdin);
}

#[test]
fn a_reset_is_status_1_and_says_so() {
    let address = server(|conn| {
        // Closing with unread data resets (RFC 1122 section 4.2.2.13).
        let mut byte = [0];
        conn.peek(&mut byte).unwrap();
    });
    let mut running = Running::start(landline(&["dial", "tcp", &address]).stdin(Stdio::piped()));
    running.say(b"unread\n");
    let done = running.end().expect(1);
    assert!(done.complaint().contains(&address) && done.complaint().contains("reset"), "{}", done.stderr);
}

#[test]
fn nobody_there_is_status_1_and_one_line_that_names_the_address() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let done = run(&["dial", "tcp", &address]).expect(1);
    assert_eq!(done.complaint(), format!("landline: dial tcp {address}: connect: connection refused"));
    assert_eq!(done.text(), "");
}

#[test]
fn an_error_names_what_was_given_also_where_the_dial_made_another_address_of_it() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let refused = format!("dial tcp {address}: connect: connection refused");
    let given = format!("localhost:{}", address.port());
    let done = run(&["dial", "tcp4", &given]).expect(1);
    let expected = format!("landline: {given}: {}", refused.replacen("tcp", "tcp4", 1));
    assert_eq!(done.complaint(), expected);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let given = format!("localhost:{}", taken.local_addr().unwrap().port());
    let done = run(&["listen", "tcp4", &given, "--echo"]).expect(1);
    assert!(
        done.complaint().starts_with(&format!("landline: {given}: listen tcp4 127.0.0.1:")),
        "{}",
        done.stderr
    );
}

#[test]
fn ctrl_c_ends_a_conversation_with_status_130() {
    let (connected, is_connected) = std::sync::mpsc::channel();
    let address = server(move |mut conn| {
        connected.send(()).unwrap();
        read_all(&mut conn);
    });
    let running = Running::start(landline(&["dial", "tcp", &address]).stdin(Stdio::piped()));
    is_connected.recv().unwrap();
    // The handler is in place before the dial begins.
    running.signal(Signal::INT);
    let done = running.end().expect(130);
    assert_eq!((done.text(), done.stderr.as_str()), ("", ""));
}

#[test]
fn sigterm_is_status_143_and_an_ignored_sigint_stays_ignored() {
    let address = server(|mut conn| {
        conn.write_all(b"ready\n").unwrap();
        read_all(&mut conn);
    });
    let program = landline(&[]).get_program().to_str().unwrap().to_owned();
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' INT; exec \"$0\" dial tcp \"$1\"", &program, &address]);
    let mut running =
        Running::start(shell.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    assert_eq!(running.line(), "ready");
    running.signal(Signal::INT);
    running.signal(Signal::TERM);
    running.end().expect(143);
}

#[test]
fn a_reader_of_stdout_that_goes_away_is_no_error() {
    let address = server(|mut conn| while conn.write_all(&[b'x'; 4096]).is_ok() {});
    let mut running = Running::start(landline(&["dial", "tcp", &address]).stdin(Stdio::piped()));
    running.stop_reading();
    let stdin = running.take_stdin();
    let done = running.end().expect(0);
    assert_eq!(done.stderr, "");
    drop(stdin);
}

#[test]
fn a_full_stdout_is_an_error() {
    let address = server(|mut conn| conn.write_all(b"too much\n").unwrap());
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let done = Running::start(landline(&["dial", "tcp", &address]).stdout(full)).end().expect(1);
    assert_eq!(done.complaint(), "landline: standard output: No space left on device");
}

#[test]
fn json_prints_the_report_and_does_not_converse() {
    let address = server(|mut conn| assert!(read_all(&mut conn).is_empty()));
    let done = run_with(&["dial", "tcp", &address, "--json"], b"unsaid").expect(0);
    let report: serde_json::Value = serde_json::from_str(done.text()).unwrap();
    assert_eq!(report["operation"], "dial");
    assert_eq!(report["address"], address.as_str());
    assert_eq!(report["outcome"]["status"], "connected");
    assert_eq!(report["outcome"]["peer"], address.as_str());
    let steps: Vec<&str> =
        report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    for step in ["parse", "attempt", "call", "connected"] {
        assert!(steps.contains(&step), "{steps:?}");
    }
}

#[test]
fn json_of_a_failed_dial_has_the_error_and_status_1() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let done = run(&["dial", "tcp", &address, "--json"]).expect(1);
    let report: serde_json::Value = serde_json::from_str(done.text()).unwrap();
    assert_eq!(report["outcome"]["status"], "failed");
    assert_eq!(report["outcome"]["error"]["refused"], true);
    assert!(done.complaint().contains(&address));
}

#[test]
fn explain_goes_to_stderr_and_the_conversation_to_stdout() {
    let address = server(|mut conn| conn.write_all(b"hello\n").unwrap());
    let done = run(&["dial", "tcp", &address, "--explain"]).expect(0);
    assert_eq!(done.text(), "hello\n");
    assert!(
        done.stderr.starts_with(&format!("dial tcp {address}: connected to {address} in ")),
        "{}",
        done.stderr
    );
    assert!(done.stderr.is_ascii() && !done.stderr.contains('\x1b'), "{}", done.stderr);
}

#[test]
fn colors_come_when_they_are_forced_and_go_with_no_color() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let colored = |name: &str, value: &str| {
        let mut command = landline(&["dial", "tcp", &address, "--explain"]);
        Running::start(command.env(name, value)).end().expect(1).stderr.contains('\x1b')
    };
    assert!(colored("CLICOLOR_FORCE", "1"));
    assert!(!colored("NO_COLOR", "1"));
}

#[test]
fn explain_fits_the_columns_it_is_told() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = landline(&["dial", "tcp", &address, "--explain"]);
    let done = Running::start(command.env("COLUMNS", "60")).end().expect(1);
    // The error is the last line, whole, and is told once.
    let error = done.stderr.lines().last().unwrap();
    assert_eq!(error, format!("dial tcp {address}: connect: connection refused"));
    assert_eq!(done.stderr.matches(error).count(), 1);
    for line in done.stderr.lines().filter(|line| *line != error) {
        assert!(line.chars().count() <= 60, "{line}");
    }
}

#[test]
fn html_is_written_and_the_conversation_goes_on() {
    let address = server(|mut conn| conn.write_all(b"hello\n").unwrap());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("dial.html");
    let done = run(&["dial", "tcp", &address, "--html", file.to_str().unwrap()]).expect(0);
    assert_eq!(done.text(), "hello\n");
    let html = std::fs::read_to_string(file).unwrap();
    assert!(html.starts_with("<!doctype html>") && html.contains("<svg") && html.ends_with("</html>\n"));
}

#[test]
fn a_file_that_cannot_be_written_is_an_error_that_names_it() {
    for (file, reason) in
        [("/dev/full", "No space left on device"), ("/nonexistent/x", "No such file or directory")]
    {
        let address = server(|mut conn| drop(conn.write_all(b"hello\n")));
        let done = run(&["dial", "tcp", &address, "--html", file]).expect(1);
        assert_eq!(done.complaint(), format!("landline: {file}: {reason}"));
    }
}

#[test]
fn the_timeout_holds() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let hole = runtime.block_on(BlackHole::bind(V4)).unwrap();
    let address = hole.addr().to_string();
    let done = run(&["dial", "tcp", &address, "--timeout", "200ms"]).expect(1);
    assert!(done.complaint().contains("timeout") && done.complaint().contains(&address), "{}", done.stderr);
}

#[test]
fn ctrl_c_ends_a_dial_that_waits() {
    let name_server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = name_server.local_addr().unwrap().to_string();
    let running = Running::start(&mut landline(&["dial", "tcp", "silent.test:1", "--server", &address]));
    name_server.recv(&mut [0; 512]).unwrap();
    running.signal(Signal::INT);
    running.end().expect(130);
}

#[test]
fn datagrams_are_lines() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let answers = thread::spawn(move || {
        let mut buffer = [0; 100];
        let mut heard = Vec::new();
        for _ in 0..2 {
            let (length, from) = server.recv_from(&mut buffer).unwrap();
            heard.push(buffer[..length].to_vec());
            server.send_to(&buffer[..length].to_ascii_uppercase(), from).unwrap();
        }
        heard
    });
    let done = run_with(&["dial", "udp", &address], b"one\ntwo\n").expect(0);
    assert_eq!(answers.join().unwrap(), [b"one\n", b"two\n"]);
    assert_eq!(done.text(), "ONE\nTWO\n");
}

#[test]
fn a_datagram_nobody_takes_is_status_1() {
    let address = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let done = run_with(&["dial", "udp", &address], b"hello?\n").expect(1);
    assert!(
        done.complaint().contains("connection refused") && done.complaint().contains(&address),
        "{}",
        done.stderr
    );
}

#[test]
fn a_line_too_long_for_a_datagram_is_an_error() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    let done = run_with(&["dial", "udp", &address], &[b'x'; 70_000]).expect(1);
    assert!(done.complaint().to_lowercase().contains("message too long"), "{}", done.stderr);
}

#[test]
fn unix_sockets_of_each_kind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = UnixListener::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let (mut conn, _) = listener.accept().unwrap();
        let heard = read_all(&mut conn);
        conn.write_all(&heard).unwrap();
    });
    let done = run_with(&["dial", "unix", path.to_str().unwrap()], b"stream").expect(0);
    assert_eq!(done.text(), "stream");
    server.join().unwrap();

    let path = directory.path().join("d");
    let local = directory.path().join("me");
    let socket = UnixDatagram::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let mut buffer = [0; 100];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to(&buffer[..length], from.as_pathname().unwrap()).unwrap();
    });
    let arguments = ["dial", "unixgram", path.to_str().unwrap(), "--local", local.to_str().unwrap()];
    assert_eq!(run_with(&arguments, b"datagram\n").expect(0).text(), "datagram\n");
    server.join().unwrap();
    assert!(!local.exists(), "its own socket is unlinked");

    let done = run(&["dial", "unix", "/nonexistent/socket"]).expect(1);
    assert!(done.complaint().contains("/nonexistent/socket"), "{}", done.stderr);
}

#[test]
fn the_local_address_is_the_one_asked_for() {
    let address = server(|mut conn| {
        let peer = conn.peer_addr().unwrap().to_string();
        conn.write_all(peer.as_bytes()).unwrap();
    });
    let done = run(&["dial", "tcp", &address, "--local", "127.0.0.3"]).expect(0);
    assert!(done.text().starts_with("127.0.0.3:"), "{}", done.text());
}

#[test]
fn a_stdin_that_cannot_be_read_ends_it_at_once() {
    let directory = || std::fs::File::open("/").unwrap();
    let expected = "landline: standard input: Is a directory";
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for arguments in [
        ["dial", "tcp", &address],
        ["dial", "udp", &address],
        ["listen", "tcp", "127.0.0.1:0"],
        ["listen", "udp", "127.0.0.1:0"],
        ["listen", "unixpacket", "@landline-test-unreadable"],
    ] {
        let done = Running::start(landline(&arguments).stdin(directory())).end().expect(1);
        assert_eq!(done.complaint(), expected, "{arguments:?}");
    }
}

#[test]
fn a_wrong_path_for_the_page_is_told_before_the_dial() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap().to_string();
    run(&["dial", "tcp", &address, "--html", "/nonexistent/x"]).expect(1);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock, "nobody dialed");
}

#[test]
fn a_unix_datagram_is_answered_without_a_local_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("d");
    let socket = UnixDatagram::bind(&path).unwrap();
    let server = thread::spawn(move || {
        let mut buffer = [0; 100];
        let (length, from) = socket.recv_from(&mut buffer).unwrap();
        socket.send_to_addr(&buffer[..length], &from).unwrap();
    });
    let done = run_with(&["dial", "unixgram", path.to_str().unwrap()], b"datagram\n").expect(0);
    assert_eq!(done.text(), "datagram\n");
    server.join().unwrap();
}
