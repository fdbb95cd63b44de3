//! Asking over a connection: TCP, or whatever a transport hook gives.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadBuf};

use super::transport::{DnsConn, Kind};
use super::{Heard, Link, Pending};
use crate::addr::Addr;
use crate::conn::TcpConn;
use crate::dial::Single;
use crate::error::Cause;
use crate::network::{Family, Network};
use crate::resolve::message::Carrier;
use crate::resolve::plan::Failure;
use crate::socket::{KeepAlive, SocketOptions};

/// Room for one datagram of a hook's.
const DATAGRAM: usize = 4096;

pub(super) struct Conversation {
    link: Link,
    server: SocketAddr,
    carrier: Carrier,
    pending: Pending,
    conn: Option<DnsConn>,
    heard: VecDeque<Heard>,
    buffer: Vec<u8>,
}

impl Conversation {
    pub(super) fn new(link: Link, server: SocketAddr, carrier: Carrier, pending: Pending) -> Conversation {
        Conversation {
            link,
            server,
            carrier,
            pending,
            conn: None,
            heard: VecDeque::new(),
            buffer: Vec::new(),
        }
    }

    /// The next thing heard; `None` once all is answered, or nothing more can be.
    pub(super) async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            if self.pending.is_empty() {
                return None;
            }
            if let Err(failure) = self.go_on().await {
                self.heard.extend(self.pending.fail(&failure));
            }
        }
    }

    async fn go_on(&mut self) -> Result<(), Failure> {
        let conn = match &mut self.conn {
            Some(conn) => conn,
            None => {
                let mut conn = self.link.open(self.server, self.carrier).await?;
                send(&mut conn, &self.pending).await?;
                self.conn.insert(conn)
            }
        };
        let carrier = receive(conn, &mut self.buffer).await?;
        self.heard.extend(self.pending.take(&self.buffer, carrier));
        Ok(())
    }
}

impl Link {
    async fn open(&self, server: SocketAddr, carrier: Carrier) -> Result<DnsConn, Failure> {
        let network = match carrier {
            Carrier::Datagram => Network::Udp(Family::Any),
            Carrier::Stream => Network::Tcp(Family::Any),
        };
        if let Some(transport) = &self.transport {
            return Ok(transport.connect(network, server).await?);
        }
        let options = SocketOptions { keep_alive: KeepAlive::Off, ..SocketOptions::default() };
        let single =
            Single { network, local: None, options: &options, explainer: &crate::explain::Explainer::SILENT };
        let connected =
            single.connect(0, &Addr::Socket(server)).await.map_err(|error| error.cause().clone())?;
        Ok(DnsConn::stream(TcpConn::new(connected.fd, Some(server))))
    }
}

async fn send(conn: &mut DnsConn, pending: &Pending) -> Result<(), Failure> {
    match &mut conn.0 {
        Kind::Datagram(socket) => {
            for packet in pending.packets() {
                poll_fn(|cx| socket.poll_send(cx, packet)).await?;
            }
        }
        Kind::Stream(stream) => {
            // All in one write, so that a server may see them together.
            let mut frames = Vec::new();
            for packet in pending.packets() {
                frames.extend((packet.len() as u16).to_be_bytes());
                frames.extend(packet);
            }
            stream.write_all(&frames).await?;
            stream.flush().await?;
        }
    }
    Ok(())
}

/// One message into `buffer`, whatever that held before.
async fn receive(conn: &mut DnsConn, buffer: &mut Vec<u8>) -> Result<Carrier, Failure> {
    match &mut conn.0 {
        Kind::Datagram(socket) => {
            buffer.resize(DATAGRAM, 0);
            let mut room = ReadBuf::new(buffer);
            poll_fn(|cx| socket.poll_receive(cx, &mut room)).await?;
            let length = room.filled().len();
            buffer.truncate(length);
            Ok(Carrier::Datagram)
        }
        Kind::Stream(stream) => {
            let length = stream.read_u16().await?;
            buffer.resize(usize::from(length), 0);
            stream.read_exact(buffer).await?;
            Ok(Carrier::Stream)
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => {
                Failure::Transport("the server closed the connection without an answer".to_owned())
            }
            _ => Cause::from(error).into(),
        }
    }
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        match cause {
            Cause::System { call, error } => Failure::Unreachable(call, error),
            cause => Failure::Transport(cause.to_string()),
        }
    }
}
