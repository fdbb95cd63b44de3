//! A pool of which one server is not well.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{PATIENCE, serve};
use conntest::dns::{Record, RecordType, Reply, Running, Server as NameServer};
use conntest::loopback::{BlackHole, RefusedPort, ResetServer, SilentServer, V4};
use landline::resolve::{Config, LookupOrder, Source};
use landline::{Context, Resolver, Serving};
use landline_rpc::{ClientConfig, Error, Pool, Reconnect, Server};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long a call waits in vain; one to a server that is well does not take as long on a loaded machine.
const PAUSE: Duration = Duration::from_secs(1);
const WELL: u64 = 1;
const OTHER: u64 = 2;

/// So long that nobody is asked again within a test.
const ONCE: Reconnect =
    Reconnect::Backoff { first: Duration::from_secs(3600), most: Duration::from_secs(3600) };
const SOON: Reconnect =
    Reconnect::Backoff { first: Duration::from_millis(1), most: Duration::from_millis(20) };

/// A pool of a server that is well, and of whatever listens at another port.
struct Fleet {
    pool: Pool,
    /// How many calls the one that is well has carried out.
    done: Arc<AtomicUsize>,
    _serving: Serving,
    _names: Running,
}

impl Fleet {
    async fn with(port: u16, config: ClientConfig) -> Fleet {
        let done = Arc::new(AtomicUsize::new(0));
        let counter = done.clone();
        let server = Server::new().register("Which.One", move |(): ()| {
            counter.fetch_add(1, Ordering::SeqCst);
            async { Ok::<_, Error>(WELL) }
        });
        let serving = serve(&server.unwrap()).await;
        let well = serving.local_addr().to_string().rsplit_once(':').unwrap().1.parse().unwrap();
        let records = [well, port].map(|port| Record::srv(1, 1, port, "localhost").ttl(300));
        let names = NameServer::new()
            .on("_which._tcp.example.test", RecordType::SRV, Reply::records(records.to_vec()))
            .start()
            .await
            .unwrap();
        let order = LookupOrder::Sources(vec![Source::Dns]);
        let resolver = Resolver::new(Config::new().with_servers([names.addr()]).with_order(order));
        let pool = config.resolver(resolver).pool("tcp4", "_which._tcp.example.test").unwrap();
        Fleet { pool, done, _serving: serving, _names: names }
    }

    async fn call(&self) -> Result<u64, Error> {
        self.pool.call("Which.One", &()).await
    }

    /// Makes calls, all of which are answered but for so many at most, and gives the errors of those.
    async fn calls_but(&self, failing: usize) -> Vec<Error> {
        let mut errors = Vec::new();
        for _ in 0..60 {
            errors.extend(self.call().await.err());
        }
        assert!(errors.len() <= failing, "{errors:?}");
        // None was made again that may have been sent.
        assert_eq!(self.done.load(Ordering::SeqCst), 60 - errors.len());
        errors
    }

    async fn until_answered_by(&self, wanted: u64) {
        let answered = async { while !matches!(self.call().await, Ok(number) if number == wanted) {} };
        timeout(PATIENCE, answered).await.expect("it is called");
    }
}

fn config(timeout: Duration) -> ClientConfig {
    ClientConfig::new().reconnect(ONCE).timeout(timeout)
}

#[tokio::test]
async fn a_server_that_takes_a_call_and_says_nothing_gets_no_other() {
    let silent = SilentServer::bind(V4).await.unwrap();
    let fleet = Fleet::with(silent.addr().port(), config(PAUSE)).await;
    let errors = fleet.calls_but(1).await;
    assert!(errors.iter().all(|error| error.is_timeout() && !error.is_unsent()), "{errors:?}");
    assert_eq!((errors.len(), silent.accepted()), (1, 1));
}

#[tokio::test]
async fn it_is_noticed_however_the_call_is_given_up() {
    for by_context in [true, false] {
        let silent = SilentServer::bind(V4).await.unwrap();
        let fleet = Fleet::with(silent.addr().port(), ClientConfig::new().reconnect(ONCE)).await;
        let mut given_up = 0;
        for _ in 0..60 {
            let done = if by_context {
                let context = Context::background().with_timeout(PAUSE);
                fleet.pool.call_in::<(), u64>(&context, "Which.One", &()).await
            } else {
                let call = timeout(PAUSE + PAUSE / 2, fleet.call()).await;
                call.unwrap_or(Err(Error::Canceled))
            };
            given_up += usize::from(done.is_err());
        }
        assert_eq!(given_up, 1, "by its context: {by_context}");
    }
}

#[tokio::test]
async fn an_address_that_answers_no_dial_costs_no_call() {
    let hole = BlackHole::bind(V4).await.unwrap();
    let fleet = Fleet::with(hole.addr().port(), config(Duration::from_secs(2))).await;
    fleet.calls_but(0).await;
}

#[tokio::test]
async fn without_a_timeout_a_dial_does_not_wait_as_long_as_the_kernel() {
    let hole = BlackHole::bind(V4).await.unwrap();
    let fleet = Fleet::with(hole.addr().port(), ClientConfig::new().reconnect(ONCE)).await;
    timeout(PATIENCE, fleet.calls_but(0)).await.expect("the other is called");
}

#[tokio::test]
async fn a_port_that_refuses_costs_no_call() {
    let refused = RefusedPort::bind(V4).unwrap();
    let fleet = Fleet::with(refused.addr().port(), config(PATIENCE)).await;
    fleet.calls_but(0).await;
}

#[tokio::test]
async fn a_server_that_resets_its_conns_costs_the_call_that_was_sent() {
    let reset = ResetServer::after(V4, 1, "").await.unwrap();
    let fleet = Fleet::with(reset.addr().port(), config(PATIENCE)).await;
    let errors = fleet.calls_but(1).await;
    assert!(errors.iter().all(|error| error.is_disconnect() && !error.is_unsent()), "{errors:?}");
    assert_eq!(errors.len(), 1);
}

/// What listens, serves every conn but the first, and serves that when it is told to.
async fn mute(continued: Arc<Notify>) -> u16 {
    let listener = TcpListener::bind(V4).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = Server::new().register("Which.One", |(): ()| async { Ok::<_, Error>(OTHER) }).unwrap();
    tokio::spawn(async move {
        let mut is_first = true;
        while let Ok((conn, _)) = listener.accept().await {
            let (server, continued, wait) = (server.clone(), continued.clone(), is_first);
            is_first = false;
            tokio::spawn(async move {
                if wait {
                    continued.notified().await;
                }
                server.serve_conn(conn).await
            });
        }
    });
    port
}

#[tokio::test]
async fn a_server_whose_conn_has_gone_dead_is_called_again_over_a_new_one() {
    let port = mute(Arc::default()).await;
    let fleet = Fleet::with(port, config(Duration::from_millis(200)).reconnect(SOON)).await;
    fleet.until_answered_by(OTHER).await;
}

#[tokio::test]
async fn a_server_that_goes_on_after_a_halt_is_called_again() {
    let continued = Arc::new(Notify::new());
    let port = mute(continued.clone()).await;
    // No new conn within the test: what is heard over the old one makes good.
    let fleet = Fleet::with(port, config(PAUSE)).await;
    assert_eq!(fleet.calls_but(1).await.len(), 1);
    continued.notify_one();
    fleet.until_answered_by(OTHER).await;
}

#[tokio::test]
async fn where_no_server_is_well_calls_are_made_all_the_same() {
    let continued = Arc::new(Notify::new());
    let port = mute(continued.clone()).await;
    let config = config(Duration::from_millis(200));
    let pool = config.pool("tcp4", &format!("127.0.0.1:{port}")).unwrap();
    for _ in 0..3 {
        let error = pool.call::<(), u64>("Which.One", &()).await.unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
    }
    continued.notify_one();
    let call = async { while pool.call::<(), u64>("Which.One", &()).await.is_err() {} };
    timeout(PATIENCE, call).await.expect("it answers");
}
