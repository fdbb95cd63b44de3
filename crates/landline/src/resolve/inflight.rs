//! Work in flight that several callers share.
//!
//! Nothing is spawned: whoever waits drives the work, and all who wait are woken for it. So when one is dropped,
//! even the one who began, the others drive on; when the last is dropped, so is the work.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Wake, Waker};

use tokio::time::Instant;

/// Something that gives items one after another.
pub(crate) trait Work: Send {
    type Item: Clone + Send;

    /// The next item; `None` at the end, after which it is not asked again. `deadline` is when the last of those who
    /// wait will have left, if all have set one.
    fn poll_next(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Option<Self::Item>>;
}

/// All the work in flight, each under its key.
pub(crate) struct Flights<K: Eq + Hash, W: Work> {
    flights: Arc<Mutex<Map<K, W>>>,
}

type Map<K, W> = HashMap<K, Weak<Flight<K, W>>>;

/// One work and those who wait for it.
struct Flight<K: Eq + Hash, W: Work> {
    key: K,
    flights: Arc<Mutex<Map<K, W>>>,
    state: Mutex<State<W>>,
    crew: Arc<Crew>,
}

struct State<W: Work> {
    /// `None` once it has come to its end.
    work: Option<W>,
    items: Vec<W::Item>,
}

/// Those who wait, each under the number of its seat.
#[derive(Default)]
struct Crew(Mutex<BTreeMap<usize, Member>>);

struct Member {
    /// `None` until it is first polled.
    waker: Option<Waker>,
    deadline: Option<Instant>,
}

/// One caller's place in a flight.
pub(crate) struct Seat<K: Eq + Hash, W: Work> {
    flight: Arc<Flight<K, W>>,
    number: usize,
    seen: usize,
}

/// Whether a caller began the work, or came to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Joined {
    Began,
    Shares,
}

impl<K: Eq + Hash + Clone, W: Work> Flights<K, W> {
    pub(crate) fn new() -> Flights<K, W> {
        Flights { flights: Arc::default() }
    }

    /// A place in the flight under `key`, to be left at `deadline`; where there is none, `begin` makes its work.
    pub(crate) fn join(
        &self,
        key: &K,
        deadline: Option<Instant>,
        begin: impl FnOnce(&K) -> W,
    ) -> (Seat<K, W>, Joined) {
        let mut flights = lock(&self.flights);
        let known = flights.get(key).and_then(Weak::upgrade);
        let joined = if known.is_some() { Joined::Shares } else { Joined::Began };
        let flight = known.unwrap_or_else(|| {
            let flight = Arc::new(Flight {
                key: key.clone(),
                flights: self.flights.clone(),
                state: Mutex::new(State { work: Some(begin(key)), items: Vec::new() }),
                crew: Arc::default(),
            });
            flights.insert(key.clone(), Arc::downgrade(&flight));
            flight
        });
        drop(flights);
        let number = flight.crew.enlist(deadline);
        (Seat { flight, number, seen: 0 }, joined)
    }
}

impl<K: Eq + Hash, W: Work> Seat<K, W> {
    /// The next item that this caller has not seen. `deadline` is when it will have left.
    pub(crate) fn poll_next(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<Instant>,
    ) -> Poll<Option<W::Item>> {
        let flight = &*self.flight;
        // Enlisted before the work is polled, so that no wake-up goes past it.
        let last = flight.crew.wait(self.number, cx.waker(), deadline);
        let mut state = lock(&flight.state);
        loop {
            if let Some(item) = state.items.get(self.seen) {
                self.seen += 1;
                return Poll::Ready(Some(item.clone()));
            }
            let Some(work) = &mut state.work else { return Poll::Ready(None) };
            let waker = Waker::from(flight.crew.clone());
            match work.poll_next(&mut Context::from_waker(&waker), last) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Some(item)) => state.items.push(item),
                Poll::Ready(None) => {
                    state.work = None;
                    flight.take_out();
                }
            }
            flight.crew.wake_all_but(self.number);
        }
    }
}

impl<K: Eq + Hash, W: Work> Drop for Seat<K, W> {
    fn drop(&mut self) {
        self.flight.crew.leave(self.number);
    }
}

impl<K: Eq + Hash, W: Work> Flight<K, W> {
    /// Whoever comes from now on begins anew.
    fn take_out(&self) {
        let mut flights = lock(&self.flights);
        // There may be a later flight under the same key.
        if flights.get(&self.key).is_some_and(|known| std::ptr::eq(known.as_ptr(), self)) {
            flights.remove(&self.key);
        }
    }
}

impl<K: Eq + Hash, W: Work> Drop for Flight<K, W> {
    fn drop(&mut self) {
        self.take_out();
    }
}

impl Crew {
    fn enlist(&self, deadline: Option<Instant>) -> usize {
        let mut members = lock(&self.0);
        let seat = members.last_key_value().map_or(0, |(last, _)| last + 1);
        members.insert(seat, Member { waker: None, deadline });
        seat
    }

    /// Notes whom to wake. Returns the last of all deadlines, if all have one.
    fn wait(&self, seat: usize, waker: &Waker, deadline: Option<Instant>) -> Option<Instant> {
        let mut members = lock(&self.0);
        if let Some(member) = members.get_mut(&seat) {
            member.deadline = deadline;
            match &mut member.waker {
                Some(known) => known.clone_from(waker),
                unknown => *unknown = Some(waker.clone()),
            }
        }
        members.values().try_fold(deadline?, |last, member| Some(last.max(member.deadline?)))
    }

    fn wake_all_but(&self, seat: usize) {
        let members = lock(&self.0);
        let others = members.iter().filter(|&(&number, _)| number != seat);
        let wakers: Vec<Waker> = others.filter_map(|(_, member)| member.waker.clone()).collect();
        // A waker may do anything, even leave its seat.
        drop(members);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// The work may just have been woken on behalf of the one who leaves, so the others take a look.
    fn leave(&self, seat: usize) {
        lock(&self.0).remove(&seat);
        self.wake_all_but(seat);
    }
}

impl Wake for Crew {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.wake_all_but(usize::MAX);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::sync::mpsc;

    use super::*;

    /// Gives what is sent to it, and tells of its end and of the deadlines it is given.
    struct Channel {
        items: mpsc::UnboundedReceiver<u32>,
        dropped: Arc<AtomicUsize>,
        deadlines: Arc<Mutex<Vec<Option<Instant>>>>,
    }

    impl Work for Channel {
        type Item = u32;

        fn poll_next(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Option<u32>> {
            lock(&self.deadlines).push(deadline);
            self.items.poll_recv(cx)
        }
    }

    impl Drop for Channel {
        fn drop(&mut self) {
            self.dropped.fetch_add(1, Ordering::SeqCst);
        }
    }

    struct Fixture {
        flights: Flights<&'static str, Channel>,
        sender: mpsc::UnboundedSender<u32>,
        work: Option<Channel>,
        dropped: Arc<AtomicUsize>,
        deadlines: Arc<Mutex<Vec<Option<Instant>>>>,
    }

    impl Fixture {
        fn new() -> Fixture {
            let (sender, items) = mpsc::unbounded_channel();
            let (dropped, deadlines) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<_>>::default());
            let work = Channel { items, dropped: dropped.clone(), deadlines: deadlines.clone() };
            Fixture { flights: Flights::new(), sender, work: Some(work), dropped, deadlines }
        }

        fn join(&mut self) -> (Seat<&'static str, Channel>, Joined) {
            let work = &mut self.work;
            self.flights.join(&"key", None, |_| work.take().expect("only the first begins"))
        }

        fn ended(&self) -> bool {
            self.dropped.load(Ordering::SeqCst) == 1
        }
    }

    async fn next(seat: &mut Seat<&'static str, Channel>) -> Option<u32> {
        poll_fn(|cx| seat.poll_next(cx, None)).await
    }

    #[tokio::test]
    async fn all_get_every_item_and_the_work_is_done_once() {
        let mut fixture = Fixture::new();
        let (mut first, began) = fixture.join();
        let (mut second, shares) = fixture.join();
        assert_eq!((began, shares), (Joined::Began, Joined::Shares));
        fixture.sender.send(1).unwrap();
        assert_eq!(next(&mut second).await, Some(1));
        let (mut late, _) = fixture.join();
        fixture.sender.send(2).unwrap();
        drop(std::mem::replace(&mut fixture.sender, mpsc::unbounded_channel().0));
        for seat in [&mut first, &mut late] {
            assert_eq!((next(seat).await, next(seat).await, next(seat).await), (Some(1), Some(2), None));
        }
        assert_eq!((next(&mut second).await, next(&mut second).await), (Some(2), None));
        assert!(fixture.ended() && lock(&fixture.flights.flights).is_empty());
    }

    #[tokio::test]
    async fn the_others_go_on_when_the_one_who_began_leaves() {
        let mut fixture = Fixture::new();
        let (mut first, _) = fixture.join();
        let (mut second, _) = fixture.join();
        let first = tokio::spawn(async move { next(&mut first).await });
        let second = tokio::spawn(async move { next(&mut second).await });
        while lock(&fixture.deadlines).len() < 2 {
            tokio::task::yield_now().await;
        }
        first.abort();
        assert!(first.await.unwrap_err().is_cancelled());
        fixture.sender.send(7).unwrap();
        assert_eq!(second.await.unwrap(), Some(7));
        assert!(fixture.ended() && lock(&fixture.flights.flights).is_empty());
    }

    /// One that was polled and then forgotten must not stand in the way of the others.
    #[tokio::test]
    async fn one_that_waits_no_longer_holds_nobody_up() {
        let mut fixture = Fixture::new();
        let (mut idle, _) = fixture.join();
        let (mut busy, _) = fixture.join();
        tokio::select! {
            biased;
            _ = next(&mut idle) => unreachable!(),
            () = std::future::ready(()) => {}
        }
        fixture.sender.send(7).unwrap();
        assert_eq!(next(&mut busy).await, Some(7));
        assert_eq!(next(&mut idle).await, Some(7));
    }

    #[tokio::test]
    async fn the_work_ends_with_the_last_who_waits() {
        let mut fixture = Fixture::new();
        let (first, _) = fixture.join();
        let (second, _) = fixture.join();
        drop(first);
        assert!(!fixture.ended());
        drop(second);
        assert!(fixture.ended() && lock(&fixture.flights.flights).is_empty());
    }

    #[tokio::test]
    async fn the_work_may_take_as_long_as_the_most_patient() {
        let mut fixture = Fixture::new();
        let (early, late) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let work = fixture.work.take().unwrap();
        let (mut first, _) = fixture.flights.join(&"key", Some(early), |_| work);
        let (mut second, _) = fixture.flights.join(&"key", Some(late), |_| unreachable!());
        let poll = async |seat: &mut Seat<_, _>, deadline| {
            poll_fn(|cx| Poll::Ready(seat.poll_next(cx, deadline).is_pending())).await;
            *lock(&fixture.deadlines).last().unwrap()
        };
        assert_eq!(poll(&mut first, Some(early)).await, Some(late));
        assert_eq!(poll(&mut first, Some(early)).await, Some(late));
        assert_eq!(poll(&mut second, None).await, None);
        assert_eq!(poll(&mut first, Some(early)).await, None);
        drop(second);
        assert_eq!(poll(&mut first, Some(early)).await, Some(early));
    }
}
