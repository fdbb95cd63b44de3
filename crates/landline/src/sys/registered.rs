//! Descriptors in the reactor of the current runtime, and taking them out while others use them.

use std::cell::UnsafeCell;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, IntoRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicU32, Ordering};

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::runtime::Handle;

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
/// It has not been registered yet: there is only its number.
const PENDING: u32 = 16;
/// Somebody is about to register it.
const REGISTERING: u32 = 32;
/// One user; the bits above count them.
const USER: u32 = 64;

/// A descriptor's number, of which the reactor is to know. It closes nothing: whatever becomes of a registration, the
/// number stays its owner's.
#[derive(Debug)]
pub(crate) struct Number(RawFd);

impl AsRawFd for Number {
    fn as_raw_fd(&self) -> RawFd {
        self.0
    }
}

/// A registered descriptor that can be closed while others use it: the last of them out takes it from the reactor.
///
/// It may be registered only when somebody is to wait for it: a socket that is accepted, read, written and closed
/// without waiting spares the reactor, and two system calls.
///
/// Entering and leaving are one atomic operation each. After a close the number stays taken until this is dropped, by a
/// placeholder, so that whoever borrowed it never reaches a stranger's file.
pub(crate) struct Registered {
    state: AtomicU32,
    /// Initialized from when [`PENDING`] is unset until [`OUT`] is set.
    io: UnsafeCell<MaybeUninit<AsyncFd<Number>>>,
    /// Owned, until it is taken out or its placeholder closed.
    number: RawFd,
}

// SAFETY: what is inside is shared as a `&AsyncFd<Number>`, which is Sync, and is taken out by one thread alone, the
// one that sets `OUT`; an AsyncFd<Number> is Send.
unsafe impl Sync for Registered {}

/// Keeps the registration where it is.
pub(crate) struct Entered<'a>(&'a Registered);

impl Registered {
    /// Registers it with the current runtime's reactor; an error closes it.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub(crate) fn new(fd: OwnedFd, interest: Interest) -> io::Result<Registered> {
        // SAFETY: `fd` is open until it is given up to the number below, which is taken out of the reactor before it is
        // closed.
        let io = unsafe { AsyncFd::register_with_interest(Number(fd.as_raw_fd()), interest) }?;
        let io = UnsafeCell::new(MaybeUninit::new(io));
        Ok(Registered { state: AtomicU32::new(0), io, number: fd.into_raw_fd() })
    }

    /// Not registered until [`Entered::register`].
    pub(crate) fn on_demand(fd: OwnedFd) -> Registered {
        let io = UnsafeCell::new(MaybeUninit::uninit());
        Registered { state: AtomicU32::new(PENDING), io, number: fd.into_raw_fd() }
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
        let state = self.state.load(Ordering::Relaxed);
        if state >= USER || state & ENDED != 0 {
            return None;
        }
        let out = state | ENDED | OUT;
        let free = self.state.compare_exchange(state, out, Ordering::AcqRel, Ordering::Relaxed);
        // SAFETY: this thread has just set `OUT`.
        free.is_ok().then(|| unsafe { self.take_out(state) })
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
        // Out of the reactor, while the number still means this file.
        // SAFETY: this thread has just set `OUT`, with no user left; later ones find `ENDED`.
        let fd = unsafe { self.take_out(state) };
        if state & CLOSED != 0 {
            let _ = replace_with_placeholder(&fd);
            let number = fd.into_raw_fd();
            debug_assert_eq!(number, self.number);
            self.state.fetch_or(PLACEHOLDER, Ordering::Release);
        }
    }

    /// # Safety
    /// To be called once, by whoever sets `OUT`, with the state before that.
    unsafe fn take_out(&self, state: u32) -> OwnedFd {
        if state & PENDING == 0 {
            // SAFETY: it was initialized, and nobody else reads or takes it any more.
            drop(unsafe { (*self.io.get()).assume_init_read() });
        }
        // SAFETY: the number was given up to this by whoever made it, and nobody else takes it any more.
        unsafe { OwnedFd::from_raw_fd(self.number) }
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
            drop(unsafe { self.take_out(state) });
        } else if state & PLACEHOLDER != 0 {
            // SAFETY: the number was kept when the registration was taken out, for this drop to close.
            drop(unsafe { OwnedFd::from_raw_fd(self.number) });
        }
    }
}

impl Entered<'_> {
    /// The registration, if there is one yet.
    #[inline]
    pub(crate) fn registration(&self) -> Option<&AsyncFd<Number>> {
        let is_pending = self.0.state.load(Ordering::Acquire) & PENDING != 0;
        // SAFETY: it was initialized before `PENDING` was unset, and is not taken out while somebody has entered.
        (!is_pending).then(|| unsafe { (*self.0.io.get()).assume_init_ref() })
    }

    /// Registers it, unless it has been registered, with the reactor of `home`'s runtime, or of the current one where
    /// there is none. An error leaves it as it is, and so does a panic.
    ///
    /// # Panics
    /// If the runtime has no reactor.
    #[inline]
    pub(crate) fn register(
        &self,
        interest: Interest,
        home: impl FnOnce() -> Option<Handle>,
    ) -> io::Result<&AsyncFd<Number>> {
        match self.registration() {
            Some(registration) => Ok(registration),
            None => self.register_first(interest, home()),
        }
    }

    #[cold]
    fn register_first(&self, interest: Interest, home: Option<Handle>) -> io::Result<&AsyncFd<Number>> {
        let home = home.map_or_else(Handle::try_current, Ok).map_err(io::Error::other)?;
        let _home = home.enter();
        let state = &self.0.state;
        while state.fetch_or(REGISTERING, Ordering::Acquire) & REGISTERING != 0 {
            // Another thread is in the middle of it, which is one system call.
            std::thread::yield_now();
            if let Some(registration) = self.registration() {
                return Ok(registration);
            }
        }
        // Undone after an error and a panic too, which would keep all others waiting.
        let _registering = Registering(state);
        // Another thread may have been done before this one began.
        if let Some(registration) = self.registration() {
            return Ok(registration);
        }
        // SAFETY: the number is open, and is not closed while somebody has entered, nor later before it is taken out of
        // the reactor.
        let io = unsafe { AsyncFd::register_with_interest(Number(self.0.number), interest) }?;
        // SAFETY: as long as `PENDING` is set nobody looks, and of those who register this thread alone is here.
        let registration = unsafe { (*self.0.io.get()).write(io) };
        state.fetch_and(!PENDING, Ordering::Release);
        Ok(registration)
    }
}

/// Whoever has set [`REGISTERING`]; unset when dropped.
struct Registering<'a>(&'a AtomicU32);

impl Drop for Registering<'_> {
    fn drop(&mut self) {
        self.0.fetch_and(!REGISTERING, Ordering::Release);
    }
}

impl AsFd for Entered<'_> {
    #[inline]
    fn as_fd(&self) -> BorrowedFd<'_> {
        // SAFETY: the descriptor is not taken out while somebody has entered, registered or not.
        unsafe { BorrowedFd::borrow_raw(self.0.number) }
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
    use std::panic::{AssertUnwindSafe, catch_unwind};

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

    fn pair_on_demand() -> (Registered, UnixStream) {
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        (Registered::on_demand(ours.into()), theirs)
    }

    #[tokio::test]
    async fn what_was_never_registered_is_closed_released_taken_and_dropped_as_what_was() {
        let (ours, mut peer) = pair_on_demand();
        let user = ours.enter().unwrap();
        assert!(user.registration().is_none());
        assert!(ours.close() && is_open(&mut peer));
        drop(user);
        assert!(!is_open(&mut peer));
        assert!(rustix::io::fcntl_getfd(&ours).is_ok(), "the number is a placeholder's");

        let (ours, mut peer) = pair_on_demand();
        ours.release();
        assert!(!is_open(&mut peer));

        let (ours, mut peer) = pair_on_demand();
        let fd = ours.take().unwrap();
        assert!(ours.enter().is_none() && is_open(&mut peer));
        drop((ours, fd));
        assert!(!is_open(&mut peer));

        let (ours, mut peer) = pair_on_demand();
        drop(ours);
        assert!(!is_open(&mut peer));
    }

    #[tokio::test]
    async fn registering_tells_of_what_came_before() {
        let (ours, mut peer) = pair_on_demand();
        io::Write::write_all(&mut peer, b"x").unwrap();
        let user = ours.enter().unwrap();
        let registration = user.register(Interest::READABLE, || None).unwrap();
        registration.readable().await.unwrap().retain_ready();
        assert!(
            std::ptr::eq(registration, user.register(Interest::READABLE, || None).unwrap()),
            "once for all"
        );
    }

    #[test]
    fn without_a_runtime_registering_is_an_error_and_nothing_is_lost() {
        let (ours, mut peer) = pair_on_demand();
        let user = ours.enter().unwrap();
        assert!(user.register(Interest::READABLE, || None).is_err());
        assert!(user.registration().is_none() && rustix::io::fcntl_getfd(&user).is_ok());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async { user.register(Interest::READABLE, || None).map(|_| ()) }).unwrap();
        drop(user);
        ours.release();
        assert!(!is_open(&mut peer));
    }

    #[test]
    fn a_runtime_without_a_reactor_panics_and_nothing_is_lost() {
        let (ours, mut peer) = pair_on_demand();
        let user = ours.enter().unwrap();
        let without = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for _ in 0..2 {
            let register =
                || user.register(Interest::READABLE, || Some(without.handle().clone())).map(|_| ());
            assert!(catch_unwind(AssertUnwindSafe(register)).is_err());
            assert!(user.registration().is_none() && rustix::io::fcntl_getfd(&user).is_ok());
            assert!(is_open(&mut peer));
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        user.register(Interest::READABLE, || Some(runtime.handle().clone())).unwrap();
        drop(user);
        ours.release();
        assert!(!is_open(&mut peer));
    }

    #[test]
    fn what_the_reactor_refuses_stays_open() {
        // A regular file, which epoll does not take (epoll_ctl(2), EPERM).
        let ours = Registered::on_demand(std::fs::File::open("/proc/self/exe").unwrap().into());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        runtime.block_on(async {
            let user = ours.enter().unwrap();
            for _ in 0..2 {
                let error = user.register(Interest::READABLE, || None).unwrap_err();
                assert_eq!(error.kind(), io::ErrorKind::PermissionDenied);
                assert!(rustix::io::fcntl_getfd(&user).is_ok());
            }
        });
        assert!(ours.take().is_some());
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn many_threads_register_it_once() {
        for _ in 0..200 {
            let (ours, _peer) = pair_on_demand();
            let handle = Handle::current();
            let places: Vec<usize> = std::thread::scope(|scope| {
                let register = || {
                    let _runtime = handle.enter();
                    let user = ours.enter().unwrap();
                    std::ptr::from_ref(user.register(Interest::READABLE, || None).unwrap()).addr()
                };
                let threads: Vec<_> = (0..3).map(|_| scope.spawn(register)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            assert!(places.windows(2).all(|pair| pair[0] == pair[1]));
            assert!(ours.enter().unwrap().registration().is_some());
        }
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
                                    assert!(rustix::io::fcntl_getfd(&user).is_ok());
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
