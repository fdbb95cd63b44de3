//! What a server has received and done so far.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::query::Query;

#[derive(Debug, Default)]
pub(super) struct Log {
    entries: Mutex<Entries>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Entries {
    queries: Vec<Query>,
    unreadable: Vec<Vec<u8>>,
    /// The numbers of the queries for which all has been done.
    done: BTreeSet<u64>,
}

impl Log {
    pub(super) fn received(&self, query: Query) {
        self.lock().queries.push(query);
        self.changed.notify_waiters();
    }

    pub(super) fn unreadable(&self, raw: &[u8]) {
        self.lock().unreadable.push(raw.to_vec());
    }

    pub(super) fn done(&self, number: u64) {
        self.lock().done.insert(number);
        self.changed.notify_waiters();
    }

    pub(super) fn queries(&self) -> Vec<Query> {
        self.lock().queries.clone()
    }

    pub(super) fn unreadable_messages(&self) -> Vec<Vec<u8>> {
        self.lock().unreadable.clone()
    }

    pub(super) fn clear(&self) {
        let mut entries = self.lock();
        entries.queries.clear();
        entries.unreadable.clear();
    }

    pub(super) async fn until_received(&self, count: usize) {
        self.until(|entries| entries.queries.len() >= count).await;
    }

    /// Waits until `count` queries that came after `number` are done.
    pub(super) async fn until_done_after(&self, number: u64, count: u64) {
        self.until(|entries| entries.done.range(number + 1..).count() as u64 >= count).await;
    }

    async fn until(&self, holds: impl Fn(&Entries) -> bool) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Enlisted before looking, so that a change in between is not missed.
            changed.as_mut().enable();
            if holds(&self.lock()) {
                return;
            }
            changed.await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
