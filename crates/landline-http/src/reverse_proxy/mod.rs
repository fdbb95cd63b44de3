//! A reverse proxy: a service that has its requests answered by backends, over the [client](crate::client).

mod answer;
mod backend;
mod balance;
mod body;
mod check;
mod exchange;
mod forwarded;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing;
mod head;
mod health;
mod hop;
mod loops;
mod names;
mod shared;
mod table;
mod upgrade;

use std::convert::Infallible;
use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::HeaderValue;
use http::{Request, Response};
use landline::{Addr, Dialer, Resolver};
use rustls::ClientConfig;

use crate::client::{Client, Error, Result};

pub use body::Body;
pub use check::HealthCheck;
pub use forwarded::Forwarding;
pub use head::Host;

use backend::Backend;
use health::Rest;
use shared::Shared;

/// Has requests answered by one backend, or by several that do the same.
///
/// A `tower` service of any request; cheap to clone, and clones share what is known of the backends, and, within one
/// runtime, conns: a server that has a runtime for each core keeps its conns apart by core. It always gives a response: where no backend does, one with status 502, 503 or 504, a short text, and a `Proxy-Status`
/// (RFC 9209) that says why.
///
/// * **Addresses.** Each address that a backend's name has is a target of its own. Names are looked up when they are first
///   needed, and again when their time to live or [`ReverseProxy::resolve_interval`] has passed, while the addresses known
///   go on being used.
/// * **Balance.** A request goes to the target that has the fewest under way; among equals, to one by chance.
/// * **Health.** A target that cannot be connected to, breaks the conn before it answers, does not answer in time, or
///   answers 502, 503 or 504 is let rest: for a second, then twice as long each time, up to a minute, until one request
///   succeeds. Where all rest, the one whose rest ends first is asked nevertheless. [`HealthCheck`] asks them besides.
/// * **Tries.** A request is tried with up to three targets, but never sent twice where that could do harm: only if nothing
///   of it went out, or its method is idempotent (RFC 9110 section 9.2.2) and it has no body.
/// * **Headers.** What belongs to a conn stays there (RFC 9110 section 7.6.1), and `TE` keeps its `trailers`. The
///   backend is told of the client by `Forwarded` (RFC 7239) and `X-Forwarded-For`, `-Host` and `-Proto`; see
///   [`Forwarding`]. The peer is the [`landline::Addr`] among the request's extensions, or else that of the
///   [`Caller`](crate::server::Caller), which our own server knows, and unknown without. `Host` stays as the client sent it;
///   see [`Host`].
/// * **Loops.** Each request that is passed on names this proxy in its `CDN-Loop` (RFC 8586), by a word made at random. One
///   that comes back, as a backend is this proxy itself or leads to it, is answered with 508 (RFC 5842 section 7.2).
/// * **Bodies** stream both ways with their trailers, in bounded memory. When the client leaves, or its body fails, the
///   request to the backend ends with it.
/// * **Upgrades**, such as to WebSocket, are passed on, and from then on bytes in both directions until both ends have
///   closed; for this the server has to allow upgrades.
///
/// ```no_run
/// # fn main() -> Result<(), landline_http::client::Error> {
/// use landline_http::reverse_proxy::{HealthCheck, ReverseProxy};
/// use std::time::Duration;
///
/// let proxy = ReverseProxy::new(["http://app.internal:8080", "http://127.0.0.1:3000"])?
///     .head_timeout(Duration::from_secs(30))
///     .health_check(HealthCheck::new("/healthz"));
/// # let _ = proxy; Ok(()) }
/// ```
#[derive(Clone)]
pub struct ReverseProxy {
    shared: Arc<Shared>,
}

/// What a proxy was told, and what holds if it was not.
#[derive(Clone)]
struct Settings {
    backends: Vec<Backend>,
    client: Client,
    resolver: Resolver,
    resolve_interval: Duration,
    host: Host,
    forwarding: Forwarding,
    is_secure: bool,
    via: Option<HeaderValue>,
    tries: NonZeroUsize,
    rest: Rest,
    timeout: Option<Duration>,
    check: Option<HealthCheck>,
}

impl ReverseProxy {
    /// To these backends: `http` or `https` URLs, or `unix:PATH` (`unix:@NAME` for one without a path).
    ///
    /// A path of the URL goes in front of those that are asked for: with `http://app/v2`, `/a` is asked as `/v2/a`.
    ///
    /// # Errors
    /// Where there is no backend, or one is no such URL or has a query; names the URL.
    pub fn new<I>(backends: I) -> Result<ReverseProxy>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let backends: Vec<Backend> =
            backends.into_iter().map(|url| Backend::parse(url.as_ref())).collect::<Result<_>>()?;
        if backends.is_empty() {
            return Err(Error::invalid("a proxy needs a backend"));
        }
        let settings = Settings {
            backends,
            client: Client::new()
                .decompress(false)
                .connect_timeout(Duration::from_secs(10))
                .head_timeout(Duration::from_secs(60)),
            resolver: Resolver::system(),
            resolve_interval: Duration::from_secs(30),
            host: Host::Keep,
            forwarding: Forwarding::Replace,
            is_secure: false,
            via: None,
            tries: NonZeroUsize::MIN.saturating_add(2),
            rest: Rest { first: Duration::from_secs(1), longest: Duration::from_secs(60) },
            timeout: None,
            check: None,
        };
        Ok(ReverseProxy { shared: Shared::new(settings) })
    }

    fn with(self, change: impl FnOnce(&mut Settings)) -> ReverseProxy {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        ReverseProxy { shared: Shared::new(settings) }
    }

    fn with_client(self, change: impl FnOnce(Client) -> Client) -> ReverseProxy {
        self.with(|settings| settings.client = change(settings.client.clone()))
    }

    /// How to dial the backends; [`Dialer::new`] by default. Their names are looked up by [`ReverseProxy::resolver`].
    #[must_use]
    pub fn dialer(self, dialer: Dialer) -> ReverseProxy {
        self.with_client(|client| client.dialer(dialer))
    }

    /// Roots and client certificates for `https` backends, as of [`Client::tls`].
    #[must_use]
    pub fn tls(self, config: impl Into<Arc<ClientConfig>>) -> ReverseProxy {
        self.with_client(|client| client.tls(config))
    }

    /// Speaks HTTP/2 to `http` backends too, without asking (RFC 9113 section 3.3); off by default. Requests that change
    /// the protocol go by HTTP/1.1.
    #[must_use]
    pub fn http2_prior_knowledge(self, on: bool) -> ReverseProxy {
        self.with_client(|client| client.http2_prior_knowledge(on))
    }

    /// The most HTTP/1.1 conns from one runtime to one target; more requests wait. No limit by default.
    #[must_use]
    pub fn max_conns_per_target(self, most: NonZeroUsize) -> ReverseProxy {
        self.with_client(|client| client.max_conns_per_host(most))
    }

    /// The longest a connect may take; 10 s by default.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> ReverseProxy {
        self.with_client(|client| client.connect_timeout(timeout))
    }

    /// The longest from the end of a request to the head of its response; 60 s by default.
    #[must_use]
    pub fn head_timeout(self, timeout: Duration) -> ReverseProxy {
        self.with_client(|client| client.head_timeout(timeout))
    }

    /// The longest between two pieces of a response's body; no limit by default.
    #[must_use]
    pub fn body_timeout(self, timeout: Duration) -> ReverseProxy {
        self.with_client(|client| client.body_timeout(timeout))
    }

    /// The longest for all of a request: every try, and the body of the response to its end. No limit by default, and none
    /// for what follows an upgrade.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> ReverseProxy {
        self.with(|settings| settings.timeout = Some(timeout))
    }

    /// Who looks the backends' names up; [`Resolver::system`] by default.
    #[must_use]
    pub fn resolver(self, resolver: Resolver) -> ReverseProxy {
        self.with(|settings| settings.resolver = resolver)
    }

    /// How long the addresses of a name are used at most before it is looked up again; 30 s by default. A shorter time to
    /// live counts, down to a second.
    #[must_use]
    pub fn resolve_interval(self, interval: Duration) -> ReverseProxy {
        self.with(|settings| settings.resolve_interval = interval)
    }

    /// What the backend sees as `Host`; [`Host::Keep`] by default.
    #[must_use]
    pub fn host(self, host: Host) -> ReverseProxy {
        self.with(|settings| settings.host = host)
    }

    /// What the backend is told of the client; [`Forwarding::Replace`] by default.
    #[must_use]
    pub fn forwarding(self, forwarding: Forwarding) -> ReverseProxy {
        self.with(|settings| settings.forwarding = forwarding)
    }

    /// Whether clients come by TLS, which the backend is told; off by default. A request with an [`http::uri::Scheme`]
    /// among its extensions tells for itself.
    #[must_use]
    pub fn secure(self, on: bool) -> ReverseProxy {
        self.with(|settings| settings.is_secure = on)
    }

    /// Adds `Via` with this name to requests and responses (RFC 9110 section 7.6.3): a host, or a word that stands for
    /// one. None by default.
    ///
    /// # Errors
    /// Where the name is no such word.
    pub fn via(self, name: &str) -> Result<ReverseProxy> {
        let is_word = |ch: char| ch.is_ascii_alphanumeric() || "-._~:[]".contains(ch);
        match HeaderValue::from_str(name) {
            Ok(value) if !name.is_empty() && name.chars().all(is_word) => {
                Ok(self.with(|settings| settings.via = Some(value)))
            }
            _ => Err(Error::invalid(format!("via {}: neither a host nor a word", name.escape_debug()))),
        }
    }

    /// With how many targets a request is tried at most; 3 by default.
    #[must_use]
    pub fn tries(self, most: NonZeroUsize) -> ReverseProxy {
        self.with(|settings| settings.tries = most)
    }

    /// How long a target that failed is let rest: at first, 1 s by default, then twice as long each time, up to the
    /// longest, 60 s. Zero lets none rest.
    #[must_use]
    pub fn rest(self, first: Duration, longest: Duration) -> ReverseProxy {
        self.with(|settings| settings.rest = Rest { first, longest })
    }

    /// Asks the targets how they are, besides. None by default.
    ///
    /// It begins with the first request and ends with the last clone of the proxy.
    #[must_use]
    pub fn health_check(self, check: HealthCheck) -> ReverseProxy {
        self.with(|settings| settings.check = Some(check))
    }
}

impl ReverseProxy {
    /// The first backend that is what listens at `local`, as [`ReverseProxy::new`] was given it. Served there, requests would
    /// come back, and be answered with 508.
    ///
    /// Only what is certain without a lookup: addresses (those of this host, where `local` is unspecified), `localhost` and
    /// the names below it, and Unix sockets.
    ///
    /// ```
    /// # fn main() -> Result<(), landline_http::client::Error> {
    /// use landline_http::reverse_proxy::ReverseProxy;
    ///
    /// let proxy = ReverseProxy::new(["http://localhost:8080"])?;
    /// let local = |text: &str| landline::Addr::from(text.parse::<std::net::SocketAddr>().unwrap());
    /// assert_eq!(proxy.backend_at(&local("0.0.0.0:8080")).as_deref(), Some("http://localhost:8080"));
    /// assert_eq!(proxy.backend_at(&local("127.0.0.1:80")), None);
    /// # Ok(()) }
    /// ```
    pub fn backend_at(&self, local: &Addr) -> Option<String> {
        // Where they cannot be had, fewer are certain.
        let own = landline::interface_addrs().unwrap_or_default();
        let own: Vec<_> = own.iter().map(|address| address.ip().to_canonical()).collect();
        let mut backends = self.shared.settings.backends.iter();
        backends.find(|backend| backend.is_at(local, &own)).map(ToString::to_string)
    }
}

impl std::fmt::Debug for ReverseProxy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ReverseProxy")
            .field("backends", &self.shared.settings.backends)
            .finish_non_exhaustive()
    }
}

/// It is always ready, as waiting for a conn is part of the call. Dropping the future ends the request to the backend.
impl<B> tower_service::Service<Request<B>> for ReverseProxy
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = std::result::Result<Response<Body>, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<std::result::Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let shared = self.shared.clone();
        Box::pin(async move { Ok(exchange::run(&shared, request).await) })
    }
}
