//! File to socket: a request, and the file after a header, over one conn again and again.

pub(crate) mod bare;
pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

use std::{fs::File, io, path::Path};

use crate::{args::Files, runtime::Threads};

/// What a request fits into.
const REQUEST: usize = 1024;

pub(crate) fn serve(peer: Files, file: &Path) -> io::Result<()> {
    match peer {
        Files::Bare => bare::serve(file),
        Files::Landline => on_landline::serve(file),
        Files::Tokio => on_tokio::serve(Threads::One, file),
        Files::TokioMt => on_tokio::serve(Threads::EveryCore, file),
    }
}

/// What stands before a file, so that a web server can be a peer.
fn header(length: u64) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n")
}

fn open(file: &Path) -> io::Result<(File, u64)> {
    let file = File::open(file)?;
    let length = file.metadata()?.len();
    Ok((file, length))
}
