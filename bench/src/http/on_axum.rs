//! The peer: an axum router with one route, served by axum on one thread.

use std::io;

use axum::{Router, routing::get};
use tokio::net::TcpListener;

use crate::{
    runtime::{self, Threads},
    sockets,
};

pub(crate) fn serve() -> io::Result<()> {
    runtime::run(Threads::One, async {
        let listener = sockets::listen()?;
        sockets::announce(&listener)?;
        let app = Router::new().route("/", get(async || super::HELLO));
        axum::serve(TcpListener::from_std(listener.into())?, app).await
    })
}
