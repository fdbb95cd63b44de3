//! Servers that send back what they get.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use tokio::task::JoinSet;

use super::{EndOnDrop, bound, breathe};

/// Sends back every byte it gets over TCP, and shuts down its end after the client's.
#[derive(Debug)]
pub struct EchoServer {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _task: EndOnDrop,
}

impl EchoServer {
    /// Starts at `addr`, such as [`V4`](super::V4) or [`V6`](super::V6).
    pub async fn bind(addr: SocketAddr) -> io::Result<EchoServer> {
        let listener = bound(addr)?.listen(1024)?;
        let addr = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(serve(listener, accepted.clone()));
        Ok(EchoServer { addr, accepted, _task: EndOnDrop(task.abort_handle()) })
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// How many connections it has accepted.
    pub fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }
}

/// Sends back every UDP datagram it gets, empty ones too, to where it came from.
#[derive(Debug)]
pub struct DatagramEcho {
    addr: SocketAddr,
    _task: EndOnDrop,
}

impl DatagramEcho {
    /// Starts at `addr`, such as [`V4`](super::V4) or [`V6`](super::V6).
    pub async fn bind(addr: SocketAddr) -> io::Result<DatagramEcho> {
        let socket = UdpSocket::bind(addr).await?;
        let addr = socket.local_addr()?;
        let task = tokio::spawn(async move {
            let mut buffer = vec![0; 64 << 10];
            loop {
                match socket.recv_from(&mut buffer).await {
                    // A client that has gone gets nothing, as over any network.
                    Ok((count, from)) => drop(socket.send_to(&buffer[..count], from).await),
                    Err(_) => breathe().await,
                }
            }
        });
        Ok(DatagramEcho { addr, _task: EndOnDrop(task.abort_handle()) })
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// Sends back every byte it gets over a Unix stream socket, and shuts down its end after the client's.
#[derive(Debug)]
pub struct UnixEcho {
    path: PathBuf,
    _task: EndOnDrop,
}

impl UnixEcho {
    /// Starts at `path`, which must not exist yet; the socket file is removed when this is dropped.
    pub async fn bind(path: impl AsRef<Path>) -> io::Result<UnixEcho> {
        let path = path.as_ref().to_owned();
        let listener = UnixListener::bind(&path)?;
        let task = tokio::spawn(serve(listener, Arc::default()));
        Ok(UnixEcho { path, _task: EndOnDrop(task.abort_handle()) })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for UnixEcho {
    fn drop(&mut self) {
        // Somebody may have removed it before.
        let _ = std::fs::remove_file(&self.path);
    }
}

trait Accept: Send + 'static {
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    fn next(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;
}

impl Accept for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let (stream, _) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}

impl Accept for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<UnixStream> {
        Ok(self.accept().await?.0)
    }
}

async fn serve(listener: impl Accept, accepted: Arc<AtomicUsize>) {
    // Aborted with the task that owns it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            stream = listener.next() => match stream {
                Ok(stream) => {
                    accepted.fetch_add(1, Ordering::SeqCst);
                    connections.spawn(echo(stream));
                }
                Err(_) => breathe().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let mut buffer = vec![0; 16 << 10];
    loop {
        match stream.read(&mut buffer).await? {
            0 => return stream.shutdown().await,
            count => stream.write_all(&buffer[..count]).await?,
        }
    }
}
