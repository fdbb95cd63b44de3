//! Servers reached in the caller's own way.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use conntest::dns::{Reply, Running, Server, Transport};
use landline::resolve::{Config, DnsConn};
use landline::{Network, Resolver};

use crate::support::{start, texts};

const NAME: &str = "www.example";
const NOWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

async fn server() -> Running {
    start(Server::new().on_any_type(NAME, Reply::addresses([Ipv4Addr::new(192, 0, 2, 1)]))).await
}

fn config() -> Config {
    Config::new().with_servers([NOWHERE])
}

#[tokio::test]
async fn a_function_may_connect_to_anything_with_datagrams() {
    let server = server().await;
    let asked: Arc<Mutex<Vec<(Network, SocketAddr)>>> = Arc::default();
    let (to, log) = (server.addr(), asked.clone());
    let resolver = Resolver::new(config()).transport(move |network, server| {
        log.lock().unwrap().push((network, server));
        async move {
            let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await?;
            socket.connect(to).await?;
            Ok(DnsConn::datagram(socket))
        }
    });
    assert_eq!(texts(&resolver.lookup_ip(NAME).await.unwrap()), ["192.0.2.1"]);
    assert_eq!(*asked.lock().unwrap(), [("udp".parse().unwrap(), "192.0.2.53:53".parse().unwrap())]);
    assert_eq!(server.log().len(), 2);
}

#[tokio::test]
async fn or_with_a_stream_whatever_the_resolver_would_use() {
    let server = server().await;
    let to = server.addr();
    let resolver = Resolver::new(config())
        .transport(move |_, _| async move { Ok(DnsConn::stream(tokio::net::TcpStream::connect(to).await?)) });
    assert_eq!(texts(&resolver.lookup_ip(NAME).await.unwrap()), ["192.0.2.1"]);
    let log = server.log();
    assert!(
        log.iter().all(|query| query.transport == Transport::Tcp && query.connection == log[0].connection)
    );
}

#[tokio::test]
async fn its_errors_lead_to_the_next_server_and_into_the_error() {
    let refusing =
        Resolver::new(config()).transport(|_, _| async { Err(io::Error::other("the tunnel is down")) });
    let error = refusing.lookup_ip(NAME).await.unwrap_err();
    assert_eq!(error.to_string(), format!("lookup {NAME} on {NOWHERE}:53: the tunnel is down"));
    assert!(error.lookup_error().unwrap().is_temporary());

    let server = server().await;
    let to = server.addr();
    let two = Config::new().with_servers([NOWHERE, Ipv4Addr::new(192, 0, 2, 54)]);
    let resolver = Resolver::new(two).transport(move |_, server: SocketAddr| async move {
        match server.ip() {
            ip if ip == NOWHERE => Err(io::ErrorKind::HostUnreachable.into()),
            _ => Ok(DnsConn::stream(tokio::net::TcpStream::connect(to).await?)),
        }
    });
    assert_eq!(texts(&resolver.lookup_ip(NAME).await.unwrap()), ["192.0.2.1"]);
}
