//! The resolver: its settings, and what its lookups share.

use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use super::cache::{Cache, CachedAnswers};
use super::config::{Config, NameServer};
use super::exchange::{Link, Transport};
use super::files::{Snapshot, SystemFiles};
use super::inflight::{Flights, Joined, Seat};
use super::query::{DnsLookup, Means, Muted, Subject};
use super::system::SystemResolver;
use crate::context::Context;
use crate::error::Operation;
use crate::explain::{Explainer, Sink, What};
use crate::order::Sources;

/// Looks up names, addresses and DNS records. Every default is usable; cheap to clone, and clones share their cache
/// and their queries in flight.
///
/// [`Resolver::system`] does what the system is configured to do: `/etc/nsswitch.conf`, `/etc/hosts`,
/// `/etc/resolv.conf`, all looked at again when they change. [`Resolver::new`] does what a [`Config`] says.
///
/// Every lookup has a form that ends with a [`Context`]. All of them end at once when they are cancelled or dropped,
/// with their sockets; only a call of the system's `getaddrinfo`, where the configuration makes one necessary, goes on
/// by itself until it returns.
///
/// # Errors
/// An error says which name was looked up and which server was asked last; see
/// [`Error::is_not_found`](crate::Error::is_not_found), [`Error::is_timeout`](crate::Error::is_timeout) and
/// [`Error::lookup_error`](crate::Error::lookup_error).
///
/// # Panics
/// DNS lookups panic outside a tokio runtime with I/O and time enabled.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::Resolver;
///
/// let resolver = Resolver::system();
/// for mx in &resolver.lookup_mx("example.com").await? {
///     for host in &resolver.lookup_ip(&mx.exchange).await? {
///         println!("{mx} is at {host}");
///     }
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Resolver {
    pub(super) inner: Arc<Inner>,
    explainer: Explainer,
}

pub(super) struct Inner {
    settings: Settings,
    files: Arc<SystemFiles>,
    pub(super) system: SystemResolver,
    flights: Flights<FlightKey, DnsLookup>,
    pub(super) sources: Sources,
    cache: Option<Arc<Mutex<CachedAnswers>>>,
    rotation: AtomicUsize,
    /// The last configuration of the system, and what the settings made of it.
    adapted: Mutex<Option<(Arc<Config>, Arc<Config>)>>,
}

#[derive(Clone, Default)]
struct Settings {
    /// `None` for the system's.
    config: Option<Arc<Config>>,
    servers: Option<Vec<SocketAddr>>,
    tcp: Option<bool>,
    timeout: Option<Duration>,
    attempts: Option<u32>,
    without_files: bool,
    strict: bool,
    link: Link,
    cache: Option<Cache>,
}

/// What makes two DNS lookups the same.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct FlightKey {
    subject: Subject,
    /// The configuration, by the address that it has while the lookup holds it.
    config: usize,
    /// Sockets are served by the runtime that made them, and are dead once it is.
    runtime: tokio::runtime::Id,
}

/// The files and the configuration at one moment.
#[derive(Clone)]
pub(super) struct View {
    pub(super) snapshot: Arc<Snapshot>,
    pub(super) config: Arc<Config>,
    pub(super) without_files: bool,
}

/// One caller's place in a DNS lookup.
pub(super) struct DnsSeat {
    pub(super) seat: Seat<FlightKey, DnsLookup>,
    /// Ends the events with the caller who gets them.
    _muted: Option<Muted>,
}

impl Resolver {
    /// The system's: its files and name servers, in the order that `/etc/nsswitch.conf` gives. All resolvers of the
    /// system share what they have read.
    pub fn system() -> Resolver {
        static SYSTEM: LazyLock<Resolver> =
            LazyLock::new(|| Resolver::with(Settings::default(), shared_files()));
        SYSTEM.clone()
    }

    /// One that does what `config` says, and looks at none of the system's settings beside `/etc/hosts` and
    /// `/etc/services`.
    pub fn new(config: Config) -> Resolver {
        Resolver::with(Settings { config: Some(Arc::new(config)), ..Settings::default() }, shared_files())
    }

    fn with(settings: Settings, files: Arc<SystemFiles>) -> Resolver {
        let cache = settings.cache.clone().map(|cache| Arc::new(Mutex::new(CachedAnswers::new(cache))));
        let inner = Inner {
            settings,
            files,
            system: SystemResolver::shared(),
            flights: Flights::new(),
            sources: Sources::default(),
            cache,
            rotation: AtomicUsize::new(0),
            adapted: Mutex::new(None),
        };
        Resolver { inner: Arc::new(inner), explainer: Explainer::SILENT }
    }

    /// Another resolver, which shares nothing with this one but the files.
    fn changed(self, change: impl FnOnce(&mut Settings)) -> Resolver {
        let mut settings = self.inner.settings.clone();
        change(&mut settings);
        let changed = Resolver::with(settings, self.inner.files.clone());
        Resolver { explainer: self.explainer, ..changed }
    }

    /// Asks these name servers in place of those configured. By default port 53.
    ///
    /// ```
    /// use landline::Resolver;
    /// use std::net::Ipv4Addr;
    ///
    /// let resolver = Resolver::system().servers([Ipv4Addr::new(192, 0, 2, 53)]);
    /// # drop(resolver);
    /// ```
    #[must_use]
    pub fn servers(self, servers: impl IntoIterator<Item = impl Into<NameServer>>) -> Resolver {
        let servers = servers.into_iter().map(|server| server.into().addr()).collect();
        self.changed(|settings| settings.servers = Some(servers))
    }

    /// Whether to ask over TCP only. Off by default: UDP, and TCP for an answer that is truncated or garbled.
    #[must_use]
    pub fn tcp(self, tcp: bool) -> Resolver {
        self.changed(|settings| settings.tcp = Some(tcp))
    }

    /// How long each server has to answer, in place of what is configured; 5 s by default. The whole lookup is bounded
    /// by its context.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Resolver {
        self.changed(|settings| settings.timeout = Some(timeout))
    }

    /// How many times to go through the servers, in place of what is configured; 2 by default, and at least 1.
    #[must_use]
    pub fn attempts(self, attempts: u32) -> Resolver {
        self.changed(|settings| settings.attempts = Some(attempts))
    }

    /// Whether `/etc/hosts` is asked, where the order of sources has it. On by default.
    #[must_use]
    pub fn files(self, files: bool) -> Resolver {
        self.changed(|settings| settings.without_files = !files)
    }

    /// Whether a lookup of addresses fails when either of its questions, A or AAAA, does. Off by default: what the
    /// other found is taken, so that trouble with a server can make a name look as if it had one family only.
    #[must_use]
    pub fn strict(self, strict: bool) -> Resolver {
        self.changed(|settings| settings.strict = strict)
    }

    /// Keeps DNS answers. Off by default. Clones made afterwards share the cache.
    #[must_use]
    pub fn cache(self, cache: impl Into<Option<Cache>>) -> Resolver {
        let cache = cache.into();
        self.changed(|settings| settings.cache = cache)
    }

    /// Reaches the servers another way than by sockets of its own; see [`Transport`].
    #[must_use]
    pub fn transport(self, transport: impl Transport + 'static) -> Resolver {
        self.changed(|settings| settings.link = Link { transport: Some(Arc::new(transport)) })
    }

    /// Where every lookup tells what it does; see [`explain`](crate::explain).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
    /// use landline::explain::{Event, What};
    /// use landline::Resolver;
    ///
    /// let resolver = Resolver::system().sink(|event: &Event| {
    ///     if let What::Policy { sources, reason, .. } = &event.what {
    ///         println!("asking {sources:?}, because {reason}");
    ///     }
    /// });
    /// resolver.lookup_ip("localhost").await?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn sink(mut self, sink: impl Sink + 'static) -> Resolver {
        self.explainer = Explainer::new(Arc::new(sink));
        self
    }

    /// The same resolver, which tells this sink as well.
    pub(super) fn telling(&self, sink: Arc<dyn Sink>) -> Resolver {
        Resolver { inner: self.inner.clone(), explainer: self.explainer.clone().and(sink) }
    }

    /// Who is told of a lookup that begins.
    pub(super) fn explainer(&self, kind: &str, name: &str) -> Explainer {
        let tracing = Explainer::of(Operation::Lookup, &kind, name);
        match (self.explainer.sink(), tracing.is_on()) {
            (None, _) => tracing,
            (Some(_), false) => self.explainer.clone(),
            (Some(sink), true) => tracing.and(sink.clone()),
        }
    }
}

/// The system's files are the same for all, so they are read once for all.
fn shared_files() -> Arc<SystemFiles> {
    static FILES: LazyLock<Arc<SystemFiles>> = LazyLock::new(|| Arc::new(SystemFiles::system()));
    FILES.clone()
}

impl Inner {
    pub(super) fn view(&self) -> View {
        let snapshot = self.files.snapshot();
        let base = self.settings.config.as_ref().unwrap_or(&snapshot.config);
        let config = self.adapted(base);
        View { snapshot, config, without_files: self.settings.without_files }
    }

    /// The configuration with the settings over it; the same for as long as it does not change, so that lookups can
    /// tell that they ask the same.
    fn adapted(&self, base: &Arc<Config>) -> Arc<Config> {
        let Settings { servers, tcp, timeout, attempts, .. } = &self.settings;
        if servers.is_none() && tcp.is_none() && timeout.is_none() && attempts.is_none() {
            return base.clone();
        }
        let mut adapted = self.adapted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, config)) = &*adapted
            && Arc::ptr_eq(of, base)
        {
            return config.clone();
        }
        let mut config = (**base).clone();
        if let Some(servers) = servers {
            config = config.with_servers(servers.iter().copied());
        }
        if let Some(tcp) = tcp {
            config = config.with_use_vc(*tcp);
        }
        if let Some(timeout) = timeout {
            config = config.with_timeout(*timeout);
        }
        if let Some(attempts) = attempts {
            config = config.with_attempts(*attempts);
        }
        let config = Arc::new(config);
        *adapted = Some((base.clone(), config.clone()));
        config
    }

    /// Asks the name servers about a subject with one name at least, or joins those who do so already.
    pub(super) fn ask(
        &self,
        view: &View,
        subject: Subject,
        context: &Context,
        explainer: &Explainer,
    ) -> DnsSeat {
        let key = FlightKey {
            subject,
            config: Arc::as_ptr(&view.config).addr(),
            runtime: tokio::runtime::Handle::current().id(),
        };
        let mut muted = None;
        let (seat, joined) = self.flights.join(&key, context.deadline(), |key| {
            let (explainer, mute) = Muted::new(explainer);
            muted = mute;
            DnsLookup::new(key.subject.clone(), self.means(view), explainer)
        });
        if joined == Joined::Shares {
            for lane in &key.subject.lanes {
                explainer.tell(|| What::QueryShared {
                    name: key.subject.names[0].to_string(),
                    record: lane.record.to_string(),
                });
            }
        }
        DnsSeat { seat, _muted: muted }
    }

    fn means(&self, view: &View) -> Means {
        let config = view.config.clone();
        let servers = config.servers().len().max(1);
        let first = match config.rotate() {
            true => self.rotation.fetch_add(1, Ordering::Relaxed) % servers,
            false => 0,
        };
        let Settings { link, strict, .. } = &self.settings;
        Means { config, link: link.clone(), cache: self.cache.clone(), strict: *strict, first }
    }
}

impl Default for Resolver {
    fn default() -> Resolver {
        Resolver::system()
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Settings { config, servers, tcp, timeout, attempts, without_files, strict, link, cache } =
            &self.inner.settings;
        f.debug_struct("Resolver")
            .field("config", config)
            .field("servers", servers)
            .field("tcp", tcp)
            .field("timeout", timeout)
            .field("attempts", attempts)
            .field("files", &!without_files)
            .field("strict", strict)
            .field("own_transport", &link.transport.is_some())
            .field("cache", cache)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
