//! Ten thousand dials, and lookups by the thousand, leave nothing behind. One test alone in its process, whose
//! descriptors, threads and tasks it counts.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use conntest::dns::{Reply, Running, Server};
use conntest::leak::LeakCheck;
use conntest::loopback::{BlackHole, EchoServer, V4};
use landline::resolve::Config;
use landline::{Context, Dialer, Family, Resolver};
use tokio::task::{JoinSet, yield_now};

const DIALS: usize = 10_000;
const LOOKUPS: usize = 3_000;
const AT_ONCE: usize = 100;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_succeeds_is_cancelled_or_times_out_leaves_nothing_behind() {
    // What a process starts once and keeps is started here.
    let peers = Peers::start().await;
    for number in 0..3 {
        dial(peers.clone(), number).await;
        look_up(peers.clone(), number).await;
    }
    drop(peers);

    let check = LeakCheck::begin();
    let peers = Peers::start().await;
    all(&peers, DIALS, dial).await;
    all(&peers, LOOKUPS, look_up).await;
    drop(peers);
    check.end().await;
}

/// Does `count` of them, [`AT_ONCE`] side by side.
async fn all<Done>(
    peers: &Arc<Peers>,
    count: usize,
    each: impl Fn(Arc<Peers>, usize) -> Done + Copy + Send + 'static,
) where
    Done: Future<Output = ()> + Send + 'static,
{
    let mut workers = JoinSet::new();
    for worker in 0..AT_ONCE {
        let peers = peers.clone();
        workers.spawn(async move {
            for number in (worker..count).step_by(AT_ONCE) {
                each(peers.clone(), number).await;
            }
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
}

struct Peers {
    echo: EchoServer,
    hole: BlackHole,
    _names: Running,
    resolver: Resolver,
}

impl Peers {
    async fn start() -> Arc<Peers> {
        let names = Server::new().otherwise(Reply::addresses([[127, 0, 0, 1]]));
        let silent = |names: Server, number| names.on_any_type(&silent_name(number), Reply::silence());
        let names = (0..SILENT_NAMES).fold(names, silent).start();
        let (echo, hole, names) = tokio::try_join!(EchoServer::bind(V4), BlackHole::bind(V4), names).unwrap();
        // A query may be lost in a burst; more tries then, not a wait of five seconds.
        let config =
            Config::new().with_servers([names.addr()]).with_timeout(Duration::from_secs(1)).with_attempts(5);
        let resolver = Resolver::new(config);
        Arc::new(Peers { echo, hole, _names: names, resolver })
    }
}

async fn dial(peers: Arc<Peers>, number: usize) {
    match number % 3 {
        0 => dialled(&peers, number).await,
        1 => cancelled_dial(&peers, number / 3).await,
        _ => timed_out_dial(&peers).await,
    }
}

/// Every other one by a name of its own.
async fn dialled(peers: &Peers, number: usize) {
    let addr = peers.echo.addr();
    let address = match number % 2 {
        0 => addr.to_string(),
        _ => format!("here-{number}.example:{}", addr.port()),
    };
    let dialer = Dialer::new().resolver(peers.resolver.clone());
    let conn = dialer.dial("tcp", &address).await.unwrap();
    conn.write_all(b"x").await.unwrap();
    assert_eq!(conn.read(&mut [0; 8]).await.unwrap(), 1);
}

/// Half of them just as they may connect.
async fn cancelled_dial(peers: &Peers, number: usize) {
    let addr = if number.is_multiple_of(2) { peers.echo.addr() } else { peers.hole.addr() };
    let address = addr.to_string();
    let dialer = Dialer::new();
    if let Some(dialled) = dropped_after(number / 2 % 5, dialer.dial_tcp(&address)).await {
        assert!(addr == peers.echo.addr() && dialled.is_ok(), "{dialled:?}");
    }
}

async fn timed_out_dial(peers: &Peers) {
    let dialer = Dialer::new().timeout(Duration::from_millis(2));
    let error = dialer.dial_tcp(&peers.hole.addr().to_string()).await.unwrap_err();
    assert!(error.is_timeout(), "{error}");
}

/// Several, so that not all lookups share one query.
const SILENT_NAMES: usize = 10;

fn silent_name(number: usize) -> String {
    format!("silent-{}.example", number % SILENT_NAMES)
}

async fn look_up(peers: Arc<Peers>, number: usize) {
    let (here, silent) = (format!("here-{number}.example"), silent_name(number));
    match number % 3 {
        0 => {
            let found = peers.resolver.lookup_ip(&here).await.unwrap();
            assert_eq!(found.len(), 1);
        }
        1 => {
            let name = if number.is_multiple_of(2) { here } else { silent };
            drop(dropped_after(number / 6 % 5, peers.resolver.lookup_ip(&name)).await);
        }
        _ => {
            let context = Context::background().with_timeout(Duration::from_millis(2));
            let lookup = peers.resolver.lookup_ip_in(&context, Family::Any, &silent);
            let error = lookup.await.unwrap_err();
            assert!(error.is_timeout(), "{error}");
        }
    }
}

/// Drops `work` before its first poll, after it, or some turns of the runtime later.
async fn dropped_after<T>(turns: usize, work: impl Future<Output = T>) -> Option<T> {
    if turns == 0 {
        return None;
    }
    tokio::select! {
        biased;
        output = work => Some(output),
        () = async { for _ in 1..turns { yield_now().await } } => None,
    }
}
