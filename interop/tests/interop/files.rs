//! The file server beside Go's, asked the same for the same files.

use std::fs;
use std::process::Command;
use std::time::{Duration, UNIX_EPOCH};

use http::{Method, Uri};
use http_body_util::BodyExt;
use landline_http::files::FileServer;
use landline_interop::{finish_with_input, go_program};
use serde_json::{Value, json};
use tempfile::TempDir;

/// All files are of the first second of 2020.
const THEN: u64 = 1_577_836_800;

/// What is asked for, and a header with it.
type Question = (&'static str, &'static str, Option<(&'static str, &'static str)>);

/// Answered alike.
const SAME: &[Question] = &[
    ("GET", "/a.txt", None),
    ("HEAD", "/a.txt", None),
    ("GET", "/a.txt/", None),
    ("GET", "/a.html", None),
    ("GET", "/a.css", None),
    ("GET", "/a.js", None),
    ("GET", "/a.json", None),
    ("GET", "/a.svg", None),
    ("GET", "/a.wasm", None),
    ("GET", "/README", None),
    ("GET", "/binary", None),
    ("GET", "/empty", None),
    ("GET", "/sub", None),
    ("GET", "/sub?x=1&y", None),
    ("GET", "/site", None),
    ("GET", "/site/", None),
    ("GET", "/site/index.html", None),
    ("GET", "/site/index.html?q", None),
    ("GET", "/index.html", None),
    ("GET", "/nothing", None),
    ("GET", "/nothing/", None),
    ("GET", "/a.txt/nothing", None),
    ("GET", "//a.txt", None),
    ("GET", "//sub", None),
    ("GET", "/sub/../a.txt", None),
    ("GET", "/../a.txt", None),
    ("GET", "/%2e%2e/a.txt", None),
    ("GET", "/a%00", None),
    ("GET", "/a%zz", None),
    ("GET", "/sp%20ace/x.txt", None),
    ("GET", "/a.txt", Some(("range", "bytes=0-3"))),
    ("GET", "/a.txt", Some(("range", "bytes=-3"))),
    ("GET", "/a.txt", Some(("range", "bytes=9998-"))),
    ("GET", "/a.txt", Some(("range", "bytes=9998-20000"))),
    ("GET", "/a.txt", Some(("range", "bytes=10000-"))),
    ("GET", "/a.txt", Some(("range", "bytes=0-,0-"))),
    ("GET", "/empty", Some(("range", "bytes=0-"))),
    ("GET", "/a.txt", Some(("if-modified-since", "Wed, 01 Jan 2020 00:00:00 GMT"))),
    ("GET", "/a.txt", Some(("if-modified-since", "Tue, 31 Dec 2019 23:59:59 GMT"))),
    ("GET", "/a.txt", Some(("if-modified-since", "yesterday"))),
    ("HEAD", "/a.txt", Some(("if-modified-since", "Wed, 01 Jan 2020 00:00:00 GMT"))),
    ("GET", "/a.txt", Some(("if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT"))),
    ("GET", "/a.txt", Some(("if-unmodified-since", "Tue, 31 Dec 2019 23:59:59 GMT"))),
    ("GET", "/a.txt", Some(("if-match", "\"x\""))),
    ("GET", "/a.txt", Some(("if-none-match", "*"))),
];

/// Where ours departs, the status of Go and then ours.
const OTHERWISE: &[(Question, u16, u16)] = &[
    // RFC 9110 section 14.2: a range is defined for GET alone.
    (("HEAD", "/a.txt", Some(("range", "bytes=0-3"))), 206, 200),
    // The same section: a unit that is not understood is ignored.
    (("GET", "/a.txt", Some(("range", "items=0-3"))), 416, 200),
    // Section 14.1.2: no last byte is none to be had.
    (("GET", "/a.txt", Some(("range", "bytes=-0"))), 206, 416),
    // Of several ranges, Go sends the whole file.
    (("GET", "/a.txt", Some(("range", "bytes=5-5,20000-"))), 200, 206),
    (("GET", "/a.txt", Some(("range", "bytes=0-1,5-6"))), 200, 206),
    // Section 15.5.6.
    (("POST", "/a.txt", None), 200, 405),
    // An escaped slash is no slash, names with a dot are hidden, and links do not lead out.
    (("GET", "/sub%2f", None), 200, 404),
    (("GET", "/.hidden", None), 200, 404),
    (("GET", "/outside", None), 200, 404),
];

#[test]
fn files_are_served_as_go_serves_them() {
    let Some(go) = go_program("files") else { return };
    let dir = TempDir::new().unwrap();
    for (name, content) in [
        ("a.txt", &[b'x'; 10_000][..]),
        ("a.html", b"<p>x"),
        ("a.css", b"p{}"),
        ("a.js", b"0"),
        ("a.json", b"0"),
        ("a.svg", b"<svg/>"),
        ("a.wasm", b"\0asm"),
        ("README", b"read me"),
        ("binary", b"\x7fELF\0\0\xff"),
        ("empty", b""),
        ("sub/x.txt", b"x"),
        ("site/index.html", b"<h1>x</h1>"),
        ("sp ace/x.txt", b"x"),
        (".hidden", b"x"),
    ] {
        let path = dir.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(UNIX_EPOCH + Duration::from_secs(THEN)).unwrap();
    }
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("outside")).unwrap();
    let questions: Vec<&Question> =
        SAME.iter().chain(OTHERWISE.iter().map(|(question, ..)| question)).collect();
    let lines: String = questions
        .iter()
        .map(|(method, target, header)| {
            let headers: Value =
                header.iter().map(|(name, value)| (name.to_string(), json!(value))).collect();
            format!("{}\n", json!({ "method": method, "target": target, "headers": headers }))
        })
        .collect();
    let done = finish_with_input(Command::new(go).arg(dir.path()), lines.as_bytes());
    let said: Vec<Value> = done.success().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let files = FileServer::new(dir.path()).unwrap();
    let mut answers = questions.iter().zip(&said).map(|(question, go)| {
        let ours = runtime.block_on(ours(&files, question));
        (question, go, ours)
    });
    for (question, go, ours) in answers.by_ref().take(SAME.len()) {
        // Words of errors are everybody's own.
        let is_error = go["status"].as_u64() >= Some(400);
        assert_eq!(ours["status"], go["status"], "{question:?}");
        let compared: &[&str] = match is_error {
            true => &["content-range"],
            false => &["location", "content-type", "content-range", "last-modified"],
        };
        for &name in compared {
            assert_eq!(ours["headers"][name], go["headers"][name], "{question:?}: {name}");
        }
        assert!(is_error || ours["body"] == go["body"], "{question:?}: {ours} {go}");
    }
    for ((question, go, ours), (_, theirs, our)) in answers.zip(OTHERWISE) {
        assert_eq!((&go["status"], &ours["status"]), (&json!(theirs), &json!(our)), "{question:?}");
    }
}

async fn ours(files: &FileServer, (method, target, header): &Question) -> Value {
    let method: Method = method.parse().unwrap();
    let uri: Uri = target.parse().unwrap();
    let headers =
        header.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    let (head, body) = files.respond(&method, &uri, &headers).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let headers: Value =
        head.headers.iter().map(|(name, value)| (name.to_string(), json!(value.to_str().unwrap()))).collect();
    json!({ "status": head.status.as_u16(), "headers": headers, "body": String::from_utf8_lossy(&body) })
}
