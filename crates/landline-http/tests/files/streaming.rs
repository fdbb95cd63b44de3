//! Large files, and those that change while they are sent.

use std::fs::OpenOptions;
use std::io;

use http::Request;
use http_body_util::BodyExt;
use landline_http::files::FileServer;
use tower_service::Service;

use crate::harness::Site;

#[tokio::test]
async fn a_large_file_comes_in_small_pieces() {
    let content: Vec<u8> = (0..3_000_001_u32).map(|at| (at % 251) as u8).collect();
    let site = Site::new(&[("large.bin", &content)]);
    let request = Request::get("/large.bin").body(()).unwrap();
    let mut body = site.files.clone().call(request).await.unwrap().into_body();
    let mut seen = Vec::new();
    while let Some(frame) = body.frame().await {
        let data = frame.unwrap().into_data().unwrap();
        assert!(!data.is_empty() && data.len() <= 64 * 1024);
        seen.extend_from_slice(&data);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some((content.len() - seen.len()) as u64));
    }
    assert!(seen == content);
    let answer = site.ask("GET", "/large.bin", &[("range", "bytes=1000000-2000000,2500000-2600000")]).await;
    let found = |part: &[u8]| answer.body.windows(part.len()).any(|window| window == part);
    assert!(found(&content[1_000_000..=2_000_000]) && found(&content[2_500_000..=2_600_000]));
}

#[tokio::test]
async fn a_file_that_becomes_shorter_is_an_error_and_one_that_grows_is_not() {
    let site = Site::new(&[("a.bin", &[7; 200_000])]);
    let path = site.directory.path().join("a.bin");
    let request = || Request::get("/a.bin").body(()).unwrap();
    let mut files: FileServer = site.files.clone();
    let growing = files.call(request()).await.unwrap().into_body();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(300_000).unwrap();
    assert_eq!(growing.collect().await.unwrap().to_bytes(), vec![7; 200_000]);

    let mut shrinking = files.call(request()).await.unwrap().into_body();
    shrinking.frame().await.unwrap().unwrap();
    OpenOptions::new().write(true).open(&path).unwrap().set_len(70_000).unwrap();
    let error = loop {
        if let Err(error) = shrinking.frame().await.expect("the error comes before the end") {
            break error;
        }
    };
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(shrinking.frame().await.is_none());
}

#[tokio::test]
async fn what_is_not_cached_is_read_all_the_same() {
    let content: Vec<u8> = (0..500_000_u32).map(|at| (at % 241) as u8).collect();
    let site = Site::new(&[("a.bin", &content)]);
    let file = std::fs::File::open(site.directory.path().join("a.bin")).unwrap();
    file.sync_all().unwrap();
    // Where the file system keeps caches and heeds it, the pages are gone, and a thread reads them.
    rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
    assert!(site.get("/a.bin").await.body == content);
}
