//! A peer that resets its connections.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{EndOnDrop, bound, breathe};

/// Accepts TCP connections and resets each (`SO_LINGER` of zero, then close): the client's reads fail with
/// `ECONNRESET`, its writes with `ECONNRESET` or `EPIPE`.
#[derive(Debug)]
pub struct ResetServer {
    addr: SocketAddr,
    _task: EndOnDrop,
}

impl ResetServer {
    /// Resets each connection as soon as it is accepted.
    pub async fn bind(addr: SocketAddr) -> io::Result<ResetServer> {
        ResetServer::start(addr, 0, Vec::new())
    }

    /// Resets each connection after it has read `bytes` bytes from it and then written `answer` to it. Of the answer
    /// the client may get all, a part or nothing: a reset overtakes what has not been read.
    pub async fn after(
        addr: SocketAddr,
        bytes: usize,
        answer: impl Into<Vec<u8>>,
    ) -> io::Result<ResetServer> {
        ResetServer::start(addr, bytes, answer.into())
    }

    fn start(addr: SocketAddr, bytes: usize, answer: Vec<u8>) -> io::Result<ResetServer> {
        let listener = bound(addr)?.listen(1024)?;
        let addr = listener.local_addr()?;
        let task = tokio::spawn(serve(listener, bytes, answer));
        Ok(ResetServer { addr, _task: EndOnDrop(task.abort_handle()) })
    }

    /// Where it is.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

async fn serve(listener: TcpListener, bytes: usize, answer: Vec<u8>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    let answer = answer.clone();
                    connections.spawn(converse_and_reset(stream, bytes, answer));
                }
                Err(_) => breathe().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn converse_and_reset(mut stream: TcpStream, bytes: usize, answer: Vec<u8>) {
    let mut rest = bytes;
    let mut buffer = [0; 4096];
    while rest > 0 {
        let room = rest.min(buffer.len());
        match stream.read(&mut buffer[..room]).await {
            Ok(0) | Err(_) => return,
            Ok(count) => rest -= count,
        }
    }
    // If the client has gone, there is nobody left to reset.
    let _ = stream.write_all(&answer).await;
    let _ = stream.set_zero_linger();
}
