//! Honest answers, and what lookups make of them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use conntest::dns::{Record, RecordType, Reply, Server, SvcParam};
use landline::{Context, Family, LookupErrorKind, Resolver};

use crate::support::{resolver, start, texts};

const V4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const V6: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);

fn both() -> [IpAddr; 2] {
    [V4.into(), V6.into()]
}

#[tokio::test]
async fn a_host_has_the_addresses_of_both_families() {
    let server = start(Server::new().host("www.example", both())).await;
    let found = resolver(&[&server]).lookup_ip("www.example").await.unwrap();
    assert_eq!(texts(&found), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(found.canonical_name(), Some("www.example."));
    assert_eq!(found.server(), Some(server.addr()));
    assert!(found.ttl().is_some() && !found.is_stale() && !found.is_authenticated());

    // Both questions came from one fresh port, with ids that differ.
    let log = server.log();
    assert_eq!(log.len(), 2);
    assert_eq!(log[0].from, log[1].from);
    assert_ne!(log[0].id, log[1].id);
    assert!(log.iter().all(|query| query.recursion_desired && query.edns.as_ref().unwrap().udp_size == 1232));
    resolver(&[&server]).lookup_ip("www.example").await.unwrap();
    assert_ne!(server.log()[2].from, log[0].from);
}

#[tokio::test]
async fn one_family_can_be_asked_for_alone() {
    let server = start(Server::new().host("www.example", both())).await;
    let background = Context::background();
    for (family, text) in [(Family::V4, "192.0.2.1"), (Family::V6, "2001:db8::1")] {
        let found = resolver(&[&server]).lookup_ip_in(&background, family, "www.example").await.unwrap();
        assert_eq!(texts(&found), [text]);
    }
    let asked: Vec<RecordType> = server.log().iter().map(|query| query.record_type).collect();
    assert_eq!(asked, [RecordType::A, RecordType::AAAA]);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_told_from_one_without_records() {
    let server = start(Server::new().host("www.example", both())).await;
    let resolver = resolver(&[&server]);
    let error = resolver.lookup_ip("nosuch.example").await.unwrap_err();
    assert_eq!(error.to_string(), format!("lookup nosuch.example on {}: no such host", server.addr()));
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::NotFound);
    assert_eq!(error.lookup_error().unwrap().server(), Some(server.addr()));
    let error = resolver.lookup_mx("www.example").await.unwrap_err();
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::NoData);
    assert!(error.is_not_found() && !error.is_timeout());
    assert_eq!(
        error.to_string(),
        format!("lookup www.example on {}: no records of this type", server.addr())
    );
}

#[tokio::test]
async fn literals_are_their_own_answer_and_nobody_is_asked() {
    let server = start(Server::new()).await;
    let resolver = resolver(&[&server]);
    assert_eq!(texts(&resolver.lookup_ip("192.0.2.7").await.unwrap()), ["192.0.2.7"]);
    assert_eq!(texts(&resolver.lookup_host("2001:DB8::1").await.unwrap()), ["2001:DB8::1"]);
    let error = resolver.lookup_ip_in(&Context::background(), Family::V6, "192.0.2.7").await.unwrap_err();
    assert_eq!(error.to_string(), "lookup 192.0.2.7: no suitable address found");
    let error = resolver.lookup_ip("fe80::1%nonesuch").await.unwrap_err();
    assert!(error.is_not_found() && error.to_string().contains("fe80::1%nonesuch"), "{error}");
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn aliases_are_followed_to_the_canonical_name() {
    let server = Server::new()
        .host("real.example", [V4.into()])
        .alias("www.example", "web.example")
        .alias("web.example", "real.example")
        .alias("dangling.example", "gone.example");
    let server = start(server).await;
    let resolver = resolver(&[&server]);
    let found = resolver.lookup_ip("www.example").await.unwrap();
    assert_eq!(
        (texts(&found), found.canonical_name()),
        (vec!["192.0.2.1".to_owned()], Some("real.example."))
    );
    assert_eq!(texts(&resolver.lookup_cname("www.example").await.unwrap()), ["real.example."]);
    assert_eq!(texts(&resolver.lookup_cname("real.example").await.unwrap()), ["real.example."]);
    assert_eq!(texts(&resolver.lookup_cname("dangling.example").await.unwrap()), ["gone.example."]);
    assert!(resolver.lookup_cname("nosuch.example").await.unwrap_err().is_not_found());
    assert!(resolver.lookup_ip("dangling.example").await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn every_kind_of_record_can_be_looked_up() {
    let https = Record::https(1, ".", [SvcParam::Alpn(vec!["h2".into(), "h3".into()]), SvcParam::Port(8443)]);
    let server = Server::new()
        .on(
            "example.com",
            RecordType::MX,
            Reply::records([Record::mx(20, "b.example"), Record::mx(10, "a.example")]),
        )
        .on("example.com", RecordType::NS, Reply::records([Record::ns("ns1.example.com")]))
        .on(
            "example.com",
            RecordType::TXT,
            Reply::records([Record::txt(["v=spf1 ", "-all"]), Record::txt(["x\"y"])]),
        )
        .on("example.com", RecordType::HTTPS, Reply::records([https]))
        .on("_dns.example.com", RecordType::SVCB, Reply::records([Record::svcb(2, "dns.example.com", [])]))
        .on(
            "_xmpp._tcp.example.com",
            RecordType::SRV,
            Reply::records([
                Record::srv(2, 0, 5222, "b.example.com"),
                Record::srv(1, 0, 5223, "a.example.com"),
            ]),
        )
        .on("7.2.0.192.in-addr.arpa", RecordType::PTR, Reply::records([Record::ptr("host.example.com")]))
        .on(
            "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
            RecordType::PTR,
            Reply::records([Record::ptr("six.example.com")]),
        );
    let server = start(server).await;
    let resolver = resolver(&[&server]);

    let shown = |records: Vec<String>| records.join("; ");
    let in_order = |found: Vec<String>| shown(found);
    let mx = resolver.lookup_mx("example.com").await.unwrap();
    assert_eq!(in_order(mx.iter().map(ToString::to_string).collect()), "10 a.example.; 20 b.example.");
    assert_eq!(shown(texts(&resolver.lookup_ns("example.com").await.unwrap())), "ns1.example.com.");
    let txt = resolver.lookup_txt("example.com").await.unwrap();
    assert_eq!(shown(texts(&txt)), r#""v=spf1 " "-all"; "x\"y""#);
    assert!(txt.iter().any(|txt| txt.text() == "v=spf1 -all"));
    let https = resolver.lookup_https("example.com").await.unwrap();
    assert_eq!(shown(texts(&https)), "1 . alpn=h2,h3 port=8443");
    let svcb = resolver.lookup_svcb("_dns.example.com").await.unwrap();
    assert_eq!(shown(texts(&svcb)), "2 dns.example.com.");
    let srv = resolver.lookup_srv("xmpp", "tcp", "example.com").await.unwrap();
    assert_eq!(
        in_order(srv.iter().map(ToString::to_string).collect()),
        "1 0 5223 a.example.com.; 2 0 5222 b.example.com."
    );
    assert_eq!(srv.canonical_name(), Some("_xmpp._tcp.example.com."));
    assert_eq!(srv, resolver.lookup_srv("", "", "_xmpp._tcp.example.com").await.unwrap());
    assert_eq!(shown(texts(&resolver.lookup_addr("192.0.2.7").await.unwrap())), "host.example.com.");
    assert_eq!(shown(texts(&resolver.lookup_addr("2001:db8::1").await.unwrap())), "six.example.com.");
    assert_eq!(shown(texts(&resolver.lookup_addr("::ffff:192.0.2.7").await.unwrap())), "host.example.com.");
}

#[tokio::test]
async fn times_to_live_are_the_least_of_all_that_led_there() {
    let server = start(Server::new().on(
        "www.example",
        RecordType::A,
        Reply::records([
            Record::cname("real.example").ttl(30),
            Record::a(V4).owner("real.example").ttl(300),
            Record::a([192, 0, 2, 2]).owner("real.example").ttl(200),
        ]),
    ))
    .await;
    let found =
        resolver(&[&server]).lookup_ip_in(&Context::background(), Family::V4, "www.example").await.unwrap();
    assert_eq!((found.len(), found.ttl()), (2, Some(Duration::from_secs(30))));
}

#[tokio::test]
async fn records_with_names_that_cannot_be_are_dropped_and_told_of() {
    let names =
        |names: &[&str]| Reply::records(names.iter().map(|name| Record::ptr(name)).collect::<Vec<_>>());
    let server = Server::new()
        .on("1.2.0.192.in-addr.arpa", RecordType::PTR, names(&["good.example", "<script>.example"]))
        .on("2.2.0.192.in-addr.arpa", RecordType::PTR, names(&["<script>.example"]))
        .on(
            "example.com",
            RecordType::MX,
            Reply::records([Record::mx(1, "b@d.example"), Record::mx(2, "192.0.2.9")]),
        );
    let server = start(server).await;
    let resolver = resolver(&[&server]);
    let found = resolver.lookup_addr("192.0.2.1").await.unwrap();
    assert_eq!((texts(&found), found.dropped().len()), (vec!["good.example.".to_owned()], 1));
    let error = resolver.lookup_addr("192.0.2.2").await.unwrap_err();
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::InvalidRecords);
    assert!(error.to_string().contains("<script>.example."), "{error}");
    assert_eq!(texts(&resolver.lookup_mx("example.com").await.unwrap()), ["2 192.0.2.9."]);
}

#[tokio::test]
async fn addresses_and_names_that_cannot_be_are_refused_by_name() {
    let server = start(Server::new()).await;
    let resolver = resolver(&[&server]);
    for (address, words) in [
        ("bogus", "lookup bogus: unrecognized address"),
        ("", "lookup : unrecognized address"),
        ("192.0.2", "lookup 192.0.2: unrecognized address"),
    ] {
        assert_eq!(resolver.lookup_addr(address).await.unwrap_err().to_string(), words);
    }
    for name in ["", "a..b", "-a", "a b", "1.2.3", &"a".repeat(300), "a\nb"] {
        let error = resolver.lookup_ip(name).await.unwrap_err();
        assert!(
            error.is_not_found() && error.to_string().contains(&name.escape_debug().to_string()),
            "{error}"
        );
        assert!(resolver.lookup_mx(name).await.unwrap_err().is_not_found());
    }
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn reserved_names_that_exist_have_no_records_and_the_others_do_not_exist() {
    use landline::LookupErrorKind::{NoData, NotFound};
    let server = start(Server::new().otherwise(Reply::addresses([V4]))).await;
    let resolver = resolver(&[&server]);
    for (name, kind) in
        [("localhost", NoData), ("www.localhost.", NoData), ("x.invalid", NotFound), ("x.onion", NotFound)]
    {
        let error = resolver.lookup_mx(name).await.unwrap_err();
        assert_eq!(error.lookup_error().unwrap().kind(), kind, "{error}");
    }
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn ports_have_names() {
    let resolver = Resolver::system();
    assert_eq!(resolver.lookup_port("tcp", "http").await.unwrap(), 80);
    assert_eq!(resolver.lookup_port("udp", "domain").await.unwrap(), 53);
    assert_eq!(resolver.lookup_port("tcp", "8080").await.unwrap(), 8080);
    for (service, port) in [("http", 80), ("ntp", 123)] {
        assert_eq!(resolver.lookup_port("ip", service).await.unwrap(), port, "TCP's, else UDP's");
    }
    let error = resolver.lookup_port("tcp", "nosuchservice").await.unwrap_err();
    assert_eq!(error.to_string(), "lookup tcp/nosuchservice: unknown port");
    assert_eq!(error.lookup_error().unwrap().kind(), LookupErrorKind::UnknownPort);
    assert!(error.is_not_found());
    assert!(resolver.lookup_port("tcp", "65536").await.unwrap_err().to_string().contains("65536"));
    assert!(
        resolver
            .lookup_port("bogus", "http")
            .await
            .unwrap_err()
            .to_string()
            .contains("unknown network bogus")
    );
}

#[tokio::test]
async fn trust_ad_is_asked_for_and_passed_on() {
    let server = start(Server::new().on_any_type("www.example", Reply::addresses([V4]).authentic())).await;
    let found = resolver(&[&server]).lookup_ip("www.example").await.unwrap();
    assert!(!found.is_authenticated() && !server.log()[0].authentic_data);
    let trusting = crate::support::config(&[&server]).with_trust_ad(true);
    assert!(Resolver::new(trusting).lookup_ip("www.example").await.unwrap().is_authenticated());
    assert!(server.log().last().unwrap().authentic_data);
}

/// Lookups can be spawned.
#[test]
fn futures_of_lookups_are_send() {
    fn check<T: Send>(_: T) {}
    let resolver = Resolver::system();
    let context = Context::background();
    check(resolver.lookup_ip(""));
    check(resolver.lookup_host_in(&context, ""));
    check(resolver.lookup_cname(""));
    check(resolver.lookup_addr(""));
    check(resolver.lookup_mx(""));
    check(resolver.lookup_srv("", "", ""));
    check(resolver.lookup_port("tcp", ""));
    fn value<T: Send + Sync + Unpin + 'static>() {}
    value::<Resolver>();
    value::<landline::Lookup<landline::ScopedIp>>();
}
