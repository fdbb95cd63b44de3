//! How to be a client.

use std::sync::Arc;
use std::time::Duration;

use landline::{Conn, Dialer, Network, Resolver, ToNetwork};
use tokio::io::{AsyncRead, AsyncWrite};

use super::link::{Heard, Limits, Link};
use super::pool::Pool;
use super::reconnect::Reconnect;
use super::{Client, Target, handshake};
use crate::codec::{Codec, Wire};
use crate::error::Error;
use crate::handshake::{HANDSHAKE, RPC_PATH};

/// How to be a client: by which codec, with or without HTTP, how to dial, and within which limits. Every default is
/// usable; cheap to clone.
///
/// ```no_run
/// # async fn example() -> Result<(), landline_rpc::Error> {
/// use std::time::Duration;
/// use landline_rpc::{ClientConfig, Wire};
///
/// let config = ClientConfig::new().codec(Wire::Json).timeout(Duration::from_secs(2));
/// let client = config.dial("tcp", "calc.example.com:1234").await?;
/// let pool = config.pool("tcp", "_calc._tcp.example.com")?;
/// # drop((client, pool)); Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct ClientConfig<C: Codec = Wire> {
    pub(super) codec: C,
    http: Option<Arc<str>>,
    dialer: Dialer,
    resolver: Resolver,
    pub(super) reconnect: Reconnect,
    pub(super) timeout: Option<Duration>,
    limits: Limits,
}

impl ClientConfig {
    /// The defaults: gob, without HTTP, no timeout, [`Reconnect::default`].
    pub fn new() -> ClientConfig {
        ClientConfig::with_codec(Wire::Gob)
    }
}

impl Default for ClientConfig {
    fn default() -> ClientConfig {
        ClientConfig::new()
    }
}

impl<C: Codec> ClientConfig<C> {
    /// The defaults for another codec.
    pub fn with_codec(codec: C) -> ClientConfig<C> {
        ClientConfig {
            codec,
            http: None,
            dialer: Dialer::new(),
            resolver: Resolver::system(),
            reconnect: Reconnect::default(),
            timeout: None,
            limits: Limits { message: crate::server::MESSAGE, calls: 1 << 17, unsent: 256 << 10 },
        }
    }

    /// Another codec of the same kind.
    #[must_use]
    pub fn codec(mut self, codec: C) -> ClientConfig<C> {
        self.codec = codec;
        self
    }

    /// Whether conns begin with Go's HTTP handshake, `CONNECT /_goRPC_`, as with Go's `rpc.DialHTTP`.
    #[must_use]
    pub fn http(mut self, http: bool) -> ClientConfig<C> {
        self.http = http.then(|| RPC_PATH.into());
        self
    }

    /// The same at another path, as with Go's `rpc.DialHTTPPath`.
    #[must_use]
    pub fn http_path(mut self, path: &str) -> ClientConfig<C> {
        self.http = Some(path.into());
        self
    }

    /// How to dial.
    #[must_use]
    pub fn dialer(mut self, dialer: Dialer) -> ClientConfig<C> {
        self.dialer = dialer;
        self
    }

    /// Whom a pool asks for its servers, and a dial for addresses.
    #[must_use]
    pub fn resolver(mut self, resolver: Resolver) -> ClientConfig<C> {
        self.dialer = self.dialer.resolver(resolver.clone());
        self.resolver = resolver;
        self
    }

    /// What to do when the conn has ended.
    #[must_use]
    pub fn reconnect(mut self, reconnect: Reconnect) -> ClientConfig<C> {
        self.reconnect = reconnect;
        self
    }

    /// How long a call may take, a dial for it included; then it fails with [`Error::Timeout`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> ClientConfig<C> {
        self.timeout = Some(timeout);
        self
    }

    /// The longest message in bytes, of requests and replies; 64 MiB by default. A call with a longer one fails; a longer
    /// reply ends the conn.
    #[must_use]
    pub fn max_message(mut self, bytes: usize) -> ClientConfig<C> {
        self.limits.message = bytes;
        self
    }

    /// How many calls may be under way on one conn; at least one, 131,072 by default. Others wait.
    #[must_use]
    pub fn max_in_flight(mut self, calls: usize) -> ClientConfig<C> {
        self.limits.calls = calls.max(1);
        self
    }

    /// How many bytes of requests may wait for the server to take them; 256 KiB by default. Further calls wait.
    #[must_use]
    pub fn max_unsent(mut self, bytes: usize) -> ClientConfig<C> {
        self.limits.unsent = bytes;
        self
    }

    /// Dials a server; networks and addresses are those of [`Dialer::dial`].
    ///
    /// # Errors
    /// When it cannot be reached, or the handshake fails.
    pub async fn dial(&self, network: impl ToNetwork, address: &str) -> Result<Client<C>, Error> {
        let network = self.network(network, address)?;
        let client = self.lazy(network, address);
        client.connect().await?;
        Ok(client)
    }

    /// A client that dials when the first call is made.
    ///
    /// # Errors
    /// When there is no such network.
    pub fn dial_later(&self, network: impl ToNetwork, address: &str) -> Result<Client<C>, Error> {
        Ok(self.lazy(self.network(network, address)?, address))
    }

    /// A client on a conn, a stream of any kind, without a handshake. When it ends, the client does.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn client(&self, conn: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client<C> {
        let heard = Heard::default();
        let link = Link::open(conn, &self.codec, self.limits, &[], heard.clone());
        Client::new(self.clone(), None, Some(link), heard)
    }

    /// A pool of the servers at an address; see [`Pool`].
    ///
    /// # Errors
    /// When there is no such network, or the address is neither `host:port` nor the name of a service.
    pub fn pool(&self, network: impl ToNetwork, address: &str) -> Result<Pool<C>, Error> {
        Pool::new(self.clone(), self.network(network, address)?, address)
    }

    pub(super) fn lazy(&self, network: Network, address: &str) -> Client<C> {
        Client::new(self.clone(), Some(Target { network, address: address.into() }), None, Heard::default())
    }

    fn network(&self, network: impl ToNetwork, address: &str) -> Result<Network, Error> {
        let failed = |error| landline::Error::new(landline::Operation::Dial, error).to_text(address);
        network.to_network().map_err(|error| failed(error).into())
    }

    pub(super) async fn open(&self, target: &Target, heard: &Heard) -> Result<Link<C>, Error> {
        let mut conn: Conn = self.dialer.dial(target.network, &target.address).await?;
        let received = match &self.http {
            Some(path) => {
                let connecting = handshake::connect(&mut conn, path);
                let late = |_| Err(Error::Handshake("no answer in time".to_owned()));
                tokio::time::timeout(HANDSHAKE, connecting).await.unwrap_or_else(late)?
            }
            None => Vec::new(),
        };
        Ok(Link::open(conn, &self.codec, self.limits, &received, heard.clone()))
    }

    pub(super) fn chosen_resolver(&self) -> &Resolver {
        &self.resolver
    }
}
