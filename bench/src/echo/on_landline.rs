//! Ours: `Server` ; and by hand, `landline::listen` and `accept`, a task per conn on one thread.

use std::io;

use landline::{Conn, ListenConfig, TcpConn};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{
    accepting,
    args::Workers,
    runtime::{self, Threads},
    serving,
};

/// By which of its faces a conn is used that was accepted by hand.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    /// `read` and `write_all` of [`Conn`], which `accept` gives for any network.
    Any,
    /// tokio's `AsyncRead` and `AsyncWrite` of the same.
    Traits,
    /// `read` and `write_all` of [`TcpConn`].
    Tcp,
}

pub(crate) fn serve(workers: Workers) -> io::Result<()> {
    serving::serve(workers, echo_pooled)
}

pub(crate) fn accept(face: Face) -> io::Result<()> {
    match face {
        Face::Any => runtime::run(Threads::One, accepting::serve(echo)),
        Face::Traits => runtime::run(Threads::One, accepting::serve(echo_by_traits)),
        Face::Tcp => runtime::run(Threads::One, serve_tcp()),
    }
}

/// Waits without a buffer, and borrows one of the worker's.
async fn echo_pooled(conn: Conn) -> landline::Result<()> {
    loop {
        let bytes = conn.read_pooled().await?;
        if bytes.is_empty() {
            return Ok(());
        }
        conn.write_all(&bytes).await?;
    }
}

async fn echo(conn: Conn) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = conn.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..len]).await?;
    }
}

async fn echo_by_traits(mut conn: Conn) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = AsyncReadExt::read(&mut conn, &mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        AsyncWriteExt::write_all(&mut conn, &buffer[..len]).await?;
    }
}

async fn serve_tcp() -> io::Result<()> {
    let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        drop(tokio::spawn(echo_tcp(listener.accept().await?)));
    }
}

async fn echo_tcp(conn: TcpConn) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = conn.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..len]).await?;
    }
}
