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
