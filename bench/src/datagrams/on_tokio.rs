//! The peer: `tokio::net::UdpSocket`, a datagram at a time.

use std::io;

use tokio::net::UdpSocket;

use crate::runtime::{self, Threads};

pub(crate) fn serve(threads: Threads) -> io::Result<()> {
    runtime::run(threads, async {
        let socket = UdpSocket::from_std(super::bind()?)?;
        let mut buffer = [0; 2048];
        loop {
            let (len, from) = socket.recv_from(&mut buffer).await?;
            socket.send_to(&buffer[..len], from).await?;
        }
    })
}
