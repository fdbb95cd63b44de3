//! The peer: `tokio::net`, a task per conn.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::runtime::{self, Threads};

pub(crate) fn serve(threads: Threads) -> io::Result<()> {
    runtime::run(threads, runtime::serve(echo))
}

async fn echo(mut conn: TcpStream) -> io::Result<()> {
    let mut buffer = [0; super::BUFFER];
    loop {
        let len = conn.read(&mut buffer).await?;
        if len == 0 {
            return Ok(());
        }
        conn.write_all(&buffer[..len]).await?;
    }
}
