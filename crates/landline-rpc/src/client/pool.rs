//! Many servers behind one address, found by DNS.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landline::{Context, Ended, Network, join_host_port, split_host_port};
use landline_gob::Encode;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::balance::{self, Load};
use super::{Client, ClientConfig};
use crate::codec::{Codec, Wire};
use crate::error::Error;

/// A client of all servers that DNS has for an address. Cheap to clone; clones share conns.
///
/// | address | servers |
/// |---|---|
/// | `host:port` | every address of the host (A and AAAA); equal among each other |
/// | `_service._proto.domain` | those of the SRV records, with their ports, priorities and weights (RFC 2782) |
///
/// So a fleet is found where it is registered already: `_calc._tcp.service.consul` asks Consul (RFC 2782 lookups),
/// `_rpc._tcp.calc.default.svc.cluster.local` or `calc.default.svc.cluster.local:1234` a headless service of Kubernetes.
///
/// It is asked for anew when its time to live is over, between 1 s and 5 min, when a call is made; until there is an
/// answer, and if there is none, the servers known go on. Each server is dialed when it gets its first call.
///
/// A call goes to the less busy of two servers picked at random by their weights. One whose conn could not be made, or did
/// not last, gets no calls for as long as [`Reconnect`](super::Reconnect) has it wait. A call that was not sent is tried
/// on the next server; one that was sent and got no reply is not, as it may have been carried out.
///
/// ```no_run
/// # async fn example() -> Result<(), landline_rpc::Error> {
/// use landline_rpc::ClientConfig;
///
/// let pool = ClientConfig::new().pool("tcp", "_calc._tcp.example.com")?;
/// let squared: u64 = pool.call("Arith.Square", &7_u64).await?;
/// # drop(squared); Ok(()) }
/// ```
pub struct Pool<C: Codec = Wire>(Arc<Inner<C>>);

struct Inner<C: Codec> {
    config: ClientConfig<C>,
    network: Network,
    target: Target,
    known: Mutex<Known<C>>,
    /// Held by the one who asks.
    asking: tokio::sync::Mutex<()>,
}

enum Target {
    /// The host and its port, by number or name.
    Host(Box<str>, Box<str>),
    Service(Box<str>),
}

struct Known<C: Codec> {
    servers: Arc<[Server<C>]>,
    /// Until when the answer holds.
    until: Option<Instant>,
}

#[derive(Clone)]
struct Server<C: Codec> {
    client: Client<C>,
    at: Place,
}

/// What DNS says of a server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Place {
    /// `host:port`.
    address: Box<str>,
    priority: u16,
    weight: u16,
}

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(300);
/// How long to go without an answer before asking again.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

impl<C: Codec> Pool<C> {
    pub(super) fn new(config: ClientConfig<C>, network: Network, address: &str) -> Result<Pool<C>, Error> {
        let target = if address.starts_with('_') && !address.contains(':') {
            Target::Service(address.into())
        } else {
            let failed = |error| landline::Error::new(landline::Operation::Dial, error).to_text(address);
            let (host, port) = split_host_port(address).map_err(failed)?;
            Target::Host(host.into(), port.into())
        };
        let known = Mutex::new(Known { servers: Arc::new([]), until: None });
        let asking = tokio::sync::Mutex::new(());
        Ok(Pool(Arc::new(Inner { config, network, target, known, asking })))
    }

    /// Calls a method of one of the servers, and waits for its reply, for as long as [`ClientConfig::timeout`] allows.
    ///
    /// # Errors
    /// As [`Client::call`]; if no server can be reached, the first dial's.
    pub async fn call<A, R>(&self, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        let calling = self.call_any(method, args);
        match self.0.config.timeout {
            None => calling.await,
            Some(timeout) => tokio::time::timeout(timeout, calling).await.unwrap_or(Err(Error::Timeout)),
        }
    }

    /// [`call`](Pool::call) for as long as a context lasts.
    ///
    /// # Errors
    /// As [`call`](Pool::call); [`Error::Canceled`] and [`Error::Timeout`] when the context ends.
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

    /// The servers known by now, as `host:port`.
    pub fn servers(&self) -> Vec<String> {
        self.known().iter().map(|server| server.at.address.to_string()).collect()
    }

    async fn call_any<A, R>(&self, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        let servers = self.current().await?;
        let now = Instant::now();
        let loads: Vec<Load> = servers.iter().map(|server| server.load(now)).collect();
        let mut failure = None;
        for index in balance::order(&loads, |below| fastrand::u64(..below)) {
            match servers[index].client.call(method, args).await {
                Err(error @ (Error::Dial(_) | Error::Handshake(_))) => {
                    failure.get_or_insert(error);
                }
                result => return result,
            }
        }
        Err(failure.unwrap_or(Error::Shutdown))
    }

    fn known(&self) -> Arc<[Server<C>]> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).servers.clone()
    }

    /// The servers, asked for again where the last answer is too old.
    async fn current(&self) -> Result<Arc<[Server<C>]>, Error> {
        let fresh = || {
            let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
            let is_fresh = known.until.is_some_and(|until| Instant::now() < until);
            is_fresh.then(|| known.servers.clone())
        };
        if let Some(servers) = fresh() {
            return Ok(servers);
        }
        let known = self.known();
        let _asking = match known.is_empty() {
            true => self.0.asking.lock().await,
            // One asks; the others need not wait.
            false => match self.0.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(known),
            },
        };
        if let Some(servers) = fresh() {
            return Ok(servers);
        }
        match self.ask().await {
            Ok((places, ttl)) => Ok(self.learn(places, ttl)),
            Err(error) if known.is_empty() => Err(error),
            Err(_) => Ok(self.learn(known.iter().map(|server| server.at.clone()).collect(), AFTER_FAILURE)),
        }
    }

    /// Keeps the clients of servers that stay. Those of others end with their last calls.
    fn learn(&self, places: Vec<Place>, ttl: Duration) -> Arc<[Server<C>]> {
        let mut known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before: HashMap<&str, &Client<C>> =
            known.servers.iter().map(|server| (&*server.at.address, &server.client)).collect();
        let servers = places.into_iter().map(|at| {
            let client = before.remove(&*at.address).cloned();
            let client = client.unwrap_or_else(|| self.0.config.lazy(self.0.network, &at.address));
            Server { client, at }
        });
        let servers: Arc<[Server<C>]> = servers.collect();
        known.servers = servers.clone();
        known.until = Some(Instant::now() + ttl);
        servers
    }

    async fn ask(&self) -> Result<(Vec<Place>, Duration), Error> {
        let resolver = self.0.config.chosen_resolver();
        let (mut places, ttl) = match &self.0.target {
            Target::Host(host, port) => {
                let found = resolver.lookup_ip(host).await?;
                let ttl = found.ttl();
                let place = |ip: landline::ScopedIp| Place {
                    address: join_host_port(&ip.to_string(), port).into(),
                    priority: 0,
                    weight: 1,
                };
                (found.into_vec().into_iter().map(place).collect::<Vec<_>>(), ttl)
            }
            Target::Service(name) => {
                let found = resolver.lookup_srv("", "", name).await?;
                let ttl = found.ttl();
                let place = |srv: landline::Srv| Place {
                    address: join_host_port(srv.target.trim_end_matches('.'), srv.port.to_string()).into(),
                    priority: srv.priority,
                    weight: srv.weight,
                };
                // A dot says that there is none (RFC 2782).
                (found.into_vec().into_iter().filter(|srv| srv.target != ".").map(place).collect(), ttl)
            }
        };
        // The same server twice is one server.
        let mut seen = std::collections::HashSet::new();
        places.retain(|place| seen.insert(place.address.clone()));
        Ok((places, ttl.unwrap_or(LONGEST).clamp(SHORTEST, LONGEST)))
    }
}

impl<C: Codec> Server<C> {
    fn load(&self, now: Instant) -> Load {
        Load {
            priority: self.at.priority,
            weight: self.at.weight,
            in_flight: self.client.in_flight(),
            is_well: self.client.is_well(now),
        }
    }
}

impl<C: Codec> Clone for Pool<C> {
    fn clone(&self) -> Pool<C> {
        Pool(self.0.clone())
    }
}

impl<C: Codec> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("servers", &self.servers()).finish_non_exhaustive()
    }
}
