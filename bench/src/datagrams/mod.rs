//! Datagrams: every one comes back.

pub(crate) mod bare;
pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

mod train;

use std::{
    io,
    net::{Ipv4Addr, UdpSocket},
};

use crate::{args::Datagrams, runtime::Threads};

pub(crate) fn serve(peer: Datagrams) -> io::Result<()> {
    match peer {
        Datagrams::Bare => bare::serve_singly(),
        Datagrams::BareBatched => bare::serve_batched(),
        Datagrams::Landline => on_landline::serve_singly(),
        Datagrams::LandlineBatched => on_landline::serve_batched(),
        Datagrams::Tokio => on_tokio::serve(Threads::One),
        Datagrams::TokioMt => on_tokio::serve(Threads::EveryCore),
    }
}

/// A non-blocking socket on a free port of loopback, announced.
fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.set_nonblocking(true)?;
    println!("listening {}", socket.local_addr()?);
    Ok(socket)
}
