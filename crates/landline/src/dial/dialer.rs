//! The front door: settings, and the way of one dial from top to bottom.

use std::io;
use std::net::SocketAddr;
use std::os::fd::BorrowedFd;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::attempts::{Attempts, Failure};
use super::pace::{Pace, RESOLUTION_DELAY, Race};
use super::single::Single;
use super::target::{Host, Port, Target, admitted};
use crate::addr::{Addr, AddressError, AddressErrorKind, ScopedIp};
use crate::conn::TcpConn;
use crate::context::{Context, Ended};
use crate::error::{Cause, Error, LookupError, LookupErrorKind, Operation, Result};
use crate::explain::{Explainer, Recorder, Report, Sink, What};
use crate::fd::NetFd;
use crate::network::{Family, Network, ToNetwork, UnixKind};
use crate::socket::{Control, KeepAlive, SocketOptions};

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
    options: SocketOptions,
    explainer: Explainer,
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
        self.local = Some(local.into());
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

    /// Where every dial tells what it does; see [`explain`](crate::explain).
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Dialer {
        self.explainer = Explainer::new(Arc::new(sink));
        self
    }

    /// Dials TCP.
    pub async fn dial_tcp(&self, address: &str) -> Result<TcpConn> {
        self.explained(&Context::background(), Network::Tcp(Family::Any), address, &self.explainer).await
    }

    async fn explained(
        &self,
        context: &Context,
        network: Network,
        address: &str,
        explainer: &Explainer,
    ) -> Result<TcpConn> {
        let budget = self.budget(context);
        let dial =
            Dial { dialer: self, network, address, context: budget.as_ref().unwrap_or(context), explainer };
        let result = dial.run().await;
        match &result {
            Ok(_) => {}
            Err(error) => explainer.tell(|| What::DialFailed { error: error.clone() }),
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
struct Dial<'a> {
    dialer: &'a Dialer,
    network: Network,
    address: &'a str,
    context: &'a Context,
    explainer: &'a Explainer,
}

impl Dial<'_> {
    async fn run(&self) -> Result<TcpConn> {
        let target = Target::parse(self.network, self.address).map_err(|error| self.error(error))?;
        let (network, address) = (self.network, self.address);
        self.explainer.tell(|| What::Parsed { network, address: address.to_owned() });
        match target {
            Target::Host { host: Host::Literal(ip), port: Port::Number(port) } => {
                self.one(self.peer(ip, port)).await
            }
            _ => Err(self.error(AddressError::new(address, AddressErrorKind::NoSuitableAddress))),
        }
    }

    /// The only address there is.
    async fn one(&self, peer: Addr) -> Result<TcpConn> {
        if let (Some(local), Some(peer_ip)) = (&self.dialer.local, peer.ip()) {
            if local.ip().is_some_and(|ip| ip.is_ipv4() != peer_ip.is_ipv4()) {
                let error = AddressError::new(self.address, AddressErrorKind::NoSuitableAddress);
                return Err(self.error(error));
            }
        }
        self.explainer.tell(|| What::AttemptStarted {
            attempt: 1,
            peer: peer.clone(),
            reason: crate::explain::AttemptReason::First,
            budget: None,
        });
        let error = match self.context.run(self.single().connect(1, &peer)).await {
            Ok(Ok(fd)) => {
                self.explainer.tell(|| What::AttemptConnected { attempt: 1 });
                return self.conn(1, fd, peer);
            }
            Ok(Err(error)) => error,
            Err(ended) => Error::new(Operation::Dial, ended).on(self.network).to_peer(peer),
        };
        self.explainer.tell(|| What::AttemptFailed { attempt: 1, error: error.clone() });
        Err(error)
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

    fn conn(&self, attempt: u32, fd: NetFd, peer: Addr) -> Result<TcpConn> {
        self.explainer.tell(|| What::Connected { attempt, peer: peer.clone() });
        Ok(TcpConn::new(fd, peer.as_socket()))
    }

    fn error(&self, cause: impl Into<Cause>) -> Error {
        let cause = cause.into();
        let error = Error::new(Operation::Dial, cause);
        // An address error names the address itself.
        match error.cause() {
            Cause::Address(_) => error.on(self.network),
            _ => error.on(self.network).to_text(self.address),
        }
    }
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
