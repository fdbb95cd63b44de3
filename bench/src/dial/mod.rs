//! Dial: connect to an IP literal and close, one after another.

pub(crate) mod acceptor;
pub(crate) mod bare;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

use std::{io, os::fd::AsFd, time::Duration};

use rustix::net::sockopt;

/// Sets what landline's dialer sets: no-delay, and keep-alive unless `plain`, with the same five calls or one.
fn set_options(conn: impl AsFd, plain: bool) -> io::Result<()> {
    let conn = conn.as_fd();
    sockopt::set_tcp_nodelay(conn, true)?;
    if !plain {
        sockopt::set_socket_keepalive(conn, true)?;
        sockopt::set_tcp_keepidle(conn, Duration::from_secs(15))?;
        sockopt::set_tcp_keepintvl(conn, Duration::from_secs(15))?;
        sockopt::set_tcp_keepcnt(conn, 9)?;
    }
    Ok(())
}
