//! The listener that is dialled: accepts, waits for the dialer's close, and answers it with a reset.
//!
//! The reset spares the dialer the TIME_WAIT state, which would use up the 28,000 local ports within two
//! seconds, and asks for no option on the dialer's side. It comes after the dialer has closed, so no dial
//! ever sees it.

use std::{io, os::fd::OwnedFd, time::Duration};

use rustix::net::sockopt;

use crate::{
    bare::{self, Fate, Service, Told},
    sockets,
};

pub(crate) fn serve() -> io::Result<()> {
    let listener = sockets::listen()?;
    // Inherited by what is accepted.
    sockopt::set_socket_linger(&listener, Some(Duration::ZERO))?;
    bare::serve(&listener, Reset)
}

struct Reset;

impl Service for Reset {
    type Conn = OwnedFd;

    fn open(&mut self, accepted: OwnedFd) -> io::Result<OwnedFd> {
        Ok(accepted)
    }

    /// Dialers say nothing: whatever happened is the end.
    fn ready(&mut self, _: &mut OwnedFd, _: Told) -> Fate {
        Fate::Over
    }
}
