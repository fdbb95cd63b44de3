//! The lookup of a name's addresses, from source to source, as a stream: each family's answer when it comes.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{self, Poll};

use super::answer::Data;
use super::lookup::{Lookup, Origin};
use super::my_hostname;
use super::name::Name;
use super::nsswitch::Status;
use super::plan::Role;
use super::policy::{Plan, Via};
use super::query::{Found, Lane, Lost, Settled, Subject};
use super::record::RecordType;
use super::resolver::{DnsSeat, Resolver, View};
use super::search::Candidates;
use super::svcb::Svcb;
use crate::addr::ScopedIp;
use crate::context::Context;
use crate::error::{LookupError, LookupErrorKind};
use crate::explain::{Explainer, What};
use crate::network::Family;
use crate::sys::AddrInfo;

/// What is wanted of a name.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) family: Family,
    /// The CNAME record as well, for names that have nothing but an alias.
    pub(super) cname: bool,
    /// HTTPS records as well, of the name with these labels before it, if any.
    pub(super) hints: Option<Hints>,
}

/// Which HTTPS records are wanted.
#[derive(Clone, Debug)]
pub(super) struct Hints {
    pub(super) prefix: Option<Name>,
}

/// A part of the answer. There is one for each family asked for, or one for both.
#[derive(Clone, Debug)]
pub(super) enum Part {
    /// The addresses of one family, or of both where they come from one source; or why there are none.
    Addresses(Family, Result<Lookup<ScopedIp>, LookupError>),
    /// The target of the name's CNAME record.
    Cname(Lookup<String>),
    /// HTTPS records, which may come at any time.
    Hints(Lookup<Svcb>),
}

pub(super) struct HostLookup {
    resolver: Resolver,
    context: Context,
    explainer: Explainer,
    name: String,
    wanted: Wanted,
    view: View,
    plan: Plan,
    step: usize,
    stage: Stage,
    ready: VecDeque<Part>,
    /// The most telling of the errors of the sources so far.
    error: Option<LookupError>,
}

enum Stage {
    Step,
    Dns(Dns),
    System(SystemCall),
    Done,
}

type SystemCall = Pin<Box<dyn Future<Output = Result<AddrInfo, LookupError>> + Send>>;

struct Dns {
    seat: DnsSeat,
    lanes: Vec<RecordType>,
    /// Whether the name is decided on.
    found: bool,
    /// What the lanes lost before it was.
    lost: Vec<(RecordType, Lost)>,
}

impl HostLookup {
    /// Nothing is asked before the first part is.
    pub(super) fn new(
        resolver: &Resolver,
        context: &Context,
        explainer: &Explainer,
        name: &str,
        wanted: Wanted,
    ) -> HostLookup {
        let view = resolver.inner.view();
        let literal = ScopedIp::parse_literal(name);
        let mut plan = match literal {
            Some(Ok(ip)) => Plan::literal(ip),
            _ => Plan::for_name(name, &view.config, &view.snapshot.facts),
        };
        if view.without_files {
            plan.steps.retain(|step| step.via != Via::Files);
        }
        let mut lookup = HostLookup {
            resolver: resolver.clone(),
            context: context.clone(),
            explainer: explainer.clone(),
            name: name.to_owned(),
            wanted,
            view,
            plan,
            step: 0,
            stage: Stage::Step,
            ready: VecDeque::new(),
            error: None,
        };
        if let Some(Err(error)) = literal {
            let error = lookup.fail(LookupErrorKind::NotFound).with_detail(error.kind().to_string());
            lookup.finish(Part::Addresses(lookup.wanted.family, Err(error)));
            return lookup;
        }
        explainer.tell(|| What::Policy {
            name: name.to_owned(),
            sources: lookup.plan.sources(),
            reason: lookup.plan.reason(),
        });
        lookup
    }

    /// The next part; `None` after the last. Cancel-safe.
    pub(super) async fn next(&mut self) -> Option<Part> {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    /// The family asked for.
    pub(super) fn family(&self) -> Family {
        self.wanted.family
    }

    fn poll_next(&mut self, cx: &mut task::Context<'_>) -> Poll<Option<Part>> {
        loop {
            if let Some(part) = self.ready.pop_front() {
                return Poll::Ready(Some(part));
            }
            match &mut self.stage {
                Stage::Done => return Poll::Ready(None),
                Stage::Step => self.take_step(),
                Stage::System(call) => match call.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(result) => self.take_system(result),
                },
                Stage::Dns(dns) => match dns.seat.seat.poll_next(cx, self.context.deadline()) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(Some(settled)) => self.take_settled(settled),
                    Poll::Ready(None) => self.end_dns(),
                },
            }
        }
    }

    fn take_step(&mut self) {
        let Some(step) = self.plan.steps.get(self.step) else {
            let error = self.error.take().unwrap_or_else(|| self.fail(LookupErrorKind::NotFound));
            return self.finish(Part::Addresses(self.wanted.family, Err(error)));
        };
        let name = self.name.as_str();
        match &step.via {
            Via::Literal(ip) => {
                let ip = *ip;
                match self.wanted.family.admits(ip.ip) {
                    true => self.found_at_once(vec![ip], None),
                    false => {
                        let error =
                            self.fail(LookupErrorKind::NoData).with_detail("no suitable address found");
                        self.source_failed(error);
                    }
                }
            }
            Via::Reserved(reserved) => {
                let addresses = reserved.addresses().iter().map(|&ip| ip.into()).collect();
                self.found_at_once(addresses, Some(with_dot(name)));
            }
            Via::Files => {
                let hosts = self.view.snapshot.hosts.clone();
                let entry = hosts.entry(name);
                let addresses = entry.map(|entry| entry.addresses().to_vec()).unwrap_or_default();
                self.found_at_once(addresses, entry.map(|entry| entry.canonical().to_owned()));
            }
            Via::MyHostname => {
                let hostname = &self.view.snapshot.facts.hostname;
                let addresses = my_hostname::addresses(name, hostname, &my_hostname::local_addresses());
                self.found_at_once(addresses, Some(with_dot(name)));
            }
            Via::Dns => self.begin_dns(),
            Via::System(reason) => {
                self.explainer.tell(|| What::HandedToSystem { reason: reason.to_string() });
                let (system, name) = (self.resolver.inner.system.clone(), self.name.clone());
                let family = self.wanted.family;
                self.stage = Stage::System(Box::pin(async move { system.addresses(&name, family).await }));
            }
        }
    }

    /// A source gave all it knows. Addresses of the other family are as good as none: the next source may have more.
    fn found_at_once(&mut self, mut addresses: Vec<ScopedIp>, canonical: Option<String>) {
        addresses.retain(|address| self.wanted.family.admits(address.ip));
        let Some(step) = self.plan.steps.get(self.step) else { return };
        let source = step.via.as_str();
        self.explainer.tell(|| What::SourceAnswered { source, answer: in_words(&addresses) });
        if addresses.is_empty() {
            return self.source_failed(self.fail(LookupErrorKind::NotFound));
        }
        let origin = Origin { canonical, ..Origin::default() };
        self.finish(Part::Addresses(self.wanted.family, Ok(Lookup::new(addresses, origin))));
    }

    fn take_system(&mut self, result: Result<AddrInfo, LookupError>) {
        match result {
            Ok(info) => self.found_at_once(info.addresses, info.canonical.map(|name| with_dot(&name))),
            Err(error) => {
                self.explainer
                    .tell(|| What::SourceAnswered { source: "system", answer: error.kind().to_string() });
                self.source_failed(error);
            }
        }
    }

    fn begin_dns(&mut self) {
        let names: Vec<Name> = match Candidates::new(&self.name, &self.view.config) {
            Ok(candidates) => candidates.collect(),
            Err(error) => return self.source_failed(error.into()),
        };
        if names.is_empty() {
            return self.source_failed(self.fail(LookupErrorKind::NotFound));
        }
        let lanes = self.wanted.lanes(self.view.config.no_aaaa());
        let records = lanes.iter().map(|lane| lane.record).collect();
        let subject = Subject { names, lanes };
        let seat = self.resolver.inner.ask(&self.view, subject, &self.context, &self.explainer);
        self.stage = Stage::Dns(Dns { seat, lanes: records, found: false, lost: Vec::new() });
    }

    fn take_settled(&mut self, settled: Settled) {
        let Stage::Dns(dns) = &mut self.stage else { return };
        let record = dns.lanes[settled.lane];
        match settled.result {
            Ok(found) => {
                if record != RecordType::Https && !dns.found {
                    dns.found = true;
                    let lost = std::mem::take(&mut dns.lost);
                    self.ready.extend(
                        lost.iter().filter_map(|(record, lost)| part_lost(*record, lost, &self.name)),
                    );
                }
                self.ready.push_front(part_found(record, &found));
            }
            Err(lost) if dns.found => self.ready.extend(part_lost(record, &lost, &self.name)),
            Err(lost) => dns.lost.push((record, lost)),
        }
    }

    fn end_dns(&mut self) {
        let Stage::Dns(dns) = std::mem::replace(&mut self.stage, Stage::Step) else { return };
        if dns.found {
            self.stage = Stage::Done;
            return;
        }
        let deciding = dns.lost.iter().filter(|(record, _)| *record != RecordType::Https);
        let worst = deciding.max_by_key(|(_, lost)| lost.weight());
        let error =
            worst.map_or_else(|| self.fail(LookupErrorKind::NotFound), |(_, lost)| lost.error(&self.name));
        self.source_failed(error);
    }

    /// Turns to the next source, if the policy has one for this case.
    fn source_failed(&mut self, error: LookupError) {
        let goes_on =
            self.plan.steps.get(self.step).is_some_and(|step| step.goes_on_after(Status::of(&error)));
        self.error = Some(more_telling(self.error.take(), error));
        self.stage = Stage::Step;
        self.step = if goes_on { self.step + 1 } else { self.plan.steps.len() };
    }

    fn finish(&mut self, part: Part) {
        self.ready.push_back(part);
        self.stage = Stage::Done;
    }

    fn fail(&self, kind: LookupErrorKind) -> LookupError {
        LookupError::new(self.name.as_str(), kind)
    }
}

impl Wanted {
    pub(super) fn addresses(family: Family) -> Wanted {
        Wanted { family, cname: false, hints: None }
    }

    fn lanes(&self, no_aaaa: bool) -> Vec<Lane> {
        let lane = |record| Lane { record, role: Role::Decides, prefix: None };
        let mut lanes = match self.family {
            Family::Any if !no_aaaa => vec![lane(RecordType::Aaaa), lane(RecordType::A)],
            Family::Any | Family::V4 => vec![lane(RecordType::A)],
            Family::V6 => vec![lane(RecordType::Aaaa)],
        };
        if self.cname {
            lanes.push(lane(RecordType::Cname));
        }
        if let Some(Hints { prefix }) = &self.hints {
            lanes.push(Lane { record: RecordType::Https, role: Role::Hints, prefix: prefix.clone() });
        }
        lanes
    }
}

fn part_found(record: RecordType, found: &Found) -> Part {
    let origin = found.origin();
    let records = || found.answer.records.iter();
    match record {
        RecordType::Https => {
            let svcb = |data: &Data| if let Data::Svcb(svcb) = data { Some(svcb.clone()) } else { None };
            Part::Hints(Lookup::new(records().filter_map(svcb).collect(), origin))
        }
        RecordType::Cname => {
            let target = |data: &Data| if let Data::Name(name) = data { Some(name.clone()) } else { None };
            Part::Cname(Lookup::new(records().filter_map(target).collect(), origin))
        }
        _ => {
            let address =
                |data: &Data| if let Data::Address(ip) = data { Some(ScopedIp::from(*ip)) } else { None };
            let addresses = Lookup::new(records().filter_map(address).collect(), origin);
            Part::Addresses(family_of(record), Ok(addresses))
        }
    }
}

fn part_lost(record: RecordType, lost: &Lost, name: &str) -> Option<Part> {
    match record {
        RecordType::A | RecordType::Aaaa => Some(Part::Addresses(family_of(record), Err(lost.error(name)))),
        _ => None,
    }
}

fn family_of(record: RecordType) -> Family {
    if record == RecordType::Aaaa { Family::V6 } else { Family::V4 }
}

/// Of the errors of several sources the one to report; the first of equals.
pub(super) fn more_telling(known: Option<LookupError>, error: LookupError) -> LookupError {
    // A failure leaves open whether there is an answer, so it counts more than the word that there is none.
    let weight = |error: &LookupError| {
        let kind = match error.kind() {
            LookupErrorKind::NotFound => 0,
            LookupErrorKind::InvalidName => 1,
            LookupErrorKind::NoData => 2,
            _ => 3,
        };
        (kind, error.server().is_some())
    };
    match known {
        Some(known) if weight(&known) >= weight(&error) => known,
        _ => error,
    }
}

pub(super) fn with_dot(name: &str) -> String {
    if name.ends_with('.') { name.to_owned() } else { format!("{name}.") }
}

pub(super) fn in_words<T: ToString>(records: &[T]) -> String {
    match records {
        [] => "nothing known".to_owned(),
        records => records.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    }
}
