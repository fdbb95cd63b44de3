//! The DNS server without lies: another codec understands it, and it keeps the protocol's rules.

use std::net::Ipv4Addr;

use crate::client::{Client, Stream, answers, ask, lines, query};
use conntest::dns::{EdnsSupport, Listens, Record, RecordType, Reply, Server, SvcParam, Transport};
use conntest::loopback::{V6, has_ipv6};
use domain::base::Rtype;
use domain::base::iana::Rcode;
use tokio::net::{TcpStream, UdpSocket};

#[tokio::test]
async fn records_of_every_type_are_understood() {
    let on = |server: Server, record: Record, record_type| {
        server.on("all.example", record_type, Reply::records([record]).ttl(60))
    };
    let params = || {
        vec![
            SvcParam::Mandatory(vec![1]),
            SvcParam::Alpn(vec!["h2".into(), "h3".into()]),
            SvcParam::NoDefaultAlpn,
            SvcParam::Port(8443),
            SvcParam::Ipv4Hint(vec![Ipv4Addr::new(192, 0, 2, 1)]),
            SvcParam::Ech(vec![1, 2, 3]),
            SvcParam::Ipv6Hint(vec!["2001:db8::1".parse().unwrap()]),
            SvcParam::Other(65_280, b"x".to_vec()),
        ]
    };
    let expected = [
        (Record::a([192, 0, 2, 1]), RecordType::A, "192.0.2.1"),
        (Record::aaaa("2001:db8::1".parse::<std::net::Ipv6Addr>().unwrap()), RecordType::AAAA, "2001:db8::1"),
        (Record::ns("ns.example"), RecordType::NS, "ns.example."),
        (Record::cname("c.example"), RecordType::CNAME, "c.example."),
        (Record::ptr("p.example"), RecordType::PTR, "p.example."),
        (Record::mx(10, "mx.example"), RecordType::MX, "10 mx.example."),
        (Record::txt(["v=1", "two words"]), RecordType::TXT, r#""v=1" "two words""#),
        (Record::srv(1, 2, 53, "s.example"), RecordType::SRV, "1 2 53 s.example."),
        (
            Record::soa("ns.example", "root.example", 30),
            RecordType::SOA,
            "ns.example. root.example. 1 7200 900 1209600 30",
        ),
        (Record::svcb(0, "target.example", []), RecordType::SVCB, "0 target.example."),
        (
            Record::https(1, ".", params()),
            RecordType::HTTPS,
            "1 . mandatory=alpn alpn=h2,h3 nodefaultalpn port=8443 ipv4hint=192.0.2.1 ech=AQID \
             ipv6hint=2001:db8::1 key65280=x",
        ),
    ];
    let server = expected
        .iter()
        .fold(Server::new(), |server, (record, record_type, _)| on(server, record.clone(), *record_type));
    let server = server.start().await.unwrap();
    for (_, record_type, data) in expected {
        let answer = ask(server.addr(), "all.example", Rtype::from_int(record_type.0)).await;
        assert_eq!(answers(&answer), [format!("all.example. 60 {record_type} {data}")]);
    }
}

#[tokio::test]
async fn names_that_are_not_there_and_types_that_are_not_there_are_kept_apart() {
    let server = Server::new()
        .host("www.example", [[192, 0, 2, 1].into()])
        .on("mail.example", RecordType::MX, Reply::records([Record::mx(1, "mx.example")]))
        .on(
            "gone.example",
            RecordType::A,
            Reply::no_such_name().authority(Record::soa("ns.example", "r.example", 9).owner("example")),
        )
        .start()
        .await
        .unwrap();
    for (name, record_type, code, count) in [
        ("www.example", Rtype::A, Rcode::NOERROR, 1),
        ("WWW.eXample", Rtype::A, Rcode::NOERROR, 1),
        ("www.example", Rtype::AAAA, Rcode::NOERROR, 0),
        ("www.example", Rtype::TXT, Rcode::NOERROR, 0),
        ("mail.example", Rtype::A, Rcode::NOERROR, 0),
        ("other.example", Rtype::A, Rcode::NXDOMAIN, 0),
    ] {
        let answer = ask(server.addr(), name, record_type).await;
        assert_eq!((answer.header().rcode(), answers(&answer).len()), (code, count), "{name} {record_type}");
        assert!(answer.header().qr() && answer.header().rd() && answer.header().ra());
        assert_eq!(answer.sole_question().unwrap().qname().to_string(), name);
    }
    let gone = ask(server.addr(), "gone.example", Rtype::A).await;
    let authority = lines(gone.authority().unwrap());
    assert_eq!(authority, ["example. 300 SOA ns.example. r.example. 1 7200 900 1209600 9"]);
}

#[tokio::test]
async fn aliases_are_followed_in_the_same_answer_and_loops_end() {
    let server = Server::new()
        .alias("a.example", "b.example")
        .alias("b.example", "c.example")
        .host("c.example", [[192, 0, 2, 1].into()])
        .alias("to-nowhere.example", "nowhere.example")
        .alias("one.example", "two.example")
        .alias("two.example", "one.example")
        .start()
        .await
        .unwrap();
    let answer = ask(server.addr(), "a.example", Rtype::A).await;
    let chain = ["a.example. 300 CNAME b.example.", "b.example. 300 CNAME c.example."];
    assert_eq!(answers(&answer), [&chain[..], &["c.example. 300 A 192.0.2.1"]].concat());
    let answer = ask(server.addr(), "a.example", Rtype::AAAA).await;
    assert_eq!(
        (answers(&answer), answer.header().rcode()),
        (chain.map(String::from).to_vec(), Rcode::NOERROR)
    );
    let answer = ask(server.addr(), "a.example", Rtype::CNAME).await;
    assert_eq!(answers(&answer), chain[..1]);
    let answer = ask(server.addr(), "to-nowhere.example", Rtype::A).await;
    assert_eq!((answers(&answer).len(), answer.header().rcode()), (1, Rcode::NXDOMAIN));
    let answer = ask(server.addr(), "one.example", Rtype::A).await;
    assert_eq!(
        answers(&answer),
        ["one.example. 300 CNAME two.example.", "two.example. 300 CNAME one.example."]
    );
}

#[tokio::test]
async fn what_does_not_fit_a_datagram_is_truncated_and_whole_over_tcp() {
    let server =
        Server::new().on("big.example", RecordType::AAAA, Reply::many_addresses(90)).start().await.unwrap();
    for (size, fits) in [(None, false), (Some(1232), false), (Some(4096), true)] {
        let client = Client::of(server.addr()).await;
        client.send(&query(1, "big.example", Rtype::AAAA, size)).await;
        let answer = client.answer().await;
        assert_eq!(
            (answer.header().tc(), answers(&answer).len()),
            (!fits, if fits { 90 } else { 0 }),
            "{size:?}"
        );
        assert_eq!(answer.opt().is_some(), size.is_some());
    }
    let mut stream = Stream::to(server.addr()).await;
    stream.send(&query(2, "big.example", Rtype::AAAA, None)).await;
    let answer = stream.answer().await;
    let records = answers(&answer);
    assert!(!answer.header().tc() && records.len() == 90);
    assert_eq!(
        (&*records[0], &*records[89]),
        ("big.example. 300 AAAA fd00::", "big.example. 300 AAAA fd00::59")
    );
}

#[tokio::test]
async fn servers_may_know_little_of_edns() {
    let server =
        |support| Server::new().edns(support).on("x", RecordType::A, Reply::many_addresses(50)).start();
    let ignoring = server(EdnsSupport::Ignored).await.unwrap();
    let client = Client::of(ignoring.addr()).await;
    client.send(&query(1, "x", Rtype::A, Some(4096))).await;
    let answer = client.answer().await;
    assert!(answer.opt().is_none() && answer.header().tc());
    assert_eq!(ignoring.log()[0].edns.as_ref().unwrap().udp_size, 4096, "the log has it all the same");

    let refusing = server(EdnsSupport::Refused).await.unwrap();
    let client = Client::of(refusing.addr()).await;
    client.send(&query(1, "x", Rtype::A, Some(4096))).await;
    let answer = client.answer().await;
    assert_eq!((answer.opt().is_none(), answer.header().rcode()), (true, Rcode::FORMERR));
    assert_eq!(ask(refusing.addr(), "x", Rtype::A).await.header().rcode(), Rcode::NOERROR);
}

#[tokio::test]
async fn replies_come_in_turn_and_can_be_changed() {
    let server = Server::new()
        .on("turns.example", RecordType::A, Reply::server_failure())
        .on("turns.example", RecordType::A, Reply::refused())
        .on("turns.example", RecordType::A, Reply::addresses([[192, 0, 2, 3]]))
        .start()
        .await
        .unwrap();
    for code in [Rcode::SERVFAIL, Rcode::REFUSED, Rcode::NOERROR, Rcode::NOERROR] {
        assert_eq!(ask(server.addr(), "turns.example", Rtype::A).await.header().rcode(), code);
    }
    server.now("turns.example", RecordType::A, Reply::no_such_name());
    assert_eq!(ask(server.addr(), "turns.example", Rtype::A).await.header().rcode(), Rcode::NXDOMAIN);
}

#[tokio::test]
async fn the_log_tells_who_asked_what_and_how() {
    let server = Server::new().start().await.unwrap();
    let client = Client::of(server.addr()).await;
    client.send(b"no query at all").await;
    client.send(&query(11, "First.example", Rtype::A, Some(1400))).await;
    client.answer().await;
    let mut stream = Stream::to(server.addr()).await;
    for id in [12, 13] {
        stream.send(&query(id, "second.example", Rtype::AAAA, None)).await;
        stream.answer().await;
    }
    server.received(3).await;
    let log = server.log();
    let told: Vec<_> = log
        .iter()
        .map(|query| (query.id, &*query.name, query.record_type, query.transport, query.connection))
        .collect();
    assert_eq!(
        told,
        [
            (11, "First.example.", RecordType::A, Transport::Udp, None),
            (12, "second.example.", RecordType::AAAA, Transport::Tcp, Some(1)),
            (13, "second.example.", RecordType::AAAA, Transport::Tcp, Some(1)),
        ]
    );
    assert_eq!(log[0].from.port(), client.port());
    assert_eq!(log[0].edns.as_ref().map(|edns| edns.udp_size), Some(1400));
    assert!(log[0].recursion_desired && log[0].at <= log[1].at);
    assert_eq!(server.unreadable(), [b"no query at all"]);
    assert_eq!(server.log_of("SECOND.example").len(), 2);
    server.clear_log();
    assert!(server.log().is_empty());
}

#[tokio::test]
async fn a_server_may_listen_on_one_transport_only() {
    let udp = Server::new().listens(Listens::Udp).start().await.unwrap();
    assert_eq!(ask(udp.addr(), "x", Rtype::A).await.header().rcode(), Rcode::NXDOMAIN);
    let refused = TcpStream::connect(udp.addr()).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);

    let tcp = Server::new().listens(Listens::Tcp).start().await.unwrap();
    let mut stream = Stream::to(tcp.addr()).await;
    stream.send(&query(1, "x", Rtype::A, None)).await;
    assert_eq!(stream.answer().await.header().rcode(), Rcode::NXDOMAIN);
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.connect(tcp.addr()).await.unwrap();
    socket.send(&query(1, "x", Rtype::A, None)).await.unwrap();
    let refused = socket.recv(&mut [0; 512]).await.unwrap_err();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn it_can_be_put_anywhere_and_leaves_nothing_behind() {
    let server = Server::new().start().await.unwrap();
    let addr = server.addr();
    let mut stream = Stream::to(addr).await;
    stream.send(&query(1, "x", Rtype::A, None)).await;
    stream.answer().await;
    server.stop().await;
    assert!(stream.rest().await.is_empty());
    let again = Server::new().bind(addr).start().await.unwrap();
    assert_eq!(again.addr(), addr);
    if has_ipv6() {
        let server = Server::new().bind(V6).start().await.unwrap();
        let socket = UdpSocket::bind(V6).await.unwrap();
        socket.send_to(&query(1, "x", Rtype::A, None), server.addr()).await.unwrap();
        socket.recv(&mut [0; 512]).await.unwrap();
    }
}
