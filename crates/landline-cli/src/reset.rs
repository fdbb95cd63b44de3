//! A conn that is passed on, and does not come to a good end.

use std::time::Duration;

use landline::Conn;
use landline::TcpState;

/// Sees to it that a TCP conn is closed by a reset if this is dropped before [`finished`](Unfinished::finished) is called:
/// an end would tell its peer that it has got all there is, as it tells of a conn that was not passed on by anybody.
///
/// Where the end of what the peer was to get has been passed on already, it stays that.
#[derive(Debug)]
pub(crate) struct Unfinished<'a>(Option<&'a Conn>);

impl<'a> Unfinished<'a> {
    /// Begins with a conn of any kind. Of others than TCP, an end is all there is.
    pub(crate) fn new(conn: &'a Conn) -> Unfinished<'a> {
        Unfinished(Some(conn))
    }

    /// It may be closed as any other.
    pub(crate) fn finished(mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        let Some(conn) = self.0.and_then(Conn::as_tcp) else { return };
        let has_ended = conn.tcp_info().is_ok_and(|info| {
            !matches!(info.state, TcpState::Established | TcpState::CloseWait | TcpState::SynReceived)
        });
        if !has_ended {
            // A close that waits for nothing, and sends what is not acknowledged no more (socket(7)). One that is closed
            // already has no need of it.
            let _ = conn.set_linger(Some(Duration::ZERO));
        }
    }
}
