//! Ours: `Server`, and `copy` from a file.

use std::{io, path::Path};

use landline::Conn;

use crate::{head, serving};

pub(crate) fn serve(file: &Path) -> io::Result<()> {
    let file = file.to_owned();
    serving::serve(serving::ALONE, move |conn| {
        let file = file.clone();
        async move { send(conn, &file).await }
    })
}

async fn send(conn: Conn, file: &Path) -> io::Result<()> {
    let mut request = [0; super::REQUEST];
    loop {
        let len = conn.read(&mut request).await?;
        if !request[..len].ends_with(head::END) {
            return Ok(());
        }
        let (file, length) = super::open(file)?;
        conn.write_all(super::header(length).as_bytes()).await?;
        landline::copy(&file, &conn).await?;
    }
}
