//! Backends by name, and by the path of a socket.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::time::Duration;

use conntest::dns::{Record, RecordType, Reply, Server};
use landline::Resolver;
use landline::resolve::Config;
use landline_http::reverse_proxy::ReverseProxy;
use tokio::net::{TcpListener, UnixListener};
use tokio::time::timeout;

use crate::harness::{LONG, Running, answer, backend_on, front, get, header};

const ONE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none";
const TWO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\ntwo";

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Servers on two addresses of the same port.
async fn two() -> (u16, Running, Running) {
    loop {
        let one = TcpListener::bind((FIRST, 0)).await.unwrap();
        let port = one.local_addr().unwrap().port();
        // Somebody else may have it there.
        if let Ok(two) = TcpListener::bind((SECOND, port)).await {
            let one = backend_on(one, |stream| answer(stream, ONE));
            return (port, one, backend_on(two, |stream| answer(stream, TWO)));
        }
    }
}

/// A resolver that asks this server alone.
fn resolver(names: &conntest::dns::Running) -> Resolver {
    Resolver::new(Config::new().with_servers([names.addr()])).files(false)
}

fn only(address: Ipv4Addr) -> Reply {
    Reply::records([Record::a(address).ttl(0)])
}

#[tokio::test]
async fn every_address_of_a_name_has_its_share() {
    let (port, one, two) = two().await;
    let names = Server::new().host("app.example", [FIRST.into(), SECOND.into()]).start().await.unwrap();
    let proxy = ReverseProxy::new([format!("http://app.example:{port}")]).unwrap().resolver(resolver(&names));
    let front = front(proxy).await;
    let both = async {
        let mut seen = HashSet::new();
        while seen.len() < 2 {
            let answer = get(&front).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
            seen.insert(answer[answer.len() - 3..].to_owned());
        }
    };
    timeout(LONG, both).await.expect("both are asked");
    // One lookup, not one for each request.
    assert!(names.log_of("app.example").len() <= 2);
    drop((one, two));
}

#[tokio::test]
async fn a_name_that_moves_is_followed() {
    let (port, _one, _two) = two().await;
    let names = Server::new()
        .on("app.example", RecordType::A, only(FIRST))
        .on("app.example", RecordType::A, only(SECOND))
        .on("app.example", RecordType::AAAA, Reply::no_data())
        .start()
        .await
        .unwrap();
    let proxy = ReverseProxy::new([format!("http://app.example:{port}")]).unwrap().resolver(resolver(&names));
    let front = front(proxy).await;
    assert!(get(&front).await.ends_with("one"));
    let until_moved = async {
        while !get(&front).await.ends_with("two") {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LONG, until_moved).await.expect("it is followed");
}

#[tokio::test]
async fn a_name_that_is_none() {
    let names = Server::new().start().await.unwrap();
    let proxy = ReverseProxy::new(["http://app.example"]).unwrap().resolver(resolver(&names));
    let front = front(proxy).await;
    for _ in 0..4 {
        let answer = get(&front).await;
        assert!(answer.starts_with("HTTP/1.1 502 "), "{answer}");
        assert_eq!(header(&answer, "proxy-status"), Some("landline; error=dns_error"));
    }
}

#[tokio::test]
async fn a_backend_whose_name_fails_does_not_stop_the_others() {
    let (port, _one, _two) = two().await;
    let names = Server::new()
        .host("app.example", [FIRST.into()])
        .on_any_type("slow.example", Reply::silence())
        .start()
        .await
        .unwrap();
    let urls = ["slow", "app"].map(|name| format!("http://{name}.example:{port}"));
    let front = front(ReverseProxy::new(urls).unwrap().resolver(resolver(&names))).await;
    assert!(get(&front).await.ends_with("one"));
}

#[tokio::test]
async fn a_unix_socket() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("app");
    let listener = UnixListener::bind(&path).unwrap();
    let served = tokio::spawn(async move {
        loop {
            tokio::spawn(answer(listener.accept().await.unwrap().0, ONE));
        }
    });
    let front = front(ReverseProxy::new([format!("unix:{}", path.display())]).unwrap()).await;
    assert!(get(&front).await.ends_with("one"));
    served.abort();
}
