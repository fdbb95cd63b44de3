//! A server that answers as it is told, byte by byte, and keeps a record.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// Which conn it came on, from 0.
    pub(crate) conn: usize,
    /// Everything up to the empty line.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Seen {
    pub(crate) fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// What follows a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Keep,
    Close,
    /// Says no more, and waits until the client closes.
    Hang,
}

pub(crate) struct Server {
    pub(crate) url: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    closed: Arc<Notify>,
    _tasks: JoinSet<()>,
}

type Script = Arc<dyn Fn(&Seen) -> (Vec<u8>, Then) + Send + Sync>;

/// Answers each request with what the script says.
pub(crate) async fn serve(script: impl Fn(&Seen) -> (Vec<u8>, Then) + Send + Sync + 'static) -> Server {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("http://{}", listener.local_addr().unwrap());
    accept(url, Arc::new(script), move || {
        let listener = listener.clone();
        async move { listener.accept().await.unwrap().0 }
    })
}

/// The same on a Unix socket.
pub(crate) async fn serve_unix(
    path: &std::path::Path,
    script: impl Fn(&Seen) -> (Vec<u8>, Then) + Send + Sync + 'static,
) -> Server {
    let listener = Arc::new(UnixListener::bind(path).unwrap());
    accept(String::new(), Arc::new(script), move || {
        let listener = listener.clone();
        async move { listener.accept().await.unwrap().0 }
    })
}

fn accept<S, F>(url: String, script: Script, mut next: impl FnMut() -> F + Send + 'static) -> Server
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    F: Future<Output = S> + Send,
{
    let (seen, closed) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<Notify>::default());
    let mut tasks = JoinSet::new();
    let (log, gone) = (seen.clone(), closed.clone());
    tasks.spawn(async move {
        let mut conns = JoinSet::new();
        for conn in 0.. {
            let stream = next().await;
            conns.spawn(answer(stream, conn, script.clone(), log.clone(), gone.clone()));
        }
    });
    Server { url, seen, closed, _tasks: tasks }
}

async fn answer(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    conn: usize,
    script: Script,
    log: Arc<Mutex<Vec<Seen>>>,
    gone: Arc<Notify>,
) {
    while let Some(request) = read(&mut stream, conn).await {
        log.lock().unwrap().push(request.clone());
        let (reply, then) = script(&request);
        if stream.write_all(&reply).await.is_err() {
            break;
        }
        match then {
            Then::Keep => {}
            Then::Close => return,
            Then::Hang => {
                let _ = stream.read_to_end(&mut Vec::new()).await;
                break;
            }
        }
    }
    gone.notify_one();
}

async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), conn: usize) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut seen = Seen { conn, head: String::from_utf8(head).unwrap(), body: Vec::new() };
    // Whoever expects a 100 is asked for the body by its URL.
    match (seen.header("expect"), seen.target()) {
        (Some(_), "/continue") => stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await.ok()?,
        (Some(_), "/refuse") => return Some(seen),
        _ => {}
    }
    if let Some(length) = seen.header("content-length") {
        seen.body = vec![0; length.parse().unwrap()];
        stream.read_exact(&mut seen.body).await.ok()?;
    } else if seen.header("transfer-encoding").is_some() {
        while !seen.body.ends_with(b"0\r\n\r\n") {
            seen.body.push(stream.read_u8().await.ok()?);
        }
    }
    Some(seen)
}

impl Server {
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many conns have carried requests.
    pub(crate) fn conns(&self) -> usize {
        self.seen().iter().map(|seen| seen.conn + 1).max().unwrap_or(0)
    }

    /// Waits until a client has closed a conn.
    pub(crate) async fn closed(&self) {
        self.closed.notified().await;
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }
}

/// 200 with a body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    with(200, &[], body.as_bytes())
}

/// A response with these headers.
pub(crate) fn with(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut text = format!("HTTP/1.1 {status} Whatever\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str("\r\n");
    [text.as_bytes(), body].concat()
}
