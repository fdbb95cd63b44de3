//! Descriptors in the reactor of the current runtime, and taking them out while others use them.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::ops::Deref;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

use super::descriptor::replace_with_placeholder;

/// Registers it; an error closes the descriptor.
///
/// # Panics
/// Outside a tokio runtime.
pub(crate) fn register(fd: OwnedFd, interest: Interest) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an OwnedFd keeps its one descriptor open while it lives, and the AsyncFd keeps it.
    Ok(unsafe { AsyncFd::register_with_interest(fd, interest) }?)
}

/// No longer to be entered.
const ENDED: u32 = 1;
/// Ended by a close: the number stays taken.
const CLOSED: u32 = 2;
/// The registration has been taken out.
const OUT: u32 = 4;
/// The number is a placeholder's, to be closed with this.
const PLACEHOLDER: u32 = 8;
/// One user; the bits above count them.
const USER: u32 = 16;

/// A registered descriptor that can be closed while others use it: the last of them out takes it from the reactor.
///
/// Entering and leaving are one atomic operation each. After a close the number stays taken until this is dropped, by a
/// placeholder, so that whoever borrowed it never reaches a stranger's file.
pub(crate) struct Registered {
    state: AtomicU32,
    /// Initialized until [`OUT`] is set.
    io: UnsafeCell<MaybeUninit<AsyncFd<OwnedFd>>>,
    number: RawFd,
}

// SAFETY: what is inside is shared as a `&AsyncFd<OwnedFd>`, which is Sync, and is taken out by one thread alone, the
// one that sets `OUT`; an AsyncFd<OwnedFd> is Send.
unsafe impl Sync for Registered {}

/// Keeps the registration where it is.
pub(crate) struct Entered<'a>(&'a Registered);

impl Registered {
    /// See [`register`].
    pub(crate) fn new(fd: OwnedFd, interest: Interest) -> io::Result<Registered> {
        let number = fd.as_raw_fd();
        let io = UnsafeCell::new(MaybeUninit::new(register(fd, interest)?));
        Ok(Registered { state: AtomicU32::new(0), io, number })
    }

    /// To use it; `None` once it was closed.
    #[inline]
    pub(crate) fn enter(&self) -> Option<Entered<'_>> {
        let before = self.state.fetch_add(USER, Ordering::Acquire);
        // Leaves again where it has ended.
        let entered = Entered(self);
        (before & ENDED == 0).then_some(entered)
    }

    pub(crate) fn is_ended(&self) -> bool {
        self.state.load(Ordering::Acquire) & ENDED != 0
    }

    /// Closes it as soon as nobody uses it, keeping its number; false if it has ended already.
    ///
    /// If no placeholder can be had because descriptors have run out, the file stays open until this is dropped.
    pub(crate) fn close(&self) -> bool {
        self.end(ENDED | CLOSED)
    }

    /// Gives the descriptor up, number and all, as soon as nobody uses it.
    pub(crate) fn release(&self) {
        self.end(ENDED);
    }

    /// Takes the descriptor out; `None` if it has ended already or somebody uses it.
    pub(crate) fn take(&self) -> Option<OwnedFd> {
        let free = self.state.compare_exchange(0, ENDED | OUT, Ordering::AcqRel, Ordering::Relaxed);
        // SAFETY: this thread has just set `OUT`.
        free.is_ok().then(|| unsafe { self.take_out() }.into_inner())
    }

    fn end(&self, how: u32) -> bool {
        let entered = self.enter();
        // Still entered, so that whoever leaves last finds how it is to end.
        entered.is_some_and(|_entered| self.state.fetch_or(how, Ordering::AcqRel) & ENDED == 0)
    }

    #[cold]
    fn last_out(&self) {
        let mut state = self.state.load(Ordering::Relaxed);
        loop {
            // Somebody came in meanwhile, and will find that it has ended; or it is done.
            if state >= USER || state & OUT != 0 {
                return;
            }
            let out = state | OUT;
            match self.state.compare_exchange(state, out, Ordering::AcqRel, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => state = now,
            }
        }
        // SAFETY: this thread has just set `OUT`, with no user left; later ones find `ENDED`.
        let io = unsafe { self.take_out() };
        if state & CLOSED != 0 {
            // Out of the reactor first, while the number still means this file.
            let fd = io.into_inner();
            let _ = replace_with_placeholder(&fd);
            debug_assert_eq!(fd.into_raw_fd(), self.number);
            self.state.fetch_or(PLACEHOLDER, Ordering::Release);
        }
    }

    /// # Safety
    /// To be called once, by whoever sets `OUT`.
    unsafe fn take_out(&self) -> AsyncFd<OwnedFd> {
        // SAFETY: it was initialized, and nobody else reads or takes it any more.
        unsafe { (*self.io.get()).assume_init_read() }
    }
}

impl AsFd for Registered {
    /// The number stays valid for the borrow unless it was [released](Registered::release); after a close it is a
    /// placeholder's.
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the number is taken by the descriptor, or by its placeholder, until a release, after which there is
        // nobody to borrow it: its one caller is a drop.
        unsafe { BorrowedFd::borrow_raw(self.number) }
    }
}

impl Drop for Registered {
    fn drop(&mut self) {
        let state = *self.state.get_mut();
        if state & OUT == 0 {
            // SAFETY: not taken out, and this is the last there is of it.
            unsafe { self.io.get_mut().assume_init_drop() };
        } else if state & PLACEHOLDER != 0 {
            // SAFETY: the number was kept when the registration was taken out, for this drop to close.
            drop(unsafe { OwnedFd::from_raw_fd(self.number) });
        }
    }
}

impl Deref for Entered<'_> {
    type Target = AsyncFd<OwnedFd>;

    #[inline]
    fn deref(&self) -> &AsyncFd<OwnedFd> {
        // SAFETY: it is not taken out while somebody has entered.
        unsafe { (*self.0.io.get()).assume_init_ref() }
    }
}

impl Drop for Entered<'_> {
    #[inline]
    fn drop(&mut self) {
        let before = self.0.state.fetch_sub(USER, Ordering::Release);
        if before < 2 * USER && before & ENDED != 0 {
            self.0.last_out();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;
    use std::os::unix::net::UnixStream;

    fn pair() -> (Registered, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Registered::new(ours.into(), Interest::READABLE).unwrap(), theirs)
    }

    fn is_open(peer: &mut UnixStream) -> bool {
        peer.set_nonblocking(true).unwrap();
        !matches!(peer.read(&mut [0]), Ok(0))
    }

    #[tokio::test]
    async fn the_last_one_out_closes_it_and_its_number_stays_taken() {
        let (ours, mut peer) = pair();
        let (first, second) = (ours.enter().unwrap(), ours.enter().unwrap());
        assert!(ours.close());
        assert!(!ours.close(), "the second close");
        assert!(ours.enter().is_none());
        drop(first);
        assert!(is_open(&mut peer));
        drop(second);
        assert!(!is_open(&mut peer));
        assert!(rustix::io::fcntl_getfd(&ours).is_ok(), "the number is a placeholder's");
        assert!(rustix::io::read(&ours, &mut [0_u8]).is_err());
    }

    #[tokio::test]
    async fn it_is_taken_out_only_if_nobody_uses_it() {
        let (ours, _peer) = pair();
        let user = ours.enter().unwrap();
        assert!(ours.take().is_none());
        drop(user);
        let fd = ours.take().unwrap();
        assert!(ours.enter().is_none());
        assert!(!ours.close());
        drop(ours);
        assert!(rustix::io::fcntl_getfd(&fd).is_ok());
    }

    #[tokio::test]
    async fn a_release_gives_the_number_up_at_once() {
        let (ours, mut peer) = pair();
        ours.release();
        assert!(!is_open(&mut peer));
        assert!(ours.is_ended());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn users_and_closers_on_many_threads_close_it_once() {
        for _ in 0..500 {
            let (ours, mut peer) = pair();
            let closed = std::thread::scope(|scope| {
                let closers: Vec<_> = (0..2)
                    .map(|_| {
                        scope.spawn(|| {
                            for _ in 0..20 {
                                if let Some(user) = ours.enter() {
                                    assert!(rustix::io::fcntl_getfd(user.get_ref()).is_ok());
                                }
                            }
                            ours.close()
                        })
                    })
                    .collect();
                for _ in 0..20 {
                    drop(ours.enter());
                }
                closers.into_iter().map(|closer| usize::from(closer.join().unwrap())).sum::<usize>()
            });
            assert_eq!(closed, 1);
            assert!(!is_open(&mut peer));
        }
    }
}
