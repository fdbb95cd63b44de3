//! A client: conns made by landline's dialer, kept, shared, limited, and explained request by request.

mod body;
mod conn;
mod cookie;
mod error;
pub(crate) mod exchange;
mod interim;
mod io;
pub(crate) mod origin;
mod pool;
mod read_ahead;
mod redirect;
mod response;
pub(crate) mod route;
mod settings;
mod shelf;
mod trace;
mod upgraded;
mod way;

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response};
use landline::explain::{Outcome, Recorder};
use landline::{Context, Dialer, Ended, Proxies};
use rustls::ClientConfig;

pub use body::Body;
pub use conn::ConnInfo;
pub use cookie::{CookieFileError, Cookies};
pub use error::{Error, ErrorKind, Phase, Result};
pub use response::ResponseBody;
pub use trace::Explanation;
pub use upgraded::Upgraded;

use exchange::{Exchange, Unanswered};
use route::Route;
use settings::{ALPN, Settings};
use shelf::Shelf;
use trace::Trace;

/// The longest body of a redirect that is read so that its conn can be kept, in bytes.
const REDIRECT_BODY: usize = 64 * 1024;

/// Sends requests, over conns that it keeps.
///
/// Every default is usable; cheap to clone, and clones share the conns. A setter gives a client with conns of its own. It
/// needs the tokio runtime that it was first used in; conns close when the last clone and the last body are dropped.
///
/// HTTP/2 is spoken where a TLS server agrees to it (ALPN), else HTTP/1.1. A conn that turns out to be stale is replaced
/// and the request sent again if nothing of it went out, or if sending it twice does no harm (RFC 9110 section 9.2.2).
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use landline_http::client::Client;
/// use std::time::Duration;
///
/// let client = Client::new().timeout(Duration::from_secs(20));
/// let response = client.get("https://example.com/").await?;
/// println!("{} {}", response.status(), response.into_body().text(1 << 20).await?);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Client {
    settings: Arc<Settings>,
    shelf: Arc<Shelf>,
}

impl Client {
    /// The defaults, which each setter names.
    pub fn new() -> Client {
        let settings = Settings::default();
        Client { shelf: Shelf::new(settings.limits), settings: Arc::new(settings) }
    }

    fn with(mut self, change: impl FnOnce(&mut Settings)) -> Client {
        change(Arc::make_mut(&mut self.settings));
        self.shelf = Shelf::new(self.settings.limits);
        self
    }

    /// How to dial: resolver, race, local address, proxies and all else; [`Dialer::new`] by default.
    #[must_use]
    pub fn dialer(self, dialer: Dialer) -> Client {
        self.with(|settings| settings.dialer = dialer)
    }

    /// The way to every URL: through proxies, or as the environment says; that of the dialer by default.
    ///
    /// A last proxy that speaks HTTP is asked for `http` URLs themselves, and for a tunnel (`CONNECT`) to the servers of
    /// `https` URLs, of HTTP/2 and of upgrades, as Go and curl do; the dialer's own proxies are asked for tunnels alone.
    /// The environment is asked with the scheme, so that `http_proxy` and `https_proxy` count before `all_proxy`.
    ///
    /// ```
    /// use landline::ProxyEnvironment;
    /// use landline_http::client::Client;
    ///
    /// let client = Client::new().proxy(ProxyEnvironment::from_env());
    /// # let _ = client;
    /// ```
    #[must_use]
    pub fn proxy(self, proxies: impl Into<Proxies>) -> Client {
        self.with(|settings| settings.proxies = Some(proxies.into()))
    }

    /// Dials this Unix socket whatever the host, which is only told to the server: a path, or `@name`.
    #[must_use]
    pub fn unix_socket(self, path: impl Into<String>) -> Client {
        self.with(|settings| settings.unix_socket = Some(path.into()))
    }

    /// Roots, client certificates and all else of TLS. Where it offers no protocol (ALPN), `h2` and `http/1.1` are. By
    /// default whom the system trusts is trusted, or Mozilla where the system trusts nobody.
    #[must_use]
    pub fn tls(self, config: impl Into<Arc<ClientConfig>>) -> Client {
        let mut config: Arc<ClientConfig> = config.into();
        if config.alpn_protocols.is_empty() {
            Arc::make_mut(&mut config).alpn_protocols = ALPN.map(Vec::from).to_vec();
        }
        self.with(|settings| settings.tls = Some(config))
    }

    /// Speaks HTTP/2 to `http` URLs too, without asking (RFC 9113 section 3.3); off by default.
    #[must_use]
    pub fn http2_prior_knowledge(self, on: bool) -> Client {
        self.with(|settings| settings.http2_prior_knowledge = on)
    }

    /// The most HTTP/1.1 conns to one host, busy and idle; more requests wait. No limit by default.
    #[must_use]
    pub fn max_conns_per_host(self, most: NonZeroUsize) -> Client {
        self.with(|settings| settings.limits.per_host = most.get())
    }

    /// The most idle conns that are kept to one host, 64 by default, and to all, 512; 0 keeps none.
    #[must_use]
    pub fn max_idle(self, per_host: usize, all: usize) -> Client {
        self.with(|settings| {
            settings.limits.idle_per_host = per_host;
            settings.limits.idle = all;
        })
    }

    /// How long an idle conn is kept; 90 s by default.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.limits.idle_timeout = timeout)
    }

    /// The longest a dial may take, resolving and proxies included; 30 s by default.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.connect_timeout = timeout)
    }

    /// The longest a TLS handshake may take; 10 s by default.
    #[must_use]
    pub fn tls_timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.tls_timeout = timeout)
    }

    /// The longest from the end of the request to the head of the response; no limit by default.
    #[must_use]
    pub fn head_timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.head_timeout = Some(timeout))
    }

    /// The longest between two pieces of a response's body; no limit by default.
    #[must_use]
    pub fn body_timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.body_timeout = Some(timeout))
    }

    /// The longest for all of it: waiting for a conn, every redirect, the body to its end. No limit by default.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.timeout = Some(timeout))
    }

    /// How long a body with `Expect: 100-continue` waits for the server to want it; 1 s by default.
    #[must_use]
    pub fn continue_timeout(self, timeout: Duration) -> Client {
        self.with(|settings| settings.continue_timeout = timeout)
    }

    /// The most redirects that are followed, 10 by default; 0 follows none, and gives their responses.
    #[must_use]
    pub fn max_redirects(self, most: usize) -> Client {
        self.with(|settings| settings.redirects = most)
    }

    /// Whether gzip, Brotli and Zstandard are asked for and decoded; on by default. A request with an `Accept-Encoding` or
    /// a `Range` of its own is never decoded.
    #[must_use]
    pub fn decompress(self, on: bool) -> Client {
        self.with(|settings| settings.decompress = on)
    }

    /// Keeps cookies here and sends them; none by default.
    #[must_use]
    pub fn cookies(self, cookies: Cookies) -> Client {
        self.with(|settings| settings.cookies = Some(cookies))
    }

    /// Gets a URL.
    pub async fn get(&self, url: &str) -> Result<Response<ResponseBody>> {
        let uri: http::Uri =
            url.parse().map_err(|error| Error::invalid(format!("{}: {error}", url.escape_debug())))?;
        let mut request = Request::new(Body::empty());
        *request.uri_mut() = uri;
        self.send(request).await
    }

    /// Sends a request with an absolute `http` or `https` URL, and returns when the head of the response has come. Every
    /// status is a response; its body knows how it came: [`ResponseBody::conn_info`]. Of status 101, which answers a request with
    /// `Connection: upgrade`, the conn can be taken: [`ResponseBody::into_upgraded`].
    ///
    /// # Errors
    /// Names the method, the URL and the cause. See [`ErrorKind`].
    ///
    /// # Cancellation
    /// Dropping the future ends the dial, or closes the conn (HTTP/1.1), or resets the stream (HTTP/2).
    pub async fn send<B: Into<Body>>(&self, request: Request<B>) -> Result<Response<ResponseBody>> {
        // Each future on the way to the conn has but the place of it: one by value would be moved from each to the next.
        let mut request = request.map(Into::into);
        self.traced(&Context::background(), &mut request, &Trace::default()).await
    }

    /// [`Client::send`] within a context as well, which holds for the body too.
    pub async fn send_in<B: Into<Body>>(
        &self,
        context: &Context,
        request: Request<B>,
    ) -> Result<Response<ResponseBody>> {
        let mut request = request.map(Into::into);
        self.traced(context, &mut request, &Trace::default()).await
    }

    /// Sends a request, and tells every step of it: lookups, attempts, TLS, the wait, redirects, conns used again, and,
    /// if the report is asked for after it was read, the body.
    pub async fn explain<B: Into<Body>>(
        &self,
        request: Request<B>,
    ) -> (Result<Response<ResponseBody>>, Explanation) {
        let recorder = Arc::new(Recorder::new());
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let trace = Trace::to(recorder.clone());
        let mut request = request.map(Into::into);
        let result = self.traced(&Context::background(), &mut request, &trace).await;
        let outcome = match &result {
            Ok(response) => Outcome::Responded { status: response.status().to_string() },
            Err(error) => Outcome::Failed(error.for_report()),
        };
        (result, Explanation { recorder, method, uri, outcome })
    }

    /// How many conns are idle, and how many there are in all.
    pub fn conns(&self) -> (usize, usize) {
        self.shelf.counts()
    }

    /// Sends a request of another client's on a route, as it is: without redirects, cookies, or headers of our own. The
    /// context holds for the body too.
    pub(crate) async fn forward(
        &self,
        context: &Context,
        route: &Arc<Route>,
        request: Request<Body>,
    ) -> Result<Response<ResponseBody>, Unanswered> {
        let mut request = request;
        let body = std::mem::take(request.body_mut());
        let exchange = Exchange {
            settings: &self.settings,
            shelf: &self.shelf,
            context,
            trace: &Trace::default(),
            route,
            method: request.method(),
            uri: request.uri(),
            headers: request.headers(),
            is_as_it_is: true,
        };
        match context.run(exchange.run(body)).await {
            Ok(result) => result,
            Err(ended) => Err(Unanswered { error: Error::new(ErrorKind::Ended(ended)), again: None }),
        }
    }

    /// The same client, with conns of its own.
    pub(crate) fn apart(&self) -> Client {
        self.clone().with(|_| {})
    }

    async fn traced(
        &self,
        context: &Context,
        request: &mut Request<Body>,
        trace: &Trace,
    ) -> Result<Response<ResponseBody>> {
        let own = self.settings.timeout.map(|timeout| context.with_timeout(timeout));
        let budget = own.as_ref().unwrap_or(context);
        let result = match budget.run(self.follow(budget, &mut *request, trace)).await {
            Ok(result) => result,
            // Whose limit it was makes a difference to the caller.
            Err(Ended::DeadlineExceeded) if own.is_some() && context.ended().is_none() => {
                Err(Error::new(ErrorKind::Timeout(Phase::Total)))
            }
            Err(ended) => Err(Error::new(ErrorKind::Ended(ended))),
        };
        result.map_err(|error| error.of(request.method(), request.uri()))
    }

    /// The request, and those that redirects make of it, in its place.
    async fn follow(
        &self,
        context: &Context,
        request: &mut Request<Body>,
        trace: &Trace,
    ) -> Result<Response<ResponseBody>> {
        if request.method() == Method::CONNECT {
            return Err(Error::invalid("CONNECT makes a tunnel, which is the dialer's job"));
        }
        let has_own_cookies = request.headers().contains_key(header::COOKIE);
        let mut seen = Vec::new();
        loop {
            if let Some(cookies) = self.settings.cookies.as_ref().filter(|_| !has_own_cookies) {
                request.headers_mut().remove(header::COOKIE);
                if let Some(value) = cookies.header(request.uri()) {
                    request.headers_mut().insert(header::COOKIE, value);
                }
            }
            let body = std::mem::take(request.body_mut());
            let again = body.again();
            let (method, uri, headers) = (request.method(), request.uri(), request.headers());
            let route = self.shelf.route_to(uri, asks_for_upgrade(headers)).map_err(Error::invalid)?;
            let exchange = Exchange {
                settings: &self.settings,
                shelf: &self.shelf,
                context,
                trace,
                route: &route,
                method,
                uri,
                headers,
                is_as_it_is: false,
            };
            let response = exchange.run(body).await.map_err(|unanswered| unanswered.error.of(method, uri))?;
            if let Some(cookies) = &self.settings.cookies {
                cookies.store(uri, response.headers());
            }
            let next = match redirect::next(response.status(), method, uri, response.headers()) {
                Some(next) if self.settings.redirects > 0 => next,
                _ => return Ok(response),
            };
            let refuse = |reason: String| Error::new(ErrorKind::Redirect(reason)).of(method, uri);
            let next = next.map_err(|reason| {
                let location =
                    response.headers().get(header::LOCATION).map(HeaderValue::as_bytes).unwrap_or_default();
                refuse(format!("redirected to \"{}\": {reason}", location.escape_ascii()))
            })?;
            let body = match (next.keeps_body, again) {
                (false, _) => Body::empty(),
                (true, Some(again)) => again,
                // It can be sent once only.
                (true, None) => return Ok(response),
            };
            seen.push((method.clone(), uri.clone()));
            if seen.len() > self.settings.redirects {
                let is_loop = seen.contains(&(next.method.clone(), next.uri.clone()));
                let what = if is_loop { "redirects that go round in a circle" } else { "too many redirects" };
                return Err(refuse(format!(
                    "{what}: {} followed, then to {}",
                    self.settings.redirects, next.uri
                )));
            }
            trace.remark("redirect", || format!("to {}", next.uri));
            next.prune(request.headers_mut());
            *request.body_mut() = body;
            *request.method_mut() = next.method;
            *request.uri_mut() = next.uri;
            // So that its conn can be used again; one with more to say is closed.
            let _ =
                tokio::time::timeout(Duration::from_secs(1), response.into_body().bytes(REDIRECT_BODY)).await;
        }
    }
}

/// Whether the request would change the protocol of its conn (RFC 9110 section 7.8).
fn asks_for_upgrade(headers: &http::HeaderMap) -> bool {
    let mut connection =
        headers.get_all(header::CONNECTION).iter().flat_map(|value| value.as_bytes().split(|&b| b == b','));
    headers.contains_key(header::UPGRADE)
        && connection.any(|option| option.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
}

impl Default for Client {
    fn default() -> Client {
        Client::new()
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("dialer", &self.settings.dialer).finish_non_exhaustive()
    }
}

/// A service of requests, for the layers of `tower` and its kin; it is always ready, as waiting for a conn is part of the
/// call.
impl<B: Into<Body>> tower_service::Service<Request<B>> for Client {
    type Response = Response<ResponseBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<ResponseBody>>> + Send>>;

    fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> Poll<Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let (client, request) = (self.clone(), request.map(Into::into));
        Box::pin(async move { client.send(request).await })
    }
}
