//! Ours: `listen_packet`, a datagram at a time or in batches.

use std::{io, net::SocketAddr};

use landline::{RecvBatch, SendBatch, UdpConn};

use super::train;
use crate::runtime::{self, Threads};

pub(crate) fn serve_singly() -> io::Result<()> {
    runtime::run(Threads::One, async {
        let conn = listen().await?;
        let mut buffer = [0; 2048];
        loop {
            let received = conn.recv_from(&mut buffer).await?;
            conn.send_to(&buffer[..received.len], received.from).await?;
        }
    })
}

/// Runs of datagrams of one length and one sender go back together.
pub(crate) fn serve_batched() -> io::Result<()> {
    runtime::run(Threads::One, async {
        let conn = listen().await?.into_batched()?;
        let mut batch = RecvBatch::new();
        let mut answer = Vec::with_capacity(train::LONGEST);
        loop {
            conn.recv_batch(&mut batch).await?;
            let mut run: Option<(SocketAddr, usize)> = None;
            for datagram in batch.datagrams() {
                let this = (datagram.from, datagram.bytes.len());
                if let Some((from, size)) = run
                    && (run != Some(this) || answer.len() / size == train::MOST)
                {
                    conn.send_batch(&SendBatch::new(&answer, size).to(from)).await?;
                    answer.clear();
                }
                run = Some(this);
                answer.extend_from_slice(datagram.bytes);
            }
            if let Some((from, size)) = run {
                conn.send_batch(&SendBatch::new(&answer, size).to(from)).await?;
                answer.clear();
            }
        }
    })
}

async fn listen() -> io::Result<UdpConn> {
    let conn = landline::listen_packet("udp", "127.0.0.1:0").await?;
    let conn = conn.into_udp().map_err(|_| io::Error::other("not a UDP conn"))?;
    println!("listening {}", conn.local_addr()?);
    Ok(conn)
}
