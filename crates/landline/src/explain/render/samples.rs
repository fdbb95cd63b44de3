//! Reports of fixed instants that the renderings are tested with.

use std::time::{Duration, UNIX_EPOCH};

use rustix::io::Errno;
use tokio::time::Instant;

use crate::addr::Addr;
use crate::copy::{Copied, CopyPath, Detour};
use crate::error::{
    Cause, Error, LookupError, LookupErrorKind, Operation, ProxyError, ProxyErrorKind, ProxyStep,
};
use crate::explain::event::{AttemptReason, Event, OrderedAddress, What};
use crate::explain::report::{Outcome, Report};
use crate::network::{Family, Network};

/// Two addresses, the first black-holed.
pub(crate) fn raced_dial() -> Report {
    let peer = addr("127.0.0.1:7000");
    let hole = addr("[2001:db8::7]:7000");
    let events = vec![
        (12, What::Parsed { network: Network::Tcp(Family::Any), address: "echo.example:7000".into() }),
        (20, What::LookupStarted { name: "echo.example".into(), kind: "ip" }),
        (
            31,
            What::Policy {
                name: "echo.example".into(),
                sources: vec!["files", "dns"],
                reason: "nsswitch.conf: hosts: files dns".into(),
            },
        ),
        (60, What::SourceAnswered { source: "files", answer: "no entry in /etc/hosts".into() }),
        (90, sent(1, "AAAA", 1)),
        (110, sent(2, "A", 1)),
        (900, answered(1, &["AAAA 2001:db8::7"])),
        (1_400, answered(2, &["CNAME host.example.", "A 127.0.0.1"])),
        (
            1_450,
            What::LookupDone {
                name: "echo.example".into(),
                answer: vec!["2001:db8::7".into(), "127.0.0.1".into()],
            },
        ),
        (
            1_500,
            What::Ordered {
                addresses: vec![
                    OrderedAddress {
                        address: "[2001:db8::7]:7000".parse().unwrap(),
                        source: Some("2001:db8::1".parse().unwrap()),
                        decided_by: Some(6),
                    },
                    OrderedAddress {
                        address: "127.0.0.1:7000".parse().unwrap(),
                        source: Some("127.0.0.1".parse().unwrap()),
                        decided_by: None,
                    },
                ],
            },
        ),
        (1_520, started(1, &hole, AttemptReason::First)),
        (1_540, call(1, "socket", "AF_INET6, SOCK_STREAM", None)),
        (1_550, call(1, "setsockopt", "SO_KEEPALIVE", None)),
        (1_555, call(1, "setsockopt", "TCP_KEEPIDLE", None)),
        (1_560, call(1, "connect", "in progress", None)),
        (251_600, started(2, &peer, AttemptReason::DelayPassed)),
        (251_640, call(2, "socket", "AF_INET, SOCK_STREAM", None)),
        (251_650, What::DefaultNotSet { attempt: 2, option: "TCP_NODELAY", error: Errno::NOPROTOOPT }),
        (251_700, call(2, "connect", "in progress", None)),
        (251_800, What::AttemptConnected { attempt: 2 }),
        (251_820, What::AttemptAbandoned { attempt: 1 }),
        (251_840, What::Connected { attempt: 2, peer: peer.clone() }),
    ];
    let outcome = Outcome::Connected { local: Some(addr("127.0.0.1:40000")), peer: Some(peer) };
    report(Operation::Dial, "tcp", "echo.example:7000", outcome, 251_900, events)
}

/// Two addresses, one refused and one that never answers, and a budget of two seconds.
pub(crate) fn failed_dial() -> Report {
    let (first, second) = (addr("[::1]:1"), addr("192.0.2.1:1"));
    let refused = Error::new(Operation::Dial, Cause::System { call: "connect", error: Errno::CONNREFUSED })
        .to_peer(first.clone());
    let timeout = Error::new(Operation::Dial, Cause::Timeout).to_peer(second.clone());
    let error = Error::new(Operation::Dial, Cause::Attempts(Box::new([refused.clone(), timeout])))
        .on(Network::Tcp(Family::Any))
        .to_text("twice.example:1");
    let events = vec![
        (10, What::Parsed { network: Network::Tcp(Family::Any), address: "twice.example:1".into() }),
        (300, What::ResolutionDelay { delay: Duration::from_millis(50) }),
        (400, started(1, &first, AttemptReason::First)),
        (420, call(1, "socket", "AF_INET6, SOCK_STREAM", None)),
        (450, call(1, "connect", "", Some(Errno::CONNREFUSED))),
        (470, What::AttemptFailed { attempt: 1, error: refused }),
        (
            500,
            What::AttemptStarted {
                attempt: 2,
                peer: second,
                reason: AttemptReason::PreviousFailed,
                budget: Some(Duration::from_secs(2)),
            },
        ),
        (520, call(2, "socket", "AF_INET, SOCK_STREAM", None)),
        (530, call(2, "connect", "in progress", None)),
        (2_000_100, What::DialFailed { error: error.clone() }),
    ];
    report(Operation::Dial, "tcp", "twice.example:1", error.into(), 2_000_200, events)
}

/// Through two proxies, of which the second says no.
pub(crate) fn proxied_dial() -> Report {
    let peer = addr("127.0.0.1:3128");
    let (first, second) = ("http://127.0.0.1:3128", "socks5h://me@inner.example:1080");
    let answer = "not allowed by its rules (reply 2)";
    let kind = ProxyErrorKind::Refused {
        code: 2,
        answer: answer.into(),
        kind: std::io::ErrorKind::PermissionDenied,
    };
    let error = Error::new(Operation::Dial, ProxyError::new(second, ProxyStep::Request, kind))
        .on(Network::Tcp(Family::Any))
        .to_text("db.example:5432");
    let asked = |hop, step, question: &str| What::HopAsked { hop, step, question: question.into() };
    let answered = |hop, step, answer: &str| What::HopAnswered { hop, step, answer: answer.into() };
    let events = vec![
        (10, What::Parsed { network: Network::Tcp(Family::Any), address: "db.example:5432".into() }),
        (
            12,
            What::ProxyChosen {
                proxies: vec![first.into(), second.into()],
                reason: "the environment says so".into(),
            },
        ),
        (20, started(1, &peer, AttemptReason::First)),
        (30, call(1, "connect", "in progress", None)),
        (90, What::AttemptConnected { attempt: 1 }),
        (100, What::HopStarted { hop: 1, proxy: first.into(), target: "inner.example:1080".into() }),
        (101, asked(1, ProxyStep::Request, "CONNECT inner.example:1080")),
        (900, answered(1, ProxyStep::Request, "200 Connection established")),
        (901, What::HopDone { hop: 1 }),
        (902, What::HopStarted { hop: 2, proxy: second.into(), target: "db.example:5432".into() }),
        (903, asked(2, ProxyStep::Greeting, "with a password or without")),
        (1_700, answered(2, ProxyStep::Greeting, "user name and password")),
        (1_701, asked(2, ProxyStep::Authentication, "as me")),
        (2_500, answered(2, ProxyStep::Authentication, "accepted")),
        (2_501, asked(2, ProxyStep::Request, "connect to db.example:5432")),
        (3_300, What::HopFailed { hop: 2, error: error.clone() }),
        (3_310, What::DialFailed { error: error.clone() }),
    ];
    report(Operation::Dial, "tcp", "db.example:5432", error.into(), 3_320, events)
}

/// One of each step that a lookup can have, with a name that tries to drive the terminal and the browser.
pub(crate) fn lookup_with_everything() -> Report {
    let name = "\x1b[2J<script>alert(1)</script>";
    let error = Error::new(
        Operation::Lookup,
        LookupError::new(name, LookupErrorKind::ServerFailure)
            .on_server(Some("127.0.0.53:53".parse().unwrap())),
    );
    let events = vec![
        (5, What::LookupStarted { name: name.into(), kind: "txt" }),
        (
            6,
            What::Policy {
                name: name.into(),
                sources: vec!["dns"],
                reason: "only DNS has TXT records".into(),
            },
        ),
        (7, What::NameTried { name: "a.example.".into() }),
        (8, sent(1, "TXT", 1)),
        (2_000, What::QueryFailed { query: 1, error: "i/o timeout".into() }),
        (2_001, sent(2, "TXT", 2)),
        (
            3_000,
            What::QueryAnswered {
                query: 2,
                rcode: "SERVFAIL".into(),
                records: vec![],
                ttl: None,
                truncated: false,
            },
        ),
        (3_001, sent(3, "TXT", 2)),
        (
            3_500,
            What::QueryAnswered {
                query: 3,
                rcode: "NOERROR".into(),
                records: (0..12).map(|n| format!("\"{n}\x07\"")).collect(),
                ttl: Some(Duration::from_secs(30)),
                truncated: true,
            },
        ),
        (
            3_600,
            What::CacheHit {
                name: "b.example.".into(),
                record: "TXT".into(),
                remaining: Duration::ZERO,
                stale: true,
            },
        ),
        (3_700, What::QueryShared { name: "c.example.".into(), record: "TXT".into() }),
        (3_800, What::HandedToSystem { reason: "nsswitch.conf names the source nis".into() }),
        (3_900, sent(4, "TXT", 3)),
        (3_950, What::QueryAbandoned { query: 4 }),
        (3_960, What::LookupFailed { name: name.into(), error: error.clone() }),
    ];
    report(Operation::Lookup, "txt", name, error.into(), 4_000, events)
}

/// A request that is redirected: the second conn is an old one, and the response breaks off.
pub(crate) fn request() -> Report {
    let stage = |stage, subject: &str| What::StageStarted { stage, subject: subject.to_owned() };
    let done = |stage, result: &str| What::StageDone { stage, result: result.to_owned() };
    let peer = addr("192.0.2.7:443");
    let events = vec![
        (5, What::Remarked { stage: "get", text: "https://shop.example/".into() }),
        (10, started(1, &peer, AttemptReason::First)),
        (12_000, What::AttemptConnected { attempt: 1 }),
        (12_010, What::Connected { attempt: 1, peer: peer.clone() }),
        (12_020, stage("tls", "shop.example")),
        (30_000, done("tls", "TLS1_3, h2")),
        (30_010, stage("wait", "for the response")),
        (55_000, done("wait", "302 Found")),
        (55_010, What::Remarked { stage: "redirect", text: "to https://www.shop.example/".into() }),
        (55_020, What::Remarked { stage: "reuse", text: "of the conn to 192.0.2.8:443".into() }),
        (55_030, stage("wait", "for the response")),
        (70_000, done("wait", "200 OK")),
        (70_010, stage("body", "of 10 bytes")),
        (80_000, What::StageFailed { stage: "body", error: "unexpected end of stream".into() }),
    ];
    let outcome = Outcome::Responded { status: "200 OK".into() };
    report(Operation::Request, "GET", "https://shop.example/", outcome, 80_010, events)
}

/// Two directions: one by splice to its end, one that failed.
pub(crate) fn copy() -> Report {
    let (client, server) = ("tcp 192.0.2.7:40000", "unix /run/app.sock");
    let error = Error::new(Operation::Read, Errno::CONNRESET).on(Network::Tcp(Family::Any));
    let begun = |copy, from: &str, to: &str| What::CopyStarted { copy, from: from.into(), to: to.into() };
    let path = |copy, path, detour| What::CopyPath { copy, path, detour };
    let spliced = Copied {
        bytes: 40_016_384,
        path: CopyPath::Splice,
        buffered: 16_384,
        detour: Some(Detour::Small),
        undelivered: 0,
    };
    let failed = Copied { bytes: 5, path: CopyPath::Buffer, buffered: 5, undelivered: 7, ..spliced };
    let events = vec![
        (10, begun(1, client, server)),
        (12, begun(2, server, client)),
        (300, path(1, CopyPath::Buffer, Some(Detour::Small))),
        (340, path(1, CopyPath::Splice, None)),
        (900, path(2, CopyPath::Buffer, Some(Detour::Small))),
        (9_000, What::CopyDone { copy: 1, copied: spliced }),
        (9_900, What::CopyFailed { copy: 2, copied: failed, error: error.clone() }),
    ];
    report(Operation::Copy, client, server, error.into(), 9_910, events)
}

/// All of them.
pub(crate) fn all() -> [Report; 6] {
    [raced_dial(), failed_dial(), proxied_dial(), request(), lookup_with_everything(), copy()]
}

/// A report of events given in microseconds.
pub(crate) fn report(
    operation: Operation,
    network: &str,
    address: &str,
    outcome: Outcome,
    total: u64,
    events: Vec<(u64, What)>,
) -> Report {
    let began = Instant::now();
    let at = |micros| began + Duration::from_micros(micros);
    Report::new(
        operation,
        network.to_owned(),
        address.to_owned(),
        outcome,
        UNIX_EPOCH + Duration::from_millis(1_767_323_045_678),
        (began, at(total)),
        events.into_iter().map(|(micros, what)| Event { at: at(micros), what }).collect(),
    )
}

pub(crate) fn addr(text: &str) -> Addr {
    Addr::from(text.parse::<std::net::SocketAddr>().unwrap())
}

pub(crate) fn started(attempt: u32, peer: &Addr, reason: AttemptReason) -> What {
    What::AttemptStarted { attempt, peer: peer.clone(), reason, budget: None }
}

pub(crate) fn call(attempt: u32, call: &'static str, detail: &str, error: Option<Errno>) -> What {
    What::SystemCall { attempt, call, detail: detail.to_owned(), error }
}

pub(crate) fn sent(query: u32, record: &str, attempt: u32) -> What {
    What::QuerySent {
        query,
        name: "echo.example.".into(),
        record: record.into(),
        server: "127.0.0.53:53".parse().unwrap(),
        transport: "udp",
        attempt,
    }
}

fn answered(query: u32, records: &[&str]) -> What {
    What::QueryAnswered {
        query,
        rcode: "NOERROR".into(),
        records: records.iter().map(ToString::to_string).collect(),
        ttl: Some(Duration::from_secs(60)),
        truncated: false,
    }
}
