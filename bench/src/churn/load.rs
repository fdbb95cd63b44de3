//! The lean client of churn: so many conns at once, each for one byte each way.

use std::{io, net::SocketAddrV4};

use rustix::io::Errno;

use crate::{
    args::Span,
    bare::Table,
    load::{self, Until},
    outcome::Outcome,
    poller::{Events, Poller, READ},
};

pub(crate) fn run(to: SocketAddrV4, pid: u32, at_once: usize, span: Span) -> io::Result<Outcome> {
    let mut load = Load { to, at_once, poller: Poller::new()? };
    load::measure(pid, span, |until| load.drive(until))
}

struct Load {
    to: SocketAddrV4,
    at_once: usize,
    poller: Poller,
}

impl Load {
    /// Opens a conn for each that ends until it is time, and waits for the rest to end.
    fn drive(&mut self, until: Until) -> io::Result<u64> {
        let mut open = Table::default();
        let mut events = Events::new();
        let mut begun = 0;
        let mut ended = 0;
        let begin = |key: usize, open: &mut Table<_>| {
            let conn = load::connect(self.to)?;
            self.poller.add(&conn, key as u64, READ)?;
            rustix::io::write(&conn, b"q")?;
            open.put(key, conn);
            io::Result::Ok(())
        };
        for key in 0..self.at_once {
            begin(key, &mut open)?;
            begun += 1;
        }
        while ended < begun {
            self.poller.look(&mut events)?;
            for (key, _) in events.iter() {
                let key = key as usize;
                let Some(conn) = open.at(key) else { continue };
                match rustix::io::read(&*conn, &mut [0]) {
                    Ok(1) => {}
                    Ok(_) => return Err(io::Error::other("the server closed a conn without an answer")),
                    Err(Errno::AGAIN) => continue,
                    Err(error) => return Err(error.into()),
                }
                open.take(key);
                ended += 1;
                if !until.is_over(begun) {
                    begin(key, &mut open)?;
                    begun += 1;
                }
            }
        }
        Ok(ended)
    }
}
