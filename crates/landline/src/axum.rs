//! The feature `axum`: a listener serves an axum app, over any network that has conns.

use std::future::pending;
use std::io;
use std::time::Duration;

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener as Serve};

use crate::addr::Addr;
use crate::conn::Conn;
use crate::listen::Listener;

/// Serves an axum app. The peer's [`Addr`] can be extracted with `ConnectInfo<Addr>`.
///
/// Accepting never ends by itself: a listener that was closed accepts nothing more, and `axum::serve` goes on with the
/// conns it has until its graceful shutdown.
impl Serve for Listener {
    type Io = Conn;
    type Addr = Addr;

    async fn accept(&mut self) -> (Conn, Addr) {
        loop {
            match Listener::accept(self).await {
                Ok(conn) => {
                    // A peer that is already gone has no address; its handler will see the end of the stream.
                    let peer = conn.peer_addr().or_else(|_| Listener::local_addr(self));
                    if let Ok(peer) = peer {
                        return (conn, peer);
                    }
                }
                Err(error) if error.is_closed() => pending().await,
                Err(error) => {
                    tracing::error!(target: "landline", %error, "accept");
                    // A deadline that has passed, or a socket of no more use: not to be asked over and over.
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<Addr> {
        Listener::local_addr(self).map_err(io::Error::from)
    }
}

impl Connected<IncomingStream<'_, Listener>> for Addr {
    fn connect_info(stream: IncomingStream<'_, Listener>) -> Addr {
        stream.remote_addr().clone()
    }
}
