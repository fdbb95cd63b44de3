//! `landline serve` for clients of other hands.

use std::fs;
use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::process::Command;

use landline_interop::{Finished, Running, finish, free_address, peer, program, until_bound};
use tempfile::TempDir;

/// A directory with a large file, a page and its compressed sibling, served.
struct Site {
    _server: Running,
    address: SocketAddrV4,
    directory: TempDir,
    large: Vec<u8>,
}

impl Site {
    fn start(program: &Path, options: &[&str]) -> Site {
        let directory = TempDir::new().unwrap();
        let large: Vec<u8> = (0..3_000_000_u32).map(|at| b'a' + (at % 23) as u8).collect();
        fs::create_dir_all(directory.path().join("sub folder")).unwrap();
        for (name, content) in [
            ("large.txt", &large[..]),
            ("page.html", b"<!doctype html><title>page</title><p id=\"p\">plain"),
            ("page.html.gz", &gzip(b"<!doctype html><title>page</title><p id=\"p\">packed")),
            ("sub folder/<x> & y.txt", b"x"),
        ] {
            fs::write(directory.path().join(name), content).unwrap();
        }
        let address = free_address();
        let served = directory.path().to_str().unwrap();
        let mut command = Command::new(program);
        let server = Running::start(command.args(["serve", served, &address.to_string()]).args(options));
        until_bound("tcp", &address.to_string());
        Site { _server: server, address, directory, large }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// A member of RFC 1952 with one stored block of RFC 1951, so that no compressor is needed.
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap();
    let mut crc = u32::MAX;
    for &byte in content {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let mut packed = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    packed.extend(length.to_le_bytes());
    packed.extend((!length).to_le_bytes());
    packed.extend(content);
    packed.extend((!crc).to_le_bytes());
    packed.extend(u32::from(length).to_le_bytes());
    packed
}

#[test]
fn curl_has_files_whole_in_part_compressed_and_resumed() {
    let (Some(program), Some(curl)) = (program(), peer("curl")) else { return };
    let site = Site::start(&program, &[]);
    let root = format!("http://{}", site.address);
    let curl = |arguments: &[&str]| -> Finished {
        finish(Command::new(&curl).args(["-sS", "--noproxy", "*"]).args(arguments))
    };
    let large = format!("{root}/large.txt");
    let text = std::str::from_utf8(&site.large).unwrap();
    assert!(curl(&[&large]).success() == text);
    assert_eq!(curl(&["-r", "0-9", &large]).success(), &text[..10]);
    assert_eq!(curl(&["-r", "-7", &large]).success(), &text[text.len() - 7..]);
    let parts = curl(&["-i", "-r", "0-4,1000000-1000004", &large]);
    assert!(parts.success().contains("multipart/byteranges; boundary="), "{parts:?}");
    assert!(parts.stdout.contains("Content-Range: bytes 1000000-1000004/3000000\r\n\r\n"), "{parts:?}");
    let refused = curl(&["-o", "/dev/null", "-w", "%{http_code}", "-r", "3000000-", &large]);
    assert_eq!(refused.success(), "416");

    // A download that was cut is resumed, and one that is whole is not begun again.
    let output = site.path("part");
    fs::write(&output, &site.large[..1_234_567]).unwrap();
    curl(&["-C", "-", "-o", output.to_str().unwrap(), &large]).success();
    assert!(fs::read(&output).unwrap() == site.large);

    let page = format!("{root}/page.html");
    assert!(curl(&["--compressed", &page]).success().ends_with("packed"));
    assert!(curl(&[&page]).success().ends_with("plain"));

    // What has not changed is not sent again.
    let etags = site.path("etag");
    let etags = etags.to_str().unwrap();
    curl(&["--etag-save", etags, "-o", "/dev/null", &large]).success();
    let again = curl(&["--etag-compare", etags, "-w", "%{http_code} %{size_download}", &large]);
    assert_eq!(again.success(), "304 0");
    let dated = curl(&["-z", output.to_str().unwrap(), "-w", "%{http_code}", "-o", "/dev/null", &large]);
    assert_eq!(dated.success(), "304");

    let listed = curl(&["-L", &format!("{root}/sub%20folder")]);
    assert!(
        listed.success().contains("href=\"%3Cx%3E%20%26%20y.txt\">&lt;x&gt; &amp; y.txt</a>"),
        "{listed:?}"
    );
    let escaped =
        curl(&["--path-as-is", "-w", "%{http_code}", "-o", "/dev/null", &format!("{root}/../../etc/passwd")]);
    assert_eq!(escaped.success(), "404");
    let head = curl(&["-I", &large]);
    assert!(head.success().to_lowercase().contains("content-length: 3000000\r\n"), "{head:?}");
}

#[test]
fn curl_speaks_http_2_with_tls_and_without() {
    let (Some(program), Some(curl)) = (program(), peer("curl")) else { return };
    let (secure, plain) = (Site::start(&program, &["--self-signed"]), Site::start(&program, &[]));
    for (site, scheme, option, version) in [
        (&secure, "https", "--http2", "2"),
        (&secure, "https", "--http1.1", "1.1"),
        (&plain, "http", "--http2-prior-knowledge", "2"),
    ] {
        let body = site.path("body");
        let done = finish(
            Command::new(&curl)
                .args(["-sS", "--noproxy", "*", "-k", option, "-w", "%{http_version}", "-o"])
                .arg(&body)
                .arg(format!("{scheme}://{}/large.txt", site.address)),
        );
        assert_eq!(done.success(), version);
        assert!(fs::read(&body).unwrap() == site.large);
    }
}

#[test]
fn a_server_in_python_is_reached_by_http_2_and_tls() {
    let (Some(program), Some(curl), Some(python)) = (program(), peer("curl"), peer("python3")) else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let large = "0123456789abcde\n".repeat(200_000);
    fs::write(directory.path().join("large.txt"), &large).unwrap();
    let (behind, front) = (free_address(), free_address());
    let port = behind.port().to_string();
    let mut backend = Command::new(python);
    backend.args(["-m", "http.server", "--bind", "127.0.0.1", &port]).current_dir(directory.path());
    let _backend = Running::start(&mut backend);
    until_bound("tcp", &behind.to_string());
    let backend = format!("http://{behind}");
    let arguments = ["serve", "--proxy", &backend, &front.to_string(), "--self-signed"];
    let _front = Running::start(Command::new(&program).args(arguments));
    until_bound("tcp", &front.to_string());
    let curl = |arguments: &[&str], path: &str| {
        let mut command = Command::new(&curl);
        command.args(["-sS", "-k", "--noproxy", "*"]).args(arguments);
        finish(command.arg(format!("https://{front}{path}")))
    };
    for option in ["--http2", "--http1.1"] {
        assert!(curl(&[option], "/large.txt").success() == large);
    }
    let missing = curl(&["-w", "%{http_code} %{http_version}", "-o", "/dev/null"], "/missing");
    assert_eq!(missing.success(), "404 2");
}

#[test]
fn python_keeps_a_conn_from_one_file_to_the_next() {
    let (Some(program), Some(python)) = (program(), peer("python3")) else { return };
    let site = Site::start(&program, &[]);
    let script = "
import http.client, sys
conn = http.client.HTTPConnection(sys.argv[1], timeout=20)
conn.connect()
socket = conn.sock
for method, path, headers in [
        ('GET', '/large.txt', {}), ('HEAD', '/large.txt', {}), ('GET', '/large.txt', {'Range': 'bytes=5-9'}),
        ('GET', '/missing', {}), ('GET', '/page.html', {'If-None-Match': '*'}), ('GET', '/page.html', {})]:
    conn.request(method, path, headers=headers)
    response = conn.getresponse()
    body = response.read()
    assert conn.sock is socket
    print(response.status, len(body))
";
    let done = finish(Command::new(python).args(["-c", script, &site.address.to_string()]));
    assert_eq!(done.success(), "200 3000000\n200 0\n206 5\n404 14\n304 0\n200 49\n");
}

#[test]
fn wget_mirrors_what_is_listed() {
    let (Some(program), Some(wget)) = (program(), peer("wget")) else { return };
    let site = Site::start(&program, &[]);
    let copy = TempDir::new().unwrap();
    let done = finish(
        Command::new(wget)
            .args(["-q", "--no-proxy", "-r", "-np", "-nH", "--restrict-file-names=unix"])
            .arg(format!("http://{}/", site.address))
            .current_dir(copy.path()),
    );
    done.success();
    assert!(fs::read(copy.path().join("large.txt")).unwrap() == site.large);
    assert_eq!(fs::read(copy.path().join("sub folder/<x> & y.txt")).unwrap(), b"x");
}

#[test]
fn a_browser_shows_a_listing_and_follows_it() {
    let (Some(program), Some(chromium)) = (program(), peer("chromium")) else { return };
    let site = Site::start(&program, &[]);
    let profile = TempDir::new().unwrap();
    let dump = |path: &str| {
        let mut command = Command::new(&chromium);
        command
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-proxy-server",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(["--virtual-time-budget=5000", "--dump-dom"])
            .arg(format!("http://{}{path}", site.address));
        finish(&mut command)
    };
    let root = dump("/");
    assert!(root.success().contains("<h1>Index of /</h1>"), "{root:?}");
    assert!(root.stdout.contains("<a href=\"sub%20folder/\">sub folder/</a>"), "{root:?}");
    // A name that looks like markup is text to the browser too: it has the same page in its document.
    let inner = dump("/sub%20folder");
    assert!(inner.success().contains("<h1>Index of /sub folder/</h1>"), "{inner:?}");
    assert!(inner.stdout.contains("\">&lt;x&gt; &amp; y.txt</a>"), "{inner:?}");
    assert!(inner.stdout.contains("<a href=\"../\">Parent directory</a>"), "{inner:?}");
    assert!(dump("/page.html").success().contains("packed"));
}
