//! HTTP clients: so many requests at a time for a short text, over conns that are kept.

mod bare;
mod on_hyper_util;
mod on_landline;
mod on_reqwest;

use std::{io, net::SocketAddrV4, sync::Arc};

use tokio::runtime::Builder;

use crate::{
    args::{HttpClient, Span},
    outcome::Outcome,
    pace::Pace,
};

/// More than any response has.
const MOST: usize = 1024;

pub(crate) fn run(peer: HttpClient, to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    match peer {
        HttpClient::Bare => bare::run(to, in_flight, span),
        HttpClient::Landline => on_landline::run(to, in_flight, span),
        HttpClient::HyperUtil => on_hyper_util::run(to, in_flight, span),
        HttpClient::Reqwest => on_reqwest::run(to, in_flight, span),
    }
}

/// Runs as many tasks as requests are to be in flight, on one thread, each of which gets and gets again.
fn run_tasks<Getting>(
    in_flight: usize,
    span: Span,
    get: impl Fn() -> Getting + Clone + Send + 'static,
) -> io::Result<Outcome>
where
    Getting: Future<Output = io::Result<usize>> + Send,
{
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let pace = Arc::new(Pace::new(span));
        let tasks = (0..in_flight).map(|_| {
            let (pace, get) = (pace.clone(), get.clone());
            tokio::spawn(async move {
                while pace.another().is_some() {
                    let length = get().await?;
                    if length != crate::http::HELLO.len() {
                        return Err(io::Error::other(format!("a body of {length} bytes")));
                    }
                    pace.done();
                }
                Ok(())
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.map_err(io::Error::other)??;
        }
        Ok(pace.outcome())
    })
}
