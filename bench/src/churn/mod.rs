//! Churn: accept, one byte each way, close; many at once.

pub(crate) mod bare;
pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

use std::io;

use crate::{
    args::{Churn, Workers},
    runtime::Threads,
};

/// With so many loops or workers, where the peer has a say in it.
pub(crate) fn serve(peer: Churn, workers: Workers) -> io::Result<()> {
    match peer {
        Churn::Bare => bare::serve(workers.count),
        Churn::Landline => on_landline::serve(workers),
        Churn::LandlineAccept => on_landline::accept(),
        Churn::Tokio => on_tokio::serve(Threads::One),
        Churn::TokioMt => on_tokio::serve(Threads::EveryCore),
    }
}
