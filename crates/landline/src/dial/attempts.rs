//! The attempts of one dial: asks the [`Pace`] what to do and does it. Everything it begins is part of its own
//! future, so dropping that ends it all.

use std::net::SocketAddr;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::Instant;

use super::pace::{Pace, Step};
use crate::addr::Addr;
use crate::context::{Context, Ended, sleep_until};
use crate::error::{Cause, Error, LookupError, Operation};
use crate::explain::{Explainer, OrderedAddress, What};
use crate::network::Network;

/// Gives the addresses of a name, family by family, as they come.
pub(crate) trait Answers {
    /// The next answer, `None` after the last. Cancel-safe.
    async fn next(&mut self) -> Option<Answer>;
}

/// The answer for one family, or from a source that gives both at once.
pub(crate) struct Answer {
    pub(crate) families: Families,
    pub(crate) addresses: Result<Vec<SocketAddr>, LookupError>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Families {
    /// Hints, which do not settle what the families' own answers will be.
    Hints,
    V4,
    V6,
    Both,
}

/// Dials the addresses that come out of `answers`; generic over how one address is dialed, so that its timing can be
/// tested without a network.
pub(crate) struct Attempts<'a, Order, Connect> {
    pub(crate) network: Network,
    pub(crate) context: &'a Context,
    pub(crate) explainer: &'a Explainer,
    /// Puts addresses in the order of RFC 6724.
    pub(crate) order: Order,
    /// Makes one attempt, given its number.
    pub(crate) connect: Connect,
}

/// How a dial of several addresses failed.
pub(crate) enum Failure {
    /// The name has no addresses to dial.
    Lookup(LookupError),
    /// The context ended before any attempt began.
    Ended(Ended),
    /// Every attempt, in the order in which they began.
    Attempts(Vec<Error>),
}

impl<Order, Connect, Connecting, T> Attempts<'_, Order, Connect>
where
    Order: Fn(Vec<SocketAddr>) -> Vec<OrderedAddress>,
    Connect: Fn(u32, SocketAddr) -> Connecting,
    Connecting: Future<Output = Result<T, Error>>,
{
    pub(crate) async fn run(
        &self,
        mut pace: Pace,
        mut answers: impl Answers,
    ) -> Result<(u32, SocketAddr, T), Failure> {
        let mut running = FuturesUnordered::new();
        // What every attempt has come to, in order; `None` while it runs.
        let mut outcomes: Vec<(SocketAddr, Option<Error>)> = Vec::new();
        let mut lookup_error: Option<LookupError> = None;
        let mut more_answers = true;
        loop {
            let until = match pace.step(Instant::now(), self.context.deadline()) {
                Step::Begin { peer, reason, until } => {
                    outcomes.push((peer, None));
                    let attempt = outcomes.len() as u32;
                    self.explainer.tell(|| What::AttemptStarted {
                        attempt,
                        peer: Addr::Socket(peer),
                        reason,
                        budget: until.map(|until| until.saturating_duration_since(Instant::now())),
                    });
                    let connecting = (self.connect)(attempt, peer);
                    running.push(async move {
                        tokio::select! {
                            biased;
                            result = connecting => (attempt, result.map_err(Some)),
                            () = sleep_until(until) => (attempt, Err(None)),
                        }
                    });
                    continue;
                }
                Step::Exhausted => return Err(self.failure(outcomes, lookup_error, None)),
                Step::Wait { until } => until,
            };
            tokio::select! {
                biased;
                Some((attempt, result)) = running.next(), if !running.is_empty() => {
                    let (peer, outcome) = &mut outcomes[attempt as usize - 1];
                    match result {
                        Ok(conn) => {
                            let peer = *peer;
                            self.tell_winner(attempt, &outcomes);
                            return Ok((attempt, peer, conn));
                        }
                        Err(error) => {
                            let error = error.unwrap_or_else(|| self.error(*peer, Cause::Timeout));
                            self.explainer.tell(|| What::AttemptFailed { attempt, error: error.clone() });
                            *outcome = Some(error);
                            pace.failed();
                        }
                    }
                }
                answer = answers.next(), if more_answers => match answer {
                    None => {
                        more_answers = false;
                        pace.resolved();
                    }
                    Some(Answer { families, addresses }) => {
                        match addresses {
                            Ok(addresses) => self.add(&mut pace, &outcomes, addresses),
                            Err(error) => lookup_error = Some(more_telling(lookup_error, error)),
                        }
                        if matches!(families, Families::V6 | Families::Both) {
                            pace.ipv6_settled();
                        }
                    }
                },
                () = sleep_until(until) => {}
                ended = self.context.done() => return Err(self.failure(outcomes, lookup_error, Some(ended))),
            }
        }
    }

    /// Puts new addresses among those not tried yet.
    fn add(&self, pace: &mut Pace, tried: &[(SocketAddr, Option<Error>)], addresses: Vec<SocketAddr>) {
        let mut untried = pace.untried().to_vec();
        for addr in addresses {
            if !untried.contains(&addr) && !tried.iter().any(|(peer, _)| *peer == addr) {
                untried.push(addr);
            }
        }
        let ordered = (self.order)(untried);
        let untried = ordered.iter().map(|ordered| ordered.address).collect();
        self.explainer.tell(|| What::Ordered { addresses: ordered });
        if let Some(delay) = pace.answered(untried, Instant::now()) {
            self.explainer.tell(|| What::ResolutionDelay { delay });
        }
    }

    fn failure(
        &self,
        outcomes: Vec<(SocketAddr, Option<Error>)>,
        lookup_error: Option<LookupError>,
        ended: Option<Ended>,
    ) -> Failure {
        if outcomes.is_empty() {
            return match (ended, lookup_error) {
                (Some(ended), _) => Failure::Ended(ended),
                (None, Some(error)) => Failure::Lookup(error),
                (None, None) => Failure::Attempts(Vec::new()),
            };
        }
        let mut attempts = Vec::with_capacity(outcomes.len());
        for (index, (peer, outcome)) in outcomes.into_iter().enumerate() {
            attempts.push(outcome.unwrap_or_else(|| {
                let cause = ended.clone().map_or(Cause::Timeout, Cause::from);
                let error = self.error(peer, cause);
                self.explainer
                    .tell(|| What::AttemptFailed { attempt: index as u32 + 1, error: error.clone() });
                error
            }));
        }
        Failure::Attempts(attempts)
    }

    fn tell_winner(&self, winner: u32, outcomes: &[(SocketAddr, Option<Error>)]) {
        self.explainer.tell(|| What::AttemptConnected { attempt: winner });
        for (attempt, _) in (1..).zip(outcomes).filter(|(_, (_, outcome))| outcome.is_none()) {
            if attempt != winner {
                self.explainer.tell(|| What::AttemptAbandoned { attempt });
            }
        }
    }

    fn error(&self, peer: SocketAddr, cause: Cause) -> Error {
        Error::new(Operation::Dial, cause).on(self.network).to_peer(Addr::Socket(peer))
    }
}

/// Of two families' errors, the one that says more: a failure over "no records of this type", the first otherwise.
fn more_telling(first: Option<LookupError>, second: LookupError) -> LookupError {
    use crate::error::LookupErrorKind::NoData;
    match first {
        None => second,
        Some(first) if first.kind() == NoData && second.kind() != NoData => second,
        Some(first) => first,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dial::pace::{RESOLUTION_DELAY, Race};
    use crate::explain::{Event, Sink};
    use crate::network::Family;
    use rustix::io::Errno;
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    const V6: &str = "[2001:db8::1]:80";
    const V4: &str = "192.0.2.1:80";
    const V4B: &str = "192.0.2.2:80";

    /// What a fake peer does with an attempt, and after how long.
    #[derive(Clone, Copy)]
    enum Peer {
        Connects(u64),
        Refuses(u64),
        BlackHole,
    }

    /// Answers that come at given milliseconds.
    struct Script(VecDeque<(u64, Answer)>, Instant);

    impl Answers for Script {
        async fn next(&mut self) -> Option<Answer> {
            let (at, _) = self.0.front()?;
            tokio::time::sleep_until(self.1 + Duration::from_millis(*at)).await;
            self.0.pop_front().map(|(_, answer)| answer)
        }
    }

    fn answer(at: u64, families: Families, addresses: &[&str]) -> (u64, Answer) {
        let addresses = match addresses {
            [] => Err(LookupError::new("name", crate::error::LookupErrorKind::NoData)),
            addresses => Ok(addresses.iter().map(|address| address.parse().unwrap()).collect()),
        };
        (at, Answer { families, addresses })
    }

    struct Outcome {
        result: Result<(u32, SocketAddr), Failure>,
        took: u64,
        story: Vec<String>,
    }

    async fn run(
        race: Race,
        context: &Context,
        script: Vec<(u64, Answer)>,
        peers: &[(&str, Peer)],
    ) -> Outcome {
        let start = Instant::now();
        let story = Arc::new(Mutex::new(Vec::new()));
        let sink: Arc<dyn Sink> = {
            let story = story.clone();
            Arc::new(move |event: &Event| {
                let at = (event.at - start).as_millis();
                let told = match &event.what {
                    What::AttemptStarted { attempt, peer, reason, .. } => {
                        format!("{at} {attempt} {peer} {reason:?}")
                    }
                    What::AttemptFailed { attempt, .. } => format!("{at} {attempt} failed"),
                    What::AttemptAbandoned { attempt } => format!("{at} {attempt} abandoned"),
                    What::AttemptConnected { attempt } => format!("{at} {attempt} connected"),
                    _ => return,
                };
                story.lock().unwrap().push(told);
            })
        };
        let explainer = Explainer::new(sink);
        let attempts = Attempts {
            network: Network::Tcp(Family::Any),
            context,
            explainer: &explainer,
            order: |mut untried: Vec<SocketAddr>| {
                untried.sort_by_key(|peer| !peer.is_ipv6());
                let place = |address| OrderedAddress { address, source: None, decided_by: None };
                untried.into_iter().map(place).collect()
            },
            connect: |_, peer: SocketAddr| {
                let (_, does) =
                    *peers.iter().find(|(addr, _)| addr.parse() == Ok(peer)).expect("a peer of the test");
                async move {
                    match does {
                        Peer::Connects(after) => {
                            tokio::time::sleep(Duration::from_millis(after)).await;
                            Ok(())
                        }
                        Peer::Refuses(after) => {
                            tokio::time::sleep(Duration::from_millis(after)).await;
                            let cause = Cause::System { call: "connect", error: Errno::CONNREFUSED };
                            Err(Error::new(Operation::Dial, cause).to_peer(Addr::Socket(peer)))
                        }
                        Peer::BlackHole => std::future::pending().await,
                    }
                }
            },
        };
        let result = attempts.run(Pace::new(race, RESOLUTION_DELAY), Script(script.into(), start)).await;
        let story = story.lock().unwrap().clone();
        Outcome {
            result: result.map(|(attempt, peer, ())| (attempt, peer)),
            took: start.elapsed().as_millis() as u64,
            story,
        }
    }

    fn causes(result: Result<(u32, SocketAddr), Failure>) -> Vec<String> {
        match result {
            Err(Failure::Attempts(errors)) => errors
                .iter()
                .map(|error| format!("{} {}", error.peer_addr().unwrap(), error.cause()))
                .collect(),
            Err(Failure::Lookup(error)) => vec![error.to_string()],
            Err(Failure::Ended(ended)) => vec![ended.to_string()],
            Ok((attempt, peer)) => panic!("{attempt} connected to {peer}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_black_hole_costs_the_attempt_delay() {
        let script = vec![answer(0, Families::V6, &[V6]), answer(0, Families::V4, &[V4])];
        let outcome = run(
            Race::default(),
            &Context::background(),
            script,
            &[(V6, Peer::BlackHole), (V4, Peer::Connects(10))],
        )
        .await;
        assert!(matches!(outcome.result, Ok((2, _))));
        assert_eq!(
            outcome.story,
            [
                "0 1 [2001:db8::1]:80 First",
                "250 2 192.0.2.1:80 DelayPassed",
                "260 2 connected",
                "260 1 abandoned"
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_costs_nothing() {
        let script = vec![answer(0, Families::Both, &[V6, V4])];
        let peers = [(V6, Peer::Refuses(3)), (V4, Peer::Connects(10))];
        let outcome = run(Race::default(), &Context::background(), script, &peers).await;
        assert_eq!(outcome.took, 13);
        assert!(outcome.result.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_first_attempt_may_still_win() {
        let script = vec![answer(0, Families::Both, &[V6, V4])];
        let peers = [(V6, Peer::Connects(300)), (V4, Peer::Connects(200))];
        let outcome = run(Race::default(), &Context::background(), script, &peers).await;
        assert!(matches!(outcome.result, Ok((1, _))));
        assert_eq!(outcome.took, 300);
    }

    #[tokio::test(start_paused = true)]
    async fn no_ipv6_records_end_the_resolution_delay() {
        let script = vec![answer(0, Families::V4, &[V4]), answer(20, Families::V6, &[])];
        let outcome = run(Race::default(), &Context::background(), script, &[(V4, Peer::Connects(0))]).await;
        assert_eq!(outcome.took, 20);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_ipv6_lookup_costs_the_resolution_delay() {
        let script = vec![answer(0, Families::V4, &[V4]), answer(5000, Families::V6, &[])];
        let outcome = run(Race::default(), &Context::background(), script, &[(V4, Peer::Connects(0))]).await;
        assert_eq!(outcome.took, 50);
    }

    #[tokio::test(start_paused = true)]
    async fn all_failures_are_told_first_first() {
        let script = vec![answer(0, Families::Both, &[V6, V4, V4B])];
        let peers = [(V6, Peer::Refuses(600)), (V4, Peer::Refuses(10)), (V4B, Peer::Refuses(1))];
        let outcome = run(Race::default(), &Context::background(), script, &peers).await;
        assert_eq!(
            causes(outcome.result),
            [
                "[2001:db8::1]:80 connect: connection refused",
                "192.0.2.1:80 connect: connection refused",
                "192.0.2.2:80 connect: connection refused"
            ]
        );
        assert_eq!(outcome.took, 600);
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_ends_what_still_runs_and_says_so_of_each() {
        let context = Context::background().with_timeout(Duration::from_secs(1));
        let script = vec![answer(0, Families::Both, &[V6, V4])];
        let peers = [(V6, Peer::BlackHole), (V4, Peer::Refuses(1))];
        let outcome = run(Race::default(), &context, script, &peers).await;
        assert_eq!(outcome.took, 1000);
        assert_eq!(
            causes(outcome.result),
            ["[2001:db8::1]:80 i/o timeout", "192.0.2.1:80 connect: connection refused"]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancel_before_any_answer_is_a_cancel() {
        let context = Context::background().child();
        let canceled = context.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(7)).await;
            canceled.cancel();
        });
        let script = vec![answer(5000, Families::Both, &[V4])];
        let outcome = run(Race::default(), &context, script, &[]).await;
        assert_eq!(outcome.took, 7);
        assert_eq!(causes(outcome.result), ["context canceled"]);
    }

    #[tokio::test(start_paused = true)]
    async fn no_addresses_fail_with_the_lookups_error() {
        let failed = |families| {
            let error = LookupError::new("name", crate::error::LookupErrorKind::ServerFailure);
            (0, Answer { families, addresses: Err(error) })
        };
        let script = vec![answer(0, Families::V6, &[]), failed(Families::V4)];
        let outcome = run(Race::default(), &Context::background(), script, &[]).await;
        assert_eq!(causes(outcome.result), ["lookup name: server misbehaving"]);
    }

    #[tokio::test(start_paused = true)]
    async fn serially_a_black_hole_costs_its_share() {
        let context = Context::background().with_timeout(Duration::from_secs(10));
        let script = vec![answer(0, Families::V6, &[V6]), answer(5, Families::V4, &[V4])];
        let peers = [(V6, Peer::BlackHole), (V4, Peer::Connects(1))];
        let outcome = run(Race::Off, &context, script, &peers).await;
        assert!(matches!(outcome.result, Ok((2, _))));
        // Half of the 9,995 ms left after the answers, and the connect; the timer counts whole milliseconds.
        assert!((5003..=5004).contains(&outcome.took), "{}", outcome.took);
    }

    #[tokio::test(start_paused = true)]
    async fn hints_are_dialed_and_not_dialed_twice() {
        let script = vec![
            answer(0, Families::Hints, &[V6]),
            answer(30, Families::V6, &[V6]),
            answer(30, Families::V4, &[V4]),
        ];
        let peers = [(V6, Peer::Refuses(100)), (V4, Peer::Connects(0))];
        let outcome = run(Race::default(), &Context::background(), script, &peers).await;
        assert_eq!(
            outcome.story,
            [
                "0 1 [2001:db8::1]:80 First",
                "100 1 failed",
                "100 2 192.0.2.1:80 PreviousFailed",
                "100 2 connected"
            ]
        );
    }
}
