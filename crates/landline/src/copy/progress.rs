//! Counters that can be read while a copy goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Counts the bytes of copies as they move; cheap to clone, and each clone is the same counter.
///
/// One given to several copies counts the bytes of them all. It keeps its count when a copy is dropped.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> landline::Result<()> {
/// use landline::{Copier, Progress};
/// # let (a, a_far) = landline::pipe();
/// # let (b, b_far) = landline::pipe();
/// # a_far.write_all(b"abc").await?; a_far.close_write()?; b_far.close_write()?;
///
/// let progress = Progress::new();
/// Copier::new().progress(&progress).copy_both(&a, &b).await?;
/// assert_eq!((progress.there(), progress.back()), (3, 0));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Progress(Arc<Counters>);

#[derive(Debug, Default)]
struct Counters {
    there: AtomicU64,
    back: AtomicU64,
}

/// Where one direction of a copy counts.
#[derive(Clone, Copy)]
pub(super) struct Meter<'a>(Option<&'a AtomicU64>);

impl Progress {
    /// Both at zero.
    pub fn new() -> Progress {
        Progress::default()
    }

    /// How many bytes the destinations took; of `copy_both(a, b)`, how many `b` took.
    pub fn there(&self) -> u64 {
        self.0.there.load(Ordering::Relaxed)
    }

    /// Of `copy_both(a, b)`, how many bytes `a` took.
    pub fn back(&self) -> u64 {
        self.0.back.load(Ordering::Relaxed)
    }
}

impl Meter<'_> {
    pub(super) fn there(progress: Option<&Progress>) -> Meter<'_> {
        Meter(progress.map(|progress| &progress.0.there))
    }

    pub(super) fn back(progress: Option<&Progress>) -> Meter<'_> {
        Meter(progress.map(|progress| &progress.0.back))
    }

    #[inline]
    pub(super) fn add(&self, count: u64) {
        if let Some(counter) = self.0 {
            counter.fetch_add(count, Ordering::Relaxed);
        }
    }
}
