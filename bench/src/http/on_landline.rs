//! Ours: `landline_http::server::Server` with one worker, and a function.

use std::io;

use bytes::Bytes;
use http_body_util::Full;
use hyper::{
    Response,
    header::{CONTENT_TYPE, HeaderValue},
};
use landline_http::server::{Server, handle};

use crate::runtime::{self, Threads};

pub(crate) fn serve() -> io::Result<()> {
    // Only waits; the worker has a thread and a reactor of its own.
    runtime::run(Threads::One, async {
        let server = Server::new().transport(landline::Server::new().workers(1));
        let serving = server.serve("tcp", "127.0.0.1:0", handle(async |_| hello())).await?;
        println!("listening {}", serving.local_addr());
        std::future::pending().await
    })
}

/// The response of hyper's server too.
pub(super) fn hello() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(super::HELLO.as_bytes())));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(super::TEXT));
    response
}
