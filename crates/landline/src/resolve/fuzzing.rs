//! What must hold of the parsers of this step, whatever they are given; see [`crate::fuzzing`].

#![allow(missing_docs)] // Each is named after what it parses.

use std::net::Ipv4Addr;

use domain::base::iana::Rtype;
use domain::base::{Message, ParsedName};

use super::answer::Status;
use super::config::Config;
use super::hosts::Hosts;
use super::message::{Carrier, Form, Query, Question, Reply, from_wire, rtype};
use super::name::Name;
use super::nsswitch::Nsswitch;
use super::policy::{Facts, Plan};
use super::record::RecordType;
use super::resolv_conf::{Environment, ResolvConf};
use super::search::Candidates;
use super::services::{PortProtocol, Services, lookup_port};
use super::special::{Reserved, literal};

/// Zones of a host with one interface, so that nothing depends on the host this runs on.
fn zone_index(zone: &str) -> Option<u32> {
    if zone == "eth0" { Some(2) } else { zone.parse().ok().filter(|&index| index != 0) }
}

pub fn hosts(data: &[u8]) {
    let hosts = Hosts::parse(data, &zone_index);
    for word in String::from_utf8_lossy(data).split_whitespace() {
        if let Some(entry) = hosts.entry(word) {
            assert!(!entry.canonical().is_empty() && !entry.addresses().is_empty());
            for &address in entry.addresses() {
                let bare = |name: &str| name.trim_end_matches('.').to_ascii_lowercase();
                let back = hosts.names(address);
                assert!(back.iter().any(|name| bare(name) == bare(word)), "{word} is not among {back:?}");
            }
        }
        if let Ok(Some(address)) = literal(word, &zone_index) {
            for name in hosts.names(address) {
                assert!(
                    hosts.entry(name).is_some_and(|entry| entry.addresses().contains(&address)),
                    "{name}"
                );
            }
        }
    }
}

pub fn services(data: &[u8]) {
    let services = Services::parse(data);
    for word in String::from_utf8_lossy(data).split_whitespace() {
        for protocol in [PortProtocol::Tcp, PortProtocol::Udp, PortProtocol::Either] {
            let port = lookup_port(protocol, word, &services).ok();
            let number: Option<u16> = word.parse().ok();
            assert!(number.is_none() || port == number, "{word} is {port:?}");
        }
    }
}

pub fn resolv_conf(data: &[u8]) {
    let environment = Environment {
        res_options: String::from_utf8(data.to_vec()).ok().filter(|text| text.len() < 64),
        ..Environment::default()
    };
    for environment in [Environment::default(), environment] {
        let parsed = ResolvConf::parse(data, "host.example.org", &environment, &zone_index);
        let config = &parsed.config;
        assert!(config.servers().len() <= 3 && config.ndots() <= 15 && config.attempts() > 0);
        assert!(!config.timeout().is_zero());
        for name in config.search() {
            assert_eq!(name.as_str().parse().as_ref(), Ok(name));
        }
        try_candidates("host", config);
        try_candidates("a.b.c.d.example", config);
    }
}

pub fn nsswitch(data: &[u8]) {
    let facts = Facts { nsswitch: Nsswitch::parse(data), hostname: "host".to_owned(), ..Facts::default() };
    let config = Config::new().with_order(super::config::LookupOrder::System);
    for name in ["host", "printer.local", "www.example.com", "localhost"] {
        let plan = Plan::for_name(name, &config, &facts);
        // Without sources, as for `hosts: myhostname` and the name of another host, it finds nothing.
        assert!(!plan.reason().is_empty(), "{plan:?}");
    }
    let plan = Plan::for_address(Ipv4Addr::new(192, 0, 2, 1).into(), &config, &facts);
    assert!(!plan.reason().is_empty());
}

pub fn name(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A literal, or its fault, is never mistaken for a name.
    let is_literal = !matches!(literal(text, &zone_index), Ok(None));
    match text.parse::<Name>() {
        Ok(name) => {
            assert!(!is_literal);
            assert!(name.as_str().len() <= 254 && name.as_str().ends_with('.'));
            assert!(name.labels().all(|label| (1..=63).contains(&label.len())));
            assert_eq!(name.as_str().parse().as_ref(), Ok(&name));
            // Whatever is a name can be asked for, and a query is no answer to itself.
            let query =
                Query::new(7, &Question::new(name, RecordType::A), Form { edns: true, trust_ad: false });
            assert!(query.read(query.packet(), Carrier::Datagram).is_none());
        }
        Err(error) => assert_eq!(error.name(), text),
    }
    let search = ["example.com", "corp.example.org"].map(|suffix| suffix.parse::<Name>().unwrap());
    try_candidates(text, &Config::new().with_search(search));
}

fn try_candidates(name: &str, config: &Config) {
    let Ok(candidates) = Candidates::new(name, config) else { return };
    let mut count = 0;
    for candidate in candidates {
        assert_eq!(candidate.as_str().parse().as_ref(), Ok(&candidate));
        assert!(Reserved::of(candidate.as_str()).is_none(), "{candidate} must not be asked for");
        count += 1;
    }
    assert!(count <= config.search().len() + 1);
}

/// The input is a message, which is read as the answer to its own question: otherwise hardly any would be.
pub fn dns(data: &[u8]) {
    let (id, question) = question_of(data);
    for (carrier, form) in [
        (Carrier::Datagram, Form { edns: true, trust_ad: true }),
        (Carrier::Stream, Form { edns: false, trust_ad: false }),
    ] {
        let query = Query::new(id, &question, form);
        match query.read(data, carrier) {
            None => {}
            Some(Reply::Answer(answer)) => {
                assert!(answer.chain.len() <= 16, "{answer:?}");
                assert!(answer.status == Status::Found || answer.records.is_empty(), "{answer:?}");
                assert!(answer.records.len() + answer.dropped.len() <= data.len());
                for shown in
                    answer.records.iter().map(ToString::to_string).chain(answer.chain).chain(answer.dropped)
                {
                    assert!(!shown.contains(char::is_control), "{shown:?} would upset a terminal");
                }
            }
            Some(reply) => assert!(!format!("{reply:?}").is_empty()),
        }
    }
}

fn question_of(data: &[u8]) -> (u16, Question) {
    const RECORDS: [RecordType; 10] = [
        RecordType::A,
        RecordType::Aaaa,
        RecordType::Cname,
        RecordType::Ptr,
        RecordType::Ns,
        RecordType::Mx,
        RecordType::Txt,
        RecordType::Srv,
        RecordType::Svcb,
        RecordType::Https,
    ];
    let asked = Message::from_slice(data).ok().and_then(|message| {
        let question = message.first_question()?;
        let name: &ParsedName<&[u8]> = question.qname();
        let kind: Rtype = question.qtype();
        let record = RECORDS.into_iter().find(|&record| rtype(record) == kind)?;
        Some((message.header().id(), Question::new(from_wire(name).parse().ok()?, record)))
    });
    asked.unwrap_or_else(|| (7, Question::new("www.example.com.".parse().unwrap(), RecordType::A)))
}
