//! Conditional requests (RFC 9110 section 13).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::harness::{Site, THEN};

#[tokio::test]
async fn validators_are_given_and_taken() {
    let site = Site::new(&[("a.txt", b"0123456789"), ("sub/index.html", b"x")]);
    let first = site.get("/a.txt").await;
    let tag = first.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    assert_eq!(first.header("last-modified"), THEN);
    let before = "Tue, 31 Dec 2019 23:59:59 GMT";
    for (name, value, status) in [
        ("if-none-match", tag, 304),
        ("if-none-match", "*", 304),
        ("if-none-match", "\"x\"", 200),
        ("if-modified-since", THEN, 304),
        ("if-modified-since", before, 200),
        ("if-match", tag, 200),
        ("if-match", "\"x\"", 412),
        ("if-unmodified-since", THEN, 200),
        ("if-unmodified-since", before, 412),
    ] {
        for method in ["GET", "HEAD"] {
            let answer = site.ask(method, "/a.txt", &[(name, value)]).await;
            assert_eq!(answer.status.as_u16(), status, "{name}: {value}");
            assert_eq!((answer.header("etag"), answer.header("last-modified")), (tag, THEN));
            assert_eq!(answer.header("vary"), "accept-encoding");
            if status == 304 {
                assert!(answer.body.is_empty() && !answer.headers.contains_key("content-length"));
            }
        }
    }
    let index = site.get("/sub/").await;
    let again = site.ask("GET", "/sub/", &[("if-none-match", index.header("etag"))]).await;
    assert_eq!(again.status.as_u16(), 304);
}

#[tokio::test]
async fn a_changed_file_has_another_tag() {
    let site = Site::new(&[("a.txt", b"0123456789")]);
    let tag = site.get("/a.txt").await.header("etag").to_owned();
    site.set_modified("a.txt", UNIX_EPOCH + Duration::from_nanos(1_577_836_800_000_000_001));
    let touched = site.get("/a.txt").await;
    assert_ne!(touched.header("etag"), tag);
    assert_eq!(touched.header("last-modified"), THEN, "dates are of seconds");
    site.write("b.txt", b"0123456789");
    std::fs::rename(site.directory.path().join("b.txt"), site.directory.path().join("a.txt")).unwrap();
    assert_ne!(site.get("/a.txt").await.header("etag"), tag, "of the same time and length");
}

#[tokio::test]
async fn times_that_http_cannot_tell() {
    let site = Site::new(&[("a.txt", b"a")]);
    for time in [UNIX_EPOCH, UNIX_EPOCH - Duration::from_secs(1)] {
        site.set_modified("a.txt", time);
        let answer = site.ask("GET", "/a.txt", &[("if-modified-since", THEN)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("last-modified")), (200, ""));
    }
    // What is of tomorrow is said to be of now.
    let (now, day) = (SystemTime::now(), Duration::from_secs(86_400));
    site.set_modified("a.txt", now + day);
    let answer = site.get("/a.txt").await;
    let told = httpdate::parse_http_date(answer.header("last-modified")).unwrap();
    assert!(told < now + day / 2);
}

#[tokio::test]
async fn a_range_is_of_the_file_that_it_was_meant_for() {
    let site = Site::new(&[("a.txt", b"0123456789")]);
    let tag = site.get("/a.txt").await.header("etag").to_owned();
    for (value, status) in [
        (&*tag, 206),
        (THEN, 206),
        ("\"x\"", 200),
        ("Wed, 01 Jan 2020 00:00:01 GMT", 200),
        (&format!("W/{tag}"), 200),
    ] {
        let headers = [("range", "bytes=2-4"), ("if-range", value)];
        let answer = site.ask("GET", "/a.txt", &headers).await;
        assert_eq!(answer.status.as_u16(), status, "{value}");
        assert_eq!(answer.text(), if status == 206 { "234" } else { "0123456789" });
    }
    let headers = [("range", "bytes=2-4"), ("if-none-match", &*tag)];
    assert_eq!(site.ask("GET", "/a.txt", &headers).await.status.as_u16(), 304);
}
