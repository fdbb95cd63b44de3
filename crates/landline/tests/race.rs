//! RFC 8305 on real sockets: an address that swallows attempts costs the attempt delay, one that refuses costs nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use conntest::dns::{RecordType, Reply, Running, Server};
use conntest::loopback::{BlackHole, EchoServer, RefusedPort, on_free_port};
use landline::resolve::Config;
use landline::{Conn, Dialer, Race, Resolver};
use tokio::time::Instant;

/// First and second by RFC 6724.
const FIRST: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const ATTEMPT_DELAY: Duration = Duration::from_millis(250);
/// How much later the quickest of some dials may be.
const PROMPT: Duration = Duration::from_millis(50);
/// How much of it a refused address may cost.
const REFUSAL: Duration = Duration::from_millis(20);

async fn names() -> Running {
    Server::new().host("both.example", [SECOND, FIRST]).start().await.unwrap()
}

fn dialer(names: &Running) -> Dialer {
    Dialer::new().resolver(Resolver::new(Config::new().with_servers([names.addr()])))
}

/// Dials, converses with `peer`, and says how long the dial took.
async fn timed(dialer: &Dialer, address: &str, peer: IpAddr) -> Duration {
    let start = Instant::now();
    let conn = dialer.dial("tcp", address).await.unwrap();
    let took = start.elapsed();
    assert_eq!(conn.peer_addr().unwrap().ip(), Some(peer));
    converse(&conn).await;
    took
}

async fn converse(conn: &Conn) {
    conn.write_all(b"over here").await.unwrap();
    assert_eq!(conn.read(&mut [0; 100]).await.unwrap(), 9);
}

/// The quickest of some dials: a moment without a processor is not the dialer's.
async fn quickest(dialer: &Dialer, address: &str, peer: IpAddr) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..5 {
        best = best.min(timed(dialer, address, peer).await);
    }
    best
}

#[tokio::test]
async fn a_black_holed_first_address_costs_the_attempt_delay() {
    let names = names().await;
    let (_hole, echo) = on_free_port(async |port| {
        Ok((BlackHole::bind((FIRST, port).into()).await?, EchoServer::bind((SECOND, port).into()).await?))
    })
    .await
    .unwrap();
    let address = format!("both.example:{}", echo.addr().port());
    let took = quickest(&dialer(&names), &address, SECOND).await;
    assert!(took >= ATTEMPT_DELAY && took < ATTEMPT_DELAY + PROMPT, "{took:?}");

    let hasty = dialer(&names).race(Race::After(Duration::from_millis(100)));
    let took = quickest(&hasty, &address, SECOND).await;
    assert!(took >= Duration::from_millis(100) && took < Duration::from_millis(100) + PROMPT, "{took:?}");
}

#[tokio::test]
async fn a_refused_first_address_costs_nothing() {
    let names = names().await;
    let (_refused, echo) = on_free_port(async |port| {
        Ok((RefusedPort::bind((FIRST, port).into())?, EchoServer::bind((SECOND, port).into()).await?))
    })
    .await
    .unwrap();
    let dialer = dialer(&names);
    let direct = quickest(&dialer, &echo.addr().to_string(), SECOND).await;
    let address = format!("both.example:{}", echo.addr().port());
    let took = quickest(&dialer, &address, SECOND).await;
    assert!(took < direct + REFUSAL, "{took:?}, direct {direct:?}");
}

#[tokio::test]
async fn without_a_race_a_black_hole_takes_its_share_of_the_budget_and_no_more() {
    let names = names().await;
    let (_hole, echo) = on_free_port(async |port| {
        Ok((BlackHole::bind((FIRST, port).into()).await?, EchoServer::bind((SECOND, port).into()).await?))
    })
    .await
    .unwrap();
    let budget = Duration::from_millis(4500);
    let serial = dialer(&names).race(Race::Off).timeout(budget);
    let took = timed(&serial, &format!("both.example:{}", echo.addr().port()), SECOND).await;
    assert!(took >= Duration::from_secs(2) && took < budget, "{took:?}");
}

#[tokio::test]
async fn the_preferred_family_is_dialed_first_though_its_answer_comes_a_little_later() {
    let late = |delay| {
        Server::new()
            .on("both.example", RecordType::A, Reply::addresses([SECOND]))
            .on("both.example", RecordType::AAAA, Reply::addresses([FIRST]).delayed(delay))
            .start()
    };
    let (first, second) = on_free_port(async |port| {
        Ok((EchoServer::bind((FIRST, port).into()).await?, EchoServer::bind((SECOND, port).into()).await?))
    })
    .await
    .unwrap();
    let address = format!("both.example:{}", first.addr().port());

    let names = late(Duration::from_millis(100)).await.unwrap();
    timed(&dialer(&names).resolution_delay(Duration::from_secs(10)), &address, FIRST).await;

    // No longer than the resolution delay, which is 50 ms.
    let names = late(Duration::from_secs(10)).await.unwrap();
    let took = quickest(&dialer(&names), &address, SECOND).await;
    assert!(took >= Duration::from_millis(50) && took < Duration::from_millis(50) + PROMPT, "{took:?}");
    assert_eq!((first.accepted(), second.accepted()), (1, 5));
}

#[tokio::test]
async fn when_all_fail_the_error_names_each_of_them() {
    let names = names().await;
    let (hole, _refused) = on_free_port(async |port| {
        Ok((BlackHole::bind((FIRST, port).into()).await?, RefusedPort::bind((SECOND, port).into())?))
    })
    .await
    .unwrap();
    let port = hole.addr().port();
    let dialer = dialer(&names).timeout(Duration::from_millis(600));
    let error = dialer.dial("tcp", &format!("both.example:{port}")).await.unwrap_err();
    let attempts: Vec<_> =
        error.attempts().iter().map(|attempt| attempt.peer_addr().unwrap().to_string()).collect();
    assert_eq!(attempts, [format!("[::1]:{port}"), format!("127.0.0.1:{port}")], "{error}");
    assert!(error.is_timeout() && error.attempts()[1].is_connection_refused(), "{error}");
}
