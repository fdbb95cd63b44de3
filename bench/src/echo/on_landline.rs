//! Ours: `landline::listen` and `accept`, a task per conn on one thread.

use std::io;

use landline::{Conn, ListenConfig, TcpConn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Builder,
};

/// By which of its faces a conn is used.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    /// `read` and `write_all` of [`Conn`], which `accept` gives for any network.
    Any,
    /// tokio's `AsyncRead` and `AsyncWrite` of the same.
    Traits,
    /// `read` and `write_all` of [`TcpConn`].
    Tcp,
}

pub(crate) fn serve(face: Face) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        match face {
            Face::Any => serve_any(echo).await,
            Face::Traits => serve_any(echo_by_traits).await,
            Face::Tcp => serve_tcp().await,
        }
    })
}

async fn serve_any<Echo>(echo: impl Fn(Conn) -> Echo) -> io::Result<()>
where
    Echo: Future<Output = io::Result<()>> + Send + 'static,
{
    let listener = landline::listen("tcp", "127.0.0.1:0").await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        // A conn that ends in an error ends; the load sees it.
        drop(tokio::spawn(echo(listener.accept().await?)));
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
