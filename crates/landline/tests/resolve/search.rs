//! The search list, and the names that never reach a server.

use std::net::Ipv4Addr;

use conntest::dns::{RecordType, Reply, Running, Server};
use landline::resolve::Config;
use landline::{LookupErrorKind, Resolver};

use crate::support::{config, start, texts};

fn searching(server: &Running, search: &[&str]) -> Config {
    config(&[server]).with_search(search.iter().map(|name| name.parse().unwrap()))
}

/// The names the server was asked for, each once, in order.
fn asked(server: &Running) -> Vec<String> {
    let mut names: Vec<String> =
        server.log().into_iter().map(|query| query.name.trim_end_matches('.').to_owned()).collect();
    names.dedup();
    server.clear_log();
    names
}

#[tokio::test]
async fn short_names_are_completed_and_long_ones_tried_as_they_are_first() {
    let server = start(Server::new().host("web.b.example", [Ipv4Addr::new(192, 0, 2, 1).into()])).await;
    let resolver = Resolver::new(searching(&server, &["a.example", "b.example"]));
    let found = resolver.lookup_ip("web").await.unwrap();
    assert_eq!(
        (texts(&found), found.canonical_name()),
        (vec!["192.0.2.1".to_owned()], Some("web.b.example."))
    );
    assert_eq!(asked(&server), ["web.a.example", "web.b.example"]);

    let error = resolver.lookup_ip("web.x").await.unwrap_err();
    assert!(error.to_string().starts_with("lookup web.x on "), "{error}");
    assert_eq!(asked(&server), ["web.x", "web.x.a.example", "web.x.b.example"]);

    assert!(resolver.lookup_ip("web.").await.unwrap_err().is_not_found());
    assert_eq!(asked(&server), ["web"]);

    assert!(resolver.lookup_mx("web").await.unwrap_err().is_not_found());
    assert_eq!(asked(&server), ["web.a.example", "web.b.example", "web"]);
}

#[tokio::test]
async fn a_name_without_records_is_told_from_one_that_does_not_exist_across_the_search_list() {
    let server = start(Server::new().on_any_type("web.a.example", Reply::no_data())).await;
    let resolver = Resolver::new(searching(&server, &["a.example", "b.example"]));
    let error = resolver.lookup_ip("web").await.unwrap_err();
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::NoData);
    assert_eq!(asked(&server).len(), 3);
}

#[tokio::test]
async fn a_failure_for_one_name_is_not_hidden_by_the_others_absence() {
    let server = start(Server::new().on_any_type("web.a.example", Reply::server_failure())).await;
    let resolver = Resolver::new(searching(&server, &["a.example"]));
    let error = resolver.lookup_ip("web").await.unwrap_err();
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::ServerFailure);

    // But what a later name has is taken.
    server.now("web", RecordType::A, Reply::addresses([Ipv4Addr::new(192, 0, 2, 1)]));
    assert_eq!(texts(&resolver.lookup_ip("web").await.unwrap()), ["192.0.2.1"]);
    assert!(resolver.strict(true).lookup_ip("web").await.is_err());
}

#[tokio::test]
async fn reserved_names_never_leak() {
    let server = start(Server::new()).await;
    let resolver = Resolver::new(searching(&server, &["example.com"])).files(false);
    assert_eq!(texts(&resolver.lookup_ip("localhost").await.unwrap()), ["127.0.0.1", "::1"]);
    assert_eq!(texts(&resolver.lookup_ip("a.LocalHost.").await.unwrap()), ["127.0.0.1", "::1"]);
    for name in ["nosuch.invalid", "abc.onion", "ABC.Onion."] {
        assert!(resolver.lookup_ip(name).await.unwrap_err().is_not_found());
        assert!(resolver.lookup_txt(name).await.unwrap_err().is_not_found());
        assert!(resolver.lookup_cname(name).await.unwrap_err().is_not_found());
    }
    assert!(asked(&server).is_empty());
}
