//! Datagrams passed on: a session for each sender.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use landline::{Conn, ListenConfig, Network};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::target::Target;
use super::{Forward, IDLE, announce};
use crate::answering::{Answering, Origin};
use crate::failure::Failure;
use crate::output;
use crate::signals;

/// The longest datagram.
const DATAGRAM: usize = 64 * 1024;
/// How many datagrams a session may be behind, and how many bytes; more are dropped, as by a router.
const QUEUE: usize = 64;
const QUEUE_BYTES: usize = 256 * 1024;
/// In a drain, a session that was answered is over after so long a silence: an answer may be of several datagrams.
const SILENCE: Duration = Duration::from_secs(1);
/// The same of one that was not: who has had no answer for so long is about to ask again, and of what has none, such as
/// syslog, there is nothing to wait for.
const UNANSWERED: Duration = Duration::from_secs(3);
/// Before the next try, where receiving fails.
const PAUSE: Duration = Duration::from_millis(100);

/// Who sends, and to which of this host's addresses, where it is known.
type Sender = (SocketAddr, Option<IpAddr>);

impl Forward {
    /// How many sessions were cut at the end.
    pub(super) async fn sessions(&self, network: Network, target: Target) -> Result<u64, Failure> {
        let front = ListenConfig::new().listen_packet(network, &self.address).await;
        let front = front.and_then(Answering::new).map_err(|error| Failure::at(&self.address, &error))?;
        let local = front.local_addr()?;
        let (begin_drain, draining) = watch::channel(false);
        let mut sessions = Sessions {
            front: Arc::new(front),
            idle: target.idle.unwrap_or(IDLE),
            target: Arc::new(target),
            most: self.max_conns.get(),
            inboxes: HashMap::new(),
            running: JoinSet::new(),
            draining,
        };
        let mut signals = signals::to_end()?;
        announce(&local)?;
        tokio::select! {
            biased;
            _ = signals.arrival() => {}
            Err(failure) = sessions.serve() => return Err(failure),
        }
        let _ = begin_drain.send(true);
        tokio::select! {
            biased;
            _ = signals.arrival() => {}
            ended = timeout(self.drain.0, sessions.serve()) => ended.unwrap_or(Ok(()))?,
        }
        let cut = sessions.running.len() as u64;
        sessions.running.shutdown().await;
        Ok(cut)
    }
}

/// All of them; dropped with it.
struct Sessions {
    front: Arc<Answering>,
    target: Arc<Target>,
    most: usize,
    idle: Duration,
    inboxes: HashMap<Sender, Inbox>,
    running: JoinSet<Sender>,
    draining: watch::Receiver<bool>,
}

impl Sessions {
    /// Passes datagrams on, in a drain until all sessions are over. May be dropped, and called again.
    async fn serve(&mut self) -> Result<(), Failure> {
        let mut buffer = vec![0; DATAGRAM];
        loop {
            if *self.draining.borrow() && self.running.is_empty() {
                return Ok(());
            }
            let receive = async {
                let received = self.front.receive(&mut buffer).await;
                if received.as_ref().is_err_and(|error| !error.is_closed()) {
                    // The kernel is short of something, or the error of an earlier datagram has come back. Whichever it is
                    // may stay for a while.
                    sleep(PAUSE).await;
                }
                received
            };
            tokio::select! {
                biased;
                Some(Ok(sender)) = self.running.join_next() => self.ended(&sender),
                received = receive => match received {
                    Ok((length, origin)) => self.arrived(&buffer[..length], origin),
                    Err(error) if error.is_closed() => return Err(error.into()),
                    Err(_) => {}
                },
            }
        }
    }

    fn ended(&mut self, sender: &Sender) {
        // Unless the sender has a new one already.
        if self.inboxes.get(sender).is_some_and(Inbox::is_closed) {
            self.inboxes.remove(sender);
        }
    }

    fn arrived(&mut self, datagram: &[u8], origin: Origin) {
        let Some(from) = origin.from.as_socket() else { return };
        let sender = (from, origin.reply.local);
        // A session that ended just now has left its inbox.
        let is_new = self.inboxes.get(&sender).is_none_or(Inbox::is_closed);
        if is_new {
            if self.running.len() >= self.most || *self.draining.borrow() {
                return self.target.counters.refused(1);
            }
            let (inbox, arrivals) = inbox();
            let (front, target) = (self.front.clone(), self.target.clone());
            let patience = Patience { idle: self.idle, draining: self.draining.clone() };
            self.running.spawn(async move {
                session(&front, &origin, &target, arrivals, patience).await;
                sender
            });
            self.inboxes.insert(sender, inbox);
        }
        if !self.inboxes[&sender].put(datagram) {
            self.target.counters.dropped();
        }
    }
}

/// What a session is told.
struct Inbox {
    datagrams: mpsc::Sender<Vec<u8>>,
    /// How many bytes they have.
    waiting: Arc<AtomicUsize>,
}

/// The other side of an [`Inbox`].
struct Arrivals {
    datagrams: mpsc::Receiver<Vec<u8>>,
    waiting: Arc<AtomicUsize>,
}

fn inbox() -> (Inbox, Arrivals) {
    let ((sender, receiver), waiting) = (mpsc::channel(QUEUE), Arc::new(AtomicUsize::new(0)));
    (Inbox { datagrams: sender, waiting: waiting.clone() }, Arrivals { datagrams: receiver, waiting })
}

impl Inbox {
    /// Whether there was room for it.
    fn put(&self, datagram: &[u8]) -> bool {
        if self.waiting.load(Relaxed) + datagram.len() > QUEUE_BYTES {
            return false;
        }
        self.waiting.fetch_add(datagram.len(), Relaxed);
        let is_put = self.datagrams.try_send(datagram.to_vec()).is_ok();
        if !is_put {
            self.waiting.fetch_sub(datagram.len(), Relaxed);
        }
        is_put
    }

    fn is_closed(&self) -> bool {
        self.datagrams.is_closed()
    }
}

impl Arrivals {
    async fn take(&mut self) -> Option<Vec<u8>> {
        let datagram = self.datagrams.recv().await?;
        self.waiting.fetch_sub(datagram.len(), Relaxed);
        Some(datagram)
    }
}

/// How long a session may be silent.
struct Patience {
    idle: Duration,
    draining: watch::Receiver<bool>,
}

/// What moved last in a session.
struct Last(Mutex<(Instant, Way)>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    There,
    Back,
}

impl Last {
    fn moved(&self, way: Way) {
        *self.lock() = (Instant::now(), way);
    }

    fn lock(&self) -> MutexGuard<'_, (Instant, Way)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Patience {
    /// Waits until a session is over.
    async fn end(mut self, last: &Last) {
        loop {
            let (at, way) = *last.lock();
            let is_draining = *self.draining.borrow_and_update();
            let silence = match way {
                _ if !is_draining => self.idle,
                Way::Back => self.idle.min(SILENCE),
                Way::There => self.idle.min(UNANSWERED),
            };
            // A time beyond the clock never comes.
            let due = at.checked_add(silence);
            if due.is_some_and(|due| due <= Instant::now()) {
                return;
            }
            let silence = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = silence => {}
                Ok(()) = self.draining.changed() => {}
                // A session that is answered meanwhile has less time than it had.
                () = sleep(SILENCE), if is_draining => {}
            }
        }
    }
}

/// One sender's: what it says goes to the target, and the answers back, until nothing moves for a while.
async fn session(
    front: &Answering,
    sender: &Origin,
    target: &Target,
    mut arrivals: Arrivals,
    patience: Patience,
) {
    let _open = target.counters.opened();
    let there = match target.dial().await {
        Ok(there) => there,
        Err(error) => return failed(target, sender, &error),
    };
    let last = Last(Mutex::new((Instant::now(), Way::There)));
    // Both at once: an answer is not kept waiting by a target that is slow to take what it is told.
    let ended = tokio::select! {
        error = pass_there(&there, target, &mut arrivals, &last) => Err(error),
        ended = pass_back(&there, target, front, sender, &last) => ended,
        () = patience.end(&last) => Ok(()),
    };
    if let Err(error) = ended {
        failed(target, sender, &error);
    }
}

/// What ends the session.
async fn pass_there(there: &Conn, target: &Target, arrivals: &mut Arrivals, last: &Last) -> landline::Error {
    while let Some(datagram) = arrivals.take().await {
        match there.write_all(&datagram).await {
            Ok(()) => {
                last.moved(Way::There);
                target.counters.moved(datagram.len() as u64, 0);
            }
            Err(error) if is_a_loss(target, &error) => target.counters.dropped(),
            Err(error) => return error,
        }
    }
    // The socket is no more, and so is this soon.
    std::future::pending().await
}

async fn pass_back(
    there: &Conn,
    target: &Target,
    front: &Answering,
    sender: &Origin,
    last: &Last,
) -> landline::Result<()> {
    let mut was_lost = false;
    loop {
        let passed = async {
            let answer = there.read_pooled().await?;
            // The end of a stream is the session's; a datagram may be empty.
            if answer.is_empty() && !target.network.is_packet() {
                return Ok(None);
            }
            front.answer(&answer, sender).await?;
            Ok(Some(answer.len()))
        };
        match passed.await {
            Ok(Some(length)) => {
                was_lost = false;
                last.moved(Way::Back);
                target.counters.moved(0, length as u64);
            }
            Ok(None) => return Ok(()),
            Err(error) if is_a_loss(target, &error) => {
                target.counters.dropped();
                if was_lost {
                    // An error that stays is not asked for again and again.
                    sleep(PAUSE).await;
                }
                was_lost = true;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Nobody at the port just now, or no way: a datagram was lost, as datagrams are.
fn is_a_loss(target: &Target, error: &landline::Error) -> bool {
    target.network.is_packet() && !error.is_closed()
}

fn failed(target: &Target, sender: &Origin, error: &landline::Error) {
    target.counters.failed();
    output::complain(&format!("{}: {error}", sender.from));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_inbox_holds_so_many_datagrams_and_so_many_bytes() {
        let (few, mut arrivals) = inbox();
        for _ in 0..QUEUE_BYTES / DATAGRAM {
            assert!(few.put(&[0; DATAGRAM]));
        }
        assert!(!few.put(b"x"));
        assert_eq!(arrivals.take().await.unwrap().len(), DATAGRAM);
        assert!(few.put(b"x"));
        let (many, _arrivals) = inbox();
        for _ in 0..QUEUE {
            assert!(many.put(b""));
        }
        assert!(!many.put(b""));
        assert_eq!(many.waiting.load(Relaxed), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_waits_a_little_for_more_of_an_answer_and_longer_for_one_that_has_not_come() {
        let (long, short) = (Duration::from_secs(60), Duration::from_millis(500));
        for (idle, way, is_draining, lasts) in [
            (long, Way::Back, false, long),
            (long, Way::There, false, long),
            (long, Way::Back, true, SILENCE),
            (long, Way::There, true, UNANSWERED),
            (short, Way::Back, true, short),
            (short, Way::There, true, short),
        ] {
            let (_begin, draining) = watch::channel(is_draining);
            let began = Instant::now();
            let last = Last(Mutex::new((began, way)));
            Patience { idle, draining }.end(&last).await;
            assert_eq!(began.elapsed(), lasts, "{idle:?} {way:?} {is_draining}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_drain_ends_at_once_what_has_been_silent_for_long_and_soon_what_is_answered_meanwhile() {
        let idle = Duration::from_secs(60);
        let (begin, draining) = watch::channel(false);
        let (asked, answered) =
            (Arc::new(Last(Mutex::new((Instant::now(), Way::There)))), Duration::from_millis(200));
        let session = |last: Arc<Last>| {
            let patience = Patience { idle, draining: draining.clone() };
            tokio::spawn(async move {
                patience.end(&last).await;
                Instant::now()
            })
        };
        let old = session(Arc::new(Last(Mutex::new((Instant::now(), Way::There)))));
        sleep(2 * UNANSWERED).await;
        let drain = Instant::now();
        asked.moved(Way::There);
        let new = session(asked.clone());
        begin.send(true).unwrap();
        assert_eq!(old.await.unwrap() - drain, Duration::ZERO);
        sleep(answered).await;
        asked.moved(Way::Back);
        assert_eq!(new.await.unwrap() - drain, answered + SILENCE);
    }
}
