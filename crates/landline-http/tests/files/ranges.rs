//! Parts of files (RFC 9110 section 14).

use crate::harness::Site;

fn content() -> Vec<u8> {
    (0..10_000).map(|at| b'a' + (at % 23) as u8).collect()
}

#[tokio::test]
async fn one_range() {
    let content = content();
    let site = Site::new(&[("a.txt", &content), ("empty", b"")]);
    for (value, status, range, body) in [
        ("bytes=0-3", 206, "bytes 0-3/10000", &content[..4]),
        ("bytes=-3", 206, "bytes 9997-9999/10000", &content[9997..]),
        ("bytes=9998-", 206, "bytes 9998-9999/10000", &content[9998..]),
        ("bytes=9998-20000", 206, "bytes 9998-9999/10000", &content[9998..]),
        ("bytes=5-5,10000-", 206, "bytes 5-5/10000", &content[5..6]),
        ("bytes=0-", 206, "bytes 0-9999/10000", &content),
        ("items=0-3", 200, "", &content),
        ("bytes=0-,0-", 200, "", &content),
        ("bytes=10000-", 416, "bytes */10000", b"416 Range Not Satisfiable\n"),
        ("bytes=2-1", 416, "bytes */10000", b"416 Range Not Satisfiable\n"),
        ("bytes=-0", 416, "bytes */10000", b"416 Range Not Satisfiable\n"),
    ] {
        let answer = site.ask("GET", "/a.txt", &[("range", value)]).await;
        assert_eq!((answer.status.as_u16(), answer.header("content-range")), (status, range), "{value}");
        assert_eq!(answer.body, body, "{value}");
        // A HEAD is answered as if there were none.
        let head = site.ask("HEAD", "/a.txt", &[("range", value)]).await;
        assert_eq!((head.status.as_u16(), head.header("content-length")), (200, "10000"));
        assert_eq!(head.header("accept-ranges"), "bytes");
    }
    assert_eq!(site.ask("GET", "/empty", &[("range", "bytes=0-")]).await.status.as_u16(), 200);
    let twice = site.ask("GET", "/a.txt", &[("range", "bytes=0-1"), ("range", "bytes=2-3")]).await;
    assert_eq!(twice.status.as_u16(), 200);
}

#[tokio::test]
async fn several_ranges_are_parts() {
    let content = content();
    let site = Site::new(&[("a.txt", &content)]);
    let answer = site.ask("GET", "/a.txt", &[("range", "bytes=9000-9001, 5-7,-2")]).await;
    assert_eq!(answer.status.as_u16(), 206);
    assert_eq!(answer.header("content-range"), "");
    let boundary = answer.header("content-type").strip_prefix("multipart/byteranges; boundary=").unwrap();
    assert_eq!(boundary.len(), 32);
    let mut expected = Vec::new();
    for (index, (first, last)) in [(9000, 9001), (5, 7), (9998, 9999)].into_iter().enumerate() {
        let line = if index == 0 { "" } else { "\r\n" };
        let head = format!(
            "{line}--{boundary}\r\nContent-Type: text/plain; charset=utf-8\r\n\
             Content-Range: bytes {first}-{last}/10000\r\n\r\n"
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&content[first..=last]);
    }
    expected.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    assert_eq!(answer.body, expected);
    let other = site.ask("GET", "/a.txt", &[("range", "bytes=1-2,5-7")]).await;
    assert!(!other.header("content-type").contains(boundary), "every response has its own");
}

#[tokio::test]
async fn parts_that_are_more_than_the_file_are_the_file() {
    let site = Site::new(&[("a.txt", b"0123456789")]);
    let answer = site.ask("GET", "/a.txt", &[("range", "bytes=0-1,3-4")]).await;
    assert_eq!((answer.status.as_u16(), answer.text()), (200, "0123456789"));
    assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    let many: Vec<String> = (0..101).map(|at| format!("{at}-{at}")).collect();
    let site = Site::new(&[("a.txt", &content())]);
    let answer = site.ask("GET", "/a.txt", &[("range", &format!("bytes={}", many.join(",")))]).await;
    assert_eq!(answer.status.as_u16(), 200);
}
