//! Backends that rest, and come back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use landline_http::reverse_proxy::{HealthCheck, ReverseProxy};
use tokio::io::AsyncWriteExt;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::harness::{LONG, Running, answering, backend, front, get, read_head};

/// What a backend with a switch is asked, and how it is.
#[derive(Default)]
struct Switch {
    is_well: AtomicBool,
    requests: AtomicUsize,
    checks: AtomicUsize,
    asked: Notify,
}

/// Answers `/health` and all else with 200 or 503, as the switch stands.
async fn switched(switch: &Arc<Switch>) -> Running {
    let switch = switch.clone();
    backend(move |mut stream| {
        let switch = switch.clone();
        async move {
            while let Some(head) = read_head(&mut stream).await {
                let is_check = head.starts_with("GET /health ");
                let count = if is_check { &switch.checks } else { &switch.requests };
                count.fetch_add(1, Ordering::SeqCst);
                let status = if switch.is_well.load(Ordering::SeqCst) { "200 OK" } else { "503 Busy" };
                let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 6\r\n\r\nswitch");
                if stream.write_all(reply.as_bytes()).await.is_err() {
                    return;
                }
                switch.asked.notify_one();
            }
        }
    })
    .await
}

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother";

#[tokio::test]
async fn a_backend_that_failed_rests_and_comes_back() {
    let switch = Arc::new(Switch::default());
    let (switched, other) = (switched(&switch).await, answering(OK).await);
    let proxy = ReverseProxy::new([switched.url(), other.url()]).unwrap();
    let front = front(proxy.rest(Duration::from_millis(20), Duration::from_millis(20))).await;
    let until_asked = async {
        while switch.requests.load(Ordering::SeqCst) == 0 {
            assert!(get(&front).await.ends_with("other"));
        }
    };
    timeout(LONG, until_asked).await.expect("the one that fails is tried");
    switch.is_well.store(true, Ordering::SeqCst);
    let until_back = async { while !get(&front).await.ends_with("switch") {} };
    timeout(LONG, until_back).await.expect("it comes back");
}

#[tokio::test]
async fn the_only_backend_is_asked_even_if_it_rests() {
    let switch = Arc::new(Switch::default());
    let switched = switched(&switch).await;
    let front = front(ReverseProxy::new([switched.url()]).unwrap()).await;
    assert!(get(&front).await.starts_with("HTTP/1.1 503 "));
    switch.is_well.store(true, Ordering::SeqCst);
    assert!(get(&front).await.ends_with("switch"));
}

#[tokio::test]
async fn health_checks_find_out_before_requests_do() {
    let switch = Arc::new(Switch::default());
    let (switched, other) = (switched(&switch).await, answering(OK).await);
    let check = HealthCheck::new("/health").interval(Duration::from_millis(10)).thresholds(2, 2);
    let proxy = ReverseProxy::new([switched.url(), other.url()]).unwrap().health_check(check.timeout(LONG));
    // What requests find out is soon forgotten.
    let front = front(proxy.rest(Duration::ZERO, Duration::ZERO)).await;
    // The first request, whoever answers it, begins the checks; one more than is needed has been judged.
    get(&front).await;
    while switch.checks.load(Ordering::SeqCst) < 4 {
        timeout(LONG, switch.asked.notified()).await.expect("a check");
    }
    let before = switch.requests.load(Ordering::SeqCst);
    for _ in 0..16 {
        assert!(get(&front).await.ends_with("other"));
    }
    assert_eq!(switch.requests.load(Ordering::SeqCst), before);
    switch.is_well.store(true, Ordering::SeqCst);
    let until_back = async { while !get(&front).await.ends_with("switch") {} };
    timeout(LONG, until_back).await.expect("it comes back");
}
