//! Echo: every byte comes back, on one core, one task or one slot of a table per conn.

pub(crate) mod bare;
pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

use std::io;

use self::on_landline::Face;
use crate::{
    args::{Echo, Workers},
    runtime::Threads,
};

/// What a usual echo loop reads into. It is part of what an idle conn costs, and the same in all peers.
const BUFFER: usize = 4096;

pub(crate) fn serve(peer: Echo, workers: Workers) -> io::Result<()> {
    match peer {
        Echo::Bare => bare::serve(),
        Echo::BareCall => bare::serve_by_calls(),
        Echo::Landline => on_landline::serve(workers),
        Echo::LandlineAccept => on_landline::accept(Face::Any),
        Echo::LandlineTraits => on_landline::accept(Face::Traits),
        Echo::LandlineTcp => on_landline::accept(Face::Tcp),
        Echo::Tokio => on_tokio::serve(Threads::One),
        Echo::TokioMt => on_tokio::serve(Threads::EveryCore),
    }
}
