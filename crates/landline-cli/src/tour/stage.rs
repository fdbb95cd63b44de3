//! The stage of the tour: a name server, a black hole and an echo server on loopback.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use landline::explain::{Report, Step};
use landline::{Conn, Dialer, ListenConfig, Listener, PacketConn, Race, TcpListener};
use tokio::task::JoinSet;

use super::name_server::Zone;
use crate::failure::Failure;

/// The name that the tour dials; `.test` is nobody's (RFC 6761 section 6.2).
pub(crate) const NAME: &str = "echo.landline.test";

/// Everything that the dial will meet. Dropping it ends it all.
pub(crate) struct Stage {
    /// Where the name server is.
    pub(crate) name_server: SocketAddr,
    /// The address that never answers.
    pub(crate) black_hole: SocketAddr,
    /// The address that does.
    pub(crate) echo_server: SocketAddr,
    _hole: BlackHole,
    /// The two servers.
    _tasks: JoinSet<()>,
}

/// Where the black hole and the echo server are, tried in this order.
const PLACES: [(IpAddr, IpAddr); 2] = [
    (IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)),
    // A host without IPv6. All of 127.0.0.0/8 is loopback, and RFC 6724 puts the address first that is its own source.
    (IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2))),
];
/// How often another port is tried when the one that the kernel chose is taken at the other address.
const TRIES: usize = 16;

impl Stage {
    /// Sets it up.
    pub(crate) async fn set() -> Result<Stage, Failure> {
        let mut failure = None;
        for (hole, echo) in PLACES {
            match Stage::at(hole, echo).await {
                Ok(stage) => return Ok(stage),
                Err(error) => failure = Some(error),
            }
        }
        Err(failure.expect("there are places, and each failed"))
    }

    async fn at(hole: IpAddr, echo: IpAddr) -> Result<Stage, Failure> {
        let mut tries = 0;
        let (listener, hole) = loop {
            let listener = landline::listen("tcp", &SocketAddr::from((echo, 0)).to_string()).await?;
            let port = listener.local_addr()?.port().unwrap_or(0);
            match BlackHole::at(SocketAddr::from((hole, port))).await {
                Ok(hole) => break (listener, hole),
                Err(Failure::Refused(_)) if tries < TRIES => tries += 1,
                Err(failure) => return Err(failure),
            }
        };
        let black_hole = hole.address;
        let echo_server = SocketAddr::from((echo, black_hole.port()));

        let socket = landline::listen_packet("udp", "127.0.0.1:0").await?;
        let name_server = socket.local_addr()?.as_socket().expect("UDP addresses are socket addresses");
        let zone = Zone { name: NAME.to_owned(), addresses: vec![black_hole.ip(), echo_server.ip()] };

        let mut tasks = JoinSet::new();
        tasks.spawn(serve_names(socket, zone));
        tasks.spawn(serve_echo(listener));
        Ok(Stage { name_server, black_hole, echo_server, _hole: hole, _tasks: tasks })
    }

    /// Whether the black hole is IPv6, as it is wherever there is IPv6.
    pub(crate) fn has_ipv6(&self) -> bool {
        self.black_hole.is_ipv6()
    }
}

/// A listener whose queue of conns to be accepted is full: the kernel drops every further SYN (listen(2)), and whoever
/// connects waits as for a host that is not there.
struct BlackHole {
    address: SocketAddr,
    _listener: TcpListener,
    _queue: Vec<Conn>,
}

impl BlackHole {
    async fn at(address: SocketAddr) -> Result<BlackHole, Failure> {
        let listener = ListenConfig::new().backlog(0).listen_tcp(&address.to_string()).await?;
        // A handshake on loopback is done within the call; one that takes this long will take for ever.
        let dialer = Dialer::new().race(Race::Off).timeout(Duration::from_millis(50));
        let mut queue = Vec::new();
        // A backlog of 0 holds one conn; a kernel that rounds it up holds a few.
        for _ in 0..64 {
            let (result, report) = dialer.explain("tcp", &address.to_string()).await;
            match result {
                Ok(conn) => queue.push(conn),
                // On a busy machine the time can be over before the call was made, and that says nothing.
                Err(error) if error.is_timeout() && !has_called_connect(&report) => {}
                Err(error) if error.is_timeout() => {
                    return Ok(BlackHole { address, _listener: listener, _queue: queue });
                }
                Err(error) => return Err(error.into()),
            }
        }
        Err(Failure::Refused(format!("tour: the queue of {address} does not fill up")))
    }
}

fn has_called_connect(report: &Report) -> bool {
    report.spans().iter().any(|span| matches!(span.step, Step::Call { call: "connect", .. }))
}

/// Answers what is asked about IPv4 at once, and what is asked about IPv6 after that, so that the dial has to wait.
async fn serve_names(socket: PacketConn, zone: Zone) {
    let mut query = [0; 512];
    let mut held = None;
    // An error of one answer, such as that of an asker who is gone, is none of the next one's.
    while let Ok(message) = socket.recv_from(&mut query).await {
        let query = &query[..message.len];
        let Some(answer) = zone.answer(query) else { continue };
        if Zone::is_about_ipv6(query) {
            held = Some((answer, message.from));
            continue;
        }
        let _ = socket.send_to(&answer, &message.from).await;
        if let Some((answer, from)) = held.take() {
            // The dial runs on this thread too: each of these lets it see what has arrived and act on it. A sleep would
            // do as well, were it not that on a busy machine it can last longer than the dial waits.
            for _ in 0..8 {
                tokio::task::yield_now().await;
            }
            let _ = socket.send_to(&answer, &from).await;
        }
    }
}

async fn serve_echo(listener: Listener) {
    let mut conns = JoinSet::new();
    while let Ok(conn) = listener.accept().await {
        conns.spawn(echo(conn));
    }
}

async fn echo(conn: Conn) -> landline::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        match conn.read(&mut buffer).await? {
            0 => return conn.close_write(),
            length => conn.write_all(&buffer[..length]).await?,
        }
    }
}
