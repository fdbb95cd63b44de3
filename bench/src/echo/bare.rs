//! The limit: one epoll loop, one shared buffer, two calls a message and a share of a third.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::{AsRawFd as _, OwnedFd},
};

use rustix::{
    buffer::spare_capacity,
    event::epoll,
    io::Errno,
    net::{self, AddressFamily, SocketFlags, SocketType, sockopt},
};

/// The listener's mark among the events; a descriptor is never this.
const LISTENER: u64 = u64::MAX;

pub(crate) fn serve() -> io::Result<()> {
    let listener = listen()?;
    let mut conns = Conns { poller: epoll::create(epoll::CreateFlags::CLOEXEC)?, open: HashMap::new() };
    epoll::add(&conns.poller, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut events = Vec::with_capacity(1024);
    let mut buffer = vec![0; super::BUFFER];
    loop {
        events.clear();
        // A tracer that attaches interrupts the wait.
        rustix::io::retry_on_intr(|| epoll::wait(&conns.poller, spare_capacity(&mut events), None))?;
        for event in &events {
            match event.data.u64() {
                LISTENER => conns.accept_all(&listener)?,
                fd => conns.echo(fd, &mut buffer),
            }
        }
    }
}

/// A listener on a free port of loopback, announced; what it accepts inherits no-delay.
fn listen() -> io::Result<OwnedFd> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    sockopt::set_tcp_nodelay(&listener, true)?;
    net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    net::listen(&listener, 4096)?;
    let bound = SocketAddr::try_from(net::getsockname(&listener)?)?;
    println!("listening {bound}");
    Ok(listener)
}

struct Conns {
    poller: OwnedFd,
    open: HashMap<u64, OwnedFd>,
}

impl Conns {
    fn accept_all(&mut self, listener: &OwnedFd) -> io::Result<()> {
        loop {
            let conn = match net::accept_with(listener, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(conn) => conn,
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::CONNABORTED | Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let key = conn.as_raw_fd() as u64;
            epoll::add(&self.poller, &conn, epoll::EventData::new_u64(key), epoll::EventFlags::IN)?;
            self.open.insert(key, conn);
        }
    }

    /// One read, one write. The load has one small message in flight, so a write that is not whole is a
    /// conn that is over.
    fn echo(&mut self, key: u64, buffer: &mut [u8]) {
        let Some(conn) = self.open.get(&key) else { return };
        let alive = match rustix::io::read(conn, &mut *buffer) {
            Ok(0) => false,
            Ok(len) => rustix::io::write(conn, &buffer[..len]) == Ok(len),
            Err(error) => error == Errno::AGAIN || error == Errno::INTR,
        };
        if !alive {
            self.open.remove(&key);
        }
    }
}
