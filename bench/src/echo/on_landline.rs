//! Ours: `ListenConfig::listen_tcp`, a task per conn on one thread.

use std::io;

use landline::{ListenConfig, TcpConn};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    runtime::Builder,
};

/// By which of its faces a conn is used.
#[derive(Clone, Copy)]
pub(crate) enum Face {
    /// `read` and `write_all` of the conn itself.
    Methods,
    /// tokio's `AsyncRead` and `AsyncWrite`.
    Traits,
}

pub(crate) fn serve(face: Face) -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        let listener = ListenConfig::new().listen_tcp("127.0.0.1:0").await?;
        println!("listening {}", listener.local_addr()?);
        loop {
            let conn = listener.accept().await?;
            // A conn that ends in an error ends; the load sees it.
            match face {
                Face::Methods => drop(tokio::spawn(echo_by_methods(conn))),
                Face::Traits => drop(tokio::spawn(echo_by_traits(conn))),
            }
        }
    })
}

async fn echo_by_methods(conn: TcpConn) -> landline::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = conn.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..len]).await?;
    }
}

async fn echo_by_traits(mut conn: TcpConn) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = AsyncReadExt::read(&mut conn, &mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        AsyncWriteExt::write_all(&mut conn, &buffer[..len]).await?;
    }
}
