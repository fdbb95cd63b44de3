//! A lookup or dial that is cancelled returns at once, whatever it is waiting for.

use std::future::Future;
use std::time::Duration;

use conntest::dns::{Reply, Running, Server, Transport};
use conntest::loopback::{BlackHole, V4};
use landline::resolve::Config;
use landline::{Context, Dialer, Error, Family, Race, Resolver};
use tokio::time::{Instant, sleep};

/// How long a cancelled call may take to return; a few may be late on a busy machine.
const PROMPT: Duration = Duration::from_millis(50);
const STRAGGLER: Duration = Duration::from_secs(1);

/// Runs `call` again and again and cancels it a little later each time; each must then end, and say why.
async fn cancelled_at_any_moment<T, Call>(what: &str, call: impl Fn(Context) -> Call)
where
    T: Send + 'static,
    Call: Future<Output = Result<T, Error>> + Send + 'static,
{
    let mut delays = Vec::new();
    for milliseconds in [0, 0, 0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55] {
        let context = Context::background().child();
        let running = tokio::spawn(call(context.clone()));
        match milliseconds {
            0 => tokio::task::yield_now().await,
            _ => sleep(Duration::from_millis(milliseconds)).await,
        }
        let cancelled = Instant::now();
        context.cancel_with("changed my mind");
        let Err(error) = running.await.unwrap() else { panic!("{what} succeeded") };
        delays.push(cancelled.elapsed());
        assert!(error.is_canceled() && !error.is_timeout(), "{what} after {milliseconds} ms: {error}");
        assert!(error.to_string().contains("changed my mind"), "{what}: {error}");
    }
    delays.sort();
    assert!(delays[delays.len() / 2] < PROMPT, "{what}: {delays:?}");
    assert!(delays[delays.len() - 1] < STRAGGLER, "{what}: {delays:?}");
}

fn resolver(names: &Running) -> Resolver {
    Resolver::new(Config::new().with_servers([names.addr()]).with_timeout(Duration::from_secs(30)))
}

#[tokio::test]
async fn lookups_can_be_cancelled_at_any_moment() {
    let big = || Reply::many_addresses(90);
    let names = Server::new()
        .on_any_type("silent.example", Reply::silence())
        .on_any_type("late.example", Reply::addresses([[192, 0, 2, 1]]).delayed(Duration::from_secs(20)))
        .on_any_type("forged.example", Reply::addresses([[192, 0, 2, 1]]).wrong_id())
        .on_any_type("mute-over-tcp.example", big().over(Transport::Udp))
        .on_any_type("drips.example", big().byte_by_byte())
        .start()
        .await
        .unwrap();
    for name in ["silent.example", "late.example", "forged.example", "mute-over-tcp.example", "drips.example"]
    {
        let resolver = resolver(&names);
        cancelled_at_any_moment(name, move |context| {
            let resolver = resolver.clone();
            async move { resolver.lookup_ip_in(&context, Family::Any, name).await }
        })
        .await;
    }
    // It was the waiting for just that which was cancelled.
    assert!(names.log_of("drips.example").iter().any(|query| query.transport == Transport::Tcp));
}

#[tokio::test]
async fn dials_can_be_cancelled_at_any_moment() {
    let hole = BlackHole::bind(V4).await.unwrap();
    let port = hole.addr().port();
    let names = Server::new()
        .host("swallowed.example", [hole.addr().ip()])
        .on_any_type("unresolved.example", Reply::silence())
        .start()
        .await
        .unwrap();
    for race in [Race::After(Duration::from_millis(10)), Race::Off] {
        for host in ["127.0.0.1", "swallowed.example", "unresolved.example"] {
            let dialer = Dialer::new().resolver(resolver(&names)).race(race);
            cancelled_at_any_moment(host, move |context| {
                let dialer = dialer.clone();
                async move { dialer.dial_in(&context, "tcp", &format!("{host}:{port}")).await }
            })
            .await;
        }
    }
}
