//! Ours: `Dialer::dial_tcp`, with an IP literal.

use std::{io, net::SocketAddrV4};

use landline::{Dialer, KeepAlive, explain::Event};
use tokio::runtime::Builder;

use crate::{args::Span, outcome::Outcome, pace::Pace};

/// One whose every step is told to somebody who ignores it: the price of an explanation, which nobody else pays.
pub(crate) fn heard() -> Dialer {
    Dialer::new().sink(|_: &Event| {})
}

pub(crate) fn run(mut dialer: Dialer, to: SocketAddrV4, plain: bool, span: Span) -> io::Result<Outcome> {
    let address = to.to_string();
    if plain {
        dialer = dialer.keep_alive(KeepAlive::Off);
    }
    let pace = Pace::new(span);
    Builder::new_current_thread().enable_all().build()?.block_on(async {
        while pace.another().is_some() {
            drop(dialer.dial_tcp(&address).await?);
            pace.done();
        }
        Ok(pace.outcome())
    })
}
