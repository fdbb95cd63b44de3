//! A server with the proxy in it, backends that follow a script byte by byte, and clients that speak bytes too.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hyper_util::rt::{TokioExecutor, TokioIo};
use landline::{Addr, Conn};
use landline_http::reverse_proxy::ReverseProxy;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tower_service::Service;

/// The longest that anything may take that is to happen.
pub(crate) const LONG: Duration = Duration::from_secs(60);

/// A server, until it is dropped.
pub(crate) struct Running {
    pub(crate) address: String,
    accepted: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Running {
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How many conns it has accepted.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Has each conn dealt with by the script.
pub(crate) async fn backend<F>(script: impl Fn(TcpStream) -> F + Send + 'static) -> Running
where
    F: Future<Output = ()> + Send + 'static,
{
    backend_on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
}

/// The same on a listener.
pub(crate) fn backend_on<F>(
    listener: TcpListener,
    script: impl Fn(TcpStream) -> F + Send + 'static,
) -> Running
where
    F: Future<Output = ()> + Send + 'static,
{
    let address = listener.local_addr().unwrap().to_string();
    let (accepted, mut tasks) = (Arc::<AtomicUsize>::default(), JoinSet::new());
    let count = accepted.clone();
    tasks.spawn(async move {
        let mut conns = JoinSet::new();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            conns.spawn(script(stream));
        }
    });
    Running { address, accepted, _tasks: tasks }
}

/// Answers each request, of which the head is all, with these bytes.
pub(crate) async fn answering(reply: &'static str) -> Running {
    backend(move |stream| answer(stream, reply)).await
}

/// Answers the requests of one conn.
pub(crate) async fn answer(mut stream: impl AsyncReadExt + AsyncWriteExt + Unpin, reply: &'static str) {
    while read_head(&mut stream).await.is_some() {
        if stream.write_all(reply.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Answers each request with its own head as the body.
pub(crate) async fn echoing() -> Running {
    backend(|mut stream| async move {
        while let Some(head) = read_head(&mut stream).await {
            let reply = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{head}", head.len());
            if stream.write_all(reply.as_bytes()).await.is_err() {
                return;
            }
        }
    })
    .await
}

/// An address where nobody listens.
pub(crate) async fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

/// Up to the empty line; `None` at the end.
pub(crate) async fn read_head(stream: &mut (impl AsyncReadExt + Unpin)) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    Some(String::from_utf8(head).unwrap())
}

/// Reads until these bytes have come.
pub(crate) async fn read_until(stream: &mut (impl AsyncReadExt + Unpin), end: &str) -> String {
    let mut text = Vec::new();
    while !text.ends_with(end.as_bytes()) {
        text.push(stream.read_u8().await.unwrap_or_else(|error| {
            panic!("{error} after {:?}", String::from_utf8_lossy(&text));
        }));
    }
    String::from_utf8(text).unwrap()
}

/// Serves HTTP/1.1 with the proxy.
pub(crate) async fn front(proxy: ReverseProxy) -> Running {
    serve(proxy, false).await
}

/// The same where somebody listens already.
pub(crate) fn front_on(listener: landline::Listener, proxy: ReverseProxy) -> Running {
    serve_on(listener, proxy, false)
}

/// Serves HTTP/2 with the proxy.
pub(crate) async fn front_h2(proxy: ReverseProxy) -> Running {
    serve(proxy, true).await
}

async fn serve(proxy: ReverseProxy, is_h2: bool) -> Running {
    serve_on(landline::listen("tcp", "127.0.0.1:0").await.unwrap(), proxy, is_h2)
}

fn serve_on(listener: landline::Listener, proxy: ReverseProxy, is_h2: bool) -> Running {
    let address = listener.local_addr().unwrap().to_string();
    let (accepted, mut tasks) = (Arc::<AtomicUsize>::default(), JoinSet::new());
    let count = accepted.clone();
    tasks.spawn(async move {
        let mut conns = JoinSet::new();
        loop {
            let conn: Conn = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::SeqCst);
            let (peer, proxy): (Addr, _) = (conn.peer_addr().unwrap(), proxy.clone());
            let service = hyper::service::service_fn(move |mut request: http::Request<_>| {
                request.extensions_mut().insert(peer.clone());
                let answer = proxy.clone().call(request);
                async move { Ok::<_, Infallible>(answer.await.unwrap()) }
            });
            conns.spawn(async move {
                let io = TokioIo::new(conn);
                if is_h2 {
                    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                    let _ = server.serve_connection(io, service).await;
                } else {
                    let server = hyper::server::conn::http1::Builder::new();
                    let _ = server.serve_connection(io, service).with_upgrades().await;
                }
            });
        }
    });
    Running { address, accepted, _tasks: tasks }
}

/// Sends these bytes, and reads up to the end; the request has to ask for that with `Connection: close`.
pub(crate) async fn say(front: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(&front.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    tokio::time::timeout(LONG, stream.read_to_string(&mut text)).await.expect("an answer").unwrap();
    text
}

/// What a plain GET is answered.
pub(crate) async fn get(front: &Running) -> String {
    say(front, "GET / HTTP/1.1\r\nHost: front.example\r\nConnection: close\r\n\r\n").await
}

/// The value of a header in a head, which is there once.
#[track_caller]
pub(crate) fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let values: Vec<_> =
        lines.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).collect();
    assert!(values.len() <= 1, "{name} twice: {head}");
    values.first().copied()
}
