//! Behind a server of HTTP/1.1, byte by byte.

use std::fs::OpenOptions;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower_service::Service;

use crate::harness::Site;

/// A conn to a server of the site.
fn connect(site: &Site) -> DuplexStream {
    let (client, server) = tokio::io::duplex(16 * 1024);
    let files = site.files.clone();
    let service = service_fn(move |request| files.clone().call(request));
    tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(server), service));
    client
}

/// What is said to these requests, up to the end of the conn, without the dates of now.
async fn said(conn: &mut DuplexStream, requests: &str) -> String {
    conn.write_all(requests.as_bytes()).await.unwrap();
    let mut all = Vec::new();
    // A server that gives up resets nothing here: the pipe ends.
    conn.read_to_end(&mut all).await.unwrap();
    let all = String::from_utf8(all).unwrap();
    all.split_inclusive("\r\n").filter(|line| !line.starts_with("date: ")).collect()
}

#[tokio::test]
async fn one_conn_after_another_answer() {
    let site = Site::new(&[("a.txt", b"0123456789")]);
    let tag = site.get("/a.txt").await.header("etag").to_owned();
    let mut conn = connect(&site);
    let said = said(
        &mut conn,
        "HEAD /a.txt HTTP/1.1\r\nhost: x\r\n\r\n\
         GET /a.txt HTTP/1.1\r\nhost: x\r\nif-none-match: *\r\n\r\n\
         POST /a.txt HTTP/1.1\r\nhost: x\r\ncontent-length: 3\r\n\r\nabc\
         GET /a.txt HTTP/1.1\r\nhost: x\r\nrange: bytes=-2\r\nconnection: close\r\n\r\n",
    )
    .await;
    let kept = format!("etag: {tag}\r\nlast-modified: {}\r\nvary: accept-encoding\r\n", crate::harness::THEN);
    let nosniff = "x-content-type-options: nosniff\r\n";
    let expected = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\naccept-ranges: bytes\r\n{kept}{nosniff}\
         content-length: 10\r\n\r\n\
         HTTP/1.1 304 Not Modified\r\n{kept}{nosniff}\r\n\
         HTTP/1.1 405 Method Not Allowed\r\ncontent-type: text/plain; charset=utf-8\r\nallow: GET, HEAD\r\n\
         {nosniff}content-length: 23\r\n\r\n405 Method Not Allowed\n\
         HTTP/1.1 206 Partial Content\r\ncontent-type: text/plain; charset=utf-8\r\naccept-ranges: bytes\r\n\
         content-range: bytes 8-9/10\r\n{kept}{nosniff}content-length: 2\r\nconnection: close\r\n\r\n89"
    );
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_file_that_becomes_shorter_ends_the_conn_before_its_length() {
    let site = Site::new(&[("a.bin", &vec![b'7'; 8_000_000])]);
    let mut conn = connect(&site);
    conn.write_all(b"GET /a.bin HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    // It waits for us to read on, with less than a megabyte in its buffers.
    let mut start = [0; 1000];
    conn.read_exact(&mut start).await.unwrap();
    let path = site.directory.path().join("a.bin");
    OpenOptions::new().write(true).open(path).unwrap().set_len(4_000_000).unwrap();
    let mut rest = Vec::new();
    conn.read_to_end(&mut rest).await.unwrap();
    assert!(start.len() + rest.len() <= 4_001_000);
}
