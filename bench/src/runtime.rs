//! What the peers on tokio share: their runtimes, and an accept loop with a task for each conn.

use std::io;

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

use crate::sockets;

/// On how many threads.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Threads {
    One,
    /// As many workers as the process may use cores, tokio's default.
    EveryCore,
}

/// Runs `work` to its end.
pub(crate) fn run(
    threads: Threads,
    work: impl Future<Output = io::Result<()>> + Send + 'static,
) -> io::Result<()> {
    match threads {
        Threads::One => Builder::new_current_thread().enable_all().build()?.block_on(work),
        Threads::EveryCore => {
            let runtime = Builder::new_multi_thread().enable_all().build()?;
            // Spawned, as `block_on` would run it outside the workers.
            runtime.block_on(async { tokio::spawn(work).await.map_err(io::Error::other)? })
        }
    }
}

/// Accepts without end, a task for each conn, on a socket with the options of the other peers.
pub(crate) async fn serve<Handling>(handle: impl Fn(TcpStream) -> Handling + Send) -> io::Result<()>
where
    Handling: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = sockets::listen()?;
    sockets::announce(&listener)?;
    let listener = TcpListener::from_std(listener.into())?;
    loop {
        let (conn, _) = listener.accept().await?;
        // A conn that ends in an error ends; the load sees it.
        drop(tokio::spawn(handle(conn)));
    }
}
