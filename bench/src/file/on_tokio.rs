//! The peer: `tokio::fs` and `tokio::io::copy`.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    head,
    runtime::{self, Threads},
};

pub(crate) fn serve(threads: Threads, file: &Path) -> io::Result<()> {
    let file = file.to_owned();
    runtime::run(threads, runtime::serve(move |conn| send(conn, file.clone())))
}

async fn send(mut conn: TcpStream, file: PathBuf) -> io::Result<()> {
    let mut request = [0; super::REQUEST];
    loop {
        let len = conn.read(&mut request).await?;
        if !request[..len].ends_with(head::END) {
            return Ok(());
        }
        let mut file = File::open(&file).await?;
        let header = super::header(file.metadata().await?.len());
        conn.write_all(header.as_bytes()).await?;
        tokio::io::copy(&mut file, &mut conn).await?;
    }
}
