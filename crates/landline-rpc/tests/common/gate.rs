//! Methods that go on until they are let go.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use landline_rpc::Error;
use tokio::sync::Notify;

/// Calls of `Gate.Wait` go on until it is opened.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) opened: Notify,
    /// How many have begun, and how many have been dropped or ended.
    pub(crate) begun: AtomicUsize,
    pub(crate) ended: AtomicUsize,
    pub(crate) changed: Notify,
}

struct Ended<'a>(&'a Gate);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.ended.fetch_add(1, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

impl Gate {
    pub(crate) async fn wait(self: Arc<Gate>, number: u64) -> Result<u64, Error> {
        let opened = self.opened.notified();
        tokio::pin!(opened);
        opened.as_mut().enable();
        let _ended = Ended(&self);
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_waiters();
        opened.await;
        Ok(number)
    }

    /// Waits until so many have begun.
    pub(crate) async fn until_begun(&self, count: usize) {
        self.until(|gate| gate.begun.load(Ordering::SeqCst) >= count).await;
    }

    pub(crate) async fn until_ended(&self, count: usize) {
        self.until(|gate| gate.ended.load(Ordering::SeqCst) >= count).await;
    }

    /// Waits until it is so.
    pub(crate) async fn until(&self, is_so: impl Fn(&Gate) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if is_so(self) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(super::PATIENCE, waiting).await.expect("calls begin and end");
    }
}
