//! Calls: the same two methods on every server, and one lean client for all of them.

pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tarpc;
mod protocol;

use std::io;

use serde::{Deserialize, Serialize};

use crate::args::Rpc;

pub(crate) fn serve(peer: Rpc) -> io::Result<()> {
    match peer {
        Rpc::Landline => on_landline::serve(),
        Rpc::Tarpc => on_tarpc::serve(),
    }
}

/// What the method gets, on the wire `A` and `B` as in Go.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Args {
    #[serde(rename = "A")]
    a: i64,
    #[serde(rename = "B")]
    b: i64,
}
