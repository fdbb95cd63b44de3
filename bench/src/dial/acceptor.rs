//! The listener that is dialled: accepts, waits for the dialer's close, and answers it with a reset.
//!
//! The reset spares the dialer the TIME_WAIT state, which would use up the 28,000 local ports within two
//! seconds, and asks for no option on the dialer's side. It comes after the dialer has closed, so no dial
//! ever sees it.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    os::fd::{AsRawFd as _, OwnedFd},
    time::Duration,
};

use rustix::{
    buffer::spare_capacity,
    event::epoll,
    io::Errno,
    net::{self, AddressFamily, SocketFlags, SocketType, sockopt},
};

const LISTENER: u64 = u64::MAX;

pub(crate) fn serve() -> io::Result<()> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let listener = net::socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    // Inherited by what is accepted.
    sockopt::set_socket_linger(&listener, Some(Duration::ZERO))?;
    net::bind(&listener, &SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
    net::listen(&listener, 4096)?;
    println!("listening {}", SocketAddr::try_from(net::getsockname(&listener)?)?);

    let poller = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poller, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
    let mut open: HashMap<u64, OwnedFd> = HashMap::new();
    let mut events = Vec::with_capacity(1024);
    loop {
        events.clear();
        // A tracer that attaches interrupts the wait.
        rustix::io::retry_on_intr(|| epoll::wait(&poller, spare_capacity(&mut events), None))?;
        for event in &events {
            let key = event.data.u64();
            if key != LISTENER {
                // Dialers say nothing: whatever happened is the end.
                open.remove(&key);
                continue;
            }
            loop {
                let conn = match net::accept_with(&listener, flags) {
                    Ok(conn) => conn,
                    Err(Errno::AGAIN) => break,
                    Err(Errno::CONNABORTED | Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                };
                let key = conn.as_raw_fd() as u64;
                let interest = epoll::EventFlags::IN | epoll::EventFlags::RDHUP;
                epoll::add(&poller, &conn, epoll::EventData::new_u64(key), interest)?;
                open.insert(key, conn);
            }
        }
    }
}
