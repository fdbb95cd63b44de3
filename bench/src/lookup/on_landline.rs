//! Ours: the system's resolver, hosts file and all, asking the server of the bench.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::Arc,
};

use landline::Resolver;
use tokio::runtime::Builder;

use crate::{args::Span, outcome::Outcome, pace::Pace};

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let resolver = Resolver::system().servers([SocketAddr::V4(to)]);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let pace = Arc::new(Pace::new(span));
        let tasks = (0..in_flight).map(|_| tokio::spawn(look_up(resolver.clone(), pace.clone())));
        for task in tasks.collect::<Vec<_>>() {
            task.await.map_err(io::Error::other)??;
        }
        Ok(pace.outcome())
    })
}

async fn look_up(resolver: Resolver, pace: Arc<Pace>) -> io::Result<()> {
    while let Some(number) = pace.another() {
        let found = resolver.lookup_ip(&super::name(number)).await?;
        if found.iter().count() != 2 {
            return Err(io::Error::other(format!("{} addresses", found.iter().count())));
        }
        pace.done();
    }
    Ok(())
}
