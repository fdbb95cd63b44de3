//! Serves over UDP.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use tokio::net::UdpSocket;
use tokio::task::JoinSet;

use super::query::{Query, Transport};
use super::reply::Source;
use super::script::Delivery;
use super::server::Shared;
use crate::loopback::breathe;

pub(super) async fn serve(socket: UdpSocket, shared: Arc<Shared>) {
    let socket = Arc::new(socket);
    let mut replies = JoinSet::new();
    let mut buffer = vec![0; 64 << 10];
    loop {
        tokio::select! {
            received = socket.recv_from(&mut buffer) => {
                let Ok((count, from)) = received else {
                    breathe().await;
                    continue;
                };
                let raw = &buffer[..count];
                let query = Query::read(raw, from, Transport::Udp, None);
                if let Some((number, deliveries)) = shared.decide(raw, query) {
                    let due = deliveries.iter().all(Delivery::is_due);
                    let work = deliver(socket.clone(), from, number, deliveries, shared.clone());
                    if due {
                        work.await;
                    } else {
                        replies.spawn(work);
                    }
                }
            }
            Some(_) = replies.join_next() => {}
        }
    }
}

async fn deliver(
    socket: Arc<UdpSocket>,
    to: SocketAddr,
    number: u64,
    deliveries: Vec<Delivery>,
    shared: Arc<Shared>,
) {
    for delivery in deliveries {
        shared.due(&delivery).await;
        // A client that has gone misses it, as over any network.
        let _ = send(&socket, to, &delivery).await;
    }
    shared.done(number);
}

async fn send(socket: &UdpSocket, to: SocketAddr, delivery: &Delivery) -> io::Result<usize> {
    let own = socket.local_addr()?;
    let other = match delivery.source {
        Source::Right => return socket.send_to(&delivery.bytes, to).await,
        Source::OtherPort => SocketAddr::new(own.ip(), 0),
        Source::OtherAddress => match own.ip() {
            IpAddr::V4(ip) => SocketAddr::new(neighbour(ip).into(), own.port()),
            IpAddr::V6(_) => SocketAddr::new(own.ip(), 0),
        },
    };
    let socket = match UdpSocket::bind(other).await {
        Ok(socket) => socket,
        // The port is taken there.
        Err(_) => UdpSocket::bind(SocketAddr::new(other.ip(), 0)).await?,
    };
    socket.send_to(&delivery.bytes, to).await
}

/// Another address of the loopback network.
fn neighbour(ip: Ipv4Addr) -> Ipv4Addr {
    let [_, b, c, d] = ip.octets();
    Ipv4Addr::new(127, b, c.wrapping_add(1), d)
}
