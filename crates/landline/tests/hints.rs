//! HTTPS records that hold addresses (RFC 9460 section 7.3), seen by a dial that asks for them.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use conntest::dns::{Record, RecordType, Reply, Running, Server, SvcParam};
use conntest::loopback::EchoServer;
use landline::explain::{Event, What};
use landline::resolve::Config;
use landline::{Context, Dialer, Resolver};

const HERE: Ipv4Addr = Ipv4Addr::LOCALHOST;
/// Longer than the test may take.
const FAR_TOO_LATE: Duration = Duration::from_secs(300);

fn hint(address: Ipv4Addr) -> SvcParam {
    SvcParam::Ipv4Hint(vec![address])
}

fn dialer(names: &Running) -> Dialer {
    let config = Config::new().with_servers([names.addr()]).with_timeout(FAR_TOO_LATE);
    Dialer::new().resolver(Resolver::new(config)).https_hints(true)
}

/// What was asked, each once, in the order of the text.
fn asked(names: &Running) -> Vec<String> {
    let log = names.log();
    let mut asked: Vec<_> = log
        .iter()
        .map(|query| format!("{} {}", query.name.trim_end_matches('.'), query.record_type))
        .collect();
    asked.sort();
    asked.dedup();
    asked
}

/// Whose addresses are in no hurry.
fn slow_host(addresses: impl Fn(Reply) -> Reply) -> Server {
    Server::new().on("slow.example", RecordType::A, addresses(Reply::addresses([HERE]))).on(
        "slow.example",
        RecordType::AAAA,
        addresses(Reply::no_data()),
    )
}

#[tokio::test]
async fn a_hint_is_dialed_before_the_addresses_have_come() {
    let echo = EchoServer::bind((HERE, 0).into()).await.unwrap();
    let port = echo.addr().port();
    let owner = format!("_{port}._https.slow.example");
    let names = slow_host(|reply| reply.delayed(FAR_TOO_LATE))
        .on(&owner, RecordType::HTTPS, Reply::records([Record::https(1, ".", [hint(HERE)])]))
        .start()
        .await
        .unwrap();
    let address = format!("slow.example:{port}");
    let dialer = dialer(&names).timeout(FAR_TOO_LATE / 2);
    let conn = dialer.dial("tcp", &address).await.unwrap();
    assert_eq!(conn.peer_addr().unwrap().to_string(), echo.addr().to_string());
    conn.write_all(b"hinted").await.unwrap();
    assert_eq!(conn.read(&mut [0; 16]).await.unwrap(), 6);
    assert_eq!(
        asked(&names),
        [format!("{owner} HTTPS"), "slow.example A".to_owned(), "slow.example AAAA".to_owned()]
    );

    // Only when asked for.
    names.clear_log();
    let plain = dialer.https_hints(false).timeout(Duration::from_millis(300));
    assert!(plain.dial("tcp", &address).await.unwrap_err().is_timeout());
    assert_eq!(asked(&names), ["slow.example A", "slow.example AAAA"]);
}

#[tokio::test]
async fn for_port_443_the_record_is_the_names_own() {
    let other = Ipv4Addr::new(127, 77, 0, 1);
    let names = Server::new()
        .on("own.example", RecordType::HTTPS, Reply::records([Record::https(1, ".", [hint(other)])]))
        .on("own.example", RecordType::A, Reply::silence())
        .start()
        .await
        .unwrap();
    let attempts = Arc::new(Mutex::new(Vec::new()));
    let context = Context::background().child();
    let (seen, ends) = (attempts.clone(), context.clone());
    let dialer = dialer(&names).timeout(FAR_TOO_LATE).sink(move |event: &Event| {
        if let What::AttemptStarted { peer, .. } = &event.what {
            seen.lock().unwrap().push(peer.to_string());
            ends.cancel();
        }
    });
    // Whether anybody listens there is the host's affair.
    let _ = dialer.dial_in(&context, "tcp4", "own.example:443").await;
    assert_eq!(*attempts.lock().unwrap(), [format!("{other}:443")]);
    assert_eq!(asked(&names), ["own.example A", "own.example HTTPS"]);
}

#[tokio::test]
async fn hints_that_lead_elsewhere_are_not_dialed() {
    let echo = EchoServer::bind((HERE, 0).into()).await.unwrap();
    let port = echo.addr().port();
    let owner = format!("_{port}._https.slow.example");
    let wrong = Ipv4Addr::new(127, 0, 0, 99);
    let elsewhere = [
        Record::https(0, "alias.example", []),
        Record::https(1, "other.example", [hint(wrong)]),
        Record::https(2, ".", [SvcParam::Port(port ^ 1), hint(wrong)]),
        Record::https(3, ".", [SvcParam::Mandatory(vec![999]), hint(wrong), SvcParam::Other(999, vec![])]),
    ];
    // The addresses come when the hints have been answered.
    let names = slow_host(|reply| reply.delayed(Duration::from_millis(500)))
        .on(&owner, RecordType::HTTPS, Reply::records(elsewhere))
        .start()
        .await
        .unwrap();
    let (result, report) =
        dialer(&names).timeout(FAR_TOO_LATE).explain("tcp", &format!("slow.example:{port}")).await;
    assert_eq!(result.unwrap().peer_addr().unwrap().to_string(), echo.addr().to_string());
    let told: Vec<_> = report
        .events()
        .iter()
        .filter_map(|event| match &event.what {
            What::QueryAnswered { records, .. } if !records.is_empty() => Some(records.len().to_string()),
            What::AttemptStarted { peer, .. } => Some(peer.to_string()),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["4".to_owned(), "1".to_owned(), echo.addr().to_string()]);
}
