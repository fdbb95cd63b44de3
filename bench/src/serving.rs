//! What the peers on landline share that serve with `Server`.

use std::io;

use landline::{Conn, Server, Spread};

use crate::{
    args::{self, Workers},
    runtime::{self, Threads},
};

/// One worker, which has nobody to share with.
pub(crate) const ALONE: Workers = Workers { count: 1, spread: args::Spread::Balanced };

/// Serves until the process is killed.
pub(crate) fn serve<Handling>(
    workers: Workers,
    handle: impl Fn(Conn) -> Handling + Clone + Send + Sync + 'static,
) -> io::Result<()>
where
    Handling: Future + 'static,
{
    // Only waits; the workers have threads and reactors of their own.
    runtime::run(Threads::One, async move {
        let spread = match workers.spread {
            args::Spread::Balanced => Spread::Balanced,
            args::Spread::ReusePort => Spread::ReusePort,
            args::Spread::IncomingCpu => Spread::IncomingCpu,
            args::Spread::LeastConns => Spread::LeastConns,
        };
        let server = Server::new().workers(workers.count).spread(spread);
        let serving = server.serve("tcp", "127.0.0.1:0", handle).await?;
        println!("listening {}", serving.local_addr());
        std::future::pending().await
    })
}
