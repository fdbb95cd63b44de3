//! The peer: tokio's `copy_bidirectional`, a task per pair of conns.

use std::{io, net::SocketAddrV4};

use tokio::{io::copy_bidirectional, net::TcpStream};

use crate::{
    runtime::{self, Threads},
    sockets,
};

pub(crate) fn serve(threads: Threads, to: SocketAddrV4) -> io::Result<()> {
    runtime::run(
        threads,
        runtime::serve(move |mut near| async move {
            let mut far = TcpStream::connect(to).await?;
            sockets::set_options(&far, false)?;
            copy_bidirectional(&mut near, &mut far).await?;
            Ok(())
        }),
    )
}
