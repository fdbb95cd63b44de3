//! The peer: `tokio::net`, a task per conn.

use std::{io, net::Ipv4Addr};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

pub(crate) fn serve_on_one_thread() -> io::Result<()> {
    Builder::new_current_thread().enable_all().build()?.block_on(serve())
}

/// As many workers as the process may use cores, tokio's default.
pub(crate) fn serve_on_every_core() -> io::Result<()> {
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    // Spawned, as `block_on` would run the accept loop outside the workers.
    runtime.block_on(async { tokio::spawn(serve()).await.map_err(io::Error::other)? })
}

async fn serve() -> io::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("listening {}", listener.local_addr()?);
    loop {
        let (conn, _) = listener.accept().await?;
        tokio::spawn(async move {
            // A conn that ends in an error ends; the load sees it.
            let _ = echo(conn).await;
        });
    }
}

async fn echo(mut conn: TcpStream) -> io::Result<()> {
    conn.set_nodelay(true)?;
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = conn.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..len]).await?;
    }
}
