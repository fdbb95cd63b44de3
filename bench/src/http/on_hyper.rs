//! The peer: hyper's HTTP/1.1 over tokio's sockets, a task per conn, with its defaults.

use std::{convert::Infallible, io};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::on_landline::hello;
use crate::runtime::{self, Threads};

pub(crate) fn serve() -> io::Result<()> {
    runtime::run(Threads::One, runtime::serve(answer))
}

async fn answer(conn: TcpStream) -> io::Result<()> {
    let service = service_fn(async |_| Ok::<_, Infallible>(hello()));
    http1::Builder::new().serve_connection(TokioIo::new(conn), service).await.map_err(io::Error::other)
}
