//! Forward: what comes from a conn goes to another, both ways.

pub(crate) mod bare;
pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

use std::{io, net::SocketAddrV4};

use crate::{args::Forward, runtime::Threads};

pub(crate) fn serve(peer: Forward, to: SocketAddrV4) -> io::Result<()> {
    match peer {
        Forward::BareSplice => bare::serve::<bare::Spliced>(to),
        Forward::BareBuffer => bare::serve::<bare::Buffered>(to),
        Forward::Landline => on_landline::serve(to),
        Forward::Tokio => on_tokio::serve(Threads::One, to),
        Forward::TokioMt => on_tokio::serve(Threads::EveryCore, to),
    }
}
