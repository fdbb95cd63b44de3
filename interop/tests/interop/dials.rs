//! `landline dial` talks to servers of other hands.

use std::fs;
use std::path::Path;
use std::process::Command;

use landline_interop::{Running, finish_with_input, free_address, go_program, peer, program, until_bound};
use tempfile::TempDir;

/// Dials and says one line, which is expected back.
#[track_caller]
fn assert_echo(program: &Path, network: &str, address: &str, options: &[&str]) {
    let mut command = Command::new(program);
    command.arg("dial").args(options).args([network, address]);
    let done = finish_with_input(&mut command, b"hello\n");
    assert_eq!(done.success(), "hello\n", "{network} {address}: {done:?}");
}

#[test]
fn servers_in_go_echo_on_every_network() {
    let (Some(program), Some(go)) = (program(), go_program("echo")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    for (network, address, options) in [
        ("tcp", "127.0.0.1:0".to_owned(), vec![]),
        ("tcp6", "[::1]:0".to_owned(), vec![]),
        ("udp", "127.0.0.1:0".to_owned(), vec![]),
        ("udp6", "[::1]:0".to_owned(), vec![]),
        ("unix", path("stream"), vec![]),
        ("unix", "@landline-interop-go".to_owned(), vec![]),
        ("unixpacket", path("seqpacket"), vec![]),
        // An answer needs an address to go to.
        ("unixgram", path("datagram"), vec!["--local".to_owned(), path("client")]),
    ] {
        let mut server = Running::start(Command::new(&go).args([network, &address]));
        let address = server.next_line();
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        assert_echo(&program, network, &address, &options);
    }
}

#[test]
fn socat_echoes_on_every_network() {
    let (Some(program), Some(socat)) = (program(), peer("socat")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (tcp, udp) = (free_address(), free_address());
    for (network, address, listen, options) in [
        ("tcp", tcp.to_string(), format!("TCP4-LISTEN:{},bind=127.0.0.1", tcp.port()), vec![]),
        ("udp", udp.to_string(), format!("UDP4-RECVFROM:{},bind=127.0.0.1", udp.port()), vec![]),
        ("unix", path("stream"), format!("UNIX-LISTEN:{}", path("stream")), vec![]),
        ("unixpacket", path("seqpacket"), format!("UNIX-LISTEN:{},type=5", path("seqpacket")), vec![]),
        (
            "unixgram",
            path("datagram"),
            format!("UNIX-RECVFROM:{}", path("datagram")),
            vec!["--local".to_owned(), path("client")],
        ),
    ] {
        let _server = Running::start(Command::new(&socat).args([&format!("{listen},fork"), "EXEC:cat"]));
        until_bound(network, &address);
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        assert_echo(&program, network, &address, &options);
    }
}

#[test]
fn nginx_serves_a_page_over_tcp_and_over_a_unix_socket() {
    let (Some(program), Some(nginx)) = (program(), peer("nginx")) else { return };
    let dir = TempDir::new().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    let (tcp, unix) = (free_address(), path("socket"));
    // Of this size, so that it does not fit the socket's buffers.
    let page = "0123456789abcde\n".repeat(256 * 1024);
    fs::write(path("page"), &page).unwrap();
    let config = format!(
        "daemon off; master_process off; pid {pid}; error_log stderr; events {{}}
         http {{ access_log off; client_body_temp_path {tmp}; proxy_temp_path {tmp}; fastcgi_temp_path {tmp};
         uwsgi_temp_path {tmp}; scgi_temp_path {tmp};
         server {{ listen {tcp}; listen unix:{unix}; root {root}; }} }}",
        pid = path("pid"),
        tmp = path("tmp"),
        root = dir.path().display(),
    );
    fs::write(path("conf"), config).unwrap();
    let _server = Running::start(Command::new(nginx).args(["-e", "stderr", "-c", &path("conf")]));
    for (network, address) in [("tcp", tcp.to_string()), ("unix", unix)] {
        until_bound(network, &address);
        let mut talk = Running::start(Command::new(&program).args(["dial", network, &address]));
        // The input stays open: nginx takes the end of it for the end of the client.
        talk.say("GET /page HTTP/1.0\r\n\r\n");
        let lines = talk.rest();
        let end = lines.iter().position(|line| line == "\r" || line.is_empty()).expect("the end of the head");
        assert!(lines[0].starts_with("HTTP/1.1 200 OK"), "{:?}", &lines[..end]);
        assert!(
            lines[end + 1..].iter().eq(page.lines()),
            "{} lines of {}",
            lines.len() - end - 1,
            page.lines().count()
        );
        let (status, complaints) = talk.wait();
        assert!(status.success(), "{complaints}");
    }
}

#[test]
fn much_data_passes_both_ways_at_once() {
    let (Some(program), Some(go)) = (program(), go_program("echo")) else { return };
    let mut server = Running::start(Command::new(go).args(["tcp", "127.0.0.1:0"]));
    let address = server.next_line();
    let much = "0123456789abcdef".repeat(512 * 1024);
    let done = finish_with_input(Command::new(program).args(["dial", "tcp", &address]), much.as_bytes());
    assert!(done.success() == much, "{} bytes of {}", done.stdout.len(), much.len());
}
