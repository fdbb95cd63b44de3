//! One DNS lookup under way: does what its [`QueryPlan`] says, with exchanges, the cache and the clock.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::answer::{Answer, Status};
use super::cache::{CachedAnswers, Hit, STALE_ANSWER_AFTER, STALE_TTL};
use super::config::Config;
use super::exchange::{Exchange, Heard, Link};
use super::inflight::Work;
use super::lookup::Origin;
use super::message::{Carrier, Form, Question, Reply};
use super::name::Name;
use super::plan::{Action, Ask, Failure, Outcome, QueryPlan, Role, Settings, Word};
use super::record::RecordType;
use crate::error::{LookupError, LookupErrorKind};
use crate::explain::{Event, Explainer, What};

/// What to ask for. Two that are equal ask the same of the same servers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    /// The candidates of the search list, in order.
    pub(crate) names: Vec<Name>,
    pub(crate) lanes: Vec<Lane>,
}

/// One record type to ask for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Lane {
    pub(crate) record: RecordType,
    pub(crate) role: Role,
    /// Labels before the name, as in `_8443._https`.
    pub(crate) prefix: Option<Name>,
}

/// How to ask.
#[derive(Clone)]
pub(crate) struct Means {
    pub(crate) config: Arc<Config>,
    pub(crate) link: Link,
    pub(crate) cache: Option<Arc<Mutex<CachedAnswers>>>,
    pub(crate) strict: bool,
    /// The server to begin with.
    pub(crate) first: usize,
}

/// The end of one lane.
#[derive(Clone, Debug)]
pub(crate) struct Settled {
    pub(crate) lane: usize,
    pub(crate) result: Result<Found, Lost>,
}

/// Records, and where they come from.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) answer: Arc<Answer>,
    /// The name of the search list that has them.
    pub(crate) name: Name,
    /// How long they may be kept from now on.
    pub(crate) ttl: Option<Duration>,
    /// `None` for the cache.
    pub(crate) server: Option<SocketAddr>,
    pub(crate) stale: bool,
}

/// Why there are none.
#[derive(Clone, Debug)]
pub(crate) struct Lost {
    outcome: Outcome,
    server: Option<SocketAddr>,
}

/// See the module's text.
pub(crate) struct DnsLookup {
    subject: Subject,
    means: Means,
    explainer: Explainer,
    plan: QueryPlan,
    name: usize,
    running: Vec<Running>,
    /// What was found in each lane for the name that is asked for now.
    found: Vec<Option<Found>>,
    fallback: Vec<Option<Arc<Answer>>>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// The number that the next query gets in events.
    next_query: u32,
}

struct Running {
    ask: u32,
    server: SocketAddr,
    exchange: Exchange,
    /// The number of each lane's query in events; taken out as they are answered.
    queries: Vec<(usize, u32)>,
    /// When the server's time is over.
    until: Instant,
}

impl DnsLookup {
    /// Nothing is sent before it is polled.
    pub(crate) fn new(subject: Subject, means: Means, explainer: Explainer) -> DnsLookup {
        let roles: Vec<Role> = subject.lanes.iter().map(|lane| lane.role).collect();
        let config = &means.config;
        let settings = Settings {
            servers: config.servers().len(),
            first: means.first,
            attempts: config.attempts(),
            timeout: config.timeout(),
            carrier: if config.use_vc() { Carrier::Stream } else { Carrier::Datagram },
            edns: config.edns0(),
            single_request: config.single_request(),
            strict: means.strict,
        };
        DnsLookup {
            plan: QueryPlan::new(settings, subject.names.len(), &roles),
            name: 0,
            running: Vec::new(),
            found: vec![None; roles.len()],
            fallback: vec![None; roles.len()],
            sleep: None,
            next_query: 0,
            subject,
            means,
            explainer,
        }
    }

    fn question(&self, lane: usize) -> Option<Question> {
        let (name, Lane { record, prefix, .. }) = (&self.subject.names[self.name], &self.subject.lanes[lane]);
        let name = match prefix {
            None => name.clone(),
            Some(prefix) => Name::joined(prefix.without_dot(), name)?,
        };
        Some(Question::new(name, *record))
    }

    fn turn_to_name(&mut self, name: usize) {
        self.name = name;
        self.abandon_all();
        self.found.fill(None);
        self.fallback.fill(None);
        self.explainer.tell(|| What::NameTried { name: self.subject.names[name].to_string() });
    }

    /// Sends the questions of `ask` that the cache does not answer.
    fn ask(&mut self, ask: &Ask, now: Instant) {
        let server = self.means.config.servers()[ask.attempt.server];
        let mut questions = Vec::with_capacity(ask.lanes.len());
        for &lane in &ask.lanes {
            match self.question(lane) {
                // Too long with the prefix: there can be no such name.
                None => self.plan.hear(ask.id, lane, Word::NameError, now),
                Some(question) if self.ask_cache(ask.id, lane, &question, now) => {}
                Some(question) => questions.push((lane, question)),
            }
        }
        if questions.is_empty() {
            return;
        }
        let mut queries = Vec::with_capacity(questions.len());
        for (lane, question) in &questions {
            self.next_query += 1;
            queries.push((*lane, self.next_query));
            self.explainer.tell(|| What::QuerySent {
                query: self.next_query,
                name: question.name.to_string(),
                record: question.record.to_string(),
                server,
                transport: if ask.attempt.carrier == Carrier::Stream { "tcp" } else { "udp" },
                attempt: ask.attempt.round,
            });
        }
        let form = Form { edns: ask.attempt.edns, trust_ad: self.means.config.trust_ad() };
        let exchange = Exchange::start(&self.means.link, server, ask.attempt.carrier, form, questions);
        self.running.push(Running { ask: ask.id, server, exchange, queries, until: ask.until });
    }

    /// Whether the cache has the answer; an old one is kept for the case that the servers have none.
    fn ask_cache(&mut self, ask: u32, lane: usize, question: &Question, now: Instant) -> bool {
        let Some(hit) = self.cache().and_then(|mut cache| cache.find(question, now)) else { return false };
        let (answer, remaining, stale) = match hit {
            Hit::Fresh(answer, remaining) => (answer, remaining, false),
            Hit::Stale(answer) => (answer, Duration::ZERO, true),
            Hit::Fallback(answer) => {
                if self.fallback[lane].is_none() && answer.status == Status::Found {
                    self.fallback[lane] = Some(answer);
                    self.plan.offer(lane, now + STALE_ANSWER_AFTER);
                }
                return false;
            }
        };
        self.tell_hit(question, remaining, stale);
        let ttl = if stale { STALE_TTL } else { remaining };
        self.take(ask, lane, self.found_in(answer, Some(ttl), None, stale), now);
        true
    }

    fn found_in(
        &self,
        answer: Arc<Answer>,
        ttl: Option<Duration>,
        server: Option<SocketAddr>,
        stale: bool,
    ) -> Found {
        Found { answer, name: self.subject.names[self.name].clone(), ttl, server, stale }
    }

    fn take(&mut self, ask: u32, lane: usize, found: Found, now: Instant) {
        let word = match found.answer.status {
            Status::Found => Word::Found,
            Status::NoData => Word::NoData,
            Status::NameError => Word::NameError,
        };
        self.found[lane] = Some(found);
        self.plan.hear(ask, lane, word, now);
    }

    /// Takes in what was heard in the exchange at `index`.
    fn hear(&mut self, index: usize, heard: Heard, now: Instant) {
        let Heard { lane, result } = heard;
        let Running { ask, server, ref mut queries, .. } = self.running[index];
        let query = queries.iter().position(|&(of, _)| of == lane);
        if let Some(at) = query {
            // A garbled answer may have been forged, and the real one is still waited for.
            let garbled = matches!(result, Ok(Reply::Garbled(_)));
            let query = if garbled { queries[at].1 } else { queries.swap_remove(at).1 };
            tell_heard(&self.explainer, query, self.subject.lanes[lane].record, &result);
        }
        if !self.plan.wants(ask, lane) {
            return;
        }
        let word = match result {
            Ok(Reply::Answer(answer)) => {
                let answer = Arc::new(answer);
                if let (Some(question), Some(mut cache)) = (self.question(lane), self.cache()) {
                    cache.insert(&question, &answer, now);
                }
                let ttl = answer.ttl;
                return self.take(ask, lane, self.found_in(answer, ttl, Some(server), false), now);
            }
            Ok(Reply::Truncated) => Word::Truncated,
            Ok(Reply::NoEdns(rcode)) => Word::NoEdns(rcode),
            Ok(Reply::Lame) => Word::Failed(Failure::Lame),
            Ok(Reply::Failed(rcode)) => Word::Failed(Failure::Rcode(rcode)),
            Ok(Reply::Garbled(fault)) => Word::Failed(Failure::Garbled(fault)),
            Err(failure) => Word::Failed(failure),
        };
        self.plan.hear(ask, lane, word, now);
    }

    fn settle(&mut self, lane: usize, outcome: Outcome, now: Instant) -> Settled {
        let result = match (outcome, self.found[lane].take()) {
            (Outcome::Found, Some(found)) if found.answer.status == Status::Found => Ok(found),
            (Outcome::Found, _) => self.fall_back(lane, now),
            (outcome, _) => Err(outcome),
        };
        let result = result.map_err(|outcome| {
            let server = match outcome {
                Outcome::NoData { server }
                | Outcome::NameError { server }
                | Outcome::Failed { server, .. } => self.means.config.servers().get(server).copied(),
                Outcome::Found => None,
            };
            Lost { outcome, server }
        });
        Settled { lane, result }
    }

    /// The old answer that the plan settled for.
    fn fall_back(&mut self, lane: usize, now: Instant) -> Result<Found, Outcome> {
        let (Some(answer), Some(question)) = (self.fallback[lane].take(), self.question(lane)) else {
            return Err(Outcome::NoData { server: 0 });
        };
        if let Some(mut cache) = self.cache() {
            cache.refresh_failed(&question, now);
        }
        self.tell_hit(&question, Duration::ZERO, true);
        Ok(self.found_in(answer, Some(STALE_TTL), None, true))
    }

    /// Closes the exchanges of which nothing more can matter.
    fn prune(&mut self) {
        let DnsLookup { plan, running, explainer, .. } = self;
        running.retain(|running| {
            let wanted = running.queries.iter().any(|&(lane, _)| plan.wants(running.ask, lane));
            if !wanted {
                running.tell_abandoned(explainer);
            }
            wanted
        });
    }

    fn abandon_all(&mut self) {
        for running in self.running.drain(..) {
            running.tell_abandoned(&self.explainer);
        }
    }

    fn cache(&self) -> Option<MutexGuard<'_, CachedAnswers>> {
        self.means.cache.as_ref().map(|cache| cache.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell_hit(&self, question: &Question, remaining: Duration, stale: bool) {
        self.explainer.tell(|| What::CacheHit {
            name: question.name.to_string(),
            record: question.record.to_string(),
            remaining,
            stale,
        });
    }

    fn poll_sleep(&mut self, until: Instant, cx: &mut Context<'_>) -> Poll<()> {
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        sleep.as_mut().poll(cx)
    }

    fn poll_running(&mut self, cx: &mut Context<'_>) -> Option<(usize, Heard)> {
        self.running.iter_mut().enumerate().find_map(|(index, running)| {
            match running.exchange.poll_heard(cx) {
                Poll::Ready(heard) => Some((index, heard)),
                Poll::Pending => None,
            }
        })
    }
}

impl Work for DnsLookup {
    type Item = Settled;

    fn poll_next(&mut self, cx: &mut Context<'_>, deadline: Option<Instant>) -> Poll<Option<Settled>> {
        self.plan.set_deadline(deadline);
        loop {
            let now = Instant::now();
            match self.plan.next(now) {
                Action::Name(name) => self.turn_to_name(name),
                Action::Ask(ask) => self.ask(&ask, now),
                Action::Settle(lane, outcome) => {
                    let settled = self.settle(lane, outcome, now);
                    return Poll::Ready(Some(settled));
                }
                Action::Done => {
                    self.abandon_all();
                    return Poll::Ready(None);
                }
                Action::Wait(until) => {
                    self.prune();
                    if let Some((index, heard)) = self.poll_running(cx) {
                        self.hear(index, heard, now);
                    } else if self.poll_sleep(until, cx).is_pending() {
                        return Poll::Pending;
                    }
                }
            }
        }
    }
}

impl Running {
    fn tell_abandoned(&self, explainer: &Explainer) {
        for &(_, query) in &self.queries {
            explainer.tell(|| match Instant::now() >= self.until {
                true => What::QueryFailed { query, error: Failure::TimedOut.to_string() },
                false => What::QueryAbandoned { query },
            });
        }
    }
}

fn tell_heard(explainer: &Explainer, query: u32, record: RecordType, result: &Result<Reply, Failure>) {
    explainer.tell(|| {
        let answered = |rcode: String, answer: Option<&Answer>, truncated| What::QueryAnswered {
            query,
            rcode,
            records: answer.map_or_else(Vec::new, |answer| answer.present(record)),
            ttl: answer.and_then(|answer| answer.ttl),
            truncated,
        };
        match result {
            Ok(Reply::Answer(answer)) => {
                let rcode = if answer.status == Status::NameError { "NXDOMAIN" } else { "NOERROR" };
                answered(rcode.to_owned(), Some(answer), false)
            }
            Ok(Reply::Truncated) => answered("NOERROR".to_owned(), None, true),
            Ok(Reply::NoEdns(rcode) | Reply::Failed(rcode)) => answered(rcode.to_string(), None, false),
            Ok(Reply::Lame) => What::QueryFailed { query, error: Failure::Lame.to_string() },
            Ok(Reply::Garbled(fault)) => {
                What::QueryFailed { query, error: Failure::Garbled(fault.clone()).to_string() }
            }
            Err(failure) => What::QueryFailed { query, error: failure.to_string() },
        }
    });
}

impl Found {
    pub(crate) fn origin(&self) -> Origin {
        let Answer { chain, authenticated, dropped, .. } = &*self.answer;
        Origin {
            canonical: Some(chain.last().map_or_else(|| self.name.to_string(), Clone::clone)),
            ttl: self.ttl,
            server: self.server,
            authenticated: *authenticated,
            stale: self.stale,
            dropped: dropped.clone(),
        }
    }
}

impl Lost {
    /// The error for one who looked up `name`.
    pub(crate) fn error(&self, name: &str) -> LookupError {
        let error = match &self.outcome {
            Outcome::Found | Outcome::NoData { .. } => LookupError::new(name, LookupErrorKind::NoData),
            Outcome::NameError { .. } => LookupError::new(name, LookupErrorKind::NotFound),
            Outcome::Failed { failure, .. } => {
                let error = LookupError::new(name, failure.kind());
                // For this one the kind's own words will do.
                if *failure == Failure::TimedOut { error } else { error.with_detail(failure.to_string()) }
            }
        };
        error.on_server(self.server)
    }

    /// How much it tells, against what the other lanes lost.
    pub(crate) fn weight(&self) -> u8 {
        self.outcome.weight()
    }
}

/// Events for the one who began a lookup that others may join: they end when that one leaves.
pub(crate) struct Muted(Arc<AtomicBool>);

impl Muted {
    /// What the lookup gets to tell its events to, and what mutes it when dropped.
    pub(crate) fn new(explainer: &Explainer) -> (Explainer, Option<Muted>) {
        let Some(sink) = explainer.sink().cloned() else { return (Explainer::SILENT, None) };
        let muted = Arc::new(AtomicBool::new(false));
        let mute = muted.clone();
        let filter = move |event: &Event| {
            if !mute.load(Ordering::Relaxed) {
                sink.event(event);
            }
        };
        (Explainer::new(Arc::new(filter)), Some(Muted(muted)))
    }
}

impl Drop for Muted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}
