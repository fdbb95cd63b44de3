//! Messages against tables of bytes, against chance, and against hickory-proto.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hickory_proto::op as hickory;
use hickory_proto::rr::RData;
use proptest::prelude::*;

use super::super::answer::Data;
use super::super::packet::{AA, AD, IN, NXDOMAIN, Packet, QR, RA, SERVFAIL, TC, name};
use super::super::record::{Mx, Srv, Txt};
use super::*;

const FORM: Form = Form { edns: true, trust_ad: false };

fn question(text: &str, record: RecordType) -> Question {
    Question::new(text.parse().unwrap(), record)
}

fn query(text: &str, record: RecordType) -> Query {
    Query::new(0x1234, &question(text, record), FORM)
}

fn read(query: &Query, packet: &Packet) -> Option<Reply> {
    query.read(&packet.bytes(), Carrier::Datagram)
}

fn answer(query: &Query, packet: &Packet) -> Answer {
    match read(query, packet) {
        Some(Reply::Answer(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

fn a(last: u8) -> [u8; 4] {
    [192, 0, 2, last]
}

fn addresses(answer: &Answer) -> Vec<IpAddr> {
    let address = |data: &Data| match data {
        Data::Address(ip) => *ip,
        other => panic!("{other:?}"),
    };
    answer.records.iter().map(address).collect()
}

fn ip(last: u8) -> IpAddr {
    IpAddr::from(a(last))
}

#[test]
fn a_query_is_these_bytes() {
    let query = Query::new(0xbeef, &question("a.Bc", RecordType::Aaaa), Form { edns: true, trust_ad: true });
    let mut expected = vec![0xbe, 0xef, 0x01, 0x20, 0, 1, 0, 0, 0, 0, 0, 1];
    expected.extend(b"\x01a\x02Bc\x00\x00\x1c\x00\x01");
    expected.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(query.packet(), expected);

    let plain = Query::new(1, &question(".", RecordType::Ns), Form { edns: false, trust_ad: false });
    assert_eq!(plain.packet(), [0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]);
}

#[test]
fn what_is_no_answer_to_the_query_is_waited_past() {
    let query = query("www.example", RecordType::A);
    let good = || Packet::answering(&query).answer("www.example.", RecordType::A, 60, &a(1));
    assert_eq!(addresses(&answer(&query, &good())), [ip(1)]);

    let asked = |text, record, class| {
        Packet::answering(&query).without_question().question(&question(text, record), class)
    };
    let foreign = [
        ("another id", good().id(0x1235)),
        ("a query", good().flags(RA)),
        ("another opcode", good().flags(QR | 2 << 11)),
        ("another name", asked("ww.example", RecordType::A, IN)),
        ("another type", asked("www.example", RecordType::Aaaa, IN)),
        ("another class", asked("www.example", RecordType::A, 3)),
    ];
    for (what, packet) in foreign {
        assert!(read(&query, &packet).is_none(), "{what}");
    }
    for length in 0..12 {
        assert!(query.read(&good().bytes()[..length], Carrier::Datagram).is_none());
    }
}

#[test]
fn an_answer_to_no_question_or_to_several_is_garbled() {
    let query = query("www.example", RecordType::A);
    let good = || Packet::answering(&query).answer("www.example.", RecordType::A, 60, &a(1));
    let mut unreadable = good().bytes();
    unreadable[12] = 0xff;
    for packet in [
        good().question(&question("www.example", RecordType::A), IN).bytes(),
        good().without_question().bytes(),
        good().without_question().flags(QR | SERVFAIL).bytes(),
        good().bytes()[..16].to_vec(),
        unreadable,
    ] {
        let reply = query.read(&packet, Carrier::Datagram);
        assert!(matches!(reply, Some(Reply::Garbled(_))), "{reply:?}");
    }
}

#[test]
fn case_does_not_matter() {
    let query = query("wWw.Example", RecordType::A);
    let packet = Packet::answering(&query)
        .without_question()
        .question(&question("WWW.eXAMPLE", RecordType::A), IN)
        .answer("www.EXAMPLE.", RecordType::A, 60, &a(1));
    assert_eq!(addresses(&answer(&query, &packet)), [ip(1)]);
}

#[test]
fn response_codes_are_told_apart() {
    let query = query("www.example", RecordType::A);
    let plain =
        Query::new(0x1234, &question("www.example", RecordType::A), Form { edns: false, trust_ad: false });
    let with = |flags| Packet::answering(&query).flags(QR | RA | flags);
    let text = |query: &Query, packet: &Packet| match read(query, packet) {
        Some(Reply::Failed(rcode)) => format!("failed {rcode}"),
        Some(Reply::NoEdns(rcode)) => format!("no edns {rcode}"),
        Some(Reply::Answer(answer)) => format!("{:?}", answer.status),
        other => format!("{other:?}"),
    };
    assert_eq!(text(&query, &with(0)), "NoData");
    assert_eq!(text(&query, &with(1)), "no edns FORMERR");
    assert_eq!(text(&plain, &with(1)), "failed FORMERR");
    assert_eq!(text(&query, &with(2)), "failed SERVFAIL");
    assert_eq!(text(&query, &with(3)), "NameError");
    assert_eq!(text(&query, &with(4)), "no edns NOTIMP");
    assert_eq!(text(&query, &with(5)), "failed REFUSED");
    assert_eq!(text(&query, &with(0).opt(1)), "no edns BADVERS");
    assert_eq!(text(&query, &with(5).without_question()), "failed REFUSED");
    assert_eq!(text(&query, &with(1).without_question()), "no edns FORMERR");
}

#[test]
fn truncation_is_for_datagrams() {
    let query = query("www.example", RecordType::A);
    let packet =
        Packet::answering(&query).flags(QR | RA | TC).answer("www.example.", RecordType::A, 1, &a(1));
    assert!(matches!(read(&query, &packet), Some(Reply::Truncated)));
    assert!(matches!(query.read(&packet.bytes(), Carrier::Stream), Some(Reply::Garbled(_))));
}

#[test]
fn an_empty_answer_counts_only_from_who_could_know() {
    let query = query("www.example", RecordType::A);
    let empty = |flags| Packet::answering(&query).flags(QR | flags);
    assert!(matches!(read(&query, &empty(0)), Some(Reply::Lame)));
    let referral = empty(0).row(1, "example.", 2, IN, 60, &name("ns.example."));
    assert!(matches!(read(&query, &referral), Some(Reply::Lame)));
    assert_eq!(answer(&query, &empty(AA)).status, Status::NoData);
    assert_eq!(answer(&query, &empty(RA)).status, Status::NoData);
    assert_eq!(answer(&query, &empty(0).soa("example.", 60, 30)).status, Status::NoData);
    assert_eq!(answer(&query, &empty(NXDOMAIN)).status, Status::NameError);
}

#[test]
fn the_chain_is_followed_in_any_order_and_nothing_beside_it_counts() {
    let query = query("a.example", RecordType::A);
    let packet = Packet::answering(&query)
        .answer("c.example.", RecordType::A, 60, &a(3))
        .answer("evil.example.", RecordType::A, 60, &a(66))
        .cname("b.example.", "c.example.")
        .row(0, "c.example.", 1, 3, 60, &a(67)) // class CH
        .answer("C.EXAMPLE.", RecordType::A, 30, &a(4))
        .answer("c.example.", RecordType::A, 60, &a(3))
        .cname("a.example.", "b.example.");
    let answer = answer(&query, &packet);
    assert_eq!(addresses(&answer), [ip(3), ip(4)]);
    assert_eq!(answer.chain, ["b.example.", "c.example."]);
    assert_eq!(answer.ttl, Some(Duration::from_secs(30)));
}

#[test]
fn a_chain_has_an_end() {
    let query = query("n0.example", RecordType::A);
    let chain = |links: usize| {
        (0..links).fold(Packet::answering(&query), |packet, link| {
            packet.cname(&format!("n{link}.example."), &format!("n{}.example.", link + 1))
        })
    };
    assert_eq!(answer(&query, &chain(16).answer("n16.example.", RecordType::A, 1, &a(1))).chain.len(), 16);
    for packet in [chain(17), chain(3).cname("n3.example.", "n1.example.")] {
        match read(&query, &packet) {
            Some(Reply::Garbled(fault)) => assert_eq!(fault, "more than 16 CNAME records in a row"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_cname_asked_for_is_not_followed() {
    let query = query("a.example", RecordType::Cname);
    let packet =
        Packet::answering(&query).cname("a.example.", "b.example.").cname("b.example.", "c.example.");
    assert_eq!(answer(&query, &packet).records, [Data::Name("b.example.".into())]);
}

#[test]
fn an_answer_about_another_name_is_garbled() {
    let query = query("www.example", RecordType::A);
    let packet = Packet::answering(&query).answer("evil.example.", RecordType::A, 60, &a(66));
    assert!(matches!(read(&query, &packet), Some(Reply::Garbled(_))));
    // One about another type of the same name says that there is none of this type.
    let packet = Packet::answering(&query).answer("www.example.", RecordType::Ns, 60, &name("ns."));
    assert_eq!(answer(&query, &packet).status, Status::NoData);
}

#[test]
fn what_ends_early_or_does_not_parse_is_garbled() {
    let query = query("www.example", RecordType::A);
    let good = Packet::answering(&query).answer("www.example.", RecordType::A, 60, &a(1)).bytes();
    for length in 12..good.len() {
        let reply = query.read(&good[..length], Carrier::Datagram);
        assert!(matches!(reply, Some(Reply::Garbled(_))), "{length}: {reply:?}");
    }
    for data in [&[1, 2, 3][..], &[1, 2, 3, 4, 5]] {
        let packet = Packet::answering(&query).answer("www.example.", RecordType::A, 60, data);
        assert!(matches!(read(&query, &packet), Some(Reply::Garbled(_))), "{data:?}");
    }
    // A compression pointer to itself, as the owner of the record.
    let mut looping = Packet::answering(&query).bytes();
    let at = looping.len() as u8;
    looping[7] = 1;
    looping.extend([0xc0, at, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    assert!(matches!(query.read(&looping, Carrier::Datagram), Some(Reply::Garbled(_))));
    // A proper one.
    let mut pointing = looping;
    pointing[usize::from(at) + 1] = 12;
    assert!(matches!(query.read(&pointing, Carrier::Datagram), Some(Reply::Answer(_))));
}

#[test]
fn negative_answers_carry_the_ttl_of_their_soa() {
    let query = query("www.example", RecordType::A);
    let secs = |packet: &Packet| answer(&query, packet).ttl.map(|ttl| ttl.as_secs());
    let negative = || Packet::answering(&query).flags(QR | RA | NXDOMAIN);
    assert_eq!(secs(&negative()), None);
    assert_eq!(secs(&negative().soa("example.", 600, 30)), Some(30));
    assert_eq!(secs(&negative().soa(".", 60, 300)), Some(60));
    assert_eq!(secs(&negative().soa("other.", 60, 300)), None);
    // With an alias, the SOA is that of its target's zone.
    let alias = negative().cname("www.example.", "gone.other.").soa("other.", 600, 400);
    assert_eq!(secs(&alias), Some(300));
    assert_eq!(answer(&query, &alias).chain, ["gone.other."]);
}

#[test]
fn a_ttl_with_its_highest_bit_set_is_none() {
    let query = query("www.example", RecordType::A);
    for (ttl, expected) in [(0x7fff_ffff, 0x7fff_ffff), (0x8000_0000, 0), (u32::MAX, 0)] {
        let packet = Packet::answering(&query).answer("www.example.", RecordType::A, ttl, &a(1));
        assert_eq!(answer(&query, &packet).ttl, Some(Duration::from_secs(expected)));
    }
}

#[test]
fn authenticated_is_only_said_when_asked() {
    let trusting =
        Query::new(0x1234, &question("www.example", RecordType::A), Form { edns: true, trust_ad: true });
    let packet =
        Packet::answering(&trusting).flags(QR | RA | AD).answer("www.example.", RecordType::A, 1, &a(1));
    assert!(answer(&trusting, &packet).authenticated);
    assert!(!answer(&query("www.example", RecordType::A), &packet).authenticated);
}

#[test]
fn each_type_becomes_its_own_data() {
    let v6: Ipv6Addr = "2001:db8::1".parse().unwrap();
    let cases: [(RecordType, Vec<u8>, Data); 9] = [
        (RecordType::A, a(7).into(), Data::Address(Ipv4Addr::from(a(7)).into())),
        (RecordType::Aaaa, v6.octets().into(), Data::Address(v6.into())),
        (RecordType::Ns, name("ns.example."), Data::Name("ns.example.".into())),
        (RecordType::Ptr, name("host.example."), Data::Name("host.example.".into())),
        (RecordType::Mx, [&[0, 10][..], &name("mx.example.")].concat(), Data::Mx(Mx::new(10, "mx.example."))),
        (RecordType::Mx, [&[0, 0][..], &name(".")].concat(), Data::Mx(Mx::new(0, "."))),
        (
            RecordType::Srv,
            [&[0, 1, 0, 2, 0, 80][..], &name("web.example.")].concat(),
            Data::Srv(Srv::new(1, 2, 80, "web.example.")),
        ),
        (RecordType::Txt, b"\x01a\x00\x02bc".to_vec(), Data::Txt(Txt::new(["a", "", "bc"]))),
        (
            RecordType::Mx, // an address where a name should be
            [&[0, 5][..], &name("192.0.2.1.")].concat(),
            Data::Mx(Mx::new(5, "192.0.2.1.")),
        ),
    ];
    for (record, wire, data) in cases {
        let query = query("www.example", record);
        let packet = Packet::answering(&query).answer("www.example.", record, 60, &wire);
        let answer = answer(&query, &packet);
        assert_eq!((answer.records, answer.dropped.len()), (vec![data], 0));
    }
}

#[test]
fn names_that_cannot_be_names_are_dropped_and_told_of() {
    let query = query("www.example", RecordType::Ptr);
    let packet = Packet::answering(&query)
        .answer("www.example.", RecordType::Ptr, 60, &name("good.example."))
        .answer("www.example.", RecordType::Ptr, 60, &name("<script>.example."))
        .answer("www.example.", RecordType::Ptr, 60, &name("a\\046b.example."));
    let answer = answer(&query, &packet);
    assert_eq!(answer.records, [Data::Name("good.example.".into())]);
    assert_eq!(
        answer.dropped,
        ["PTR record: invalid name <script>.example.", r"PTR record: invalid name a\\.b.example."]
    );
}

#[test]
fn service_bindings_stand_and_fall_together() {
    let query = query("www.example", RecordType::Https);
    let good = [&[0, 1][..], &name("."), &[0, 1, 0, 3, 2, b'h', b'2', 0, 3, 0, 2, 31, 144]].concat();
    let bad = [&[0, 2][..], &name("."), &[0, 3, 0, 1, 31]].concat();
    let packet = Packet::answering(&query).answer("www.example.", RecordType::Https, 60, &good);
    assert_eq!(answer(&query, &packet).records[0].to_string(), "1 . alpn=h2 port=8080");
    let both = answer(&query, &packet.answer("www.example.", RecordType::Https, 60, &bad));
    assert_eq!((both.status, both.records.len()), (Status::Found, 0));
    assert_eq!(both.dropped, ["HTTPS record: malformed port"]);
}

/// What hickory-proto reads in a packet for the same question: the addresses along the chain.
fn hickory_addresses(packet: &[u8], first: &str) -> Option<Vec<IpAddr>> {
    let message = hickory::Message::from_vec(packet).ok()?;
    let mut at = hickory_proto::rr::Name::from_ascii(first).unwrap();
    for _ in 0..=16 {
        let here = || message.answers.iter().filter(|row| row.name == at);
        let found: Vec<IpAddr> = here()
            .filter_map(|row| match row.data {
                RData::A(address) => Some(IpAddr::V4(address.0)),
                _ => None,
            })
            .collect();
        if !found.is_empty() {
            return Some(found);
        }
        at = here().find_map(|row| match &row.data {
            RData::CNAME(target) => Some(target.0.clone()),
            _ => None,
        })?;
    }
    None
}

proptest! {
    #[test]
    fn hickory_reads_what_is_sent(
        id: u16,
        labels in prop::collection::vec("[a-zA-Z0-9_]{0,62}z", 1..4),
        edns: bool,
        trust_ad: bool,
    ) {
        let text = labels.join(".") + ".";
        let query = Query::new(id, &question(&text, RecordType::Https), Form { edns, trust_ad });
        let message = hickory::Message::from_vec(query.packet()).unwrap();
        prop_assert_eq!(message.metadata.id, id);
        prop_assert_eq!(message.metadata.message_type, hickory::MessageType::Query);
        prop_assert!(message.metadata.recursion_desired);
        prop_assert_eq!(message.metadata.authentic_data, trust_ad);
        prop_assert_eq!(message.queries.len(), 1);
        prop_assert_eq!(message.queries[0].name().to_ascii(), text);
        prop_assert_eq!(message.queries[0].query_type(), hickory_proto::rr::RecordType::HTTPS);
        prop_assert_eq!(message.edns.map(|edns| edns.max_payload()), edns.then_some(UDP_PAYLOAD));
    }

    #[test]
    fn hickory_finds_the_same_addresses(
        rows in prop::collection::vec((0..4usize, 0..4usize, 0..3u8), 0..10),
    ) {
        const NAMES: [&str; 4] = ["a.example.", "b.example.", "c.example.", "d.example."];
        let query = query("a.example", RecordType::A);
        let packet = rows.iter().fold(Packet::answering(&query), |packet, &(owner, target, kind)| match kind {
            0 => packet.cname(NAMES[owner], NAMES[target]),
            _ => packet.answer(NAMES[owner], RecordType::A, 60, &a(target as u8)),
        });
        let expected = hickory_addresses(&packet.bytes(), "a.example.").map(|mut found| {
            let mut seen = std::collections::HashSet::new();
            found.retain(|ip| seen.insert(*ip));
            found
        });
        let found = match read(&query, &packet) {
            Some(Reply::Answer(answer)) if answer.status == Status::Found => Some(addresses(&answer)),
            _ => None,
        };
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn damaged_answers_never_panic_and_never_say_what_hickory_does_not_see(
        cuts in prop::collection::vec((12..200usize, any::<u8>()), 0..6),
        length in 12..200usize,
    ) {
        let query = query("a.example", RecordType::A);
        let mut bytes = Packet::answering(&query)
            .cname("a.example.", "b.example.")
            .answer("b.example.", RecordType::A, 60, &a(1))
            .answer("b.example.", RecordType::A, 60, &a(2))
            .soa("example.", 1, 2)
            .opt(0)
            .bytes();
        for (at, byte) in cuts {
            if let Some(place) = bytes.get_mut(at) {
                *place = byte;
            }
        }
        bytes.truncate(length);
        if let Some(Reply::Answer(answer)) = query.read(&bytes, Carrier::Datagram)
            && let Some(seen) = hickory_addresses(&bytes, "a.example.")
        {
            prop_assert!(addresses(&answer).iter().all(|ip| seen.contains(ip)));
        }
    }

    #[test]
    fn no_packet_panics(bytes in prop::collection::vec(any::<u8>(), 0..300), record in 0..6usize) {
        const TYPES: [RecordType; 6] = [
            RecordType::A, RecordType::Mx, RecordType::Srv, RecordType::Txt, RecordType::Https, RecordType::Ptr,
        ];
        let query = query("a.example", TYPES[record]);
        // Behind a header and question that fit, so that the rest is looked at.
        let mut packet = Packet::answering(&query).bytes();
        packet[7] = 3;
        packet[9] = 1;
        packet.extend(bytes);
        let _ = query.read(&packet, Carrier::Datagram);
        let _ = query.read(&packet[12..], Carrier::Stream);
    }
}
