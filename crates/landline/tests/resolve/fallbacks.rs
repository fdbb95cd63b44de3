//! Servers that lie, fail, stall or truncate, and what is done about it.

use std::net::Ipv4Addr;
use std::time::Duration;

use conntest::dns::{EdnsSupport, Listens, RecordType, Reply, Running, Server, Transport};
use landline::explain::What;
use landline::{Context, Family, LookupErrorKind, Resolver};
use tokio::time::Instant;

use crate::support::{Events, config, resolver, start, texts};

const GOOD: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const EVIL: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 66);
const NAME: &str = "www.example";

/// Long enough for a machine that is busy with something else, and much less than a server's timeout.
const AT_ONCE: Duration = Duration::from_secs(4);

fn good() -> Reply {
    Reply::addresses([GOOD])
}

fn evil() -> Reply {
    Reply::addresses([EVIL])
}

async fn lookup(resolver: &Resolver) -> Vec<String> {
    let began = Instant::now();
    let found = resolver.lookup_ip_in(&Context::background(), Family::V4, NAME).await.unwrap();
    assert!(began.elapsed() < AT_ONCE, "it took {:?}", began.elapsed());
    texts(&found)
}

fn transports(server: &Running) -> Vec<Transport> {
    server.log_of(NAME).iter().map(|query| query.transport).collect()
}

#[tokio::test]
async fn forged_answers_are_waited_past() {
    let later = || good().delayed(Duration::from_millis(50));
    for forged in [
        evil().wrong_id(),
        evil().wrong_question("evil.example", RecordType::A),
        evil().wrong_question(NAME, RecordType::AAAA),
        evil().from_other_port(),
        evil().from_other_address(),
    ] {
        let server = start(Server::new().on(NAME, RecordType::A, forged.clone().then(later()))).await;
        assert_eq!(lookup(&resolver(&[&server])).await, ["192.0.2.1"], "{forged:?}");
        assert_eq!(transports(&server), [Transport::Udp], "{forged:?}");
    }
}

#[tokio::test]
async fn the_case_of_the_question_may_be_changed() {
    let server = start(Server::new().on(NAME, RecordType::A, good().mangled_case())).await;
    assert_eq!(lookup(&resolver(&[&server])).await, ["192.0.2.1"]);
}

#[tokio::test]
async fn truncated_and_garbled_answers_are_asked_for_over_tcp() {
    for bad in [
        good().truncated(),
        Reply::many_addresses(200).truncated(),
        evil().garbled().over(Transport::Udp),
        Reply::pointer_loop().over(Transport::Udp),
        evil().cut_to(40).over(Transport::Udp),
    ] {
        let server = Server::new().on(NAME, RecordType::A, bad.clone()).on(NAME, RecordType::A, good());
        let server = start(server).await;
        assert!(!lookup(&resolver(&[&server])).await.contains(&EVIL.to_string()), "{bad:?}");
        assert_eq!(transports(&server), [Transport::Udp, Transport::Tcp], "{bad:?}");
    }
}

#[tokio::test]
async fn hundreds_of_addresses_come_whole_over_tcp() {
    let server = start(Server::new().on_any_type(NAME, Reply::many_addresses(2000))).await;
    let found = resolver(&[&server]).lookup_ip(NAME).await.unwrap();
    assert_eq!(found.len(), 4000);
}

#[tokio::test]
async fn a_large_answer_over_udp_is_taken_when_it_comes_whole() {
    let server = start(Server::new().on(NAME, RecordType::A, Reply::many_addresses(100).oversized())).await;
    assert_eq!(lookup(&resolver(&[&server])).await.len(), 100);
    assert_eq!(transports(&server), [Transport::Udp]);
}

#[tokio::test]
async fn a_forged_garbled_answer_does_not_silence_the_real_one() {
    // The server has no TCP, so that only the datagram that comes later can answer.
    let reply = evil().garbled().then(good().delayed(Duration::from_millis(100)));
    let (server, _silent) = loop {
        let server = Server::new().listens(Listens::Udp).on(NAME, RecordType::A, reply.clone());
        let server = start(server).await;
        // Something that accepts and says nothing stands at the TCP port, if nobody else has it.
        if let Ok(silent) = tokio::net::TcpListener::bind(server.addr()).await {
            break (server, silent);
        }
    };
    assert_eq!(lookup(&resolver(&[&server])).await, ["192.0.2.1"]);
}

#[tokio::test]
async fn servers_that_fail_lead_to_the_next_at_once() {
    for bad in [
        Reply::server_failure(),
        Reply::refused(),
        Reply::refused().without_question(),
        Reply::code(9),
        Reply::lame(),
        good().wrong_question(NAME, RecordType::A).garbled(),
    ] {
        let first = start(Server::new().on_any_type(NAME, bad.clone())).await;
        let second = start(Server::new().on_any_type(NAME, good())).await;
        assert_eq!(lookup(&resolver(&[&first, &second])).await, ["192.0.2.1"], "{bad:?}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_there_leads_to_the_next_at_once() {
    let gone = start(Server::new()).await;
    let there = start(Server::new().on_any_type(NAME, good())).await;
    let config = config(&[&gone, &there]);
    gone.stop().await;
    assert_eq!(lookup(&Resolver::new(config.clone())).await, ["192.0.2.1"]);
    assert_eq!(lookup(&Resolver::new(config).tcp(true)).await, ["192.0.2.1"]);
}

#[tokio::test]
async fn a_silent_server_leads_to_the_next_when_its_time_is_over() {
    let first = start(Server::new().on_any_type(NAME, Reply::silence())).await;
    let second = start(Server::new().on_any_type(NAME, good())).await;
    let resolver = resolver(&[&first, &second]).timeout(Duration::from_millis(300));
    let began = Instant::now();
    assert_eq!(lookup(&resolver).await, ["192.0.2.1"]);
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert_eq!(second.log().len(), 1);
}

#[tokio::test]
async fn what_is_lost_is_asked_again_from_another_port_with_another_id() {
    let server = start(Server::new().on_any_type(NAME, good()).drop_query(1).drop_query(2)).await;
    let found = resolver(&[&server]).timeout(Duration::from_millis(300)).lookup_ip(NAME).await.unwrap();
    assert_eq!(texts(&found), ["192.0.2.1"]);
    let log = server.log();
    assert_eq!(log.len(), 4);
    assert_eq!(log[0].from, log[1].from);
    // The second time each question has a port of its own.
    let ports: std::collections::HashSet<_> = log[1..].iter().map(|query| query.from).collect();
    assert_eq!(ports.len(), 3);
}

#[tokio::test]
async fn when_all_servers_fail_the_error_is_the_most_telling() {
    let silent = start(Server::new().on_any_type(NAME, Reply::silence())).await;
    let failing = start(Server::new().on_any_type(NAME, Reply::server_failure())).await;
    let quick = |servers: &[&Running]| resolver(servers).timeout(Duration::from_millis(100));

    let error = quick(&[&failing, &silent]).lookup_ip(NAME).await.unwrap_err();
    let expected = format!("lookup {NAME} on {}: server misbehaving (SERVFAIL)", failing.addr());
    assert_eq!(error.to_string(), expected);
    assert!(error.lookup_error().unwrap().is_temporary() && !error.is_timeout() && !error.is_not_found());
    assert_eq!(failing.log().len(), 4, "two questions, two attempts");

    let error = quick(&[&silent]).attempts(1).lookup_ip(NAME).await.unwrap_err();
    assert_eq!(error.to_string(), format!("lookup {NAME} on {}: i/o timeout", silent.addr()));
    assert!(error.is_timeout() && error.lookup_error().unwrap().is_temporary());

    let garbled = start(Server::new().on_any_type(NAME, good().garbled())).await;
    let error = quick(&[&garbled]).lookup_ip(NAME).await.unwrap_err();
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::BadAnswer);

    let error = Resolver::new(config(&[])).lookup_ip(NAME).await.unwrap_err();
    assert_eq!(error.to_string(), format!("lookup {NAME}: no name servers to ask"));
}

#[tokio::test]
async fn a_server_without_edns_is_asked_without() {
    for edns in [EdnsSupport::Refused, EdnsSupport::Ignored] {
        let server = start(Server::new().on_any_type(NAME, good()).edns(edns)).await;
        assert_eq!(lookup(&resolver(&[&server])).await, ["192.0.2.1"]);
        let asked: Vec<bool> = server.log().iter().map(|query| query.edns.is_some()).collect();
        let expected: &[bool] = if matches!(edns, EdnsSupport::Refused) { &[true, false] } else { &[true] };
        assert_eq!(asked, expected);
    }
}

#[tokio::test]
async fn trouble_with_one_family_is_trouble_for_the_strict_only() {
    let server =
        Server::new().on(NAME, RecordType::A, good()).on(NAME, RecordType::AAAA, Reply::server_failure());
    let server = start(server).await;
    let resolver = resolver(&[&server]);
    assert_eq!(texts(&resolver.lookup_ip(NAME).await.unwrap()), ["192.0.2.1"]);
    let error = resolver.strict(true).lookup_ip(NAME).await.unwrap_err();
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::ServerFailure);
}

#[tokio::test]
async fn answers_may_come_in_any_order() {
    let server = Server::new()
        .on(NAME, RecordType::AAAA, Reply::addresses([GOOD.to_ipv6_mapped()]).after_answers(1))
        .on(NAME, RecordType::A, good());
    let server = start(server).await;
    assert_eq!(resolver(&[&server]).lookup_ip(NAME).await.unwrap().len(), 2);
}

#[tokio::test]
async fn single_request_asks_one_after_the_other() {
    let server = start(Server::new().on_any_type(NAME, good().delayed(Duration::from_millis(30)))).await;
    let config = config(&[&server]).with_single_request(true);
    Resolver::new(config).lookup_ip(NAME).await.unwrap();
    let log = server.log();
    assert_eq!(log.len(), 2);
    assert!(log[1].at - log[0].at >= Duration::from_millis(30));
    assert_ne!(log[0].from, log[1].from);
}

#[tokio::test]
async fn over_tcp_both_questions_share_a_connection() {
    let server = start(Server::new().on_any_type(NAME, good())).await;
    resolver(&[&server]).tcp(true).lookup_ip(NAME).await.unwrap();
    let log = server.log();
    assert_eq!(log.len(), 2);
    assert!(log.iter().all(|query| query.transport == Transport::Tcp));
    assert_eq!(log[0].connection, log[1].connection);
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_leads_to_the_next_server() {
    let first = start(Server::new().on_any_type(NAME, Reply::close())).await;
    let second = start(Server::new().on_any_type(NAME, good())).await;
    assert_eq!(lookup(&resolver(&[&first, &second]).tcp(true)).await, ["192.0.2.1"]);
    let error = resolver(&[&first]).tcp(true).lookup_ip(NAME).await.unwrap_err();
    assert!(error.to_string().ends_with("the server closed the connection without an answer"), "{error}");
}

#[tokio::test]
async fn rotation_spreads_lookups_over_the_servers() {
    let servers = [start(Server::new()).await, start(Server::new()).await, start(Server::new()).await];
    let config = config(&[&servers[0], &servers[1], &servers[2]]).with_rotate(true);
    let resolver = Resolver::new(config);
    for index in 0..6 {
        assert!(resolver.lookup_ip(&format!("n{index}.example")).await.unwrap_err().is_not_found());
    }
    for server in &servers {
        assert_eq!(server.log().len(), 4);
    }
}

#[tokio::test]
async fn the_explanation_names_servers_transports_and_answers() {
    let server = start(Server::new().on(NAME, RecordType::A, good().truncated())).await;
    let events = Events::default();
    let resolver = resolver(&[&server]).sink(events.clone());
    lookup(&resolver).await;
    let steps = events.pick(|what| match what {
        What::LookupStarted { name, kind } => Some(format!("{kind} {name}")),
        What::Policy { sources, .. } => Some(sources.join(" ")),
        What::SourceAnswered { source, answer } => Some(format!("{source}: {answer}")),
        What::NameTried { name } => Some(name.clone()),
        What::QuerySent { query, name, record, server: to, transport, attempt } => {
            assert_eq!(*to, server.addr());
            Some(format!("{query} {record} {name} {transport} {attempt}"))
        }
        What::QueryAnswered { query, rcode, records, truncated, .. } => {
            Some(format!("{query} {rcode} {} {truncated}", records.join(",")))
        }
        What::LookupDone { answer, .. } => Some(format!("done {}", answer.join(" "))),
        other => panic!("{other:?}"),
    });
    assert_eq!(
        steps,
        [
            "ip4 www.example",
            "files dns",
            "files: nothing known",
            "www.example.",
            "1 A www.example. udp 1",
            "1 NOERROR  true",
            "2 A www.example. tcp 1",
            "2 NOERROR A 192.0.2.1 false",
            "done 192.0.2.1",
        ]
    );
}
