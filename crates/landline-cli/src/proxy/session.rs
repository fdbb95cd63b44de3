//! One client's conn: what it speaks, what it asks for, and the relay.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use landline::{Addr, Conn, Copier, Dialer, Error, Network, Resolver, TcpConn, join_host_port};
use tokio::time::timeout;

use super::logins::Logins;
use super::request::{self, LONGEST_HEAD, Refusal, Request};
use super::rules::{Denial, Rules};
use super::socks::{self, Command, Host, Socks};
use super::udp::{Association, Relayed};
use crate::output;
use crate::reset::Unfinished;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);
const GLANCE: usize = 4096;

/// What all conns of a proxy share.
pub(crate) struct Proxy {
    pub(crate) rules: Arc<Rules>,
    pub(crate) logins: Logins,
    pub(crate) dialer: Dialer,
    pub(crate) resolver: Resolver,
    pub(crate) idle: Duration,
    pub(crate) logs: bool,
}

/// How a conn ended that did not get what it asked for.
enum Ended {
    /// It was told, or there was nobody to tell.
    Refused(String),
    /// The conn itself failed.
    Failed(Error),
}

impl From<Error> for Ended {
    fn from(error: Error) -> Ended {
        Ended::Failed(error)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ended::Refused(reason) => f.write_str(reason),
            Ended::Failed(error) => error.fmt(f),
        }
    }
}

impl Proxy {
    /// Serves one conn to its end.
    pub(crate) async fn serve(&self, conn: Conn) {
        let client = conn.peer_addr().map(|addr| addr.to_string()).unwrap_or_default();
        let Ok(conn) = conn.into_tcp() else { return };
        if let Err(ended) = self.converse(conn, &client).await {
            self.log(&format!("{client}: {ended}"));
        }
    }

    /// One line for every request, where that is wanted.
    fn log(&self, line: &str) {
        if self.logs {
            output::log(line);
        }
    }

    async fn converse(&self, conn: TcpConn, client: &str) -> Result<(), Ended> {
        let mut first = [0];
        let silent = || Ended::Refused("said nothing".to_owned());
        match timeout(PATIENCE, conn.peek(&mut first)).await.map_err(|_| silent())?? {
            0 => Ok(()),
            _ if first[0] == 5 => self.socks(conn, client).await,
            // Methods begin with a letter; leading empty lines are left to the parser (RFC 9112 section 2.2).
            _ if first[0].is_ascii_alphabetic() || first[0] == b'\r' => self.http(conn, client).await,
            _ => {
                end_gently(&conn).await;
                let reason = format!("speaks neither HTTP nor SOCKS5, and begins with {:#04x}", first[0]);
                Err(Ended::Refused(reason))
            }
        }
    }

    async fn http(&self, conn: TcpConn, client: &str) -> Result<(), Ended> {
        let asked = match timeout(PATIENCE, self.request(&conn)).await {
            Ok(asked) => asked?,
            Err(_) => Err(Refusal::new(408, "the request took too long")),
        };
        let (host, port, head) = match asked {
            Ok(Request::Tunnel { host, port }) => (host, port, None),
            Ok(Request::Forward { host, port, head }) => (host, port, Some(head)),
            Err(refusal) => return self.refuse(&conn, &refusal).await,
        };
        let what = match &head {
            None => format!("CONNECT {}", join_host_port(&host, port)),
            Some(head) => {
                String::from_utf8_lossy(head).lines().next().unwrap_or_default().to_owned()
                    + " of "
                    + &join_host_port(&host, port)
            }
        };
        let bare = host.parse().map_or_else(|_| Host::Name(host), Host::Ip);
        let target = match self.dial(&bare, port).await {
            Ok(target) => target,
            Err(error) => {
                let status = match &error {
                    Unreached::Denied(_) => 403,
                    Unreached::Failed(error) if error.kind() == std::io::ErrorKind::PermissionDenied => 403,
                    Unreached::Failed(error) if error.is_timeout() => 504,
                    Unreached::Failed(_) => 502,
                };
                // The one line of the log is that of the refusal.
                let told = self.refuse(&conn, &Refusal::new(status, error.to_string())).await;
                return told.map_err(|ended| match ended {
                    Ended::Refused(reason) => Ended::Refused(format!("{what}: {reason}")),
                    failed @ Ended::Failed(_) => failed,
                });
            }
        };
        match &head {
            None => conn.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?,
            Some(head) => target.write_all(head).await?,
        }
        self.relay(&conn.into(), &target, client, &what).await
    }

    /// Reads a head, and nothing behind it: that stays where the relay finds it.
    async fn request(&self, conn: &TcpConn) -> Result<Result<Request, Refusal>, Ended> {
        let mut head = Vec::new();
        let mut glance = vec![0; GLANCE];
        loop {
            let seen = conn.peek(&mut glance).await?;
            if seen == 0 {
                return Err(Ended::Refused("ended within its request".to_owned()));
            }
            let before = head.len();
            head.extend_from_slice(&glance[..seen]);
            // The empty line may have begun in what was taken before.
            let from = before.saturating_sub(3);
            let end = request::head_end(&head[from..]).map(|end| from + end);
            let taken = end.map_or(seen, |end| end - before);
            take(conn, &mut glance[..taken]).await?;
            head.truncate(before + taken);
            if end.is_some() && head.iter().all(|byte| b"\r\n".contains(byte)) {
                head.clear();
                continue;
            }
            if end.is_some() {
                return Ok(request::read(&head, &self.logins));
            }
            if head.len() > LONGEST_HEAD {
                return Ok(Err(Refusal::new(431, "the head is too long")));
            }
        }
    }

    async fn refuse(&self, conn: &TcpConn, refusal: &Refusal) -> Result<(), Ended> {
        conn.write_all(&refusal.to_bytes()).await?;
        end_gently(conn).await;
        Err(Ended::Refused(format!("{} {}", refusal.status, refusal.reason)))
    }

    async fn socks(&self, conn: TcpConn, client: &str) -> Result<(), Ended> {
        let slow = |_| Ended::Refused("took too long to say what it wants".to_owned());
        let (command, host, port) = timeout(PATIENCE, self.socks_request(&conn)).await.map_err(slow)??;
        match command {
            Command::Connect => self.socks_connect(conn, client, &host, port).await,
            Command::UdpAssociate => self.socks_associate(conn, client, port).await,
        }
    }

    async fn socks_request(&self, conn: &TcpConn) -> Result<(Command, Host, u16), Ended> {
        let mut socks = Socks::new(&self.logins);
        let mut glance = [0; 512];
        loop {
            let seen = conn.peek(&mut glance).await?;
            if seen == 0 {
                return Err(Ended::Refused("ended within its request".to_owned()));
            }
            let (used, next) = socks.take(&glance[..seen]);
            take(conn, &mut glance[..used]).await?;
            match next {
                socks::Next::More => {}
                socks::Next::Say(bytes) => conn.write_all(&bytes).await?,
                socks::Next::Request { command, host, port } => return Ok((command, host, port)),
                socks::Next::Refuse(bytes, reason) => {
                    conn.write_all(&bytes).await?;
                    end_gently(conn).await;
                    return Err(Ended::Refused(reason.to_owned()));
                }
            }
        }
    }

    async fn socks_connect(&self, conn: TcpConn, client: &str, host: &Host, port: u16) -> Result<(), Ended> {
        let named = match host {
            Host::Ip(ip) => join_host_port(&ip.to_string(), port),
            Host::Name(name) => join_host_port(name, port),
        };
        let what = format!("SOCKS5 {named}");
        match self.dial(host, port).await {
            Ok(target) => {
                let bound = target.local_addr().ok().and_then(|addr| addr.as_socket());
                conn.write_all(&socks::reply(socks::GRANTED, bound)).await?;
                self.relay(&conn.into(), &target, client, &what).await
            }
            Err(error) => {
                conn.write_all(&socks::reply(error.socks_code(), None)).await?;
                end_gently(&conn).await;
                Err(Ended::Refused(format!("{what}: {error}")))
            }
        }
    }

    async fn socks_associate(&self, conn: TcpConn, client: &str, port: u16) -> Result<(), Ended> {
        let (local, peer) = (conn.local_addr()?, conn.peer_addr()?);
        let bound = async {
            let association = Association::bind(local.ip(), peer.ip(), port).await?;
            Ok::<_, Error>((association.local_addr()?, association))
        };
        match bound.await {
            Ok((at, association)) => {
                conn.write_all(&socks::reply(socks::GRANTED, at)).await?;
                let Relayed { there, back } =
                    association.run(&conn.into(), &self.rules, &self.resolver, self.idle).await;
                self.log(&format!("{client} SOCKS5 UDP: {there} bytes there, {back} back"));
                Ok(())
            }
            Err(error) => {
                conn.write_all(&socks::reply(socks::FAILURE, None)).await?;
                Err(Ended::Refused(format!("SOCKS5 UDP: {error}")))
            }
        }
    }

    async fn relay(&self, conn: &Conn, target: &Conn, client: &str, what: &str) -> Result<(), Ended> {
        let ends = [conn, target].map(Unfinished::new);
        let ended = Copier::new().idle_timeout(self.idle).copy_both(conn, target).await;
        match ended {
            Ok((there, back)) => {
                ends.into_iter().for_each(Unfinished::finished);
                self.log(&format!("{client} {what}: {} bytes there, {} back", there.bytes, back.bytes));
                Ok(())
            }
            Err(error) => Err(Ended::Refused(format!("{what}: {error}"))),
        }
    }

    /// Dials what the rules let through. They are asked about each address as it is dialed, so that no name leads
    /// around them.
    async fn dial(&self, host: &Host, port: u16) -> Result<Conn, Unreached> {
        let (name, address) = match host {
            Host::Ip(ip) => {
                self.rules.check(None, *ip, port).map_err(Unreached::Denied)?;
                (None, join_host_port(&ip.to_string(), port))
            }
            Host::Name(name) => {
                self.rules.check_name(name, port).map_err(Unreached::Denied)?;
                (Some(name.clone()), join_host_port(name, port))
            }
        };
        let rules = self.rules.clone();
        let check = move |_: Network, addr: &Addr, _: std::os::fd::BorrowedFd<'_>| {
            let addr: SocketAddr = addr.as_socket().ok_or(std::io::ErrorKind::Unsupported)?;
            rules
                .check(name.as_deref(), addr.ip(), addr.port())
                .map_err(|denial| std::io::Error::new(std::io::ErrorKind::PermissionDenied, denial))
        };
        self.dialer.clone().control(check).dial("tcp", &address).await.map_err(Unreached::Failed)
    }
}

/// Why a target was not reached.
enum Unreached {
    /// Nothing was dialed.
    Denied(Denial),
    /// No address was reached, or a rule forbade those that there are.
    Failed(Error),
}

impl Unreached {
    fn socks_code(&self) -> u8 {
        use std::io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable, PermissionDenied};
        match self {
            Unreached::Denied(_) => socks::NOT_ALLOWED,
            Unreached::Failed(error) => match error.kind() {
                PermissionDenied => socks::NOT_ALLOWED,
                ConnectionRefused => socks::REFUSED,
                NetworkUnreachable => socks::NETWORK_UNREACHABLE,
                HostUnreachable => socks::HOST_UNREACHABLE,
                _ if error.is_timeout() || error.is_not_found() => socks::HOST_UNREACHABLE,
                _ => socks::FAILURE,
            },
        }
    }
}

impl fmt::Display for Unreached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unreached::Denied(denial) => denial.fmt(f),
            Unreached::Failed(error) => error.fmt(f),
        }
    }
}

/// Takes what was peeked at.
async fn take(conn: &TcpConn, mut bytes: &mut [u8]) -> landline::Result<()> {
    while !bytes.is_empty() {
        let count = conn.read(bytes).await?;
        bytes = &mut bytes[count..];
    }
    Ok(())
}

/// Ends a conn so that the last words arrive: a close with bytes unread would send a reset in their place (RFC 9112
/// section 9.6).
async fn end_gently(conn: &TcpConn) {
    let _ = conn.close_write();
    let mut rest = [0; 1024];
    let _ =
        timeout(Duration::from_secs(1), async { while let Ok(1..) = conn.read(&mut rest).await {} }).await;
}
