//! The limit: what any dialer on epoll must ask of the kernel, and nothing else.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd};

use rustix::{
    io::Errno,
    net::{self, AddressFamily, SocketType, sockopt},
};

use crate::{
    args::Span,
    outcome::Outcome,
    pace::Pace,
    poller::{Events, Poller, READ_WRITE},
    sockets,
};

pub(crate) fn run(to: SocketAddrV4, plain: bool, span: Span) -> io::Result<Outcome> {
    let poller = Poller::new()?;
    let mut events = Events::new();
    let pace = Pace::new(span);
    while pace.another().is_some() {
        drop(dial(&poller, &mut events, to, plain)?);
        pace.done();
    }
    Ok(pace.outcome())
}

/// Six calls and the options: socket, connect, epoll_ctl, epoll_wait, getsockopt, and the close of what is returned, which
/// also takes it off the poller.
fn dial(poller: &Poller, events: &mut Events, to: SocketAddrV4, plain: bool) -> io::Result<OwnedFd> {
    let conn = begin(to)?;
    poller.add(&conn, 0, READ_WRITE)?;
    poller.wait(events)?;
    sockopt::socket_error(&conn)??;
    sockets::set_options(&conn, plain)?;
    Ok(conn)
}

/// A conn under way.
pub(crate) fn begin(to: SocketAddrV4) -> io::Result<OwnedFd> {
    let conn = net::socket_with(AddressFamily::INET, SocketType::STREAM, sockets::FLAGS, None)?;
    match net::connect(&conn, &to) {
        Ok(()) | Err(Errno::INPROGRESS) => Ok(conn),
        Err(error) => Err(error.into()),
    }
}
