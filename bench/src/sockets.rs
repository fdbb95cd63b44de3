//! Sockets with the options that landline gives its own, for every peer that makes its sockets itself.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::{AsFd, OwnedFd},
    time::Duration,
};

use rustix::net::{self, AddressFamily, SocketFlags, SocketType, sockopt};

pub(crate) const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// As many conns as wait by default on Linux 5.4 and later.
const BACKLOG: i32 = 4096;

/// A free address of loopback, on which one socket listens, or several.
pub(crate) fn listen() -> io::Result<OwnedFd> {
    listen_at(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))
}

/// A listener at an address that others listen on too; what it accepts inherits its options.
pub(crate) fn listen_at(address: SocketAddrV4) -> io::Result<OwnedFd> {
    let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, FLAGS, None)?;
    set_options(&listener, false)?;
    sockopt::set_socket_reuseport(&listener, true)?;
    net::bind(&listener, &address)?;
    net::listen(&listener, BACKLOG)?;
    Ok(listener)
}

/// Sets no-delay, and keep-alive unless `plain`, with the same five calls or one as landline's dialer.
pub(crate) fn set_options(conn: impl AsFd, plain: bool) -> io::Result<()> {
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

/// Where a socket is bound.
pub(crate) fn local_address(socket: impl AsFd) -> io::Result<SocketAddrV4> {
    match SocketAddr::try_from(net::getsockname(socket)?)? {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => Err(io::Error::other(format!("{address} is not of IPv4"))),
    }
}

/// Says where a server listens, which is what `xtask` waits for.
pub(crate) fn announce(socket: impl AsFd) -> io::Result<()> {
    println!("listening {}", local_address(socket)?);
    Ok(())
}
