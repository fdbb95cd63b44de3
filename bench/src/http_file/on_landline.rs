//! Ours: `FileServer` behind `landline_http::server::Server` with one worker.

use std::{convert::Infallible, error::Error, io, path::Path};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::{Request, Response, body::Body};
use landline_http::{
    files::FileServer,
    server::{RequestBody, Server, handle},
};
use tower_service::Service;

use crate::runtime::{self, Threads};

pub(crate) fn serve(directory: &Path) -> io::Result<()> {
    host(FileServer::new(directory)?)
}

/// The same with a body around that of the file, whose bytes so have to be read.
pub(crate) fn serve_read(directory: &Path) -> io::Result<()> {
    let files = FileServer::new(directory)?;
    host(handle(move |request: Request<RequestBody>| {
        let answer = files.clone().call(request);
        async move {
            let Ok(response) = answer.await;
            response.map(|body| body.map_err(io::Error::other))
        }
    }))
}

fn host<S, B>(service: S) -> io::Result<()>
where
    S: Service<Request<RequestBody>, Response = Response<B>, Error = Infallible> + Clone + Send + 'static,
    S::Future: 'static,
    B: Body<Data = Bytes> + 'static,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    // Only waits; the worker has a thread and a reactor of its own.
    runtime::run(Threads::One, async {
        let server = Server::new().transport(landline::Server::new().workers(1));
        let serving = server.serve("tcp", "127.0.0.1:0", service).await?;
        println!("listening {}", serving.local_addr());
        std::future::pending().await
    })
}
