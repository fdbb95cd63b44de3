//! Wakers that, when they are dropped, use the very conn that had kept them: a task may be dropped with its last waker, and
//! with the task anything that it has.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use landline::{Context as Budget, UnixConn, UnixKind};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::Instant;

/// Only what hangs takes it.
const LONG: Duration = Duration::from_secs(30);

/// Runs this when it is dropped.
struct OnDrop(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Wake for OnDrop {
    fn wake(self: Arc<Self>) {}
}

impl Drop for OnDrop {
    fn drop(&mut self) {
        if let Some(run) = self.0.get_mut().unwrap().take() {
            run();
        }
    }
}

fn on_drop(run: impl FnOnce() + Send + 'static) -> Waker {
    Waker::from(Arc::new(OnDrop(Mutex::new(Some(Box::new(run))))))
}

/// What the end of a waker does to the conn.
type Use = fn(&UnixConn);

const USES: [(&str, Use); 4] = [
    ("close", |conn| drop(conn.close())),
    ("another deadline", |conn| conn.set_deadline(Instant::now() + 2 * LONG)),
    ("no deadline", |conn| conn.set_deadline(None)),
    ("a deadline that has passed", |conn| conn.set_deadline(Instant::now())),
];

/// Polls a read with this waker, of which the conn then has the last.
fn poll_read(conn: &UnixConn, waker: Waker) {
    let (mut reader, mut buffer) = (conn, [0; 1]);
    let polled =
        Pin::new(&mut reader).poll_read(&mut Context::from_waker(&waker), &mut ReadBuf::new(&mut buffer));
    assert!(polled.is_pending());
    drop(waker);
}

/// Has `test` keep a waker in a conn and make the conn drop it, for each use and with a deadline and without; on a thread
/// of its own, so that a deadlock is a failure.
fn for_each_use(test: fn(&UnixConn, Waker)) {
    for (what, run) in USES {
        for has_deadline in [false, true] {
            let (done, is_done) = mpsc::channel();
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let _entered = runtime.enter();
                let (conn, _peer) = UnixConn::pair(UnixKind::Stream).unwrap();
                let conn = Arc::new(conn);
                if has_deadline {
                    conn.set_deadline(Instant::now() + LONG);
                }
                let used = conn.clone();
                let (sender, was_used) = mpsc::channel();
                let waker = on_drop(move || {
                    run(&used);
                    sender.send(()).unwrap();
                });
                test(&conn, waker);
                was_used.try_recv().expect("the waker was dropped");
                done.send(()).unwrap();
            });
            let outcome = is_done.recv_timeout(LONG);
            assert_eq!(outcome, Ok(()), "{what}, with a deadline: {has_deadline}");
        }
    }
}

#[test]
fn one_that_is_replaced_in_a_poll() {
    for_each_use(|conn, waker| {
        poll_read(conn, waker);
        let (mut reader, mut buffer) = (conn, [0; 1]);
        let mut cx = Context::from_waker(Waker::noop());
        // What the first did to the conn, this one may find.
        let _ = Pin::new(&mut reader).poll_read(&mut cx, &mut ReadBuf::new(&mut buffer));
    });
}

#[test]
fn one_that_is_replaced_in_a_call() {
    for_each_use(|conn, waker| {
        let mut buffer = [0; 1];
        let mut call = pin!(conn.read(&mut buffer));
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
}

#[test]
fn one_that_is_replaced_in_a_call_behind_another() {
    for_each_use(|conn, waker| {
        let (mut one, mut other) = ([0; 1], [0; 1]);
        let mut first = pin!(conn.read(&mut one));
        assert!(first.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        let mut call = pin!(conn.read(&mut other));
        assert!(call.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
        drop(waker);
        let _ = call.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    });
}

#[test]
fn one_that_a_timer_has_when_the_deadline_is_taken_away() {
    for_each_use(|conn, waker| {
        conn.set_deadline(Instant::now() + LONG);
        // Beside another that waits it is not the reactor that has the waker.
        let mut buffer = [0; 1];
        let mut call = pin!(conn.read(&mut buffer));
        assert!(call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
        poll_read(conn, waker);
        // Wakes who waits, and so leaves the timer's as the last.
        conn.set_deadline(Instant::now() + 2 * LONG);
        conn.set_deadline(None);
    });
}

/// The cause of a context, which has a waker too.
#[derive(Debug)]
struct Cause(#[expect(dead_code)] Waker);

impl std::fmt::Display for Cause {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("it is over")
    }
}

impl std::error::Error for Cause {}

#[test]
fn one_in_the_cause_of_a_context_that_is_replaced() {
    for_each_use(|conn, waker| {
        conn.bind_context(&Budget::background().with_cause(Cause(waker)));
        conn.bind_context(&Budget::background());
    });
}
