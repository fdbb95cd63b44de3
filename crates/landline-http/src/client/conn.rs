//! Conns that speak HTTP: made by landline, spoken over by hyper.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;

use http::header::{self, HeaderName, HeaderValue};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use landline::{Addr, Conn, Context, Dialer, Family, Network, Proxy, ProxyScheme, TlsConn};
use rustls::ClientConfig;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::body::Outgoing;
use super::error::{Error, ErrorKind, Phase};
use super::interim::Allowance;
use super::io::Io;
use super::read_ahead::ReadAhead;
use super::route::{Route, To};
use super::settings::{HTTP1_ALPN, Settings, no_conn};
use super::trace::Trace;
use super::way::Way;

/// How a response came: [`ResponseBody::conn_info`](super::ResponseBody::conn_info).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ConnInfo {
    /// The other end of the conn, where it has a name: the server, or the first proxy.
    pub peer_addr: Option<Addr>,
    /// Whether the conn had carried a request before.
    pub is_reused: bool,
    /// The version and the cipher suite in words, where it was TLS.
    pub tls: Option<String>,
}

/// HTTP/1.1: one request at a time.
#[derive(Debug)]
pub(super) struct Single {
    pub(super) sender: http1::SendRequest<Outgoing>,
    pub(super) info: ConnInfo,
    form: Form,
    /// The value of `Host` of requests that say nothing else.
    host: HeaderValue,
    allowance: Arc<Allowance>,
    driver: Driver,
}

impl Single {
    /// Whether it can carry a request now.
    pub(super) fn is_ready(&self) -> bool {
        self.sender.is_ready()
    }

    /// Waits until nobody drives the conn any longer, so that who upgrades it has it alone.
    pub(super) async fn driven(&mut self) {
        let _ = (&mut self.driver.0).await;
    }

    /// A request as HTTP/1.1 puts it: the path as target, or the URL, and the host in a header (RFC 9112 section 3.2).
    fn put(&self, request: &mut Request<Outgoing>, uri: &Uri) {
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        let target = uri.path_and_query().filter(|_| matches!(self.form, Form::Origin));
        *request.uri_mut() = target.map_or_else(|| uri.clone(), |target| Uri::from(target.clone()));
        match &self.form {
            Form::Origin => {}
            Form::Absolute { authorization } => {
                if let Some(authorization) = authorization {
                    request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
                }
            }
        }
        // hyper takes a body of these methods for none unless told otherwise.
        let body = http_body::Body::size_hint(request.body()).exact();
        if body.is_none() && !request.headers().contains_key(header::CONTENT_LENGTH) {
            request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        *request.version_mut() = Version::HTTP_11;
    }
}

/// How a request names what it asks for.
#[derive(Clone, Debug)]
enum Form {
    /// By its path, to the server (RFC 9112 section 3.2.1).
    Origin,
    /// By its URL, to a proxy (section 3.2.2).
    Absolute { authorization: Option<HeaderValue> },
}

/// HTTP/2: any number of requests.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) sender: http2::SendRequest<Outgoing>,
    pub(super) info: ConnInfo,
    allowance: Arc<Allowance>,
    /// Each request holds one too, so that it is known whether there are any.
    driver: Arc<Driver>,
}

impl Shared {
    pub(super) fn is_busy(&self) -> bool {
        Arc::strong_count(&self.driver) > 1
    }

    pub(super) fn is(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.driver, &other.driver)
    }
}

/// The task that moves a conn's bytes; ends with it.
#[derive(Debug)]
struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What a request holds while it goes on; boxed, as it passes through many hands.
#[derive(Debug)]
pub(super) enum Lease {
    Single(Box<Single>),
    Shared(Box<Shared>),
}

impl Lease {
    pub(super) fn info(&self) -> &ConnInfo {
        match self {
            Lease::Single(single) => &single.info,
            Lease::Shared(shared) => &shared.info,
        }
    }

    pub(super) fn shared(&self) -> Option<&Shared> {
        match self {
            Lease::Single(_) => None,
            Lease::Shared(shared) => Some(shared),
        }
    }

    /// What the server may say before it answers.
    pub(super) fn allowance(&self) -> &Allowance {
        match self {
            Lease::Single(single) => &single.allowance,
            Lease::Shared(shared) => &shared.allowance,
        }
    }

    /// Sends a request to this absolute URI. It is made when the conn is ready, in the place from where hyper takes it, as it is
    /// large to be moved around. An error gives it back where none of it went out.
    pub(super) async fn send(
        &mut self,
        uri: &Uri,
        make: impl FnOnce() -> Request<Outgoing>,
    ) -> Result<Response<Incoming>, Box<TrySendError<Request<Outgoing>>>> {
        self.allowance().asked();
        let sent = match self {
            Lease::Single(single) => {
                // A conn that was closed meanwhile says so here or there, with the request.
                let _ = single.sender.ready().await;
                let mut request = make();
                single.put(&mut request, uri);
                pin!(single.sender.try_send_request(request)).await.map_err(Box::new)
            }
            Lease::Shared(shared) => {
                let _ = shared.sender.ready().await;
                let mut request = make();
                *request.uri_mut() = uri.clone();
                without_conn_headers(&mut request);
                pin!(shared.sender.try_send_request(request)).await.map_err(Box::new)
            }
        };
        self.allowance().answered();
        sent
    }
}

/// Dials, shakes hands, and begins to speak.
pub(super) async fn connect(settings: &Settings, route: &Route, trace: &Trace) -> Result<Lease, Error> {
    let origin = &route.origin;
    let mut form = Form::Origin;
    let conn = match way(settings, route)? {
        None => dial(settings, &settings.dialer, route.address(settings), trace).await?,
        Some(Way::Conn(chain)) => {
            let dialer = settings.dialer.clone().proxy(chain);
            dial(settings, &dialer, route.address(settings), trace).await?
        }
        Some(Way::Ask { before, proxy }) => {
            form = Form::Absolute { authorization: authorization(&proxy)? };
            let dialer = settings.dialer.clone().proxy(before);
            let address = (Network::Tcp(Family::Any), proxy.address());
            let conn = dial(settings, &dialer, address, trace).await;
            let conn = conn.map_err(|error| error.on_the_way_to(&proxy))?;
            trace.remark("proxy", || format!("{proxy} is asked for it"));
            if proxy.scheme() == ProxyScheme::Https {
                let config = proxy.tls().cloned().map_or_else(Settings::proxy_tls_config, Ok)?;
                let secured = secure(conn, proxy.host(), config, settings).await;
                Conn::from(secured.map_err(|error| error.on_the_way_to(&proxy))?)
            } else {
                conn
            }
        }
    };
    let peer_addr = conn.peer_addr().ok();
    let (conn, tls, speaks_h2) = if origin.is_secure {
        trace.started("tls", || origin.host.clone());
        let secured = match settings.tls_config() {
            Ok(mut config) => {
                if route.is_http1 {
                    Arc::make_mut(&mut config).alpn_protocols = vec![HTTP1_ALPN.to_vec()];
                }
                secure(conn, &origin.host, config, settings).await
            }
            Err(error) => Err(error),
        };
        let tls = secured.inspect_err(|error| trace.failed("tls", error))?;
        let alpn = tls.alpn_protocol();
        let description = tls.description();
        trace.done("tls", || match &alpn {
            Some(alpn) => format!("{description}, {}", String::from_utf8_lossy(alpn)),
            None => description.clone(),
        });
        (Conn::from(tls), Some(description), alpn.as_deref() == Some(b"h2"))
    } else {
        (conn, None, settings.http2_prior_knowledge && !route.is_http1)
    };
    let info = ConnInfo { peer_addr, is_reused: false, tls };
    let host = origin.authority().parse().map_err(|_| Error::invalid("the host is none".to_owned()))?;
    let begun = timeout(settings.tls_timeout, speak(conn, info, (form, host), speaks_h2)).await;
    begun.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout(Phase::Tls))))
}

/// The way, where it is the client that knows it.
fn way(settings: &Settings, route: &Route) -> Result<Option<Way>, Error> {
    match (&settings.proxies, &route.to, &settings.unix_socket) {
        (Some(proxies), To::Origin, None) => {
            let must_be_conn = route.is_http1 || settings.http2_prior_knowledge;
            Way::to(&route.origin, proxies, must_be_conn).map(Some).map_err(no_conn)
        }
        _ => Ok(None),
    }
}

/// What lets us in.
fn authorization(proxy: &Proxy) -> Result<Option<HeaderValue>, Error> {
    let refuse = |reason: &str| Error::invalid(format!("proxy {proxy}: {reason}"));
    let Some(value) = proxy.proxy_authorization().map_err(refuse)? else { return Ok(None) };
    let mut value =
        HeaderValue::try_from(value).map_err(|_| refuse("a control character in the authorization"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

async fn dial(
    settings: &Settings,
    dialer: &Dialer,
    (network, address): (Network, String),
    trace: &Trace,
) -> Result<Conn, Error> {
    let context = Context::background().with_timeout(settings.connect_timeout);
    let result = if trace.is_on() {
        let (result, report) = dialer.explain_in(&context, network, &address).await;
        trace.dialed(&report);
        result
    } else {
        dialer.dial_in(&context, network, &address).await
    };
    result.map_err(|error| Error::new(ErrorKind::Connect(error)))
}

async fn secure(
    conn: Conn,
    host: &str,
    config: Arc<ClientConfig>,
    settings: &Settings,
) -> Result<TlsConn, Error> {
    // A zone is ours alone, and no certificate has one.
    let name = host.split('%').next().unwrap_or_default();
    match timeout(settings.tls_timeout, TlsConn::connect(conn, name, config)).await {
        Ok(Ok(tls)) => Ok(tls),
        Ok(Err(error)) => Err(Error::new(ErrorKind::Connect(error))),
        Err(_) => Err(Error::new(ErrorKind::Timeout(Phase::Tls))),
    }
}

async fn speak(
    conn: Conn,
    info: ConnInfo,
    (form, host): (Form, HeaderValue),
    speaks_h2: bool,
) -> Result<Lease, Error> {
    if speaks_h2 {
        let allowance = Arc::new(Allowance::of_http2());
        let io = Io::of_http2(conn, allowance.clone());
        let (sender, conn) = http2::Builder::new(TokioExecutor::new())
            .max_header_list_size(MAX_HEAD)
            .initial_stream_window_size(H2_STREAM_WINDOW)
            .initial_connection_window_size(H2_CONN_WINDOW)
            .handshake(TokioIo::new(io))
            .await?;
        let driver = Arc::new(Driver(spawn(conn)));
        return Ok(Lease::Shared(Box::new(Shared { sender, info, allowance, driver })));
    }
    let allowance = Arc::new(Allowance::of_http1());
    let conn = Arc::new(conn);
    let read_ahead = Arc::new(ReadAhead::default());
    let io = Io::of_http1(conn.clone(), read_ahead.clone(), allowance.clone());
    let mut builder = http1::Builder::new();
    let (sender, spoken) = builder.max_header_size(MAX_HEAD as usize).handshake(TokioIo::new(io)).await?;
    let mut spoken = spoken.with_upgrades();
    let driver = Driver(spawn(poll_fn(move |cx| {
        read_ahead.hear(&conn, cx);
        Pin::new(&mut spoken).poll(cx)
    })));
    Ok(Lease::Single(Box::new(Single { sender, info, form, host, allowance, driver })))
}

/// The longest head of a response that is read, in bytes; in HTTP/1.1 no more than the 408 KiB of hyper's buffer.
const MAX_HEAD: u32 = 1 << 20;
/// So that a conn of 100 Mbit/s and 100 ms is filled, and one slow reader does not stop the others.
const H2_STREAM_WINDOW: u32 = 1 << 21;
const H2_CONN_WINDOW: u32 = 1 << 23;

/// Its error is told to the request that it meets.
fn spawn<E>(conn: impl Future<Output = Result<(), E>> + Send + 'static) -> JoinHandle<()> {
    tokio::spawn(async move {
        let _ = conn.await;
    })
}

/// As HTTP/2 puts it: nothing about the conn among the headers (RFC 9113 section 8.2.2).
fn without_conn_headers(request: &mut Request<Outgoing>) {
    const OF_THE_CONN: [HeaderName; 6] = [
        header::CONNECTION,
        header::HOST,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    for name in OF_THE_CONN {
        request.headers_mut().remove(name);
    }
    *request.version_mut() = Version::HTTP_2;
}
