//! Lookups through the sources of a host whose files the tests write.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use conntest::dns::{Record, RecordType, Reply, Running, Server};

use super::super::files::tests::{Directory, files};
use super::super::policy::Source;
use super::*;
use crate::explain::Event;
use crate::network::Family;
use crate::resolve::LookupOrder;

const V4: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const V6: IpAddr = IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));

/// The resolver of a host with these files, which asks `server`.
fn on_host(directory: &Directory, server: &Running) -> Resolver {
    Resolver::with(Settings::default(), Arc::new(files(directory))).servers([server.addr()])
}

async fn texts(resolver: &Resolver, family: Family, name: &str) -> Vec<String> {
    let found = resolver.lookup_ip_in(&Context::background(), family, name).await;
    let mut texts: Vec<String> = found.map_or_else(
        |error| vec![error.to_string()],
        |found| found.iter().map(ToString::to_string).collect(),
    );
    texts.sort();
    texts
}

#[tokio::test]
async fn the_hosts_file_is_asked_first_and_both_ways() {
    let directory = Directory::new();
    directory.write("etc/hosts", "192.0.2.10 web.example web\n2001:db8::10 web.example\n192.0.2.11 four\n");
    let server = Server::new().host("four", [V6]).host("web.example", [V4]).start().await.unwrap();
    let resolver = on_host(&directory, &server);
    assert_eq!(texts(&resolver, Family::Any, "WEB.example.").await, ["192.0.2.10", "2001:db8::10"]);
    assert_eq!(texts(&resolver, Family::V6, "web.example").await, ["2001:db8::10"]);
    assert_eq!(&*resolver.lookup_cname("web").await.unwrap(), ["web.example."]);
    assert_eq!(&*resolver.lookup_addr("192.0.2.10").await.unwrap(), ["web.example.", "web"]);
    assert!(server.log().is_empty());

    // What the file has of the other family only is asked of the next source.
    assert_eq!(texts(&resolver, Family::Any, "four").await, ["192.0.2.11"]);
    assert_eq!(texts(&resolver, Family::V6, "four.").await, ["2001:db8::1"]);
    assert_eq!(texts(&resolver.files(false), Family::Any, "web.example").await, ["192.0.2.1"]);
}

#[tokio::test]
async fn nsswitch_conf_says_who_is_asked_first_and_who_after() {
    let directory = Directory::new();
    directory.write("etc/nsswitch.conf", "hosts: dns [UNAVAIL=return] files\n");
    directory.write("etc/hosts", "192.0.2.10 both.example local.example failing.example\n");
    let server = Server::new()
        .host("both.example", [V4])
        .on_any_type("failing.example", Reply::server_failure())
        .start()
        .await
        .unwrap();
    let resolver = on_host(&directory, &server);
    assert_eq!(texts(&resolver, Family::Any, "both.example").await, ["192.0.2.1"]);
    assert_eq!(texts(&resolver, Family::Any, "local.example").await, ["192.0.2.10"]);
    assert_eq!(texts(&resolver, Family::Any, "failing.example").await, ["192.0.2.10"]);
    // The error of the source that asked somebody is the one that tells something.
    let error = format!("lookup nosuch.example on {}: no such host", server.addr());
    assert_eq!(texts(&resolver, Family::Any, "nosuch.example").await, [error]);

    let strict = Directory::new();
    strict.write("etc/nsswitch.conf", "hosts: dns [TRYAGAIN=return] files\n");
    strict.write("etc/hosts", "192.0.2.10 failing.example\n");
    let error = format!("lookup failing.example on {}: server misbehaving (SERVFAIL)", server.addr());
    assert_eq!(texts(&on_host(&strict, &server), Family::Any, "failing.example").await, [error]);
}

#[tokio::test]
async fn addresses_have_names_in_the_dns_where_the_files_have_none() {
    let directory = Directory::new();
    let ptr = Reply::records([Record::ptr("host.example")]);
    let server = Server::new().on("1.2.0.192.in-addr.arpa", RecordType::PTR, ptr).start().await.unwrap();
    let resolver = on_host(&directory, &server);
    assert_eq!(&*resolver.lookup_addr("192.0.2.1").await.unwrap(), ["host.example."]);
    let error = resolver.lookup_addr("192.0.2.2").await.unwrap_err();
    assert_eq!(error.to_string(), format!("lookup 192.0.2.2 on {}: no such host", server.addr()));
}

#[tokio::test]
async fn settings_hold_over_the_files_and_are_not_made_anew_for_each_lookup() {
    let directory = Directory::new();
    directory.write("etc/resolv.conf", "nameserver 192.0.2.53\noptions timeout:9 attempts:4\n");
    let system = Resolver::with(Settings::default(), Arc::new(files(&directory)));
    let view = system.inner.view();
    assert_eq!(view.config.timeout(), Duration::from_secs(9));

    let other = system.timeout(Duration::from_secs(1)).tcp(true).attempts(0);
    let (one, two) = (other.inner.view(), other.inner.view());
    assert!(Arc::ptr_eq(&one.config, &two.config));
    assert_eq!((one.config.timeout(), one.config.use_vc()), (Duration::from_secs(1), true));
    assert_eq!((one.config.attempts(), one.config.servers()), (1, view.config.servers()));
}

/// What a lookup tells of its sources. `127.1` is no literal to landline and an address to the C library
/// (inet_aton(3)), so that the system answers it without asking anyone.
async fn told(resolver: Resolver) -> Vec<String> {
    let told = Arc::new(Mutex::new(Vec::new()));
    let teller = told.clone();
    let resolver = resolver.sink(move |event: &Event| {
        let line = match &event.what {
            What::Policy { sources, reason, .. } => format!("{}: {reason}", sources.join(" ")),
            What::HandedToSystem { reason } => format!("handed over: {reason}"),
            What::SourceAnswered { source, answer } => format!("{source} says {answer}"),
            _ => return,
        };
        teller.lock().unwrap().push(line);
    });
    let found = resolver.lookup_ip("127.1").await.unwrap();
    assert_eq!(found.iter().map(ToString::to_string).collect::<Vec<_>>(), ["127.0.0.1"]);
    let told = told.lock().unwrap();
    told.clone()
}

#[tokio::test]
async fn what_nsswitch_conf_asks_for_and_cannot_be_done_here_is_handed_to_the_system() {
    let directory = Directory::new();
    directory.write("etc/nsswitch.conf", "hosts: files nis dns\n");
    let resolver = Resolver::with(Settings::default(), Arc::new(files(&directory)));
    let expected = [
        "files system: nsswitch.conf: hosts: files nis dns; nis is not done here",
        "files says nothing known",
        "handed over: nis is not done here",
        "system says 127.0.0.1",
    ];
    assert_eq!(told(resolver).await, expected);
}

#[tokio::test]
async fn the_system_is_asked_where_the_configuration_says_so() {
    let order = LookupOrder::Sources(vec![Source::Files, Source::System]);
    let resolver = Resolver::new(Config::new().with_order(order));
    let expected = [
        "files system: the resolver's configuration; the system's resolver was asked for",
        "files says nothing known",
        "handed over: the system's resolver was asked for",
        "system says 127.0.0.1",
    ];
    assert_eq!(told(resolver).await, expected);
}
