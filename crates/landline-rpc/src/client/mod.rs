//! The client: calls over one conn, or over a pool of them.

mod balance;
mod call;
mod config;
mod driver;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod handshake;
mod link;
mod pending;
mod pool;
mod reconnect;
mod standing;
mod suspicion;
mod within;

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landline::{Context, Ended, Network, ToNetwork};
use landline_gob::{Encode, Value};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;

use crate::codec::{Codec, Wire};
use crate::error::Error;
pub use config::ClientConfig;
use link::{Heard, Link};
pub use pool::Pool;
use reconnect::Attempts;
pub use reconnect::Reconnect;
use suspicion::Suspicion;
use within::Within;

/// A client: calls methods of one server, as many at a time as one likes, over one conn. Cheap to clone; clones share the
/// conn.
///
/// ```no_run
/// # async fn example() -> Result<(), landline_rpc::Error> {
/// use landline_rpc::Client;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// #[serde(rename_all = "PascalCase")]
/// struct Args {
///     a: i64,
///     b: i64,
/// }
///
/// let client = Client::dial("tcp", "calc.example.com:1234").await?;
/// let product: i64 = client.call("Arith.Multiply", &Args { a: 7, b: 8 }).await?;
/// # drop(product); Ok(()) }
/// ```
///
/// Requests of calls made at the same time go out together, and replies are decoded by the one task that a client has,
/// which lives as long as the conn. Dropping the last clone closes it.
///
/// # Cancel
/// Dropping the future of a call gives it up: the server is not told, as the protocol has no word for it, and the reply is
/// passed over when it comes. The conn goes on.
pub struct Client<C: Codec = Wire>(Arc<Inner<C>>);

struct Inner<C: Codec> {
    config: ClientConfig<C>,
    /// Where to dial; nothing for a conn that was given.
    target: Option<Target>,
    current: Mutex<Current<C>>,
    /// Held by the one who dials.
    dialing: tokio::sync::Mutex<()>,
    heard: Heard,
}

struct Current<C: Codec> {
    link: Option<Arc<Link<C>>>,
    attempts: Attempts,
    /// What its pool suspects, if it is of one.
    suspicion: Suspicion,
    is_closed: bool,
}

struct Target {
    network: Network,
    address: Box<str>,
}

impl Client {
    /// Dials a server that speaks gob, Go's own codec. With other codecs, and more to choose, see [`ClientConfig`].
    ///
    /// # Errors
    /// When it cannot be reached.
    pub async fn dial(network: impl ToNetwork, address: &str) -> Result<Client, Error> {
        ClientConfig::new().dial(network, address).await
    }

    /// The same by HTTP's `CONNECT`, as with Go's `rpc.DialHTTP`.
    ///
    /// # Errors
    /// When it cannot be reached, or the handshake fails.
    pub async fn dial_http(network: impl ToNetwork, address: &str) -> Result<Client, Error> {
        ClientConfig::new().http(true).dial(network, address).await
    }

    /// A client on a conn to a server that speaks gob.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn on(conn: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Client {
        ClientConfig::new().client(conn)
    }

    /// Calls a method with arguments of a type that is only known at run time, and gives its reply whatever it is.
    ///
    /// # Errors
    /// As [`call`](Client::call).
    pub async fn call_value(&self, method: &str, args: &Value) -> Result<Value, Error> {
        let call = async {
            let link = self.link().await?;
            link.call(method, |requests, header, out| requests.request_value(header, args, out)).await
        };
        self.within_timeout(call).await
    }
}

impl<C: Codec> Client<C> {
    fn new(
        config: ClientConfig<C>,
        target: Option<Target>,
        link: Option<Link<C>>,
        heard: Heard,
    ) -> Client<C> {
        let current = Current {
            link: link.map(Arc::new),
            attempts: Attempts::default(),
            suspicion: Suspicion::default(),
            is_closed: false,
        };
        let dialing = tokio::sync::Mutex::new(());
        Client(Arc::new(Inner { config, target, current: Mutex::new(current), dialing, heard }))
    }

    /// Calls a method and waits for its reply, for as long as [`ClientConfig::timeout`] allows.
    ///
    /// # Errors
    /// What the method, or the server, says is [`Error::Service`]. For the rest see [`Error`].
    pub async fn call<A, R>(&self, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        let call = async { self.link().await?.call_with(method, args).await };
        self.within_timeout(call).await
    }

    /// [`call`](Client::call) for as long as a context lasts.
    ///
    /// # Errors
    /// As [`call`](Client::call); [`Error::Canceled`] and [`Error::Timeout`] when the context ends.
    pub async fn call_in<A, R>(&self, context: &Context, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        match context.run(self.call(method, args)).await {
            Ok(result) => result,
            Err(Ended::DeadlineExceeded) => Err(Error::Timeout),
            Err(_) => Err(Error::Canceled),
        }
    }

    /// [`call`](Client::call) for so long at most.
    ///
    /// # Errors
    /// As [`call`](Client::call), and [`Error::Timeout`].
    pub async fn call_within<A, R>(&self, timeout: Duration, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        Within::new(Some(timeout), self.call(method, args)).await
    }

    /// How many calls are under way.
    pub fn in_flight(&self) -> usize {
        self.current().link.as_ref().map_or(0, |link| link.in_flight())
    }

    /// Closes the conn. Calls under way, and all later ones, fail with [`Error::Shutdown`].
    pub fn close(&self) {
        let mut current = self.current();
        current.is_closed = true;
        if let Some(link) = &current.link {
            link.shut_down();
        }
    }

    /// Makes sure of a conn.
    async fn connect(&self) -> Result<(), Error> {
        let dial = async { self.link().await.map(drop) };
        self.within_timeout(dial).await
    }

    fn within_timeout<T, F: Future<Output = Result<T, Error>>>(&self, work: F) -> Within<F> {
        Within::new(self.0.config.timeout, work)
    }

    fn current(&self) -> MutexGuard<'_, Current<C>> {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The conn, as it is or dialed anew.
    async fn link(&self) -> Result<Arc<Link<C>>, Error> {
        match self.live_link()? {
            Some(link) => Ok(link),
            // Apart, as every call would have the room for a dial in it.
            None => Box::pin(self.new_link()).await,
        }
    }

    #[cold]
    async fn new_link(&self) -> Result<Arc<Link<C>>, Error> {
        let _dialing = self.0.dialing.lock().await;
        // Whoever dialed meanwhile has done it for all who waited.
        if let Some(link) = self.live_link()? {
            return Ok(link);
        }
        self.dial_again().await
    }

    /// The conn, if calls can be made on it. A conn that was given is all there is, and tells why it ended.
    fn live_link(&self) -> Result<Option<Arc<Link<C>>>, Error> {
        let current = self.current();
        if current.is_closed {
            return Err(Error::Shutdown);
        }
        let may_dial = self.0.target.is_some()
            && (current.link.is_none() || self.0.config.reconnect != Reconnect::Never);
        Ok(current.link.clone().filter(|link| !may_dial || link.is_alive()))
    }

    async fn dial_again(&self) -> Result<Arc<Link<C>>, Error> {
        let Some(target) = &self.0.target else { return Err(Error::Shutdown) };
        let config = &self.0.config;
        {
            let mut current = self.current();
            let now = Instant::now();
            current.attempts.ended(now, config.reconnect, fastrand::f64());
            current.attempts.may_dial(now)?;
        }
        let opened = config.open(target, &self.0.heard).await;
        let mut current = self.current();
        if current.is_closed {
            return Err(Error::Shutdown);
        }
        match opened {
            Ok(link) => {
                let link = Arc::new(link);
                current.attempts.connected(Instant::now());
                current.link = Some(link.clone());
                Ok(link)
            }
            Err(error) => {
                let chance = fastrand::f64();
                current.attempts.failed(Instant::now(), config.reconnect, chance, error.clone());
                Err(error)
            }
        }
    }
}

impl<C: Codec> Clone for Client<C> {
    fn clone(&self) -> Client<C> {
        Client(self.0.clone())
    }
}

impl<C: Codec> fmt::Debug for Client<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut client = f.debug_struct("Client");
        if let Some(target) = &self.0.target {
            client.field("address", &target.address);
        }
        client.field("in_flight", &self.in_flight()).finish_non_exhaustive()
    }
}
