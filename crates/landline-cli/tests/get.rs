//! `landline get` against servers on loopback.

mod common;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use common::{run, run_with};
use conntest::tls::SelfSigned;

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
fn a_file_that_has_changed_meanwhile_is_got_anew() {
    const OLD: &[u8] = b"0123456789";
    let address = server(|head, _| {
        let tagged = |status: &str, tag: &str, more: &str, body: &[u8]| {
            reply(status, &format!("etag: {tag}\r\n{more}"), body)
        };
        let path = head.split(' ').nth(1).unwrap();
        let is_same = head.contains("\r\nif-range: \"old\"\r\n");
        match (head.contains("\r\nrange: bytes=4-\r\n"), path) {
            (false, _) => tagged("200 OK", "\"old\"", "", OLD),
            (true, "/same") if is_same => {
                tagged("206 Partial Content", "\"old\"", "content-range: bytes 4-9/10\r\n", &OLD[4..])
            }
            (true, "/changed") if is_same => tagged("200 OK", "\"new\"", "", b"abc"),
            // Without the condition it would be given what does not belong together.
            (true, _) => reply("206 Partial Content", "content-range: bytes 4-9/10\r\n", b"xxxxxx"),
        }
    });
    // Not in /tmp, which may be of a kind that keeps no attributes.
    let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let file = dir.path().join("out");
    for (path, after) in [("/same", "0123456789"), ("/changed", "abc")] {
        let url = format!("{address}{path}");
        run(&["get", &url, "-o", file.to_str().unwrap()]).expect(0);
        std::fs::OpenOptions::new().write(true).open(&file).unwrap().set_len(4).unwrap();
        run(&["get", &url, "-o", file.to_str().unwrap(), "-C"]).expect(0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), after, "{path}");
    }
}

#[test]
fn cookies_are_sent() {
    let address = server(|head, _| {
        let cookie = head.lines().find_map(|line| line.strip_prefix("cookie: ")).unwrap_or_default();
        reply("200 OK", "", cookie.as_bytes())
    });
    let done = run(&["get", &address, "--cookie", "a=1", "-b", "c=\"2\""]).expect(0);
    assert_eq!(done.text(), "a=1; c=\"2\"");
    assert!(run(&["get", &address, "-b", "a=1; b=2"]).expect(2).stderr.contains("--cookie"));
}

#[test]
fn cookies_are_kept_from_one_run_to_the_next() {
    let address = server(|head, _| {
        let cookie = head.lines().find_map(|line| line.strip_prefix("cookie: ")).unwrap_or("none");
        reply("200 OK", "set-cookie: a=1; max-age=1000\r\nset-cookie: b=2\r\n", cookie.as_bytes())
    });
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("jar");
    let jar = file.to_str().unwrap();
    assert_eq!(run(&["get", &address, "--cookie-jar", jar]).expect(0).text(), "none");
    assert_eq!(run(&["get", &address, "-c", jar]).expect(0).text(), "a=1; b=2");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    std::fs::write(&file, "# remark\nsecret").unwrap();
    let done = run(&["get", &address, "-c", jar]).expect(1);
    assert!(done.stderr.contains(&format!("{jar}: line 2: ")) && !done.stderr.contains("secret"), "{done:?}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "# remark\nsecret");
}

#[test]
fn a_body_that_cannot_be_sent_again_is_no_answer() {
    let address = server(|head, body| match head.starts_with("post /there ") {
        true => reply("200 OK", "", body),
        false => reply("307 Temporary Redirect", "location: /there\r\n", b""),
    });
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("body"), "again").unwrap();
    let done = run(&["get", &address, "--body", &path("body")]).expect(0);
    assert_eq!(done.text(), "again");
    let done = run_with(&["get", &address, "--body", "-", "-o", &path("out")], b"once").expect(1);
    let expected = "307 Temporary Redirect to /there, where the body cannot be sent, as it was read already";
    assert_eq!(done.complaint(), format!("landline: POST http://{address}/: {expected}"));
    assert!(!std::fs::exists(path("out")).unwrap());
    // Whoever follows none wants to see it.
    let done = run_with(&["get", &address, "--body", "-", "--redirects", "0", "-i"], b"once").expect(0);
    assert!(done.text().contains("\r\nlocation: /there\r\n"), "{}", done.text());
}

#[test]
fn a_proxy_is_asked_for_http_urls() {
    let proxy = server(|head, _| reply("200 OK", "", head.split(' ').nth(1).unwrap().as_bytes()));
    let done = run(&["get", "a.example/x", "--proxy", &format!("http://{proxy}")]).expect(0);
    assert_eq!(done.text(), "http://a.example/x");
}

#[test]
fn who_is_trusted_can_be_said() {
    let own = SelfSigned::new("localhost");
    let config = std::sync::Arc::new(own.server(&[]));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for conn in listener.incoming() {
            let tls = rustls::ServerConnection::new(config.clone()).unwrap();
            let mut tls = rustls::StreamOwned::new(tls, conn.unwrap());
            // Whoever does not trust it leaves in the middle.
            if read(&mut tls).is_some() {
                tls.write_all(&reply("200 OK", "connection: close\r\n", b"hello")).unwrap();
                tls.conn.send_close_notify();
                tls.flush().unwrap();
            }
        }
    });
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_string_lossy().into_owned();
    std::fs::write(path("ca"), own.certificate_pem()).unwrap();
    std::fs::write(path("none"), "no certificate").unwrap();
    let url = format!("https://localhost:{port}/");
    let done = run(&["get", &url, "--ca", &path("ca")]).expect(0);
    assert_eq!(done.text(), "hello");
    let done = run(&["get", &url]).expect(1);
    assert!(done.complaint().contains(": TLS: the certificate is not trusted: "), "{}", done.stderr);
    let done = run(&["get", &url, "--ca", &path("none")]).expect(2);
    assert!(done.stderr.contains(&format!("--ca {}: no certificate in it", path("none"))), "{done:?}");
    run(&["get", &url, "--ca", &path("missing")]).expect(1);
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

/// A server that says this to each conn, and closes it.
fn says(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for conn in listener.incoming() {
            let mut conn = conn.unwrap();
            if read(&mut conn).is_some() {
                // Whoever has heard enough may have left.
                let _ = conn.write_all(&answer);
            }
        }
    });
    address
}

#[test]
fn what_has_come_of_an_answer_that_breaks_off_is_written() {
    let mut answer = b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n".to_vec();
    answer.resize(answer.len() + 3_000_000, b'a');
    let address = says(answer);
    for _ in 0..20 {
        let done = run(&["get", &address]).expect(1);
        assert_eq!(done.stdout.len(), 3_000_000);
        assert_eq!(done.complaint().lines().count(), 1);
    }
    let done =
        run(&["get", "-i", &says(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nshort".to_vec())]).expect(1);
    assert_eq!(done.text(), "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort");
}

#[test]
fn what_has_come_of_a_compressed_answer_that_breaks_off_is_written() {
    // A gzip member (RFC 1952) with a stored block (RFC 1951 section 3.2.4) of ten bytes, of which five are there.
    let body = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x0a\0\xf5\xffhello";
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", body.len());
    let done = run(&["get", &says([head.as_bytes(), body].concat())]).expect(1);
    assert_eq!(done.text(), "hello");
}

#[test]
fn what_was_not_asked_for_is_an_error() {
    for head in [
        "101 Switching Protocols\r\nUpgrade: foo\r\nConnection: upgrade",
        "206 Partial Content\r\nContent-Range: bytes 5-9/10\r\nContent-Length: 5",
    ] {
        let address = says(format!("HTTP/1.1 {head}\r\n\r\n56789").into_bytes());
        let done = run(&["get", &address]).expect(1);
        let status = head.split("\r\n").next().unwrap();
        let expected = format!("landline: GET http://{address}/: {status}, which was not asked for");
        assert_eq!((done.text(), done.complaint()), ("", expected.as_str()));
        if head.starts_with("206") {
            assert_eq!(run(&["get", &address, "-H", "Range: bytes=5-9"]).expect(0).text(), "56789");
            let dir = tempfile::tempdir().unwrap();
            let file = dir.path().join("out");
            run(&["get", &address, "-H", "Range: bytes=5-9", "-o", file.to_str().unwrap()]).expect(0);
            assert_eq!(std::fs::read_to_string(&file).unwrap(), "56789");
        }
    }
}

#[test]
fn a_file_of_which_no_version_was_kept_is_not_gone_on_with_in_silence() {
    let answer = b"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 1-1/2\r\nContent-Length: 1\r\n\r\nb";
    let address = says(answer.to_vec());
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("out");
    std::fs::write(&file, "a").unwrap();
    let done = run(&["get", &address, "-o", file.to_str().unwrap(), "-C"]).expect(0);
    assert!(done.complaint().contains("of which version"), "{}", done.stderr);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "ab");
}

#[test]
fn a_server_that_speaks_something_else_is_seen_through() {
    let done =
        run(&["get", &format!("http://{}/", says(b"\x15\x03\x03\x00\x02\x02\x32".to_vec()))]).expect(1);
    assert!(done.complaint().contains("try https://"), "{}", done.stderr);
    // It answers the first bytes of TLS in plain text.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut conn, _) = listener.accept().unwrap();
        let mut first = [0; 5];
        conn.read_exact(&mut first).unwrap();
        conn.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        // So that it is not reset before it was read.
        let _ = conn.read_to_end(&mut Vec::new());
    });
    let done = run(&["get", &format!("https://{address}/")]).expect(1);
    assert!(done.complaint().contains("the server does not speak TLS"), "{}", done.stderr);
}

#[test]
fn headers_that_would_break_the_request_are_refused() {
    for (arguments, reason) in [
        (&["get", "x", "-H", "Content-Length: 5"][..], "there is no body"),
        (&["get", "x", "-H", "Transfer-Encoding: chunked"], "Transfer-Encoding: chunked: "),
        (&["get", ""], "'': an empty URL"),
        (&["get", "http://"], "http://: no host"),
        (&["get", "x", "--redirects", "-1"], "--redirects -1: "),
        (&["get", "x", "--fingerprint", "12"], "32 pairs of hexadecimal digits"),
    ] {
        let done = run(arguments).expect(2);
        assert!(done.complaint().contains(reason), "{}", done.stderr);
    }
}

#[test]
fn help_that_cannot_be_written_is_a_failure() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let status = common::landline(&["help", "get"]).stdout(full).status().unwrap();
    assert_eq!(status.code(), Some(1));
}

#[test]
fn the_limit_of_a_dial_holds_for_the_tls_handshake() {
    // The kernel takes the conn, and nobody ever answers.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    let began = tokio::time::Instant::now();
    let done = run(&["get", &url, "--connect-timeout", "100ms"]).expect(1);
    // By itself a handshake may take 10 s.
    assert!(began.elapsed() < std::time::Duration::from_secs(9), "{:?}", began.elapsed());
    assert_eq!(done.complaint(), format!("landline: GET {url}: timeout: the TLS handshake is not done"));
}
