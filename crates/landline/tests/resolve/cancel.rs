//! Lookups that are cancelled, or run out of time, end at once.

use std::net::Ipv4Addr;
use std::time::Duration;

use conntest::dns::{Reply, Server};
use landline::{Context, Family, LookupErrorKind};
use tokio::time::Instant;

use crate::support::{resolver, start};

const NAME: &str = "www.example";

#[tokio::test]
async fn a_cancelled_lookup_returns_at_once_with_the_cause() {
    let server = start(Server::new().on_any_type(NAME, Reply::silence())).await;
    let resolver = resolver(&[&server]);
    let context = Context::background().child();
    let lookup = {
        let context = context.clone();
        tokio::spawn(
            async move { (resolver.lookup_ip_in(&context, Family::Any, NAME).await, Instant::now()) },
        )
    };
    server.received(2).await;
    let cancelled = Instant::now();
    context.cancel_with("shutting down");
    let (result, ended) = lookup.await.unwrap();
    let error = result.unwrap_err();
    assert!(error.is_canceled());
    assert_eq!(error.to_string(), "lookup www.example: operation was canceled: shutting down");
    assert!(ended - cancelled < Duration::from_secs(1), "{:?}", ended - cancelled);
}

#[tokio::test]
async fn a_lookup_ends_with_its_deadline_and_names_the_server() {
    let server = start(Server::new().on_any_type(NAME, Reply::silence())).await;
    let context = Context::background().with_timeout(Duration::from_millis(50));
    let error = resolver(&[&server]).lookup_ip_in(&context, Family::Any, NAME).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::Timeout);
    assert_eq!(error.to_string(), format!("lookup {NAME} on {}: i/o timeout", server.addr()));

    let ended = Context::background().child();
    ended.cancel();
    assert!(resolver(&[&server]).lookup_mx_in(&ended, NAME).await.unwrap_err().is_canceled());
    assert_eq!(server.log().len(), 2, "one that has ended asks nobody");
}

#[tokio::test]
async fn a_short_budget_is_shared_among_the_servers() {
    let silent = start(Server::new().on_any_type(NAME, Reply::silence())).await;
    let good = start(Server::new().on_any_type(NAME, Reply::addresses([Ipv4Addr::new(192, 0, 2, 1)]))).await;
    let context = Context::background().with_timeout(Duration::from_secs(4));
    let found = resolver(&[&silent, &good]).lookup_ip_in(&context, Family::Any, NAME).await.unwrap();
    assert_eq!(found.server(), Some(good.addr()));
}
