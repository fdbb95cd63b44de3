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
use super::suspicion::{self, Standing};
use super::within::Within;
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
/// A call goes to the less busy of two servers picked at random by their weights. A call that was not sent is tried on the
/// next server; one that was sent and got no reply is not, as it may have been carried out.
///
/// # Servers that are not well
/// | what a server does | what becomes of it |
/// |---|---|
/// | no conn can be made to it, or one does not last | no calls for as long as [`Reconnect`](super::Reconnect) has it wait |
/// | it does not answer a dial | the same, after half of the time left for the call, and 5 s at most, while others are there to be tried |
/// | it takes calls and says nothing | the same; then, after each pause, one call on a new conn, until something comes from it |
///
/// A server says nothing when a call to it is given up (by its timeout, by its context, or by being dropped) and not a byte
/// has come from the server since the call was sent, for at least half of the time that the call had, or 1 s if that is
/// less. So calls to a fleet want a timeout: without one, they wait for a server that has stopped for as long as the
/// kernel does, and nobody learns of it.
///
/// Those that are not well come last: they get a call when no other server can take it.
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
        self.call_until(None, method, args).await
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
        match context.run(self.call_until(context.deadline(), method, args)).await {
            Ok(result) => result,
            Err(Ended::DeadlineExceeded) => Err(Error::Timeout),
            Err(_) => Err(Error::Canceled),
        }
    }

    /// The servers known by now, as `host:port`.
    pub fn servers(&self) -> Vec<String> {
        self.known().iter().map(|server| server.at.address.to_string()).collect()
    }

    async fn call_until<A, R>(&self, end: Option<Instant>, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        let timeout = self.0.config.timeout;
        Within::new(timeout, self.call_any(end, method, args)).await
    }

    /// `end` is when the caller will give up, if that is known and is not the timeout.
    async fn call_any<A, R>(&self, end: Option<Instant>, method: &str, args: &A) -> Result<R, Error>
    where
        A: Encode,
        R: DeserializeOwned + Send + 'static,
    {
        let mut now = Instant::now();
        let timeout = self.0.config.timeout.and_then(|timeout| now.checked_add(timeout));
        let end = end.into_iter().chain(timeout).min();
        let patience = suspicion::patience(end.map(|end| end - now));
        let servers = match self.fresh() {
            Some(servers) => servers,
            // Apart, as every call would have the room for a lookup in it.
            None => Box::pin(self.current()).await?,
        };
        let loads: Vec<Load> = servers.iter().map(|server| server.load(now)).collect();
        let order = balance::order(&loads, |below| fastrand::u64(..below));
        let mut failure = None;
        for (tried, &index) in order.iter().enumerate() {
            let client = &servers[index].client;
            client.begin_probe(now);
            let link = match client.live_link()? {
                Some(link) => link,
                None => {
                    let has_others = order[tried + 1..].iter().any(|other| loads[*other].is_well);
                    let share = balance::time_to_dial(end.map(|end| end - Instant::now()), has_others);
                    let dialed = Box::pin(client.link_within(share)).await;
                    now = Instant::now();
                    match dialed {
                        Ok(link) => link,
                        Err(error) => {
                            failure.get_or_insert(error);
                            continue;
                        }
                    }
                }
            };
            let mut watch = client.watch(now, patience);
            let result = link.call_with(method, args).await;
            watch.is_over = true;
            match result {
                Err(error @ Error::Unsent(_)) => failure.get_or_insert(error),
                result => return result,
            };
        }
        Err(failure.unwrap_or(Error::Shutdown))
    }

    fn known(&self) -> Arc<[Server<C>]> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner).servers.clone()
    }

    /// The servers, if the last answer is not too old.
    fn fresh(&self) -> Option<Arc<[Server<C>]>> {
        let known = self.0.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_fresh = known.until.is_some_and(|until| Instant::now() < until);
        is_fresh.then(|| known.servers.clone())
    }

    /// The servers, asked for again.
    #[cold]
    async fn current(&self) -> Result<Arc<[Server<C>]>, Error> {
        let known = self.known();
        let _asking = match known.is_empty() {
            true => self.0.asking.lock().await,
            // One asks; the others need not wait.
            false => match self.0.asking.try_lock() {
                Ok(asking) => asking,
                Err(_) => return Ok(known),
            },
        };
        if let Some(servers) = self.fresh() {
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
            is_well: self.client.standing(now) != Standing::Suspect,
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
