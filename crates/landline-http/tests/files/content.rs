//! What files are said to be, and their compressed siblings.

use std::time::{Duration, UNIX_EPOCH};

use crate::harness::Site;

#[tokio::test]
async fn types_by_name_and_else_by_content() {
    let site = Site::new(&[
        ("a.html", b"x"),
        ("b.bin", b"x"),
        ("README", b"read me"),
        ("page", b"<html><script>alert(1)</script>"),
        ("program", b"\x7fELF\0\0"),
        ("empty", b""),
        ("cut", &[&[b'x'; 511], "é".as_bytes()].concat()),
    ]);
    for (target, expected) in [
        ("/a.html", "text/html; charset=utf-8"),
        ("/b.bin", "application/octet-stream"),
        ("/README", "text/plain; charset=utf-8"),
        ("/page", "text/plain; charset=utf-8"),
        ("/program", "application/octet-stream"),
        ("/empty", "text/plain; charset=utf-8"),
        ("/cut", "text/plain; charset=utf-8"),
    ] {
        let answer = site.get(target).await;
        assert_eq!(answer.header("content-type"), expected, "{target}");
    }
}

#[tokio::test]
async fn a_compressed_sibling_is_sent_to_those_who_take_it() {
    let mut site = Site::new(&[
        ("app.js", b"plain"),
        ("app.js.br", b"brotli"),
        ("app.js.zst", b"zstd"),
        ("app.js.gz", b"gzip it is"),
        ("sub/index.html", b"plain"),
        ("sub/index.html.gz", b"packed"),
        ("old.txt", b"plain"),
        ("old.txt.gz", b"forgotten"),
    ]);
    site.set_modified("old.txt", UNIX_EPOCH + Duration::from_secs(1_600_000_000));
    for (target, accept, coding, body) in [
        ("/app.js", "", "", "plain"),
        ("/app.js", "gzip, deflate, br, zstd", "br", "brotli"),
        ("/app.js", "gzip, zstd", "zstd", "zstd"),
        ("/app.js", "gzip;q=1, br;q=0.5", "gzip", "gzip it is"),
        ("/app.js", "br;q=0, *", "zstd", "zstd"),
        ("/app.js", "deflate", "", "plain"),
        ("/app.js", "identity, gzip;q=0.5", "", "plain"),
        ("/sub/", "br, gzip", "gzip", "packed"),
        ("/old.txt", "gzip", "", "plain"),
        ("/app.js.gz", "gzip", "", "gzip it is"),
    ] {
        let answer = site.ask("GET", target, &[("accept-encoding", accept)]).await;
        assert_eq!(answer.header("content-encoding"), coding, "{target}, {accept}");
        assert_eq!(answer.text(), body, "{target}, {accept}");
        assert_eq!(answer.header("vary"), "accept-encoding");
    }
    let packed = site.ask("GET", "/app.js", &[("accept-encoding", "gzip")]).await;
    assert_eq!(packed.header("content-type"), "text/javascript; charset=utf-8");
    let plain = site.get("/app.js").await;
    assert_ne!(packed.header("etag"), plain.header("etag"));
    let headers = [("accept-encoding", "gzip"), ("if-none-match", packed.header("etag"))];
    assert_eq!(site.ask("GET", "/app.js", &headers).await.status.as_u16(), 304);
    let headers = [("accept-encoding", "gzip"), ("range", "bytes=5-6")];
    let part = site.ask("GET", "/app.js", &headers).await;
    assert_eq!((part.text(), part.header("content-range")), ("it", "bytes 5-6/10"));

    site.files = site.files.precompressed(false);
    let answer = site.ask("GET", "/app.js", &[("accept-encoding", "gzip")]).await;
    assert_eq!((answer.text(), answer.header("vary")), ("plain", ""));
}
