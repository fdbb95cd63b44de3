//! The limit: an epoll loop that parses nothing. It asks again when as many bytes have come as the first response had.

use std::{io, net::SocketAddrV4};

use rustix::io::Errno;

use crate::{
    args::Span,
    http::{REQUEST, load::response_length},
    load,
    outcome::Outcome,
    pace::Pace,
    poller::{Events, Poller, READ},
};

pub(crate) fn run(to: SocketAddrV4, in_flight: usize, span: Span) -> io::Result<Outcome> {
    let length = response_length(to)?;
    let conns = (0..in_flight).map(|_| load::connect(to)).collect::<io::Result<Vec<_>>>()?;
    let pace = Pace::new(span);
    let poller = Poller::new()?;
    let mut waiting = 0;
    let begin = |conn, waiting: &mut usize| {
        if pace.another().is_some() {
            rustix::io::write(conn, REQUEST)?;
            *waiting += 1;
        }
        io::Result::Ok(())
    };
    for (key, conn) in (0..).zip(&conns) {
        rustix::io::ioctl_fionbio(conn, true)?;
        poller.add(conn, key, READ)?;
        begin(conn, &mut waiting)?;
    }
    let mut received = vec![0; in_flight];
    let mut buffer = vec![0; super::MOST];
    let mut events = Events::new();
    while waiting > 0 {
        poller.wait(&mut events)?;
        for (key, _) in events.iter() {
            let index = key as usize;
            received[index] += match rustix::io::read(&conns[index], &mut buffer[..]) {
                Ok(0) => return Err(io::Error::other("the server closed a conn")),
                Ok(len) => len,
                Err(Errno::AGAIN) => continue,
                Err(error) => return Err(error.into()),
            };
            if received[index] < length {
                continue;
            }
            received[index] = 0;
            waiting -= 1;
            pace.done();
            begin(&conns[index], &mut waiting)?;
        }
    }
    Ok(pace.outcome())
}
