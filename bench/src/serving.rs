//! What the peers on landline share that serve with `Server`.

use std::io;

use landline::{Conn, Server};

use crate::runtime::{self, Threads};

/// Serves until the process is killed, with so many workers.
pub(crate) fn serve<Handling>(
    workers: usize,
    handle: impl Fn(Conn) -> Handling + Clone + Send + Sync + 'static,
) -> io::Result<()>
where
    Handling: Future + 'static,
{
    // Only waits; the workers have threads and reactors of their own.
    runtime::run(Threads::One, async move {
        let serving = Server::new().workers(workers).serve("tcp", "127.0.0.1:0", handle).await?;
        println!("listening {}", serving.local_addr());
        std::future::pending().await
    })
}
