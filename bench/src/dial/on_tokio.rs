//! The peer: `tokio::net::TcpStream::connect` with an IP literal.

use std::{io, net::SocketAddrV4};

use tokio::{net::TcpStream, runtime::Builder};

use crate::{args::Span, outcome::Outcome, pace::Pace};

pub(crate) fn run(to: SocketAddrV4, plain: bool, span: Span) -> io::Result<Outcome> {
    let address = to.to_string();
    let pace = Pace::new(span);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        while pace.another().is_some() {
            let conn = TcpStream::connect(address.as_str()).await?;
            crate::sockets::set_options(&conn, plain)?;
            drop(conn);
            pace.done();
        }
        Ok(pace.outcome())
    })
}
