//! The conns of one worker, for those who look after them: timeouts, and the end of a drain.

use std::num::NonZeroU32;

use tokio::task::AbortHandle;

use super::peers::Peer;
use super::watch::{Activity, Rules, Verdict, Watch};
use crate::fd::Monitor;

/// Where a conn stands, and the number that tells it from others that stand there before and after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Key {
    index: u32,
    number: NonZeroU32,
}

#[derive(Default)]
pub(super) struct Registry {
    places: Vec<Option<Entry>>,
    /// Indices of places without a conn.
    free: Vec<u32>,
    last_number: u32,
}

struct Entry {
    number: NonZeroU32,
    monitor: Monitor,
    peer: Option<Peer>,
    /// `None` for a moment, until its task has been spawned.
    task: Option<AbortHandle>,
    watch: Option<Watch>,
}

/// What a sweep found.
pub(super) enum Found {
    FirstByteTimeout(Monitor),
    IdleTimeout(Monitor),
    Overstayed(AbortHandle),
}

impl Registry {
    pub(super) fn is_empty(&self) -> bool {
        self.places.len() == self.free.len()
    }

    pub(super) fn insert(&mut self, monitor: Monitor, watch: Option<Watch>, peer: Option<Peer>) -> Key {
        self.last_number = self.last_number.wrapping_add(1);
        let number = NonZeroU32::new(self.last_number).unwrap_or(NonZeroU32::MAX);
        let entry = Some(Entry { number, monitor, peer, task: None, watch });
        let index = match self.free.pop() {
            Some(index) => {
                self.places[index as usize] = entry;
                index
            }
            None => {
                self.places.push(entry);
                u32::try_from(self.places.len() - 1).expect("there are fewer descriptors")
            }
        };
        Key { index, number }
    }

    /// Nothing, if the conn has ended already.
    pub(super) fn set_task(&mut self, key: Key, task: AbortHandle) {
        if let Some(Some(entry)) = self.places.get_mut(key.index as usize)
            && entry.number == key.number
        {
            entry.task = Some(task);
        }
    }

    /// To be called once for each conn. Returns whom it was counted for, where conns are counted by peer.
    pub(super) fn remove(&mut self, key: Key) -> Option<Peer> {
        let entry = self.places[key.index as usize].take();
        self.free.push(key.index);
        if self.is_empty() && self.places.len() > KEPT {
            // What a rush of conns took is not kept for ever.
            *self = Registry { last_number: self.last_number, ..Registry::default() };
        }
        entry.and_then(|entry| entry.peer)
    }

    /// Looks at all conns that it is time to look at, and adds to `found` those with which something is to be done.
    pub(super) fn sweep(&mut self, rules: &Rules, now: u32, found: &mut Vec<Found>) {
        for entry in self.places.iter_mut().flatten() {
            let Entry { monitor, task, watch: Some(watch), .. } = entry else { continue };
            let activity = || Activity { moved: monitor.take_moved(), heard: monitor.has_heard() };
            match rules.look(watch, now, activity) {
                Verdict::GoOn => {}
                Verdict::FirstByteTimeout => found.push(Found::FirstByteTimeout(monitor.clone())),
                Verdict::IdleTimeout => found.push(Found::IdleTimeout(monitor.clone())),
                Verdict::Cut => found.extend(task.clone().map(Found::Overstayed)),
            }
        }
    }

    /// The tasks of all conns.
    pub(super) fn tasks(&self) -> Vec<AbortHandle> {
        self.places.iter().flatten().filter_map(|entry| entry.task.clone()).collect()
    }
}

const KEPT: usize = 1024;
