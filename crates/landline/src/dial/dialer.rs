//! The front door: settings, and the way of one dial from top to bottom.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::{Attempts, Failure};
use super::pace::{Pace, RESOLUTION_DELAY, Race};
use super::proxy::Proxies;
use super::single::{Connected, Single};
use crate::addr::{Addr, AddressError, AddressErrorKind, Host, Port, ScopedIp, Target, canonical};
use crate::conn::{Conn, IpConn, TcpConn, UdpConn, UnixConn};
use crate::context::{Context, Ended};
use crate::error::{Cause, Error, LookupError, LookupErrorKind, Operation, Result};
use crate::explain::{AttemptReason, Explainer, Outcome, Recorder, Report, Sink, What};
use crate::network::{Family, Network, ParseNetworkError, ToNetwork, UnixKind};
use crate::order;
use crate::resolve::Resolver;
use crate::socket::{Control, Inherited, KeepAlive, Role, SocketOptions, Traced, bound_address};

/// How to dial. Every default is usable; cheap to clone; one dialer serves any number of dials at once.
///
/// A dial parses the network and the address, resolves the name with `A` and `AAAA` queries side by side, puts the
/// addresses in the order of RFC 6724 and races them as RFC 8305 says: a new attempt every 250 ms, or at once when
/// one fails, over every address, until the first connects. The budget (timeout, deadline, context) covers all of
/// it, from the first DNS packet on.
///
/// # Cancellation
/// Dropping the future of a dial ends every query and attempt of it, and closes their sockets.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::{Dialer, Race};
/// use std::time::Duration;
///
/// let listener = landline::listen("tcp", "127.0.0.1:0").await?;
///
/// let dialer = Dialer::new().timeout(Duration::from_secs(5)).race(Race::After(Duration::from_millis(100)));
/// let conn = dialer.dial("tcp", &listener.local_addr()?.to_string()).await?;
/// assert_eq!(conn.peer_addr()?, listener.local_addr()?);
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Dialer {
    timeout: Option<Duration>,
    deadline: Option<Instant>,
    local: Option<Addr>,
    race: Race,
    resolution_delay: Option<Duration>,
    https_hints: bool,
    resolver: Option<Resolver>,
    options: SocketOptions,
    proxies: Proxies,
    sink: Option<Arc<dyn Sink>>,
}

impl Dialer {
    /// The defaults: no timeout, a race every 250 ms, keep-alive, the system's resolver.
    pub fn new() -> Dialer {
        Dialer::default()
    }

    /// The longest a dial may take, resolving included. None by default; the system's own timeout for one TCP
    /// attempt is about two minutes.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Dialer {
        self.timeout = Some(timeout);
        self
    }

    /// The moment at which every dial is to end. With a timeout too, the earlier holds.
    #[must_use]
    pub fn deadline(mut self, deadline: Instant) -> Dialer {
        self.deadline = Some(deadline);
        self
    }

    /// The address to dial from; its port may be 0. Peers of another family are not dialed. For a Unix socket, the
    /// path or abstract name to bind.
    #[must_use]
    pub fn local_addr(mut self, local: impl Into<Addr>) -> Dialer {
        self.local = Some(match local.into() {
            Addr::Socket(local) => Addr::Socket(canonical(local)),
            local => local,
        });
        self
    }

    /// Whether and how fast addresses are raced; [`Race::After`] 250 ms by default.
    #[must_use]
    pub fn race(mut self, race: Race) -> Dialer {
        self.race = race;
        self
    }

    /// How long IPv4 addresses wait for the answer about IPv6 (RFC 8305 section 3); 50 ms by default.
    #[must_use]
    pub fn resolution_delay(mut self, delay: Duration) -> Dialer {
        self.resolution_delay = Some(delay);
        self
    }

    /// Asks for the name's HTTPS record too, and dials the address hints in it before `A` and `AAAA` have come
    /// (RFC 9460 section 7.3). Off by default.
    #[must_use]
    pub fn https_hints(mut self, hints: bool) -> Dialer {
        self.https_hints = hints;
        self
    }

    /// The resolver to use in place of the system's configuration.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> Dialer {
        self.resolver = Some(resolver);
        self
    }

    /// TCP keep-alive; on by default, see [`KeepAlive`].
    #[must_use]
    pub fn keep_alive(mut self, keep_alive: KeepAlive) -> Dialer {
        self.options.keep_alive = keep_alive;
        self
    }

    /// The interface to send from and receive on (`SO_BINDTODEVICE`, socket(7)).
    #[must_use]
    pub fn interface(mut self, name: &str) -> Dialer {
        self.options.interface = Some(name.into());
        self
    }

    /// The mark that routing and firewall rules see (`SO_MARK`, socket(7)); needs `CAP_NET_ADMIN`.
    #[must_use]
    pub fn mark(mut self, mark: u32) -> Dialer {
        self.options.mark = Some(mark);
        self
    }

    /// Multipath TCP (RFC 8684), or TCP where the kernel has it not. The peer decides too, with the same fallback.
    #[must_use]
    pub fn mptcp(mut self, mptcp: bool) -> Dialer {
        self.options.mptcp = mptcp;
        self
    }

    /// TCP Fast Open (RFC 7413): with a cookie from an earlier dial, the first write goes out with the SYN, and the
    /// dial itself returns at once. Such a conn that cannot be made says so at its first read or write.
    #[must_use]
    pub fn fast_open(mut self, fast_open: bool) -> Dialer {
        self.options.fast_open = fast_open;
        self
    }

    /// A hook that sees every socket before it is bound or connected, and may set options on it; an error of its
    /// own fails the attempt. It must not close the descriptor or make it blocking.
    #[must_use]
    pub fn control(
        mut self,
        hook: impl Fn(Network, &Addr, BorrowedFd<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Dialer {
        self.options.control = Some(Control::new(hook));
        self
    }

    /// The way to every TCP target: through a [`Proxy`](crate::Proxy), through several one after the other, or as the
    /// [environment](crate::ProxyEnvironment) says; none by default.
    ///
    /// The budget covers all of it: finding and racing the proxy's addresses, what is said to each proxy, and its dial
    /// to the next. The dialer's other settings are those of the conn to the first. Names of targets are resolved
    /// by the proxy or here, as its scheme says; on `tcp4` and `tcp6` always here, since no proxy can be told. Other
    /// networks, and sockets that this process was started with, do without proxies.
    ///
    /// The conn is that to the first proxy: its `peer_addr` is the proxy's. Nothing is read of what follows the last
    /// proxy's answer, so a target that speaks first is heard whole. Behind a proxy that is spoken to over TLS it is a
    /// [`Conn`] of TLS, which [`dial_tcp`](Dialer::dial_tcp) refuses.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use landline::{Dialer, Proxy, ProxyEnvironment};
    ///
    /// let proxy: Proxy = "socks5h://proxy.example:1080".parse()?;
    /// let conn = Dialer::new().proxy(proxy.clone()).dial("tcp", "example.com:22").await?;
    ///
    /// let inner: Proxy = "http://10.0.0.1:3128".parse()?;
    /// let conn = Dialer::new().proxy([proxy, inner]).dial("tcp", "db.internal:5432").await?;
    ///
    /// let conn = Dialer::new().proxy(ProxyEnvironment::from_env()).dial("tcp", "example.com:22").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn proxy(mut self, proxies: impl Into<Proxies>) -> Dialer {
        self.proxies = proxies.into();
        self
    }

    /// Where every dial tells what it does; see [`explain`](crate::explain).
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Dialer {
        self.sink = Some(Arc::new(sink));
        self
    }

    /// Dials `address` on `network`: see [`Network`] for the names, and the table for the addresses.
    ///
    /// | network | address |
    /// |---|---|
    /// | tcp, udp | `host:port`; the host is a name, an IPv4 address, or an IPv6 address in brackets with or without a zone; empty means this host; the port is a number or a service name |
    /// | ip | a host |
    /// | unix… | a path, or `@name` in the abstract namespace |
    /// | all | `fd:N`, `systemd:NAME`: a connected socket that this process was started with |
    ///
    /// # Errors
    /// Names the network, the address and the cause; of several attempts all, in the order in which they began.
    pub async fn dial(&self, network: impl ToNetwork, address: &str) -> Result<Conn> {
        self.dial_in(&Context::background(), network, address).await
    }

    /// [`Dialer::dial`] within a context as well: it fails when the context is cancelled, with its cause, or at its
    /// deadline. The conn is not tied to the context; see [`Conn::bind_context`].
    pub async fn dial_in(&self, context: &Context, network: impl ToNetwork, address: &str) -> Result<Conn> {
        let network = parse_network(&network, address)?;
        self.explained(context, network, address, None).await
    }

    /// Dials, and tells every step of it, on success and on failure alike.
    pub async fn explain(&self, network: impl ToNetwork, address: &str) -> (Result<Conn>, Report) {
        self.explain_in(&Context::background(), network, address).await
    }

    /// [`Dialer::explain`] within a context.
    pub async fn explain_in(
        &self,
        context: &Context,
        network: impl ToNetwork,
        address: &str,
    ) -> (Result<Conn>, Report) {
        let recorder = Arc::new(Recorder::new());
        let (network, result) = match network.to_network() {
            Ok(network) => {
                let result = self.explained(context, network, address, Some(recorder.clone())).await;
                (network.to_string(), result)
            }
            Err(error) => (error.input().to_owned(), Err(refused_network(error, address))),
        };
        let outcome = match &result {
            Ok(conn) => Outcome::Connected { local: conn.local_addr().ok(), peer: conn.peer_addr().ok() },
            Err(error) => Outcome::Failed(error.clone()),
        };
        (result, recorder.report(Operation::Dial, network, address, outcome))
    }

    /// Dials TCP.
    pub async fn dial_tcp(&self, address: &str) -> Result<TcpConn> {
        let network = Network::Tcp(Family::Any);
        let conn = self.explained(&Context::background(), network, address, None).await?;
        conn.into_tcp().map_err(|_| unexpected(network, address))
    }

    /// "Dials" UDP: a socket that sends to, and receives from, this one peer.
    pub async fn dial_udp(&self, address: &str) -> Result<UdpConn> {
        let network = Network::Udp(Family::Any);
        let conn = self.explained(&Context::background(), network, address, None).await?;
        conn.into_udp().map_err(|_| unexpected(network, address))
    }

    /// Dials a Unix stream socket.
    pub async fn dial_unix(&self, address: &str) -> Result<UnixConn> {
        let network = Network::Unix(UnixKind::Stream);
        let conn = self.explained(&Context::background(), network, address, None).await?;
        conn.into_unix().map_err(|_| unexpected(network, address))
    }

    /// "Dials" raw IP; `network` is an `ip` network such as `"ip4:icmp"`.
    pub async fn dial_ip(&self, network: impl ToNetwork, address: &str) -> Result<IpConn> {
        let network = parse_network(&network, address)?;
        let conn = self.explained(&Context::background(), network, address, None).await?;
        conn.into_ip().map_err(|_| unexpected(network, address))
    }

    async fn explained(
        &self,
        context: &Context,
        network: Network,
        address: &str,
        recorder: Option<Arc<Recorder>>,
    ) -> Result<Conn> {
        let mut explainer = Explainer::of(Operation::Dial, &network, address);
        for sink in self.sink.clone().into_iter().chain(recorder.map(|recorder| recorder as Arc<dyn Sink>)) {
            explainer = explainer.and(sink);
        }
        let budget = self.budget(context);
        let context = budget.as_ref().unwrap_or(context);
        let dial = Dial { dialer: self, network, address, context, explainer: &explainer };
        let result = dial.run().await;
        if let Err(error) = &result {
            explainer.tell(|| What::DialFailed { error: error.clone() });
        }
        result
    }

    /// A child of `context` with the dialer's own limits, where it has any.
    fn budget(&self, context: &Context) -> Option<Context> {
        let timeout = self.timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let deadline = [timeout, self.deadline].into_iter().flatten().min()?;
        Some(context.with_deadline(deadline))
    }
}

/// One dial under way.
#[derive(Clone, Copy)]
pub(super) struct Dial<'a> {
    dialer: &'a Dialer,
    pub(super) network: Network,
    pub(super) address: &'a str,
    pub(super) context: &'a Context,
    pub(super) explainer: &'a Explainer,
}

/// Where a dial has come, before it tells so.
pub(super) struct Arrived {
    /// The attempt that won.
    pub(super) attempt: u32,
    pub(super) peer: Addr,
    pub(super) conn: Conn,
}

impl Dial<'_> {
    async fn run(&self) -> Result<Conn> {
        let target = Target::parse(self.network, self.address).map_err(|error| self.error(error))?;
        let (network, address) = (self.network, self.address);
        self.explainer.tell(|| What::Parsed { network, address: address.to_owned() });
        let Arrived { attempt, peer, conn } = match target {
            Target::Unix(addr) => self.one(Addr::Unix(addr)).await,
            Target::Inherited => return self.inherited(),
            Target::Host { host, port } => {
                let port = self.port(port).await?;
                let proxies = self.dialer.proxies.on_the_way(self, &host, port)?;
                match proxies.is_empty() {
                    true => self.direct(&host, port).await,
                    // On the heap, so that dials without a proxy do not carry it.
                    false => Box::pin(self.through(&proxies, &host, port)).await,
                }
            }
        }?;
        self.explainer.tell(|| What::Connected { attempt, peer });
        Ok(conn)
    }

    /// The way without a proxy.
    pub(super) async fn direct(&self, host: &Host, port: u16) -> Result<Arrived> {
        match host {
            Host::Literal(ip) => self.one(self.peer(*ip, port)).await,
            Host::Name(name) => self.resolved(name, port).await,
        }
    }

    /// The same dialer on the way to another address.
    pub(super) fn towards<'b>(&'b self, network: Network, address: &'b str) -> Dial<'b> {
        Dial { network, address, ..*self }
    }

    /// A socket that this process was started with.
    fn inherited(&self) -> Result<Conn> {
        let inherited = Inherited::parse(self.address).expect("the target is one");
        let fd = inherited
            .map_err(Cause::from)
            .and_then(|inherited| {
                let fd = inherited.take(self.address, self.network, Role::Conn)?;
                let traced = Traced { explainer: self.explainer, attempt: 0 };
                self.dialer.options.apply(self.network, &bound_address(&fd)?, &fd, traced)?;
                Ok(fd)
            })
            .map_err(|cause| self.error(cause))?;
        match self.network {
            Network::Tcp(_) => TcpConn::from_owned_fd(fd).map(Conn::from),
            Network::Udp(_) => UdpConn::from_owned_fd(fd).map(Conn::from),
            Network::Ip(..) => IpConn::from_owned_fd(fd).map(Conn::from),
            Network::Unix(_) => UnixConn::from_owned_fd(fd).map(Conn::from),
        }
    }

    /// The only address there is.
    async fn one(&self, peer: Addr) -> Result<Arrived> {
        let local = self.dialer.local.as_ref().and_then(Addr::ip);
        if local.zip(peer.ip()).is_some_and(|(local, peer)| local.is_ipv4() != peer.is_ipv4()) {
            return Err(self.error(AddressError::new(self.address, AddressErrorKind::NoSuitableAddress)));
        }
        self.explainer.tell(|| What::AttemptStarted {
            attempt: 1,
            peer: peer.clone(),
            reason: AttemptReason::First,
            budget: None,
        });
        let error = match self.context.run(self.single().connect(1, &peer)).await {
            Ok(Ok(connected)) => {
                self.explainer.tell(|| What::AttemptConnected { attempt: 1 });
                return Ok(self.arrived(1, connected, peer));
            }
            Ok(Err(error)) => error,
            Err(ended) => Error::new(Operation::Dial, ended).on(self.network).to_peer(peer),
        };
        self.explainer.tell(|| What::AttemptFailed { attempt: 1, error: error.clone() });
        Err(error)
    }

    /// All addresses of a name.
    async fn resolved(&self, name: &str, port: u16) -> Result<Arrived> {
        let family = self.family()?;
        let resolver = self.resolver();
        let answers =
            resolver.addresses(name, family, port, self.dialer.https_hints, self.context, self.explainer);
        let single = self.single();
        let attempts = Attempts {
            network: self.network,
            context: self.context,
            explainer: self.explainer,
            order: |untried: Vec<SocketAddr>| order::order(&untried),
            connect: |attempt, peer: SocketAddr| {
                let peer = self.peer(ScopedIp::from(peer), port);
                async move { single.connect(attempt, &peer).await }
            },
        };
        let race = Pace::new(self.dialer.race, self.dialer.resolution_delay.unwrap_or(RESOLUTION_DELAY));
        match attempts.run(race, answers).await {
            Ok((attempt, peer, connected)) => {
                Ok(self.arrived(attempt, connected, self.peer(ScopedIp::from(peer), port)))
            }
            Err(Failure::Lookup(error)) => Err(Error::new(Operation::Dial, error).on(self.network)),
            Err(Failure::Ended(Ended::DeadlineExceeded)) => {
                let error = LookupError::new(name, LookupErrorKind::Timeout);
                Err(Error::new(Operation::Dial, error).on(self.network))
            }
            Err(Failure::Ended(ended)) => Err(self.error(ended)),
            Err(Failure::Attempts(mut attempts)) => match attempts.len() {
                0 => Err(self.error(AddressError::new(self.address, AddressErrorKind::NoSuitableAddress))),
                1 => Err(attempts.remove(0)),
                _ => Err(self.error(Cause::Attempts(attempts.into()))),
            },
        }
    }

    /// What the network admits, narrowed to the family of the local address.
    fn family(&self) -> Result<Family> {
        let family = self.network.family().unwrap_or_default();
        let local = match self.dialer.local.as_ref().and_then(Addr::ip) {
            None => return Ok(family),
            Some(ip) if ip.is_ipv4() => Family::V4,
            Some(_) => Family::V6,
        };
        if family != Family::Any && family != local {
            return Err(self.error(AddressError::new(self.address, AddressErrorKind::NoSuitableAddress)));
        }
        Ok(local)
    }

    async fn port(&self, port: Port) -> Result<u16> {
        match port {
            Port::Number(number) => Ok(number),
            Port::Service(service) => self
                .resolver()
                .lookup_port_in(self.context, self.network, &service)
                .await
                .map_err(|error| Error::new(Operation::Dial, error.cause().clone()).on(self.network)),
        }
    }

    fn peer(&self, ip: ScopedIp, port: u16) -> Addr {
        match self.network {
            Network::Ip(..) => Addr::Ip(ip),
            _ => Addr::Socket(ip.with_port(port)),
        }
    }

    fn single(&self) -> Single<'_> {
        Single {
            network: self.network,
            local: self.dialer.local.as_ref(),
            options: &self.dialer.options,
            explainer: self.explainer,
        }
    }

    pub(super) fn resolver(&self) -> Resolver {
        self.dialer.resolver.clone().unwrap_or_else(Resolver::system)
    }

    fn arrived(&self, attempt: u32, connected: Connected, peer: Addr) -> Arrived {
        let Connected { fd, bound } = connected;
        let conn = match (self.network, &peer) {
            (Network::Tcp(_), peer) => TcpConn::new(fd, peer.as_socket()).into(),
            (Network::Udp(_), peer) => UdpConn::new(fd, peer.as_socket()).into(),
            (Network::Ip(_, protocol), &Addr::Ip(peer)) => IpConn::new(fd, protocol, Some(peer)).into(),
            (Network::Ip(_, protocol), _) => IpConn::new(fd, protocol, None).into(),
            (Network::Unix(kind), peer) => UnixConn::new(fd, kind, peer.as_unix().cloned(), bound).into(),
        };
        Arrived { attempt, peer, conn }
    }

    pub(super) fn error(&self, cause: impl Into<Cause>) -> Error {
        let cause = cause.into();
        let error = Error::new(Operation::Dial, cause);
        // An address error names the address itself.
        match error.cause() {
            Cause::Address(_) => error.on(self.network),
            _ => error.on(self.network).to_text(self.address),
        }
    }
}

fn parse_network(network: &impl ToNetwork, address: &str) -> Result<Network> {
    network.to_network().map_err(|error| refused_network(error, address))
}

fn refused_network(error: ParseNetworkError, address: &str) -> Error {
    match address {
        "" => Error::new(Operation::Dial, error),
        address => Error::new(Operation::Dial, error).to_text(address),
    }
}

/// An inherited socket turned out to be of another kind than the method is for.
fn unexpected(network: Network, address: &str) -> Error {
    let kind = AddressErrorKind::Invalid(format!("not a {network} socket"));
    Error::new(Operation::Dial, AddressError::new(address, kind)).on(network)
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer")
            .field("timeout", &self.timeout)
            .field("deadline", &self.deadline)
            .field("local_addr", &self.local)
            .field("race", &self.race)
            .finish_non_exhaustive()
    }
}

/// Dials with the defaults of [`Dialer::new`]; see [`Dialer::dial`] for networks and addresses.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let conn = landline::dial("tcp", "golang.org:80").await?;
/// conn.write_all(b"HEAD / HTTP/1.0\r\n\r\n").await?;
/// # Ok(()) }
/// ```
pub async fn dial(network: impl ToNetwork, address: &str) -> Result<Conn> {
    Dialer::new().dial(network, address).await
}
