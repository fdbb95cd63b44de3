//! Lookups that end early leave nothing behind. In a program of its own, because what is counted is the process's.

use std::net::Ipv4Addr;
use std::time::Duration;

use conntest::dns::{Reply, Running, Server};
use conntest::leak::LeakCheck;
use landline::resolve::Config;
use landline::{Context, Family, Resolver};

const NAME: &str = "www.example";

fn resolver(server: &Running) -> Resolver {
    Resolver::new(Config::new().with_servers([server.addr()]))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lookups_leave_nothing() {
    a_lookup_dropped_at_any_point_leaves_nothing().await;
    hundreds_of_lookups_cancelled_at_random_leave_nothing().await;
}

/// Dropped after each number of polls that it takes, over UDP and over TCP.
async fn a_lookup_dropped_at_any_point_leaves_nothing() {
    let reply = Reply::addresses([Ipv4Addr::new(192, 0, 2, 1)]).truncated();
    let server = Server::new().on_any_type(NAME, reply).start().await.unwrap();
    let resolver = resolver(&server);
    let check = LeakCheck::begin();
    let mut done = false;
    for polls in 1.. {
        if done {
            break;
        }
        let mut lookup = Box::pin(resolver.lookup_ip(NAME));
        let mut count = 0;
        done = std::future::poll_fn(|cx| {
            count += 1;
            match lookup.as_mut().poll(cx) {
                std::task::Poll::Ready(found) => std::task::Poll::Ready(found.is_ok()),
                std::task::Poll::Pending if count == polls => std::task::Poll::Ready(false),
                std::task::Poll::Pending => std::task::Poll::Pending,
            }
        })
        .await;
        assert!(polls < 100);
    }
    drop(resolver);
    check.end().await;
}

async fn hundreds_of_lookups_cancelled_at_random_leave_nothing() {
    let reply = Reply::addresses([Ipv4Addr::new(192, 0, 2, 1)]);
    let server = Server::new().otherwise(reply).start().await.unwrap();
    let resolver = resolver(&server);
    let check = LeakCheck::begin();
    let mut lookups = tokio::task::JoinSet::new();
    for number in 0..300_u64 {
        let resolver = resolver.clone();
        lookups.spawn(async move {
            let context = Context::background().with_timeout(Duration::from_micros(number * 20));
            // A third share a name with others.
            let name = format!("n{}.example", if number % 3 == 0 { 0 } else { number });
            match resolver.lookup_ip_in(&context, Family::Any, &name).await {
                Ok(found) => assert_eq!(found.len(), 1),
                Err(error) => assert!(error.is_timeout(), "{error}"),
            }
        });
    }
    while let Some(lookup) = lookups.join_next().await {
        lookup.unwrap();
    }
    drop(resolver);
    check.end().await;
}
