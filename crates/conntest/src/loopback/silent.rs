//! A peer that accepts and then does nothing.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::TcpListener;

use super::{EndOnDrop, bound, breathe};

/// Accepts TCP connections, never reads and never writes. Its receive buffers are as small as the system allows, so
/// that a client that writes soon has to wait.
#[derive(Debug)]
pub struct SilentServer {
    addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _task: EndOnDrop,
}

impl SilentServer {
    /// Starts at `addr`, such as [`V4`](super::V4) or [`V6`](super::V6).
    pub async fn bind(addr: SocketAddr) -> io::Result<SilentServer> {
        let socket = bound(addr)?;
        // The kernel raises it to its minimum; accepted sockets inherit it, and it is no longer tuned up.
        socket.set_recv_buffer_size(1)?;
        let listener = socket.listen(1024)?;
        let addr = listener.local_addr()?;
        let accepted = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(hold(listener, accepted.clone()));
        Ok(SilentServer { addr, accepted, _task: EndOnDrop(task.abort_handle()) })
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

async fn hold(listener: TcpListener, accepted: Arc<AtomicUsize>) {
    let mut held = Vec::new();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                held.push(stream);
                accepted.fetch_add(1, Ordering::SeqCst);
            }
            Err(_) => breathe().await,
        }
    }
}
