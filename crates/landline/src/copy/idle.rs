//! The end of a copy in which nothing moves.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep};

/// Looks at the clock when something has moved, and touches its timer only when that goes off.
pub(super) struct Idle {
    after: Duration,
    timer: Pin<Box<Sleep>>,
    seen: u64,
    last: Instant,
}

impl Idle {
    pub(super) fn new(after: Duration) -> Idle {
        Idle { after, timer: Box::pin(sleep(after)), seen: 0, last: Instant::now() }
    }

    /// Ready when nothing has moved for the whole time; `moved` is the sum of all that has.
    pub(super) fn poll(&mut self, moved: u64, cx: &mut Context<'_>) -> Poll<()> {
        if moved != self.seen {
            self.seen = moved;
            self.last = Instant::now();
        }
        loop {
            ready!(self.timer.as_mut().poll(cx));
            match self.last.checked_add(self.after) {
                Some(due) if due > Instant::now() => self.timer.as_mut().reset(due),
                _ => return Poll::Ready(()),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::poll_fn;

    #[tokio::test(start_paused = true)]
    async fn what_moves_puts_the_end_off() {
        let start = Instant::now();
        let mut idle = Idle::new(Duration::from_secs(10));
        for second in 1..=3 {
            tokio::time::advance(Duration::from_secs(4)).await;
            let waits = poll_fn(|cx| Poll::Ready(idle.poll(second, cx).is_pending())).await;
            assert!(waits);
        }
        poll_fn(|cx| idle.poll(3, cx)).await;
        assert_eq!(start.elapsed(), Duration::from_secs(22));
    }
}
