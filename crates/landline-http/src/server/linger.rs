//! What is done with a client that is still sending when it has been answered for the last time.

use std::error::Error as StdError;
use std::time::Duration;

use futures_util::FutureExt as _;
use landline::Conn;
use tokio::io::AsyncWriteExt as _;
use tokio::time::timeout;

use super::state::State;

type BoxError = Box<dyn StdError + Send + Sync>;

/// How long nothing may come.
const QUIET: Duration = Duration::from_secs(5);

/// How much is heard and ignored, in bytes.
const MOST: usize = 256 << 20;

/// Whether the client may be sending more. A conn closed now would be reset at once by what comes, or has come and was not
/// read, and the client's system may throw the response away for that, before the client has read it (RFC 9112 section
/// 9.6).
pub(super) fn may_send_more(state: &State, conn: &Conn, ended: &Result<(), BoxError>) -> bool {
    match ended {
        // It was answered, and what it sends makes no sense.
        Err(error) => error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse),
        Ok(()) if state.speaks_http1() && state.has_left_unread() => true,
        // Its stream was reset, and what has come of it since was read and passed over.
        Ok(()) if state.has_just_left_unread(QUIET) => true,
        // A request behind the last.
        Ok(()) => {
            state.speaks_http1()
                && matches!(conn.read_pooled().now_or_never(), Some(Ok(bytes)) if !bytes.is_empty())
        }
    }
}

/// Shuts our side down, if nobody has, and reads until the client closes, for some time.
pub(super) async fn linger(conn: &Conn, longest: Duration) {
    let hearing = async {
        let _ = (&mut &*conn).shutdown().await;
        let mut left = MOST;
        while let Ok(Ok(bytes)) = timeout(QUIET, conn.read_pooled()).await
            && !bytes.is_empty()
            && bytes.len() < left
        {
            left -= bytes.len();
        }
    };
    // The end of the time is an end as well.
    let _ = timeout(longest, hearing).await;
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use landline::{UnixConn, UnixKind};

    use super::super::settings::{Settings, ticks};
    use super::super::watch::Worker;
    use super::*;

    #[tokio::test]
    async fn a_stream_that_was_left_long_ago_keeps_no_conn() {
        let (conn, _other) = UnixConn::pair(UnixKind::Stream).unwrap();
        let conn = Conn::from(conn);
        let worker = Worker::of_none().await;
        let state = || State::new(&conn, None, &worker, Arc::default(), &Settings::default());
        for (is_http2, may_send_later) in [(false, true), (true, false)] {
            let state = state();
            if is_http2 {
                state.speaks_http2();
            }
            assert!(!may_send_more(&state, &conn, &Ok(())));
            state.leaves_unread();
            assert!(may_send_more(&state, &conn, &Ok(())));
            for _ in 0..ticks(QUIET) {
                worker.clock.tick();
            }
            assert_eq!(may_send_more(&state, &conn, &Ok(())), may_send_later);
        }
    }
}
