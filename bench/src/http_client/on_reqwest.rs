//! The peer: reqwest with its defaults, and no proxy.

use std::{io, net::SocketAddrV4};

use reqwest::{Client, Url};

use crate::{args::Span, outcome::Outcome};

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let url: Url = format!("http://{to}/").parse().map_err(io::Error::other)?;
    let client = Client::builder().no_proxy().build().map_err(io::Error::other)?;
    super::run_tasks(in_flight, span, move || get(client.clone(), url.clone()))
}

async fn get(client: Client, url: Url) -> io::Result<usize> {
    let response = client.get(url).send().await.map_err(io::Error::other)?;
    Ok(response.bytes().await.map_err(io::Error::other)?.len())
}
