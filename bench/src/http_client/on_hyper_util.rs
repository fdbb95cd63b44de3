//! The peer: hyper-util's client, on sockets with no-delay.

use std::{io, net::SocketAddrV4};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Empty};
use hyper::Uri;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

use crate::{args::Span, outcome::Outcome};

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let uri: Uri = format!("http://{to}/").parse().map_err(io::Error::other)?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    super::run_tasks(in_flight, span, move || get(client.clone(), uri.clone()))
}

async fn get(client: Client<HttpConnector, Empty<Bytes>>, uri: Uri) -> io::Result<usize> {
    let response = client.get(uri).await.map_err(io::Error::other)?;
    Ok(response.into_body().collect().await.map_err(io::Error::other)?.to_bytes().len())
}
