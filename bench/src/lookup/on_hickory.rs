//! The peer: hickory-resolver as it comes, its cache off, A and AAAA together.

use std::{io, net::SocketAddrV4, sync::Arc};

use hickory_resolver::{
    TokioResolver,
    config::{LookupIpStrategy, NameServerConfig, ResolverConfig},
    net::runtime::TokioRuntimeProvider,
};
use tokio::runtime::Builder;

use crate::{args::Span, outcome::Outcome, pace::Pace};

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let mut server = NameServerConfig::udp_and_tcp((*to.ip()).into());
    for connection in &mut server.connections {
        connection.port = to.port();
    }
    let config = ResolverConfig::from_name_servers(vec![server]);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        builder.options_mut().cache_size = 0;
        builder.options_mut().ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        let resolver = Arc::new(builder.build().map_err(io::Error::other)?);
        let pace = Arc::new(Pace::new(span));
        let tasks = (0..in_flight).map(|_| tokio::spawn(look_up(resolver.clone(), pace.clone())));
        for task in tasks.collect::<Vec<_>>() {
            task.await.map_err(io::Error::other)??;
        }
        Ok(pace.outcome())
    })
}

async fn look_up(resolver: Arc<TokioResolver>, pace: Arc<Pace>) -> io::Result<()> {
    while let Some(number) = pace.another() {
        let found = resolver.lookup_ip(super::name(number)).await.map_err(io::Error::other)?;
        if found.iter().count() != 2 {
            return Err(io::Error::other(format!("{} addresses", found.iter().count())));
        }
        pace.done();
    }
    Ok(())
}
