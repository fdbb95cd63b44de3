//! A pool of servers that DNS knows.

mod common;

use std::time::Duration;

use common::{PATIENCE, args, serve};
use conntest::dns::{Record, RecordType, Reply, Server as NameServer};
use landline::resolve::{Config, LookupOrder, Source};
use landline::{Resolver, Serving};
use landline_rpc::{ClientConfig, Error, Reconnect, Server};
use tokio::time::timeout;

/// A server that says which one it is.
async fn numbered(number: u64) -> (Serving, u16) {
    let server = Server::new().register("Which.One", move |(): ()| async move { Ok::<_, Error>(number) });
    let serving = serve(&server.unwrap()).await;
    let address = serving.local_addr().to_string();
    let port = address.rsplit_once(':').unwrap().1.parse().unwrap();
    (serving, port)
}

fn asking(server: std::net::SocketAddr) -> Resolver {
    let order = LookupOrder::Sources(vec![Source::Dns]);
    Resolver::new(Config::new().with_servers([server]).with_order(order))
}

#[tokio::test]
async fn services_are_found_and_shared_by_their_weights() {
    let mut serving = Vec::new();
    let mut records = Vec::new();
    for (number, priority, weight) in [(0, 1, 30), (1, 1, 10), (2, 2, 10)] {
        let (each, port) = numbered(number).await;
        records.push(Record::srv(priority, weight, port, "localhost").ttl(300));
        serving.push(Some(each));
    }
    let names = NameServer::new()
        .on("_which._tcp.example.test", RecordType::SRV, Reply::records(records))
        .start()
        .await
        .unwrap();
    let config = ClientConfig::new()
        .resolver(asking(names.addr()))
        .reconnect(Reconnect::Backoff { first: Duration::from_secs(3600), most: Duration::from_secs(3600) });
    let pool = config.pool("tcp", "_which._tcp.example.test").unwrap();
    let mut counts = [0; 3];
    for _ in 0..400 {
        counts[pool.call::<(), u64>("Which.One", &()).await.unwrap() as usize] += 1;
    }
    assert_eq!(counts[2], 0, "{counts:?}");
    assert!(counts[0] > counts[1] && counts[1] > 20, "{counts:?}");
    assert_eq!(pool.servers().len(), 3);
    // When those of the first priority are gone, calls that are not sent go to the next.
    for each in &mut serving[..2] {
        each.take().unwrap().shutdown(PATIENCE).await;
    }
    let mut answered = 0;
    while answered < 20 {
        match pool.call::<(), u64>("Which.One", &()).await {
            Ok(number) => {
                assert_eq!(number, 2);
                answered += 1;
            }
            // Two conns at most are found to have ended by a call that was sent.
            Err(error) => assert!(error.is_disconnect(), "{error:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_comes_back_is_called_again() {
    let ((first, port), (_second, other)) = (numbered(0).await, numbered(1).await);
    let records = [port, other].map(|port| Record::srv(1, 1, port, "localhost").ttl(300));
    let names = NameServer::new()
        .on("_which._tcp.example.test", RecordType::SRV, Reply::records(records.to_vec()))
        .start()
        .await
        .unwrap();
    let soon = Reconnect::Backoff { first: Duration::from_millis(1), most: Duration::from_millis(20) };
    let config = ClientConfig::new().resolver(asking(names.addr())).reconnect(soon);
    let pool = config.pool("tcp", "_which._tcp.example.test").unwrap();
    // Whichever is asked, and whether or not its conn has just been lost.
    let answers_of = async |wanted: u64| {
        while !matches!(pool.call::<(), u64>("Which.One", &()).await, Ok(number) if number == wanted) {}
    };
    for wanted in [0, 1] {
        timeout(PATIENCE, answers_of(wanted)).await.expect("both are called");
    }
    first.shutdown(Duration::ZERO).await;
    drop(first);
    timeout(PATIENCE, answers_of(1)).await.expect("the other goes on");
    let back = Server::new().register("Which.One", |(): ()| async { Ok::<_, Error>(2_u64) }).unwrap();
    let _back = back.serve("tcp", &format!("127.0.0.1:{port}")).await.unwrap();
    timeout(PATIENCE, answers_of(2)).await.expect("it is called again");
}

#[tokio::test]
async fn every_address_of_a_host_is_a_server() {
    let (server, _) = common::server();
    let serving = serve(&server).await;
    let port = serving.local_addr().to_string().rsplit_once(':').unwrap().1.to_owned();
    let names = NameServer::new()
        .host(
            "calc.example.test",
            ["127.0.0.1".parse().unwrap(), "127.0.0.2".parse::<std::net::IpAddr>().unwrap()],
        )
        .start()
        .await
        .unwrap();
    let config = ClientConfig::new().resolver(asking(names.addr()));
    let pool = config.pool("tcp4", &format!("calc.example.test:{port}")).unwrap();
    for number in 0..20 {
        // Nobody listens on the second: those calls go to the first.
        assert_eq!(pool.call::<_, i64>("Arith.Multiply", &args(number, 2)).await.unwrap(), number * 2);
    }
    let mut known = pool.servers();
    known.sort();
    assert_eq!(known, [format!("127.0.0.1:{port}"), format!("127.0.0.2:{port}")]);
}

#[tokio::test]
async fn addresses_that_are_none_are_errors() {
    assert!(ClientConfig::new().pool("tcp", "nowhere").is_err());
    assert!(ClientConfig::new().pool("tcp9", "localhost:1").is_err());
    let names = NameServer::new().start().await.unwrap();
    let config = ClientConfig::new().resolver(asking(names.addr()));
    let error = config.pool("tcp", "missing.example.test:1").unwrap().call::<(), ()>("X.Y", &()).await;
    assert!(matches!(&error, Err(Error::Dial(error)) if error.is_not_found()), "{error:?}");
}
