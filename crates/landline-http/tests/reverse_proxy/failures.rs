//! Backends that are not there, slow, silent, resetting and lying, and what is tried then.

use std::num::NonZeroUsize;
use std::time::Duration;

use landline_http::reverse_proxy::ReverseProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{Running, answering, backend, front, get, header, nobody, read_head, say};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Closes with a reset.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().unwrap();
}

/// Reads the head of a request, and does not answer it.
async fn resetting() -> Running {
    backend(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        reset(&stream);
    })
    .await
}

#[track_caller]
fn assert_failed(answer: &str, status: u16, reason: &str) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    assert_eq!(
        header(answer, "proxy-status"),
        Some(format!("landline; error={reason}").as_str()),
        "{answer}"
    );
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(body.starts_with(&status.to_string()) && body.ends_with('\n'), "{answer}");
}

#[tokio::test]
async fn a_backend_that_is_not_there() {
    let front = front(ReverseProxy::new([nobody().await]).unwrap()).await;
    for _ in 0..3 {
        assert_failed(&get(&front).await, 502, "connection_refused");
    }
}

#[tokio::test]
async fn a_backend_that_resets() {
    let backend = resetting().await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    assert_failed(&get(&front).await, 502, "connection_terminated");
    assert_eq!(backend.accepted(), 1);
}

#[tokio::test]
async fn a_backend_that_is_silent() {
    let backend = backend(|mut stream| async move {
        let _ = stream.read_to_end(&mut Vec::new()).await;
    })
    .await;
    let proxy = ReverseProxy::new([backend.url()]).unwrap();
    let slow = front(proxy.clone().head_timeout(Duration::from_millis(50))).await;
    assert_failed(&get(&slow).await, 504, "http_response_timeout");
    let slow = front(proxy.timeout(Duration::from_millis(50))).await;
    assert_failed(&get(&slow).await, 504, "http_response_timeout");
}

#[tokio::test]
async fn backends_that_lie() {
    for reply in [
        "SSH-2.0-OpenSSH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nBad Header\r\n\r\n",
    ] {
        let backend = answering(reply).await;
        let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
        let answer = get(&front).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{reply} {answer}");
    }
}

#[tokio::test]
async fn a_body_that_breaks_off_breaks_the_conn_off() {
    let backend = backend(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n").await;
        reset(&stream);
    })
    .await;
    let front = front(ReverseProxy::new([backend.url()]).unwrap()).await;
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    // Never the chunk that would say that all of it has come.
    assert!(!answer.ends_with(b"0\r\n\r\n"), "{:?}", String::from_utf8_lossy(&answer));
}

#[tokio::test]
async fn another_backend_is_tried_where_that_does_no_harm() {
    let gone = nobody().await;
    let (resets, fails) =
        (resetting().await, answering("HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n").await);
    let good = answering(OK).await;
    let tries = NonZeroUsize::new(4).unwrap();
    let urls = [gone, resets.url(), fails.url(), good.url()];
    // For longer than the test takes, however busy the machine is.
    let minute = Duration::from_secs(60);
    let front = front(ReverseProxy::new(urls).unwrap().tries(tries).rest(minute, minute)).await;
    for _ in 0..8 {
        let answer = get(&front).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }
    // Each was found out once, and has rested since.
    assert!(resets.accepted() <= 1 && fails.accepted() <= 1);
}

#[tokio::test]
async fn what_may_do_harm_is_sent_once() {
    let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let (one, two) = (resetting().await, resetting().await);
    let front_of_two = front(ReverseProxy::new([one.url(), two.url()]).unwrap()).await;
    assert_failed(&say(&front_of_two, post).await, 502, "connection_terminated");
    assert_eq!(one.accepted() + two.accepted(), 1);

    // A backend that says itself that it did nothing is no better: it may have begun.
    let busy = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    let (one, two) = (answering(busy).await, answering(busy).await);
    let front_of_two = front(ReverseProxy::new([one.url(), two.url()]).unwrap()).await;
    let answer = say(&front_of_two, post).await;
    assert!(answer.starts_with("HTTP/1.1 503 ") && header(&answer, "proxy-status").is_none(), "{answer}");
    assert_eq!(one.accepted() + two.accepted(), 1);

    // Of this one nothing went out.
    let good = answering(OK).await;
    let front = front(ReverseProxy::new([nobody().await, good.url()]).unwrap()).await;
    for _ in 0..8 {
        assert!(say(&front, post).await.starts_with("HTTP/1.1 200 "));
    }
}

#[tokio::test]
async fn a_body_goes_to_another_backend_if_none_of_it_went_out() {
    let good = backend(|mut stream| async move {
        let _ = read_head(&mut stream).await;
        let mut body = [0; 5];
        stream.read_exact(&mut body).await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\n").await;
        let _ = stream.write_all(&body).await;
    })
    .await;
    let front = front(ReverseProxy::new([nobody().await, good.url()]).unwrap()).await;
    let put = "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    for _ in 0..8 {
        let answer = say(&front, put).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    }
}

#[tokio::test]
async fn the_tries_are_limited() {
    let backends = [resetting().await, resetting().await, resetting().await];
    let urls = backends.iter().map(Running::url);
    let front = front(ReverseProxy::new(urls).unwrap().tries(NonZeroUsize::new(2).unwrap())).await;
    assert_failed(&get(&front).await, 502, "connection_terminated");
    assert_eq!(backends.iter().map(Running::accepted).sum::<usize>(), 2);
}
