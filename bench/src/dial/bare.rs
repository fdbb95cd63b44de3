//! The limit: what any dialer on epoll must ask of the kernel, and nothing else.

use std::{io, net::SocketAddrV4, os::fd::OwnedFd};

use rustix::{
    buffer::spare_capacity,
    event::epoll,
    io::Errno,
    net::{self, AddressFamily, SocketFlags, SocketType, sockopt},
};

use crate::{args::Span, outcome::Outcome, pace::Pace};

pub(crate) fn run(to: SocketAddrV4, plain: bool, span: Span) -> io::Result<Outcome> {
    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    let pace = Pace::new(span);
    while pace.another().is_some() {
        drop(dial(&poller, to, plain)?);
        pace.done();
    }
    Ok(pace.outcome())
}

/// Six calls and the options: socket, connect, epoll_ctl, epoll_wait, getsockopt, and the close of what is returned, which
/// also takes it off the poller.
fn dial(poller: &OwnedFd, to: SocketAddrV4, plain: bool) -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let conn = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    match net::connect(&conn, &to) {
        Ok(()) => {}
        Err(Errno::INPROGRESS) => {
            let interest = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(poller, &conn, epoll::EventData::new_u64(0), interest)?;
            let mut events = Vec::with_capacity(8);
            epoll::wait(poller, spare_capacity(&mut events), None)?;
            sockopt::socket_error(&conn)??;
        }
        Err(error) => return Err(error.into()),
    }
    super::set_options(&conn, plain)?;
    Ok(conn)
}
