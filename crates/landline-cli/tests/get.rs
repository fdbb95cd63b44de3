//! `landline get` against servers on loopback.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use common::{run, run_with};

/// A server that answers each request, one conn at a time, with what is made of its head and body.
fn server(answer: impl Fn(&str, &[u8]) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for conn in listener.incoming() {
            let mut conn = conn.unwrap();
            while let Some((head, body)) = read(&mut conn) {
                conn.write_all(&answer(&head, &body)).unwrap();
            }
        }
    });
    address
}

fn read(conn: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        conn.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
    let mut body = Vec::new();
    if let Some(length) = head.lines().find_map(|line| line.strip_prefix("content-length: ")) {
        body.resize(length.parse().unwrap(), 0);
        conn.read_exact(&mut body).ok()?;
    } else if head.contains("transfer-encoding: chunked") {
        while !body.ends_with(b"0\r\n\r\n") {
            conn.read_exact(&mut byte).ok()?;
            body.push(byte[0]);
        }
    }
    Some((head, body))
}

fn reply(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

#[test]
fn answers_of_all_urls_go_to_stdout() {
    let address = server(|head, _| reply("200 OK", "x-y: z\r\n", head.split(' ').nth(1).unwrap().as_bytes()));
    let done = run(&["get", &format!("{address}/a"), &format!("http://{address}/b")]).expect(0);
    assert_eq!((done.text(), done.stderr.as_str()), ("/a/b", ""));
    let done = run(&["get", &address, "--include"]).expect(0);
    assert_eq!(done.text(), "HTTP/1.1 200 OK\r\nx-y: z\r\ncontent-length: 1\r\n\r\n/");
}

#[test]
fn methods_headers_and_bodies_are_sent() {
    let address = server(|head, body| {
        let method = head.split(' ').next().unwrap();
        let header = head.lines().find(|line| line.starts_with("x-a: ")).unwrap_or("none");
        reply("200 OK", "", format!("{method} {header} {}", body.escape_ascii()).as_bytes())
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("body");
    std::fs::write(&file, "from a file").unwrap();
    let done = run(&["get", &address, "--body", file.to_str().unwrap(), "-H", "X-A: 1"]).expect(0);
    assert_eq!(done.text(), "post x-a: 1 from a file");
    let done = run_with(&["get", &address, "--body", "-", "-X", "put"], b"stdin").expect(0);
    assert_eq!(done.text(), "put none 5\\r\\nstdin\\r\\n0\\r\\n\\r\\n");
}

#[test]
fn a_bad_status_is_status_1_and_its_body_no_file() {
    let address = server(|_, _| reply("404 Not Found", "", b"no such thing"));
    let done = run(&["get", &format!("{address}/x")]).expect(1);
    assert_eq!(done.text(), "no such thing");
    assert_eq!(done.stderr, format!("landline: GET http://{address}/x: 404 Not Found\n"));
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    std::fs::write(&file, "precious").unwrap();
    run(&["get", &address, "-o", file.to_str().unwrap()]).expect(1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
}

#[test]
fn a_file_is_gone_on_with_where_it_ends() {
    const WHOLE: &[u8] = b"0123456789";
    let address = server(|head, _| {
        let range = head.lines().find_map(|line| line.strip_prefix("range: bytes="));
        let from = range.and_then(|range| range.strip_suffix('-')).map(|from| from.parse::<usize>().unwrap());
        match (head.split(' ').nth(1).unwrap(), from) {
            ("/lies", Some(_)) => {
                reply("206 Partial Content", "content-range: bytes 1-9/10\r\n", &WHOLE[1..])
            }
            ("/whole", _) | (_, None) => reply("200 OK", "", WHOLE),
            (_, Some(10)) => reply("416 Range Not Satisfiable", "content-range: bytes */10\r\n", b""),
            (_, Some(from)) => {
                let range = format!("content-range: bytes {from}-9/10\r\n");
                reply("206 Partial Content", &range, &WHOLE[from..])
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    for (path, before, status, after) in [
        ("/part", "", 0, "0123456789"),
        ("/part", "abcd", 0, "abcd456789"),
        ("/part", "abcdefghij", 0, "abcdefghij"),
        ("/whole", "abcd", 0, "0123456789"),
        ("/lies", "abcd", 1, "abcd"),
    ] {
        std::fs::write(&file, before).unwrap();
        run(&["get", &format!("{address}{path}"), "-o", file.to_str().unwrap(), "--resume"]).expect(status);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), after, "{path} {before}");
    }
}

#[test]
fn requests_are_explained() {
    let address = server(|head, _| match head.starts_with("get /there") {
        true => reply("200 OK", "", b"hello"),
        false => reply("302 Found", "location: /there\r\n", b""),
    });
    let done = run(&["get", &address, "--explain"]).expect(0);
    assert_eq!(done.text(), "hello");
    for expected in ["GET http://", ": 200 OK in ", "redirect", "reuse", "of 5 bytes: 5 bytes"] {
        assert!(done.stderr.contains(expected), "{expected}\n{}", done.stderr);
    }
    let done = run(&["get", &address, "--json"]).expect(0);
    let report: serde_json::Value = serde_json::from_str(done.text()).unwrap();
    assert_eq!((&report["operation"], &report["method"]), (&"request".into(), &"GET".into()));
    assert_eq!(report["outcome"]["response"], "200 OK");
    let done = run(&["get", &address, "--html", "-"]).expect(0);
    assert!(done.text().starts_with("<!") && done.text().contains("/there"));
}

#[test]
fn refusals_are_one_line() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let done = run(&["get", &format!("http://{address}/")]).expect(1);
    let expected =
        format!("landline: GET http://{address}/: dial tcp {address}: connect: connection refused\n");
    assert_eq!(done.stderr, expected);
    for (arguments, reason) in [
        (&["get", "ftp://x/"][..], "neither http nor https"),
        (&["get", "x", "y", "-o", "z"], "--output: takes one URL"),
        (&["get", "x", "-H", "nothing"], "NAME: VALUE"),
        (&["get", "x", "--resume"], "--output"),
    ] {
        let done = run(arguments).expect(2);
        assert!(done.stderr.contains(reason) && done.stderr.lines().count() == 1, "{}", done.stderr);
    }
}
