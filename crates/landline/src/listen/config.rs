//! How to listen, and the way from an address to a bound socket.

use std::io;
use std::net::IpAddr;
use std::os::fd::{BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::sockopt;

use super::UnixListener;
use super::listener::Listener;
use super::target::{Bind, Reach, binds};
use super::tcp::TcpListener;
use crate::addr::{
    Addr, AddressError, AddressErrorKind, Host, Port, ScopedIp, UnixAddr, admitted, split_host_port,
};
use crate::conn::{IpConn, PacketConn, UdpConn, UnixConn};
use crate::context::Context;
use crate::error::{Cause, Error, Operation, Result};
use crate::explain::Explainer;
use crate::fd::NetFd;
use crate::network::{Family, Network, ToNetwork, UnixKind};
use crate::resolve::Resolver;
use crate::socket::{
    self, BoundPath, Control, Inherited, KeepAlive, Role, SocketOptions, Traced, bound_address,
};

/// How to listen. Every default is usable; cheap to clone.
///
/// | network | address |
/// |---|---|
/// | tcp, udp | `host:port`; an empty host listens on all addresses of the network's families, a name on its first address, IPv4 preferred; an empty port or 0 lets the kernel choose |
/// | ip | a host, or empty for all addresses |
/// | unix… | a path, or `@name` in the abstract namespace; empty lets the kernel choose an abstract name |
/// | all | `fd:N`, `systemd:NAME`: a socket that this process was started with |
///
/// Stream listeners set `SO_REUSEADDR`, so that a restart need not wait for old conns to leave `TIME_WAIT`.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::ListenConfig;
///
/// let config = ListenConfig::new().backlog(1024).reuse_port(true);
/// let first = config.listen("tcp", "127.0.0.1:0").await?;
/// let second = config.listen("tcp", &first.local_addr()?.to_string()).await?;
/// assert_eq!(first.local_addr()?, second.local_addr()?);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ListenConfig {
    backlog: Option<u32>,
    reuse_port: bool,
    resolver: Option<Resolver>,
    options: SocketOptions,
}

impl ListenConfig {
    /// The defaults: the system's largest backlog, keep-alive on accepted conns.
    pub fn new() -> ListenConfig {
        ListenConfig::default()
    }

    /// How many conns may wait to be accepted (listen(2)); by default as many as the system admits
    /// (`net.core.somaxconn`).
    #[must_use]
    pub fn backlog(mut self, backlog: u32) -> ListenConfig {
        self.backlog = Some(backlog);
        self
    }

    /// Lets several sockets bind the same address, among which the kernel spreads conns and datagrams
    /// (`SO_REUSEPORT`, socket(7)).
    #[must_use]
    pub fn reuse_port(mut self, reuse_port: bool) -> ListenConfig {
        self.reuse_port = reuse_port;
        self
    }

    /// TCP keep-alive of accepted conns; on by default, see [`KeepAlive`].
    #[must_use]
    pub fn keep_alive(mut self, keep_alive: KeepAlive) -> ListenConfig {
        self.options.keep_alive = keep_alive;
        self
    }

    /// Accepts Multipath TCP (RFC 8684) besides TCP, where the kernel has it.
    #[must_use]
    pub fn mptcp(mut self, mptcp: bool) -> ListenConfig {
        self.options.mptcp = mptcp;
        self
    }

    /// The interface to listen on (`SO_BINDTODEVICE`, socket(7)).
    #[must_use]
    pub fn interface(mut self, name: &str) -> ListenConfig {
        self.options.interface = Some(name.into());
        self
    }

    /// The mark of everything sent (`SO_MARK`, socket(7)); needs `CAP_NET_ADMIN`.
    #[must_use]
    pub fn mark(mut self, mark: u32) -> ListenConfig {
        self.options.mark = Some(mark);
        self
    }

    /// The resolver for names and services, in place of the system's configuration.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> ListenConfig {
        self.resolver = Some(resolver);
        self
    }

    /// A hook that sees every socket before it is bound; an error of its own fails the call. It must not close the
    /// descriptor or make it blocking.
    #[must_use]
    pub fn control(
        mut self,
        hook: impl Fn(Network, &Addr, BorrowedFd<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> ListenConfig {
        self.options.control = Some(Control::new(hook));
        self
    }

    /// Listens for conns on a `tcp`, `unix` or `unixpacket` network.
    pub async fn listen(&self, network: impl ToNetwork, address: &str) -> Result<Listener> {
        self.listen_in(&Context::background(), network, address).await
    }

    /// [`ListenConfig::listen`] within a context, which bounds the look-up of a name.
    pub async fn listen_in(
        &self,
        context: &Context,
        network: impl ToNetwork,
        address: &str,
    ) -> Result<Listener> {
        let network = parse_network(&network, address)?;
        Listening::new(self, network, address, context).listen().await
    }

    /// As many sockets as `most` at the same address, among which the kernel spreads conns or datagrams; one where the
    /// network cannot have several, or the address is that of an inherited socket.
    ///
    /// An address that somebody else has is refused, unless [`ListenConfig::reuse_port`] was asked for: the first
    /// socket is bound alone, and shares the address only then, which by `SO_REUSEPORT` from the start (socket(7)) it
    /// would do with a second server started by mistake.
    pub(crate) async fn listen_several(
        &self,
        network: Network,
        address: &str,
        most: usize,
    ) -> Result<Vec<Listener>> {
        let context = Context::background();
        let mut first = Listening::new(self, network, address, &context);
        first.shares_once_bound = most > 1 && !matches!(network, Network::Unix(_));
        let mut listeners = vec![first.listen().await?];
        if first.shares_once_bound && Inherited::parse(address).is_none() {
            let address = listeners[0].local_addr()?.to_string();
            let config = self.clone().reuse_port(true);
            for _ in 1..most {
                listeners.push(Listening::new(&config, network, &address, &context).listen().await?);
            }
        }
        Ok(listeners)
    }

    /// [`ListenConfig::listen_several`] of packet sockets.
    pub(crate) async fn listen_packet_several(
        &self,
        network: Network,
        address: &str,
        most: usize,
    ) -> Result<Vec<PacketConn>> {
        let context = Context::background();
        let mut first = Listening::new(self, network, address, &context);
        first.shares_once_bound = most > 1 && matches!(network, Network::Udp(_));
        let mut conns = vec![first.listen_packet().await?];
        if first.shares_once_bound && Inherited::parse(address).is_none() {
            let address = conns[0].local_addr()?.to_string();
            let config = self.clone().reuse_port(true);
            for _ in 1..most {
                conns.push(Listening::new(&config, network, &address, &context).listen_packet().await?);
            }
        }
        Ok(conns)
    }

    /// Listens for TCP conns.
    pub async fn listen_tcp(&self, address: &str) -> Result<TcpListener> {
        let network = Network::Tcp(Family::Any);
        match self.listen(network, address).await? {
            Listener::Tcp(listener) => Ok(listener),
            Listener::Unix(_) => Err(unexpected(network, address)),
        }
    }

    /// Listens for conns of a Unix stream socket.
    pub async fn listen_unix(&self, address: &str) -> Result<UnixListener> {
        let network = Network::Unix(UnixKind::Stream);
        match self.listen(network, address).await? {
            Listener::Unix(listener) => Ok(listener),
            Listener::Tcp(_) => Err(unexpected(network, address)),
        }
    }

    /// Opens a socket that receives packets from anybody, on a `udp`, `ip` or `unixgram` network.
    pub async fn listen_packet(&self, network: impl ToNetwork, address: &str) -> Result<PacketConn> {
        self.listen_packet_in(&Context::background(), network, address).await
    }

    /// [`ListenConfig::listen_packet`] within a context, which bounds the look-up of a name.
    pub async fn listen_packet_in(
        &self,
        context: &Context,
        network: impl ToNetwork,
        address: &str,
    ) -> Result<PacketConn> {
        let network = parse_network(&network, address)?;
        Listening::new(self, network, address, context).listen_packet().await
    }
}

/// One call of `listen` or `listen_packet`.
struct Listening<'a> {
    config: &'a ListenConfig,
    network: Network,
    address: &'a str,
    context: &'a Context,
    /// Whether other sockets of ours are to be bound to the same address after this one.
    shares_once_bound: bool,
    /// `tracing`, where a subscriber wants it.
    explainer: Explainer,
}

impl<'a> Listening<'a> {
    fn new(
        config: &'a ListenConfig,
        network: Network,
        address: &'a str,
        context: &'a Context,
    ) -> Listening<'a> {
        let explainer = Explainer::of(Operation::Listen, &network, address);
        Listening { config, network, address, context, shares_once_bound: false, explainer }
    }

    async fn listen(&self) -> Result<Listener> {
        let network = self.network;
        if network.is_packet() {
            let kind =
                AddressErrorKind::Invalid(format!("{network} has no conns to listen for, only packets"));
            return Err(self.error(AddressError::new(self.address, kind)));
        }
        match (network, self.inherited()?) {
            (Network::Tcp(_), Some(fd)) => TcpListener::from_owned_fd(fd).map(Listener::Tcp),
            (_, Some(fd)) => UnixListener::from_owned_fd(fd).map(Listener::Unix),
            (Network::Tcp(_), None) => self.tcp().await.map(Listener::Tcp),
            (_, None) => self.unix().map(Listener::Unix),
        }
    }

    async fn listen_packet(&self) -> Result<PacketConn> {
        let network = self.network;
        if !network.is_packet() {
            let kind = AddressErrorKind::Invalid(format!("{network} has conns, not packets"));
            return Err(self.error(AddressError::new(self.address, kind)));
        }
        match self.inherited()? {
            Some(fd) => match network {
                Network::Ip(..) => IpConn::from_owned_fd(fd).map(PacketConn::from),
                Network::Unix(_) => UnixConn::from_owned_fd(fd).map(PacketConn::Unix),
                _ => UdpConn::from_owned_fd(fd).map(PacketConn::from),
            },
            None => self.packet().await,
        }
    }

    /// A socket that this process was started with, if the address is of one.
    fn inherited(&self) -> Result<Option<OwnedFd>> {
        let Some(inherited) = Inherited::parse(self.address) else { return Ok(None) };
        inherited
            .map_err(Cause::from)
            .and_then(|inherited| {
                let fd = inherited.take(self.address, self.network, Role::Listener)?;
                self.config.options.apply(self.network, &bound_address(&fd)?, &fd, self.traced())?;
                if let (Some(backlog), false) = (self.config.backlog, self.network.is_packet()) {
                    socket::listen(&fd, backlog, self.traced())?;
                }
                Ok(Some(fd))
            })
            .map_err(|cause| self.error(cause))
    }

    async fn tcp(&self) -> Result<TcpListener> {
        let (host, port) = self.host_and_port().await?;
        self.first_that_binds(host, port, |fd| {
            socket::listen(&fd, self.backlog(), self.traced())?;
            Ok(TcpListener::new(fd)?)
        })
    }

    fn unix(&self) -> Result<UnixListener> {
        let addr: UnixAddr = self.address.parse().map_err(|error: AddressError| self.error(error))?;
        let listen = || -> Result<UnixListener, Cause> {
            let fd = self.bound(&Addr::Unix(addr.clone()), Reach::OneFamily)?;
            socket::listen(&fd, self.backlog(), self.traced())?;
            Ok(UnixListener::new(fd, self.unix_kind(), BoundPath::of(&addr))?)
        };
        listen().map_err(|cause| self.at(&Addr::Unix(addr.clone()), cause))
    }

    async fn packet(&self) -> Result<PacketConn> {
        match self.network {
            Network::Unix(kind) => {
                let addr: UnixAddr = self.address.parse().map_err(|error: AddressError| self.error(error))?;
                let open = || -> Result<UnixConn, Cause> {
                    let fd = NetFd::new(self.bound(&Addr::Unix(addr.clone()), Reach::OneFamily)?)?;
                    Ok(UnixConn::new(fd, kind, None, BoundPath::of(&addr)))
                };
                open().map(PacketConn::Unix).map_err(|cause| self.at(&Addr::Unix(addr.clone()), cause))
            }
            Network::Ip(_, protocol) => {
                let host = self.host(self.address).await?;
                self.first_that_binds(host, 0, |fd| Ok(IpConn::new(NetFd::new(fd)?, protocol, None).into()))
            }
            Network::Udp(_) | Network::Tcp(_) => {
                let (host, port) = self.host_and_port().await?;
                self.first_that_binds(host, port, |fd| Ok(UdpConn::new(NetFd::new(fd)?, None).into()))
            }
        }
    }

    /// Binds the best address that this host has, and makes of it what is wanted.
    fn first_that_binds<T>(
        &self,
        host: Option<ScopedIp>,
        port: u16,
        make: impl Fn(OwnedFd) -> Result<T, Cause>,
    ) -> Result<T> {
        let family = self.network.family().unwrap_or_default();
        let mut choices = binds(family, host).into_iter().peekable();
        loop {
            let Bind { ip, reach } =
                choices.next().expect("binds() gives one at least, and the last returns");
            let addr = match self.network {
                Network::Ip(..) => Addr::Ip(ip),
                _ => Addr::Socket(ip.with_port(port)),
            };
            match self.bound(&addr, reach).and_then(&make) {
                Ok(made) => return Ok(made),
                // A host without IPv6: the next choice is IPv4.
                Err(Cause::System { error: Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL, .. })
                    if choices.peek().is_some() => {}
                Err(cause) => return Err(self.at(&addr, cause)),
            }
        }
    }

    fn bound(&self, addr: &Addr, reach: Reach) -> Result<OwnedFd, Cause> {
        let traced = self.traced();
        let fd = socket::create(self.network, addr, self.config.options.mptcp, traced)?;
        if addr.ip().is_some_and(|ip| ip.is_ipv6() && ip.is_unspecified())
            && !matches!(self.network, Network::Ip(..))
        {
            let alone = reach == Reach::OneFamily;
            traced.require("setsockopt IPV6_V6ONLY", sockopt::set_ipv6_v6only(&fd, alone))?;
        }
        if matches!(self.network, Network::Tcp(_)) {
            traced.prefer("SO_REUSEADDR", sockopt::set_socket_reuseaddr(&fd, true));
        }
        if self.config.reuse_port {
            traced.require("setsockopt SO_REUSEPORT", sockopt::set_socket_reuseport(&fd, true))?;
        }
        self.config.options.apply(self.network, addr, &fd, traced)?;
        socket::bind(&fd, addr, traced)?;
        if self.shares_once_bound && !self.config.reuse_port {
            traced.require("setsockopt SO_REUSEPORT", sockopt::set_socket_reuseport(&fd, true))?;
        }
        Ok(fd)
    }

    async fn host_and_port(&self) -> Result<(Option<ScopedIp>, u16)> {
        // As in Go, an empty address is `:0`.
        if self.address.is_empty() {
            return Ok((None, 0));
        }
        let (host, port) = split_host_port(self.address).map_err(|error| self.error(error))?;
        let port = match Port::parse(port, self.address).map_err(|error| self.error(error))? {
            Port::Number(number) => number,
            Port::Service(service) => self
                .resolver()
                .lookup_port_in(self.context, self.network, &service)
                .await
                .map_err(|error| self.error(error.cause().clone()))?,
        };
        Ok((self.host(host).await?, port))
    }

    /// The address of a host, `None` for the empty one.
    async fn host(&self, host: &str) -> Result<Option<ScopedIp>> {
        let family = self.network.family().unwrap_or_default();
        let unsuitable = || self.error(AddressError::new(host, AddressErrorKind::NoSuitableAddress));
        if host.is_empty() {
            return Ok(None);
        }
        match Host::parse(host).map_err(|error| self.error(error))? {
            Host::Literal(ip) => admitted(family, ip).ok_or_else(unsuitable).map(Some),
            Host::Name(name) => {
                let found = self
                    .resolver()
                    .lookup_ip_in(self.context, family, &name)
                    .await
                    .map_err(|error| self.error(error.cause().clone()))?;
                let mut addresses = found.into_iter().filter_map(|ip| admitted(family, ip));
                let first = addresses.next().ok_or_else(unsuitable)?;
                let ipv4 = std::iter::once(first).chain(addresses).find(|ip| matches!(ip.ip, IpAddr::V4(_)));
                Ok(Some(ipv4.unwrap_or(first)))
            }
        }
    }

    fn backlog(&self) -> u32 {
        self.config.backlog.unwrap_or_else(|| {
            // 4096 is the kernel's own default since 5.4, for when /proc is not mounted.
            let text = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap_or_default();
            text.trim().parse().unwrap_or(4096)
        })
    }

    fn traced(&self) -> Traced<'_> {
        Traced { explainer: &self.explainer, attempt: 0 }
    }

    fn unix_kind(&self) -> UnixKind {
        match self.network {
            Network::Unix(kind) => kind,
            _ => UnixKind::Stream,
        }
    }

    fn resolver(&self) -> Resolver {
        self.config.resolver.clone().unwrap_or_else(Resolver::system)
    }

    fn at(&self, addr: &Addr, cause: Cause) -> Error {
        Error::new(Operation::Listen, cause).on(self.network).to_peer(addr.clone())
    }

    fn error(&self, cause: impl Into<Cause>) -> Error {
        Error::new(Operation::Listen, cause).on(self.network)
    }
}

fn parse_network(network: &impl ToNetwork, address: &str) -> Result<Network> {
    network.to_network().map_err(|error| Error::new(Operation::Listen, error).to_text(address))
}

/// An inherited socket turned out to be of another kind than the method is for.
fn unexpected(network: Network, address: &str) -> Error {
    let kind = AddressErrorKind::Invalid(format!("not a {network} socket"));
    Error::new(Operation::Listen, AddressError::new(address, kind)).on(network)
}

/// Listens with the defaults of [`ListenConfig::new`].
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// let listener = landline::listen("tcp", "127.0.0.1:0").await?;
/// println!("listening on {}", listener.local_addr()?);
/// # Ok(()) }
/// ```
pub async fn listen(network: impl ToNetwork, address: &str) -> Result<Listener> {
    ListenConfig::new().listen(network, address).await
}

/// Opens a packet socket with the defaults of [`ListenConfig::new`]; see [`ListenConfig::listen_packet`].
pub async fn listen_packet(network: impl ToNetwork, address: &str) -> Result<PacketConn> {
    ListenConfig::new().listen_packet(network, address).await
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use super::*;
    use crate::sys;

    /// Of a listening socket, `TCP_INFO` gives the backlog as the number of segments selectively acknowledged
    /// (`tcp_get_info` of the kernel's net/ipv4/tcp.c).
    async fn backlog_of(config: ListenConfig) -> u32 {
        let listener = config.listen_tcp("127.0.0.1:0").await.unwrap();
        sys::tcp_info(listener.as_fd()).unwrap().tcpi_sacked
    }

    #[tokio::test]
    async fn the_backlog_is_the_systems_or_the_one_told() {
        let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").unwrap();
        let most: u32 = most.trim().parse().unwrap();
        assert_eq!(backlog_of(ListenConfig::new()).await, most);
        assert_eq!(backlog_of(ListenConfig::new().backlog(7)).await, 7);
        assert_eq!(backlog_of(ListenConfig::new().backlog(u32::MAX)).await, most, "the kernel bounds it");
    }
}
