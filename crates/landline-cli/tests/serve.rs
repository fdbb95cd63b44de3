//! `landline serve`, asked by raw sockets, and by curl where there is one.
#![allow(clippy::disallowed_methods)] // Plain threads, and no runtime to block.

mod common;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use common::{Running, landline, run};
use conntest::tls::SelfSigned;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

/// Long enough for a busy machine; only what hangs takes it.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file, a page, and one that is hidden.
fn site() -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    fs::create_dir(directory.path().join("sub")).unwrap();
    for (name, content) in [("a.txt", "0123456789"), ("sub/b.txt", "b"), (".hidden", "h")] {
        fs::write(directory.path().join(name), content).unwrap();
    }
    directory
}

/// Starts it; what it says it serves at.
fn start(directory: &Path, arguments: &[&str]) -> (Running, String) {
    let directory = directory.to_str().unwrap();
    let mut running = Running::start(landline(&["serve", directory]).args(arguments));
    let line = running.error_line();
    let url = line
        .strip_prefix(&format!("serving {directory} at "))
        .unwrap_or_else(|| panic!("{line:?}"))
        .to_owned();
    (running, url)
}

/// The HOST:PORT of a URL.
fn host(url: &str) -> &str {
    url.split("://").nth(1).unwrap().trim_end_matches('/')
}

/// What is answered to one request, to the end of the conn.
fn ask(mut conn: impl Read + Write, target: &str) -> String {
    let request = format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    conn.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).unwrap();
    answer
}

fn connect(url: &str) -> TcpStream {
    let conn = TcpStream::connect(host(url)).unwrap();
    conn.set_read_timeout(Some(PATIENCE)).unwrap();
    conn
}

fn end(running: Running) -> common::Done {
    running.signal(Signal::TERM);
    running.end().expect(0)
}

#[test]
fn files_and_listings_unless_they_are_not_wanted() {
    let directory = site();
    let (running, url) = start(directory.path(), &["127.0.0.1:0"]);
    let answer = ask(connect(&url), "/a.txt");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n0123456789"), "{answer}");
    let listing = ask(connect(&url), "/");
    assert!(listing.contains("<a href=\"sub/\">sub/</a>") && !listing.contains("hidden"), "{listing}");
    assert!(ask(connect(&url), "/.hidden").starts_with("HTTP/1.1 404 "));
    assert!(ask(connect(&url), "/../../etc/passwd").starts_with("HTTP/1.1 404 "));
    let done = end(running);
    assert_eq!((done.text(), done.stderr.as_str()), ("", ""), "no log without being asked");

    let (running, url) = start(directory.path(), &["127.0.0.1:0", "--no-listing", "--hidden"]);
    assert!(ask(connect(&url), "/").starts_with("HTTP/1.1 404 "));
    assert!(ask(connect(&url), "/.hidden").ends_with("\r\n\r\nh"));
    end(running);
}

#[test]
fn what_is_no_request_is_refused_and_the_conn_closed() {
    let directory = site();
    let (running, url) = start(directory.path(), &["127.0.0.1:0"]);
    for request in [
        "GET /a.txt HTTP/1.1\r\n\r\n",
        "GET /a.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /a.txt HTTP/1.1\r\nHost : a\r\n\r\n",
        "GET /a.txt HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /a.txt HTTP/9\r\nHost: a\r\n\r\n",
        "hello\r\n\r\n",
    ] {
        let mut conn = connect(&url);
        conn.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        conn.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer}");
    }
    let mut old = connect(&url);
    old.write_all(b"GET /a.txt HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    old.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
    end(running);
}

#[test]
fn the_log_has_a_line_for_every_request() {
    let directory = site();
    let (mut running, url) = start(directory.path(), &["127.0.0.1:0", "-v"]);
    ask(connect(&url), "/a.txt?x=1");
    ask(connect(&url), "/%22");
    let (first, second) = (running.error_line(), running.error_line());
    assert!(first.starts_with("127.0.0.1 - - ["), "{first}");
    assert!(first.ends_with(" +0000] \"GET /a.txt?x=1 HTTP/1.1\" 200 10"), "{first}");
    assert!(second.ends_with("\"GET /%22 HTTP/1.1\" 404 14"), "{second}");
    end(running);

    let (mut running, url) = start(directory.path(), &["127.0.0.1:0", "--json"]);
    ask(connect(&url), "/a.txt");
    let line: Value = serde_json::from_str(&running.line()).unwrap();
    for (key, expected) in [
        ("client", Value::from("127.0.0.1")),
        ("method", Value::from("GET")),
        ("target", Value::from("/a.txt")),
        ("protocol", Value::from("HTTP/1.1")),
        ("host", Value::from("x")),
        ("status", Value::from(200)),
        ("bytes", Value::from(10)),
        ("whole", Value::from(true)),
    ] {
        assert_eq!(line[key], expected, "{line}");
    }
    end(running);
}

#[test]
fn at_a_unix_socket_which_is_gone_in_the_end() {
    let directory = site();
    let path = directory.path().join("sub/socket");
    let (running, url) = start(directory.path(), &[&format!("unix:{}", path.display())]);
    assert_eq!(url, format!("unix:{}", path.display()));
    assert!(ask(UnixStream::connect(&path).unwrap(), "/sub/b.txt").ends_with("\r\n\r\nb"));
    end(running);
    assert!(!path.exists());
}

#[test]
fn a_download_is_finished_before_the_end_and_idle_conns_do_not_hold_it_up() {
    let directory = site();
    let size = 20_000_000;
    fs::write(directory.path().join("large"), vec![b'x'; size]).unwrap();
    let (running, url) = start(directory.path(), &["127.0.0.1:0", "--drain", "1m"]);
    let mut idle = connect(&url);
    idle.write_all(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"0123456789") {
        let mut byte = [0];
        idle.read_exact(&mut byte).unwrap();
        answer.extend(byte);
    }
    let mut download = connect(&url);
    download.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut start = [0; 15];
    download.read_exact(&mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 200 OK");
    running.signal(Signal::TERM);
    // The idle one is closed while the other is still under way.
    assert_eq!(idle.read(&mut [0]).unwrap(), 0);
    let mut rest = Vec::new();
    download.read_to_end(&mut rest).unwrap();
    assert!(rest.len() > size, "{} bytes", rest.len());
    running.end().expect(0);
}

#[test]
fn a_conn_without_requests_is_closed() {
    let directory = site();
    let (running, url) = start(directory.path(), &["127.0.0.1:0", "--idle", "100ms"]);
    let mut conn = connect(&url);
    conn.write_all(b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    conn.read_to_string(&mut answer).unwrap();
    assert!(answer.ends_with("\r\n\r\n0123456789"), "{answer}");
    end(running);
}

#[test]
fn one_conn_after_another_where_no_more_are_let_in() {
    let directory = site();
    let (running, url) = start(directory.path(), &["127.0.0.1:0", "--max-conns", "1"]);
    let first = connect(&url);
    let second = connect(&url);
    let waiting = std::thread::spawn(move || ask(second, "/a.txt"));
    assert!(ask(first, "/sub/b.txt").ends_with("\r\n\r\nb"));
    assert!(waiting.join().unwrap().ends_with("0123456789"));
    end(running);
}

#[test]
fn tls_with_a_certificate_made_on_the_spot_or_from_files() {
    let Some(curl) = find("curl") else { return println!("skipped: there is no curl") };
    let directory = site();
    let served = directory.path().to_str().unwrap();
    let curl = |arguments: &[&str], url: &str| {
        let mut command = Command::new(&curl);
        command.args(["-sS", "--noproxy", "*", "--max-time", "30"]).args(arguments);
        let done = command.arg(format!("{url}a.txt")).output().unwrap();
        (done.status.success(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let mut running = Running::start(&mut landline(&["serve", served, "127.0.0.1:0", "--self-signed"]));
    let fingerprint = running.error_line();
    let fingerprint = fingerprint.strip_prefix("certificate SHA-256 ").expect("it comes first");
    assert_eq!(fingerprint.split(':').count(), 32);
    let line = running.error_line();
    let url = line.strip_prefix(&format!("serving {served} at ")).unwrap();
    assert!(url.starts_with("https://127.0.0.1:"), "{url}");
    assert_eq!(curl(&["-k"], url), (true, "0123456789".to_owned()));
    let (is_good, words) = curl(&[], url);
    assert!(!is_good && words.contains("certificate"), "{words}");
    end(running);

    let made = SelfSigned::new("127.0.0.1");
    let (certificate, key) = (directory.path().join("cert.pem"), directory.path().join("key.pem"));
    fs::write(&certificate, made.certificate_pem()).unwrap();
    fs::write(&key, made.key_pem()).unwrap();
    let (certificate, key) = (certificate.to_str().unwrap(), key.to_str().unwrap());
    let (running, url) =
        start(directory.path(), &["127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]);
    assert_eq!(curl(&["--cacert", certificate], &url), (true, "0123456789".to_owned()));
    end(running);

    let text = directory.path().join("a.txt");
    for (certificate, key, named) in [
        (certificate, text.to_str().unwrap(), "a.txt"),
        (text.to_str().unwrap(), key, "a.txt"),
        ("/nowhere/cert.pem", key, "/nowhere/cert.pem"),
    ] {
        let done =
            run(&["serve", served, "127.0.0.1:0", "--tls-cert", certificate, "--tls-key", key]).expect(1);
        assert!(done.complaint().contains(named), "{}", done.stderr);
    }
}

#[test]
fn who_speaks_http_to_the_port_of_https_is_told_so_and_so_is_the_operator() {
    let directory = site();
    let served = directory.path().to_str().unwrap();
    let mut running = Running::start(&mut landline(&["serve", served, "127.0.0.1:0", "--self-signed"]));
    running.error_line();
    let line = running.error_line();
    let address = line.split("https://").nth(1).unwrap().trim_end_matches('/');
    for _ in 0..2 {
        let done = run(&["get", &format!("http://{address}/a.txt")]).expect(1);
        assert_eq!(done.text(), "Client sent an HTTP request to an HTTPS server.\n");
    }
    let told = running.error_line();
    let expected = "landline: a client sent an HTTP request to an HTTPS server: peer 127.0.0.1:";
    assert!(told.starts_with(expected), "{told}");
    end(running);
}

#[test]
fn a_backend_is_asked_and_told_who_asks() {
    let directory = site();
    let (backend, url) = start(directory.path(), &["127.0.0.1:0", "--json"]);
    let mut front =
        Running::start(&mut landline(&["serve", "--proxy", url.trim_end_matches('/'), "127.0.0.1:0"]));
    let line = front.error_line();
    let front_url = line.split(" at ").nth(1).unwrap();
    let answer = ask(connect(front_url), "/a.txt");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\n0123456789"), "{answer}");
    // It is asked by the host that the client named.
    let mut backend = backend;
    let line: Value = serde_json::from_str(&backend.line()).unwrap();
    assert_eq!((&line["host"], &line["target"]), (&Value::from("x"), &Value::from("/a.txt")));
    end(backend);
    let answer = ask(connect(front_url), "/a.txt");
    assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
    end(front);
}

#[test]
fn a_server_that_would_ask_itself_does_not_start() {
    // An address where nobody listened a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (url, address) in [
        (format!("http://{free}"), free.to_string()),
        (format!("http://localhost:{}/a", free.port()), format!(":{}", free.port())),
        (format!("https://127.0.0.1:{}", free.port()), format!("0.0.0.0:{}", free.port())),
    ] {
        let done = run(&["serve", "--proxy", "http://192.0.2.1", "--proxy", &url, &address]).expect(2);
        assert_eq!(done.complaint(), format!("landline: --proxy {url}: that is this server itself"));
    }
}

#[test]
fn what_is_upgraded_goes_both_ways() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let backend = format!("http://{}", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let (mut conn, _) = listener.accept().unwrap();
        conn.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            conn.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        conn.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n")
            .unwrap();
        let mut word = [0; 5];
        conn.read_exact(&mut word).unwrap();
        conn.write_all(&word).unwrap();
        String::from_utf8(head).unwrap()
    });
    let mut front = Running::start(&mut landline(&["serve", "--proxy", &backend, "127.0.0.1:0"]));
    let line = front.error_line();
    let mut conn = connect(line.split(" at ").nth(1).unwrap());
    conn.write_all(b"GET /chat HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n").unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        conn.read_exact(&mut byte).unwrap();
        head.extend(byte);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", head.escape_ascii());
    conn.write_all(b"hello").unwrap();
    let mut word = [0; 5];
    conn.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"hello");
    let asked = server.join().unwrap().to_ascii_lowercase();
    assert!(asked.starts_with("get /chat http/1.1\r\n"), "{asked}");
    assert!(asked.contains("\r\nx-forwarded-for: 127.0.0.1\r\n"), "{asked}");
    drop(conn);
    end(front);
}

#[test]
fn what_cannot_be_served_is_named() {
    let directory = site();
    let file = directory.path().join("a.txt");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (arguments, status, named) in [
        (&["nowhere", "127.0.0.1:0"][..], 1, "nowhere: No such file or directory"),
        (&[file.to_str().unwrap(), "127.0.0.1:0"], 1, "a.txt: Not a directory"),
        (&[".", &address], 1, "address already in use"),
        (&["8080"], 2, "serve 8080: neither a directory nor an address such as :8080"),
        (&[".", "127.0.0.1:99999"], 2, "127.0.0.1:99999"),
        (&["--tls-cert", "x"], 2, "--tls-key"),
        (&["--self-signed", "--tls-cert", "x", "--tls-key", "y"], 2, "--self-signed"),
        (&["--log", "--json"], 2, "--json"),
        (&["--proxy", "ftp://x"], 2, "ftp://x"),
        (&["--proxy", "http://x", ".", ":0"], 2, "takes an ADDRESS and no DIR"),
        (&["--proxy", "http://x", "--hidden"], 2, "--hidden"),
        (&["--max-conns", "0"], 2, "--max-conns 0: "),
    ] {
        let done = run(&[&["serve"], arguments].concat()).expect(status);
        assert!(done.complaint().contains(named), "{arguments:?}: {}", done.stderr);
    }
}

fn find(program: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|directory| directory.join(program)).find(|file| file.is_file())
}

/// A certificate for localhost and its key, as PEM.
fn pair() -> (String, String) {
    let made = SelfSigned::new("localhost");
    (made.certificate_pem(), made.key_pem())
}

#[test]
fn a_certificate_that_cannot_be_read_again_is_told_of() {
    let directory = site();
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let (certificate, key) = pair();
    fs::write(path("c"), certificate).unwrap();
    fs::write(path("k"), key).unwrap();
    let arguments = ["127.0.0.1:0", "--tls-cert", &path("c"), "--tls-key", &path("k")];
    let (mut running, url) = start(directory.path(), &arguments);
    let later = std::time::SystemTime::now() + Duration::from_secs(10);
    fs::write(path("c"), "nothing").unwrap();
    fs::File::options().write(true).open(path("c")).unwrap().set_modified(later).unwrap();
    let is_told = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let clients = std::thread::spawn({
        let is_told = is_told.clone();
        move || {
            // The files are looked at when somebody comes, and not each time.
            while !is_told.load(std::sync::atomic::Ordering::Relaxed) {
                let _ = run(&["get", &url, "--fingerprint", &"00".repeat(32)]);
            }
        }
    });
    let line = running.error_line();
    is_told.store(true, std::sync::atomic::Ordering::Relaxed);
    clients.join().unwrap();
    assert_eq!(line, format!("landline: certificate: {}: no certificate in it", path("c")));
    end(running);
}

#[test]
fn descriptors_that_run_out_are_told_of() {
    let directory = site();
    let program = env!("CARGO_BIN_EXE_landline");
    let script = "ulimit -n 40; exec \"$0\" serve \"$1\" 127.0.0.1:0";
    let mut command = Command::new("sh");
    command.args(["-c", script, program, directory.path().to_str().unwrap()]);
    command.stdin(std::process::Stdio::null());
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut running = Running::start(&mut command);
    let line = running.error_line();
    let (_, url) = line.rsplit_once(" at ").unwrap();
    let conns: Vec<TcpStream> = (0..60).map(|_| connect(url)).collect();
    let told = running.error_line();
    assert!(told.starts_with("landline: descriptors or memory have run out"), "{told}");
    drop(conns);
    running.signal(Signal::TERM);
    running.end();
}

#[test]
fn the_fingerprint_that_is_told_can_be_trusted() {
    let directory = site();
    let mut running = Running::start(&mut landline(&[
        "serve",
        directory.path().to_str().unwrap(),
        "127.0.0.1:0",
        "--self-signed",
    ]));
    let line = running.error_line();
    let fingerprint = line.strip_prefix("certificate SHA-256 ").unwrap_or_else(|| panic!("{line:?}"));
    let line = running.error_line();
    let (_, url) = line.rsplit_once(" at ").unwrap();
    let file = format!("{url}a.txt");
    for text in [fingerprint.to_owned(), format!("sha256:{}", fingerprint.replace(':', "").to_lowercase())] {
        assert_eq!(run(&["get", &file, "--fingerprint", &text]).expect(0).text(), "0123456789");
    }
    let done = run(&["get", &file, "--fingerprint", &"00".repeat(32)]).expect(1);
    assert!(done.complaint().ends_with(&format!("its SHA-256 is {fingerprint}")), "{}", done.stderr);
    end(running);
}

#[test]
fn files_that_make_no_tls_are_named_in_plain_words() {
    let files = tempfile::tempdir().unwrap();
    let path = |name: &str| files.path().join(name).to_str().unwrap().to_owned();
    let ((certificate, _), (_, key)) = (pair(), pair());
    fs::write(path("c"), certificate).unwrap();
    fs::write(path("k"), key).unwrap();
    for (certificate, key, expected) in [
        ("c", "k", "k: the key does not belong to the certificate"),
        ("c", "c", "c: no private key in it, in PEM"),
        ("gone", "k", "gone: No such file or directory"),
    ] {
        let done = run(&["serve", "--tls-cert", &path(certificate), "--tls-key", &path(key)]).expect(1);
        assert_eq!(done.complaint(), format!("landline: {}/{expected}", files.path().display()));
    }
}
