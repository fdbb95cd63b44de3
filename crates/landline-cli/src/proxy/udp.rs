//! UDP ASSOCIATE (RFC 1928 sections 6 and 7): datagrams in both directions for as long as the client's conn lasts.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use landline::{Conn, ListenConfig, PacketConn, Resolver};
use tokio::time::{Instant, sleep_until};

use super::rules::Rules;
use super::socks::{Host, read_address, write_address};

/// The longest payload of a datagram.
const LONGEST: usize = 65_535;
/// How many targets may answer; the client's first ones.
const MOST_TARGETS: usize = 1024;
/// How many datagrams may wait for their target's name, and how many names are remembered.
const MOST_WAITING: usize = 32;
const MOST_NAMES: usize = 256;

/// What was relayed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Relayed {
    pub(crate) there: u64,
    pub(crate) back: u64,
}

/// An association of one client.
pub(crate) struct Association {
    /// Where the client sends to.
    inside: PacketConn,
    /// Only from here.
    client_ip: IpAddr,
    /// Known from its first datagram.
    client: Option<SocketAddr>,
    outside_v4: Option<PacketConn>,
    outside_v6: Option<PacketConn>,
    targets: HashSet<SocketAddr>,
    names: HashMap<String, IpAddr>,
    relayed: Relayed,
}

impl Association {
    /// Binds beside the conn: at its local address, for its peer alone.
    pub(crate) async fn bind(
        local: IpAddr,
        client_ip: IpAddr,
        client_port: u16,
    ) -> landline::Result<Association> {
        let client = (client_port != 0).then(|| SocketAddr::new(client_ip, client_port));
        Ok(Association {
            inside: bind(local).await?,
            client_ip: client_ip.to_canonical(),
            client,
            outside_v4: None,
            outside_v6: None,
            targets: HashSet::new(),
            names: HashMap::new(),
            relayed: Relayed::default(),
        })
    }

    /// Where the client is to send its datagrams.
    pub(crate) fn local_addr(&self) -> landline::Result<Option<SocketAddr>> {
        Ok(self.inside.local_addr()?.as_socket())
    }

    /// Relays until the conn ends, or nothing has moved for so long.
    pub(crate) async fn run(
        mut self,
        conn: &Conn,
        rules: &Rules,
        resolver: &Resolver,
        idle: Duration,
    ) -> Relayed {
        let mut waiting = FuturesUnordered::new();
        let mut from_client = vec![0; LONGEST];
        // Made with their sockets.
        let (mut from_v4, mut from_v6) = (Vec::new(), Vec::new());
        let mut spoken = [0; 64];
        let mut ends = Instant::now() + idle;
        loop {
            for (socket, buffer) in [(&self.outside_v4, &mut from_v4), (&self.outside_v6, &mut from_v6)] {
                if socket.is_some() {
                    buffer.resize(LONGEST, 0);
                }
            }
            tokio::select! {
                // Whatever the client says here means nothing; its end means the end.
                read = conn.read(&mut spoken) => if !matches!(read, Ok(1..)) {
                    return self.relayed;
                },
                () = sleep_until(ends) => return self.relayed,
                (length, from) = receive(Some(&self.inside), &mut from_client) => {
                    ends = Instant::now() + idle;
                    let Some((host, port, data)) = self.accept(from, &from_client[..length]) else { continue };
                    match self.known(&host) {
                        Some(ip) => self.send(rules, &host, ip, port, data).await,
                        None if waiting.len() < MOST_WAITING => {
                            let Host::Name(name) = host else { continue };
                            // Nothing is asked about a name that may not be reached.
                            if rules.check_name(&name, port).is_ok() {
                                let data = data.to_vec();
                                waiting.push(async move {
                                    let found = resolver.lookup_ip(&name).await;
                                    (found.ok().and_then(|found| Some(found.iter().next()?.ip)), name, port, data)
                                });
                            }
                        }
                        // As when a router has no room.
                        None => {}
                    }
                }
                Some((found, name, port, data)) = waiting.next() => {
                    let Some(ip) = found else { continue };
                    if self.names.len() >= MOST_NAMES {
                        self.names.clear();
                    }
                    self.names.insert(name.clone(), ip);
                    self.send(rules, &Host::Name(name), ip, port, &data).await;
                }
                (length, from) = receive(self.outside_v4.as_ref(), &mut from_v4) => {
                    ends = Instant::now() + idle;
                    self.answer(from, &from_v4[..length]).await;
                }
                (length, from) = receive(self.outside_v6.as_ref(), &mut from_v6) => {
                    ends = Instant::now() + idle;
                    self.answer(from, &from_v6[..length]).await;
                }
            }
        }
    }

    /// A datagram of the client's: its target and its data. Others' are not heard, nor fragments, which nobody has to
    /// support.
    fn accept<'d>(&mut self, from: SocketAddr, datagram: &'d [u8]) -> Option<(Host, u16, &'d [u8])> {
        if from.ip().to_canonical() != self.client_ip
            || self.client.is_some_and(|client| client.port() != from.port())
        {
            return None;
        }
        let (host, port, data) = open(datagram)?;
        self.client = Some(from);
        Some((host, port, data))
    }

    fn known(&self, host: &Host) -> Option<IpAddr> {
        match host {
            Host::Ip(ip) => Some(*ip),
            Host::Name(name) => self.names.get(name).copied(),
        }
    }

    async fn send(&mut self, rules: &Rules, host: &Host, ip: IpAddr, port: u16, data: &[u8]) {
        let name = match host {
            Host::Name(name) => Some(name.as_str()),
            Host::Ip(_) => None,
        };
        let target = SocketAddr::new(ip.to_canonical(), port);
        if rules.check(name, target.ip(), port).is_err() || port == 0 {
            return;
        }
        if !self.targets.contains(&target) && self.targets.len() >= MOST_TARGETS {
            return;
        }
        let (socket, any) = match target {
            SocketAddr::V4(_) => (&mut self.outside_v4, IpAddr::from(Ipv4Addr::UNSPECIFIED)),
            SocketAddr::V6(_) => (&mut self.outside_v6, IpAddr::from(Ipv6Addr::UNSPECIFIED)),
        };
        if socket.is_none() {
            *socket = bind(any).await.ok();
        }
        let Some(socket) = socket else { return };
        self.targets.insert(target);
        // A datagram that cannot be sent is one that was lost.
        if socket.send_to(data, &target.into()).await.is_ok() {
            self.relayed.there += data.len() as u64;
        }
    }

    /// Passes on what a target says, of those that the client has spoken to.
    async fn answer(&mut self, from: SocketAddr, data: &[u8]) {
        let from = SocketAddr::new(from.ip().to_canonical(), from.port());
        let (Some(client), true) = (self.client, self.targets.contains(&from)) else { return };
        let mut datagram = vec![0, 0, 0];
        write_address(&mut datagram, from);
        datagram.extend_from_slice(data);
        if self.inside.send_to(&datagram, &client.into()).await.is_ok() {
            self.relayed.back += data.len() as u64;
        }
    }
}

/// Takes a client's datagram apart: reserved, fragment, target, data.
fn open(datagram: &[u8]) -> Option<(Host, u16, &[u8])> {
    let [_, _, 0, rest @ ..] = datagram else { return None };
    let (host, port, length) = read_address(rest)?;
    Some((host, port, &rest[length..]))
}

async fn bind(ip: IpAddr) -> landline::Result<PacketConn> {
    ListenConfig::new().listen_packet("udp", &SocketAddr::new(ip, 0).to_string()).await
}

/// The next datagram. What one sent before met with, such as a port that is not there, is told here too and is nobody's
/// matter; a socket that has nothing else to say is as good as silent.
async fn receive(socket: Option<&PacketConn>, buffer: &mut [u8]) -> (usize, SocketAddr) {
    if let Some(socket) = socket {
        for _ in 0..MOST_TARGETS {
            if let Ok(received) = socket.recv_from(buffer).await
                && let Some(from) = received.from.as_socket()
            {
                return (received.len, from);
            }
        }
    }
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_datagram_breaks_it(datagram in any::<Vec<u8>>()) {
            if let Some((_, _, data)) = open(&datagram) {
                prop_assert!(datagram.ends_with(data));
            }
        }
    }

    #[test]
    fn datagrams_are_taken_apart() {
        let ip = |text: &str| Host::Ip(text.parse().unwrap());
        for (datagram, expected) in [
            (&b"\0\0\0\x01\x7f\0\0\x01\0\x35data"[..], Some((ip("127.0.0.1"), 53, &b"data"[..]))),
            (b"\0\0\0\x03\x01a\0\x35", Some((Host::Name("a".to_owned()), 53, b""))),
            (b"\0\0\x01\x01\x7f\0\0\x01\0\x35data", None),
            (b"\0\0\0\x01\x7f\0\0\x01\0", None),
            (b"\0\0\0\x02\x7f\0\0\x01\0\x35", None),
            (b"\0\0\0", None),
            (b"", None),
        ] {
            assert_eq!(open(datagram), expected, "{}", datagram.escape_ascii());
        }
    }
}
