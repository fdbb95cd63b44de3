//! HTTP: a short text in answer to each request, on one core.

mod bare;
pub(crate) mod load;
mod on_actix;
mod on_axum;
mod on_hyper;
mod on_landline;
pub(crate) mod slow;

use std::io;

use crate::args::Http;

/// The text of every server.
pub(crate) const HELLO: &str = "Hello, world!";

/// What it is; axum and actix-web say so by themselves.
const TEXT: &str = "text/plain; charset=utf-8";

/// What every client asks for.
pub(crate) const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

pub(crate) fn serve(peer: Http) -> io::Result<()> {
    match peer {
        Http::Bare => bare::serve(),
        Http::Landline => on_landline::serve(),
        Http::Hyper => on_hyper::serve(),
        Http::Axum => on_axum::serve(),
        Http::Actix => on_actix::serve(),
    }
}
