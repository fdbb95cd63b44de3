//! The leak check passes what is tidy and names what is not. One test alone in its process, which it counts.

use std::net::UdpSocket;
use std::time::Duration;

use conntest::leak::LeakCheck;

#[tokio::test]
async fn what_is_left_is_named_and_what_goes_is_not() {
    tidy_work_passes_even_if_it_ends_a_little_later().await;
    let words = failure_with(|| std::mem::forget(UdpSocket::bind("127.0.0.1:0").unwrap())).await;
    assert!(words.starts_with("conntest: leaked: 1 descriptors: "), "{words}");
    assert!(words.contains("(socket:["), "{words}");

    let words = failure_with(|| drop(tokio::spawn(std::future::pending::<()>()))).await;
    assert_eq!(words, "conntest: leaked: 1 tasks");

    let words = failure_with(|| {
        let parked = std::thread::Builder::new().name("parked".into());
        parked
            .spawn(|| {
                loop {
                    std::thread::park();
                }
            })
            .unwrap();
    })
    .await;
    assert!(words.starts_with("conntest: leaked: 1 threads: ") && words.ends_with("(parked)"), "{words}");

    the_pools_threads_count_only_when_asked_for().await;
}

async fn tidy_work_passes_even_if_it_ends_a_little_later() {
    let check = LeakCheck::begin();
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(socket);
    });
    check.end().await;
}

async fn the_pools_threads_count_only_when_asked_for() {
    let check = LeakCheck::begin();
    let strict = LeakCheck::begin().counting_pool_threads().patience(Duration::from_millis(50));
    tokio::task::spawn_blocking(|| ()).await.unwrap();
    check.end().await;
    let words = panic_of(strict).await;
    assert!(words.contains("threads:") && words.contains("tokio-rt-worker"), "{words}");
}

async fn failure_with(leak: impl FnOnce()) -> String {
    let check = LeakCheck::begin().patience(Duration::from_millis(50));
    leak();
    panic_of(check).await
}

/// Ends the check on this very task: one spawned for it would count as leaked.
async fn panic_of(check: LeakCheck) -> String {
    let mut end = std::pin::pin!(check.end());
    let caught = std::future::poll_fn(|context| {
        let polled = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| end.as_mut().poll(context)));
        match polled {
            Ok(poll) => poll.map(|()| None),
            Err(panic) => std::task::Poll::Ready(Some(panic)),
        }
    })
    .await;
    *caught.expect("a leak").downcast::<String>().expect("a panic with words")
}
