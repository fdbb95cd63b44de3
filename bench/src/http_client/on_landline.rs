//! Ours: `landline_http::client::Client` with its defaults.

use std::{io, net::SocketAddrV4};

use hyper::{Request, Uri};
use landline_http::{Body, client::Client};

use crate::{args::Span, outcome::Outcome};

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let uri: Uri = format!("http://{to}/").parse().map_err(io::Error::other)?;
    let client = Client::new();
    super::run_tasks(in_flight, span, move || get(client.clone(), uri.clone()))
}

async fn get(client: Client, uri: Uri) -> io::Result<usize> {
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = uri;
    let response = client.send(request).await.map_err(io::Error::other)?;
    Ok(response.into_body().bytes(super::MOST).await.map_err(io::Error::other)?.len())
}
