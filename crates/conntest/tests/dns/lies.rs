//! The DNS server lies, spoils, delays and stays silent as scripted, and not otherwise.

use std::net::SocketAddr;
use std::time::Duration;

use crate::client::{Client, Stream, answers, ask, query};
use conntest::dns::{Record, RecordType, Reply, Running, Server, Transport};
use domain::base::iana::Rcode;
use domain::base::{Message, Rtype};
use tokio::time::Instant;

const IP: [u8; 4] = [192, 0, 2, 1];

fn honest() -> Reply {
    Reply::addresses([IP])
}

/// A server that answers for the A records of `x.example` like this.
async fn answering(reply: Reply) -> Running {
    Server::new().on("x.example", RecordType::A, reply).start().await.unwrap()
}

fn question() -> Vec<u8> {
    query(7, "x.example", Rtype::A, None)
}

/// The next datagrams that come back, and from where.
async fn datagrams(server: &Running, count: usize) -> Vec<(Vec<u8>, SocketAddr)> {
    let client = Client::of(server.addr()).await;
    client.send(&question()).await;
    let mut datagrams = Vec::new();
    for _ in 0..count {
        datagrams.push(client.raw().await);
    }
    client.nothing().await;
    datagrams
}

async fn datagram(server: &Running) -> Vec<u8> {
    datagrams(server, 1).await.remove(0).0
}

fn parsed(raw: &[u8]) -> Message<Vec<u8>> {
    Message::from_octets(raw.to_vec()).unwrap()
}

#[tokio::test]
async fn a_forged_answer_can_come_before_the_true_one() {
    let server = answering(Reply::addresses([[203, 0, 113, 66]]).wrong_id().then(honest())).await;
    let both = datagrams(&server, 2).await;
    let (forged, genuine) = (parsed(&both[0].0), parsed(&both[1].0));
    assert_ne!(forged.header().id(), 7);
    assert_eq!(answers(&forged), ["x.example. 300 A 203.0.113.66"]);
    assert_eq!(
        (genuine.header().id(), answers(&genuine)),
        (7, vec!["x.example. 300 A 192.0.2.1".to_owned()])
    );
}

#[tokio::test]
async fn questions_can_be_wrong_mangled_or_missing() {
    let wrong =
        parsed(&datagram(&answering(honest().wrong_question("y.example", RecordType::A)).await).await);
    assert_eq!(wrong.sole_question().unwrap().qname().to_string(), "y.example");
    assert_eq!(answers(&wrong), ["y.example. 300 A 192.0.2.1"]);

    let raw = datagram(&answering(honest().mangled_case()).await).await;
    assert!(raw.windows(9).any(|part| part == b"\x01X\x07EXAMPL"));

    let missing = parsed(&datagram(&answering(honest().without_question()).await).await);
    assert_eq!(missing.header_counts().qdcount(), 0);
    assert_eq!(answers(&missing), ["x.example. 300 A 192.0.2.1"]);
}

#[tokio::test]
async fn answers_can_come_from_elsewhere() {
    let server =
        answering(honest().from_other_port().then(honest().from_other_address()).then(honest())).await;
    let all = datagrams(&server, 3).await;
    let own = server.addr();
    assert!(all[0].1.ip() == own.ip() && all[0].1.port() != own.port());
    assert!(all[1].1.ip() != own.ip());
    assert_eq!(all[2].1, own);
}

#[tokio::test]
async fn messages_can_be_spoilt() {
    let whole = datagram(&answering(honest()).await).await;
    assert_eq!(answers(&parsed(&whole)).len(), 1);

    let garbled = datagram(&answering(honest().garbled()).await).await;
    assert_eq!((garbled.len(), &garbled[..4]), (whole.len(), &whole[..4]));
    assert!(garbled[4..].iter().zip(&whole[4..]).all(|(noise, byte)| noise != byte));
    let counts = parsed(&garbled).header_counts();
    assert!(counts.qdcount() > 1 && counts.ancount() > 1);

    let longer = datagram(&answering(honest().trailing(*b"tail")).await).await;
    assert_eq!(longer, [&whole[..], b"tail"].concat());

    let cut = datagram(&answering(honest().cut_to(whole.len() - 2)).await).await;
    assert_eq!(cut, whole[..whole.len() - 2]);
    assert!(parsed(&cut).answer().unwrap().any(|record| record.is_err()));

    let custom = answering(Reply::custom(|query| format!("{} {}", query.id, query.name).into_bytes())).await;
    assert_eq!(datagram(&custom).await, b"7 x.example.");

    let pointing = parsed(&datagram(&answering(Reply::pointer_loop()).await).await);
    assert_eq!(pointing.sole_question().unwrap().qname().to_string(), "x.example");
    assert!(pointing.answer().unwrap().any(|record| record.is_err()));
}

#[tokio::test]
async fn flags_can_lie() {
    let lame = parsed(&datagram(&answering(Reply::lame()).await).await);
    assert!(!lame.header().ra() && !lame.header().aa());
    assert_eq!((lame.header_counts().ancount(), lame.header_counts().nscount()), (0, 1));

    let truncated = answering(honest().truncated()).await;
    let answer = parsed(&datagram(&truncated).await);
    assert!(answer.header().tc() && answers(&answer).is_empty());
    let mut stream = Stream::to(truncated.addr()).await;
    stream.send(&question()).await;
    let answer = stream.answer().await;
    assert!(!answer.header().tc() && answers(&answer).len() == 1);

    let answer = parsed(&datagram(&answering(honest().truncated_in_name_only()).await).await);
    assert!(answer.header().tc() && answers(&answer).len() == 1);

    let answer = parsed(&datagram(&answering(Reply::many_addresses(60).oversized()).await).await);
    assert!(!answer.header().tc() && answers(&answer).len() == 60);

    let answer = parsed(&datagram(&answering(honest().authoritative().authentic().ttl(0)).await).await);
    assert!(answer.header().aa() && answer.header().ad());
    assert_eq!(answers(&answer), ["x.example. 0 A 192.0.2.1"]);

    let other = Record::a(IP).owner("other.example").class(3);
    let answer = parsed(&datagram(&answering(Reply::records([other]).additional(Record::a(IP))).await).await);
    assert_eq!(answer.header_counts().arcount(), 1);
    let record = answer.answer().unwrap().next().unwrap().unwrap();
    assert_eq!((record.owner().to_string(), record.class().to_int()), ("other.example".to_owned(), 3));
}

#[tokio::test]
async fn silence_is_silence_and_queries_can_be_dropped_by_number() {
    let server = Server::new()
        .on("x.example", RecordType::A, honest())
        .on("mute.example", RecordType::A, Reply::silence())
        .on("tcp.example", RecordType::A, honest().over(Transport::Tcp))
        .drop_query(2)
        .start()
        .await
        .unwrap();
    let client = Client::of(server.addr()).await;
    for (name, answered) in [
        ("x.example", true),
        ("x.example", false),
        ("x.example", true),
        ("mute.example", false),
        ("tcp.example", false),
    ] {
        client.send(&query(1, name, Rtype::A, None)).await;
        if answered {
            client.answer().await;
        } else {
            client.nothing().await;
        }
    }
    let mut stream = Stream::to(server.addr()).await;
    stream.send(&query(1, "tcp.example", Rtype::A, None)).await;
    assert_eq!(answers(&stream.answer().await).len(), 1);
    assert_eq!(server.log().len(), 6, "the unanswered are in the log as well");
}

#[tokio::test]
async fn answers_can_be_late_and_out_of_order() {
    let server = Server::new()
        .on("late.example", RecordType::A, honest().delayed(Duration::from_millis(80)))
        .on("held.example", RecordType::A, honest().after_answers(2))
        .on("x.example", RecordType::A, honest())
        .start()
        .await
        .unwrap();
    let start = Instant::now();
    ask(server.addr(), "late.example", Rtype::A).await;
    assert!(start.elapsed() >= Duration::from_millis(80));

    let client = Client::of(server.addr()).await;
    let mut stream = Stream::to(server.addr()).await;
    client.send(&query(1, "held.example", Rtype::A, None)).await;
    server.received(2).await;
    stream.send(&query(2, "held.example", Rtype::A, None)).await;
    stream.send(&query(3, "x.example", Rtype::A, None)).await;
    assert_eq!(stream.answer().await.header().id(), 3);
    client.nothing().await;
    stream.send(&query(4, "x.example", Rtype::A, None)).await;
    let next = [stream.answer().await, stream.answer().await].map(|answer| answer.header().id());
    assert_eq!(next, [4, 2]);
    assert_eq!(client.answer().await.header().id(), 1);
}

#[tokio::test]
async fn over_tcp_answers_can_be_cut_off_closed_or_dripped() {
    let server = Server::new()
        .on("cut.example", RecordType::A, honest().cut_to(20))
        .on("close.example", RecordType::A, Reply::close())
        .on("drip.example", RecordType::A, honest().byte_by_byte())
        .start()
        .await
        .unwrap();
    let mut stream = Stream::to(server.addr()).await;
    stream.send(&query(1, "cut.example", Rtype::A, None)).await;
    let rest = stream.rest().await;
    assert!(rest.len() == 22 && u16::from_be_bytes([rest[0], rest[1]]) > 20, "{rest:?}");

    let mut stream = Stream::to(server.addr()).await;
    stream.send(&query(1, "close.example", Rtype::A, None)).await;
    assert!(stream.rest().await.is_empty());
    let client = Client::of(server.addr()).await;
    client.send(&query(1, "close.example", Rtype::A, None)).await;
    client.nothing().await;

    let mut stream = Stream::to(server.addr()).await;
    stream.send(&query(1, "drip.example", Rtype::A, None)).await;
    let start = Instant::now();
    let answer = stream.answer().await;
    assert_eq!(answers(&answer).len(), 1);
    assert!(start.elapsed() >= Duration::from_millis(20), "a millisecond for each byte");
}

#[tokio::test]
async fn tcp_clients_may_write_in_pieces_and_end_before_the_answer() {
    let server = answering(honest().delayed(Duration::from_millis(20))).await;
    let mut stream = Stream::to(server.addr()).await;
    let framed = [&[0, question().len() as u8][..], &question()].concat();
    for piece in framed.chunks(5) {
        tokio::io::AsyncWriteExt::write_all(&mut stream.0, piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    tokio::io::AsyncWriteExt::shutdown(&mut stream.0).await.unwrap();
    assert_eq!(stream.answer().await.header().rcode(), Rcode::NOERROR);
    assert!(stream.rest().await.is_empty());
}

#[test]
fn bad_scripts_are_refused_by_name() {
    for (make, words) in [
        (
            &(|| drop(Record::cname("a..b"))) as &(dyn Fn() + std::panic::RefUnwindSafe),
            r#""a..b" is not a domain name: it has an empty label"#,
        ),
        (&|| drop(Reply::code(16)), "response code 16 does not fit the header"),
        (&|| drop(Record::txt([[b'x'; 256]])), "a string of 256 bytes does not fit a record, 255 do"),
    ] {
        let panic = std::panic::catch_unwind(make).unwrap_err();
        assert_eq!(*panic.downcast::<String>().unwrap(), format!("conntest: {words}"));
    }
}
