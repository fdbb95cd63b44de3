//! The peer: `tokio::net`, a task per conn.

use std::io;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::runtime::{self, Threads};

pub(crate) fn serve(threads: Threads) -> io::Result<()> {
    runtime::run(threads, runtime::serve(answer))
}

async fn answer(mut conn: TcpStream) -> io::Result<()> {
    if conn.read(&mut [0]).await? == 1 {
        conn.write_all(b"a").await?;
    }
    Ok(())
}
