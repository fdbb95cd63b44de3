//! Lookups that share their queries, and answers that are kept.

use std::net::Ipv4Addr;
use std::time::Duration;

use conntest::dns::{Record, RecordType, Reply, Server};
use landline::explain::What;
use landline::resolve::Cache;
use landline::{Context, Family};

use crate::support::{Events, resolver, start, texts};

const NAME: &str = "www.example";
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

#[tokio::test]
async fn identical_lookups_in_flight_share_one_query() {
    let slow = Reply::addresses([ADDRESS]).delayed(Duration::from_millis(100));
    let server = start(Server::new().on_any_type(NAME, slow)).await;
    let resolver = resolver(&[&server]);
    let events = Events::default();
    let (one, two, three, other) = tokio::join!(
        resolver.lookup_ip(NAME),
        resolver.lookup_ip("WWW.Example"),
        async { resolver.clone().sink(events.clone()).lookup_host(NAME).await },
        resolver.lookup_mx(NAME),
    );
    assert_eq!(texts(&one.unwrap()), ["192.0.2.1"]);
    assert_eq!(texts(&two.unwrap()), ["192.0.2.1"]);
    assert_eq!(texts(&three.unwrap()), ["192.0.2.1"]);
    assert!(other.unwrap_err().is_not_found());
    assert_eq!(server.log().len(), 3, "A, AAAA and MX, once each");
    assert!(events.pick(|what| matches!(what, What::QueryShared { .. }).then_some(())).len() == 2);

    // What has ended is not in flight.
    resolver.lookup_ip(NAME).await.unwrap();
    assert_eq!(server.log().len(), 5);
}

#[tokio::test]
async fn an_error_names_what_each_caller_asked_for() {
    let slow = Reply::no_such_name().delayed(Duration::from_millis(50));
    let server = start(Server::new().otherwise(slow)).await;
    let resolver = resolver(&[&server]);
    let (one, two) = tokio::join!(resolver.lookup_ip("a.example"), resolver.lookup_ip("A.Example."));
    assert!(one.unwrap_err().to_string().starts_with("lookup a.example on"));
    assert!(two.unwrap_err().to_string().starts_with("lookup A.Example. on"));
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn when_the_first_gives_up_the_others_go_on() {
    let slow = Reply::addresses([ADDRESS]).delayed(Duration::from_millis(200));
    let server = start(Server::new().on_any_type(NAME, slow)).await;
    let resolver = resolver(&[&server]);
    let hasty = Context::background().child();
    let first = {
        let (resolver, hasty) = (resolver.clone(), hasty.clone());
        tokio::spawn(async move { resolver.lookup_ip_in(&hasty, Family::Any, NAME).await })
    };
    server.received(2).await;
    let second = tokio::spawn(async move { resolver.lookup_ip(NAME).await });
    tokio::task::yield_now().await;
    hasty.cancel();
    assert!(first.await.unwrap().unwrap_err().is_canceled());
    assert_eq!(texts(&second.await.unwrap().unwrap()), ["192.0.2.1"]);
    assert_eq!(server.log().len(), 2);
}

/// A caller's deadline is its own: neither does it end the others', nor do theirs prolong it.
#[tokio::test]
async fn sharers_keep_their_own_deadlines() {
    let server = start(Server::new().on_any_type(NAME, Reply::silence())).await;
    let resolver = resolver(&[&server]).timeout(Duration::from_secs(30));
    let within = |millis| Context::background().with_timeout(Duration::from_millis(millis));
    let (short, long) = (within(50), within(300));
    let began = tokio::time::Instant::now();
    let (one, two) = tokio::join!(
        async {
            let error = resolver.lookup_ip_in(&short, Family::Any, NAME).await.unwrap_err();
            (error, began.elapsed())
        },
        async {
            let error = resolver.lookup_ip_in(&long, Family::Any, NAME).await.unwrap_err();
            (error, began.elapsed())
        },
    );
    assert!(one.0.is_timeout() && two.0.is_timeout());
    assert!(one.1 < Duration::from_millis(300) && two.1 >= Duration::from_millis(300), "{one:?} {two:?}");
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn answers_are_kept_when_asked_for() {
    let server = Server::new().on_any_type(NAME, Reply::addresses([ADDRESS]).ttl(60)).on_any_type(
        "gone.example",
        Reply::no_such_name().authority(Record::soa("ns.example", "x.example", 60).owner("example")),
    );
    let server = start(server).await;
    let events = Events::default();
    let keeping = resolver(&[&server]).cache(Cache::new()).sink(events.clone());
    for _ in 0..3 {
        let found = keeping.lookup_ip(NAME).await.unwrap();
        assert_eq!(texts(&found), ["192.0.2.1"]);
        assert!(found.ttl().unwrap() <= Duration::from_secs(60));
        assert!(keeping.lookup_ip("gone.example").await.unwrap_err().is_not_found());
    }
    assert_eq!(server.log_of("gone.example").len(), 2, "kept as its SOA record says");
    let hits = events.pick(|what| match what {
        What::CacheHit { record, stale: false, .. } => Some(record.clone()),
        _ => None,
    });
    assert!(hits.iter().filter(|record| *record == "A").count() >= 4, "{hits:?}");
    // The lack of an AAAA record came without a SOA record, and is not kept.
    assert_eq!(server.log_of(NAME).iter().filter(|query| query.record_type == RecordType::A).count(), 1);

    server.clear_log();
    let forgetful = resolver(&[&server]);
    forgetful.lookup_ip(NAME).await.unwrap();
    forgetful.lookup_ip(NAME).await.unwrap();
    assert_eq!(server.log().len(), 4);
}

#[tokio::test]
async fn a_stale_answer_is_better_than_none() {
    let server = start(Server::new().on(NAME, RecordType::A, Reply::addresses([ADDRESS]).ttl(1))).await;
    let resolver = resolver(&[&server]).cache(Cache::new().serve_stale(Duration::from_secs(3600)));
    let background = Context::background();
    let fresh = resolver.lookup_ip_in(&background, Family::V4, NAME).await.unwrap();
    assert!(!fresh.is_stale());
    server.now(NAME, RecordType::A, Reply::server_failure());
    // Its time to live is the server's to say, and no shorter one than a second can be said.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let stale = resolver.lookup_ip_in(&background, Family::V4, NAME).await.unwrap();
    assert!(stale.is_stale());
    assert_eq!((texts(&stale), stale.ttl()), (vec!["192.0.2.1".to_owned()], Some(Duration::from_secs(30))));
    // Having failed, the servers are left alone for a while.
    server.clear_log();
    assert!(resolver.lookup_ip_in(&background, Family::V4, NAME).await.unwrap().is_stale());
    assert!(server.log().is_empty());
}

/// The sockets of a runtime die with it, so another's lookups must not wait on them.
#[test]
fn lookups_of_two_runtimes_share_nothing() {
    let on_one_thread = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (serving, first, second) = (on_one_thread(), on_one_thread(), on_one_thread());
    let slow = Reply::addresses([ADDRESS]).delayed(Duration::from_millis(100));
    let server = serving.block_on(start(Server::new().on_any_type(NAME, slow)));
    let resolver = resolver(&[&server]);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let serving = std::thread::spawn(move || serving.block_on(stopped));

    let mut lookup = Box::pin(resolver.lookup_ip(NAME));
    first.block_on(async {
        tokio::select! {
            biased;
            _ = &mut lookup => unreachable!("the server takes its time"),
            () = server.received(2) => {}
        }
    });
    drop(first);
    assert_eq!(texts(&second.block_on(resolver.lookup_ip(NAME)).unwrap()), ["192.0.2.1"]);
    assert_eq!(server.log().len(), 4);
    drop((lookup, stop));
    let _ = serving.join().unwrap();
}

#[tokio::test]
async fn the_explanation_ends_with_the_lookup_it_is_of() {
    let slow = Reply::addresses([ADDRESS]).delayed(Duration::from_millis(100));
    let server = start(Server::new().on_any_type(NAME, slow)).await;
    let resolver = resolver(&[&server]);
    let events = Events::default();
    let explained = resolver.clone().sink(events.clone());
    let mut first = Box::pin(explained.lookup_ip(NAME));
    tokio::select! {
        biased;
        _ = &mut first => unreachable!("the server takes its time"),
        () = server.received(2) => {}
    }
    let second = tokio::spawn(async move { resolver.lookup_ip(NAME).await });
    tokio::task::yield_now().await;
    drop(first);
    let told = events.all().len();
    assert_eq!(texts(&second.await.unwrap().unwrap()), ["192.0.2.1"]);
    assert_eq!((events.all().len(), server.log().len()), (told, 2));
}
