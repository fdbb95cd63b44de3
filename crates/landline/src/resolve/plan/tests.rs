//! The plan in virtual time, against servers that are functions.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::base::iana::OptRcode;
use proptest::prelude::*;
use rustix::io::Errno;

use super::*;

/// What a server is asked.
#[derive(Clone, Copy, Debug)]
struct Asked {
    name: usize,
    lane: usize,
    attempt: Attempt,
}

/// What it says, and after how many milliseconds; `None` for silence.
type Said = Option<(u64, Word)>;

const SERVFAIL: Word = Word::Failed(Failure::Rcode(OptRcode::SERVFAIL));

fn settings(servers: usize) -> Settings {
    Settings {
        servers,
        first: 0,
        attempts: 2,
        timeout: Duration::from_millis(1000),
        carrier: Carrier::Datagram,
        edns: true,
        single_request: false,
        strict: false,
    }
}

/// What happened, with the milliseconds since the start.
#[derive(Debug, Default)]
struct Trace {
    lines: Vec<String>,
    outcomes: BTreeMap<usize, (u64, Outcome)>,
    end: u64,
}

/// Runs a plan to its end.
fn run(
    settings: Settings,
    names: usize,
    roles: &[Role],
    budget: Option<u64>,
    world: impl Fn(Asked) -> Said,
) -> Trace {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut plan = QueryPlan::new(settings, names, roles);
    plan.set_deadline(budget.map(at));
    let mut trace = Trace::default();
    let mut name = None;
    let mut now = 0;
    let mut pending: Vec<(u64, u32, usize, Word)> = Vec::new();
    for _ in 0..10_000 {
        match plan.next(at(now)) {
            Action::Name(next) => {
                assert_eq!(next, name.map_or(0, |name: usize| name + 1));
                name = Some(next);
                trace.lines.push(format!("{now} name {next}"));
            }
            Action::Ask(Ask { id, lanes, attempt, .. }) => {
                let name = name.expect("a name comes first");
                trace.lines.push(format!("{now} ask {lanes:?} {}", text(attempt)));
                for lane in lanes {
                    assert!(plan.wants(id, lane));
                    if let Some((delay, word)) = world(Asked { name, lane, attempt }) {
                        pending.push((now + delay, id, lane, word));
                    }
                }
            }
            Action::Settle(lane, outcome) => {
                assert!(trace.outcomes.insert(lane, (now, outcome)).is_none(), "lane {lane} settled twice");
            }
            Action::Wait(until) => {
                let until = until.duration_since(start).as_micros().div_ceil(1000) as u64;
                assert!(until >= now && budget.is_none_or(|budget| until <= budget));
                let first = pending.iter().map(|&(at, ..)| at).min();
                match first.filter(|&at| at <= until) {
                    Some(due) => {
                        now = due;
                        let index = pending.iter().position(|&(at, ..)| at == due).unwrap();
                        let (_, id, lane, word) = pending.remove(index);
                        plan.hear(id, lane, word, at(now));
                    }
                    None => now = until,
                }
            }
            Action::Done => {
                trace.end = now;
                assert_eq!(trace.outcomes.len(), roles.len(), "every lane settles");
                return trace;
            }
        }
    }
    panic!("the plan does not end: {trace:#?}");
}

fn text(attempt: Attempt) -> String {
    let carrier = if attempt.carrier == Carrier::Stream { " tcp" } else { "" };
    let edns = if attempt.edns { "" } else { " plain" };
    format!("server {} round {}{carrier}{edns}", attempt.server, attempt.round)
}

const BOTH: [Role; 2] = [Role::Decides, Role::Decides];
const ONE: [Role; 1] = [Role::Decides];

fn failed(server: usize, failure: Failure) -> Outcome {
    Outcome::Failed { server, failure }
}

#[test]
fn both_questions_leave_over_one_socket_and_settle_as_they_are_answered() {
    let trace = run(settings(2), 3, &BOTH, None, |asked| Some((10 + 20 * asked.lane as u64, Word::Found)));
    assert_eq!(trace.lines, ["0 name 0", "0 ask [0, 1] server 0 round 1"]);
    assert_eq!(trace.outcomes[&0], (10, Outcome::Found));
    assert_eq!(trace.outcomes[&1], (30, Outcome::Found));
}

#[test]
fn an_answer_without_records_waits_for_the_other_to_decide() {
    let trace = run(settings(1), 2, &BOTH, None, |asked| match asked.lane {
        0 => Some((10, Word::NoData)),
        _ => Some((30, Word::Found)),
    });
    assert_eq!(trace.lines, ["0 name 0", "0 ask [0, 1] server 0 round 1"]);
    assert_eq!(trace.outcomes[&0], (30, Outcome::NoData { server: 0 }));
    assert_eq!(trace.outcomes[&1], (30, Outcome::Found));
}

#[test]
fn silence_leads_to_the_next_server_over_separate_sockets() {
    let trace = run(settings(2), 1, &BOTH, None, |asked| match asked.attempt {
        Attempt { server: 1, round: 2, .. } => Some((5, Word::Found)),
        _ => None,
    });
    assert_eq!(
        trace.lines,
        [
            "0 name 0",
            "0 ask [0, 1] server 0 round 1",
            "1000 ask [0] server 1 round 1",
            "1000 ask [1] server 1 round 1",
            "2000 ask [0] server 0 round 2",
            "2000 ask [1] server 0 round 2",
            "3000 ask [0] server 1 round 2",
            "3000 ask [1] server 1 round 2",
        ]
    );
    assert_eq!(trace.end, 3005);
}

#[test]
fn when_all_are_silent_the_lookup_times_out() {
    let trace = run(settings(2), 1, &ONE, None, |_| None);
    assert_eq!(trace.outcomes[&0], (4000, failed(1, Failure::TimedOut)));
}

#[test]
fn a_late_answer_still_counts() {
    let trace =
        run(settings(2), 1, &ONE, None, |asked| (asked.attempt.server == 0).then_some((1200, Word::Found)));
    assert_eq!(trace.lines.last().unwrap(), "1000 ask [0] server 1 round 1");
    assert_eq!(trace.outcomes[&0], (1200, Outcome::Found));
}

#[test]
fn words_of_trouble_lead_to_the_next_server_at_once() {
    for failure in [
        Failure::Rcode(OptRcode::SERVFAIL),
        Failure::Rcode(OptRcode::REFUSED),
        Failure::Lame,
        Failure::Unreachable("recv", Errno::CONNREFUSED),
        Failure::Transport("no way".into()),
    ] {
        let trace = run(settings(2), 1, &ONE, None, |asked| match asked.attempt.server {
            0 => Some((10, Word::Failed(failure.clone()))),
            _ => Some((10, Word::Found)),
        });
        assert_eq!(
            trace.lines[1..],
            ["0 ask [0] server 0 round 1", "10 ask [0] server 1 round 1"],
            "{failure:?}"
        );
        assert_eq!(trace.outcomes[&0], (20, Outcome::Found));
    }
}

#[test]
fn trouble_with_one_type_does_not_hold_up_the_other() {
    let trace = run(settings(2), 1, &BOTH, None, |asked| match (asked.lane, asked.attempt.server) {
        (0, _) => Some((10, Word::Found)),
        (_, 0) => None,
        _ => Some((10, Word::Found)),
    });
    assert_eq!(trace.outcomes[&0], (10, Outcome::Found));
    assert_eq!(trace.outcomes[&1], (1010, Outcome::Found));
}

#[test]
fn truncated_and_garbled_answers_are_asked_for_over_tcp() {
    for word in [Word::Truncated, Word::Failed(Failure::Garbled("bad".into()))] {
        let trace = run(settings(2), 1, &BOTH, None, |asked| match asked.attempt.carrier {
            Carrier::Datagram => Some((10, word.clone())),
            Carrier::Stream => Some((10, Word::Found)),
        });
        assert_eq!(
            trace.lines[1..],
            [
                "0 ask [0, 1] server 0 round 1",
                "10 ask [0] server 0 round 1 tcp",
                "10 ask [1] server 0 round 1 tcp"
            ]
        );
    }
    // Garbled over TCP as well: the next server, over UDP again.
    let trace = run(settings(2), 1, &ONE, None, |asked| match asked.attempt.server {
        0 => Some((10, Word::Failed(Failure::Garbled("bad".into())))),
        _ => Some((10, Word::NoData)),
    });
    assert_eq!(trace.lines[2..], ["10 ask [0] server 0 round 1 tcp", "20 ask [0] server 1 round 1"]);
}

#[test]
fn with_use_vc_both_questions_share_a_connection() {
    let settings = Settings { carrier: Carrier::Stream, ..settings(1) };
    let trace = run(settings, 1, &BOTH, None, |_| Some((10, Word::Found)));
    assert_eq!(trace.lines[1..], ["0 ask [0, 1] server 0 round 1 tcp"]);
}

#[test]
fn a_server_that_refuses_edns_is_asked_without_it_from_then_on() {
    let trace = run(settings(1), 2, &ONE, None, |asked| match asked.attempt.edns {
        true => Some((10, Word::NoEdns(OptRcode::FORMERR))),
        false => Some((10, Word::NameError)),
    });
    assert_eq!(
        trace.lines,
        [
            "0 name 0",
            "0 ask [0] server 0 round 1",
            "10 ask [0] server 0 round 1 plain",
            "20 name 1",
            "20 ask [0] server 0 round 1 plain"
        ]
    );
    let trace = run(settings(1), 1, &ONE, None, |_| Some((10, Word::NoEdns(OptRcode::FORMERR))));
    assert_eq!(trace.outcomes[&0].1, failed(0, Failure::Rcode(OptRcode::FORMERR)));
}

#[test]
fn single_request_asks_for_one_type_after_the_other() {
    let settings = Settings { single_request: true, ..settings(1) };
    let trace = run(settings, 1, &BOTH, None, |_| Some((10, Word::Found)));
    assert_eq!(trace.lines[1..], ["0 ask [0] server 0 round 1", "10 ask [1] server 0 round 1"]);
}

#[test]
fn the_next_name_begins_with_the_server_that_answered() {
    let trace = run(settings(2), 3, &ONE, None, |asked| match (asked.attempt.server, asked.name) {
        (0, _) => None,
        (_, 2) => Some((10, Word::Found)),
        _ => Some((10, Word::NameError)),
    });
    assert_eq!(
        trace.lines[3..],
        ["1010 name 1", "1010 ask [0] server 1 round 1", "1020 name 2", "1020 ask [0] server 1 round 1"]
    );
}

#[test]
fn rotation_begins_elsewhere_and_comes_round() {
    let settings = Settings { first: 1, attempts: 1, ..settings(3) };
    let trace = run(settings, 1, &ONE, None, |_| Some((10, SERVFAIL)));
    assert_eq!(
        trace.lines[1..],
        ["0 ask [0] server 1 round 1", "10 ask [0] server 2 round 1", "20 ask [0] server 0 round 1"]
    );
}

#[test]
fn the_search_goes_on_and_the_most_telling_word_remains() {
    let outcome = |words: [Word; 3]| {
        let trace = run(settings(1), 3, &ONE, None, |asked| Some((1, words[asked.name].clone())));
        trace.outcomes[&0].1.clone()
    };
    use Word::{Found, NameError, NoData};
    assert_eq!(outcome([NameError, NameError, NameError]), Outcome::NameError { server: 0 });
    assert_eq!(outcome([NoData, NameError, NameError]), Outcome::NoData { server: 0 });
    assert_eq!(outcome([NameError, SERVFAIL, NoData]), failed(0, Failure::Rcode(OptRcode::SERVFAIL)));
    assert_eq!(outcome([SERVFAIL, NoData, Found]), Outcome::Found);
}

#[test]
fn strict_takes_no_half_answer() {
    let settings = Settings { strict: true, ..settings(1) };
    let trace = run(settings.clone(), 2, &BOTH, None, |asked| match asked.lane {
        0 => Some((10, Word::Found)),
        _ => Some((20, SERVFAIL)),
    });
    let failure = failed(0, Failure::Rcode(OptRcode::SERVFAIL));
    // Asked twice, settled together, and no other name tried.
    assert_eq!(trace.outcomes, BTreeMap::from([(0, (40, failure.clone())), (1, (40, failure))]));
    let trace = run(settings, 2, &BOTH, None, |asked| match asked.lane {
        0 => Some((10, Word::Found)),
        _ => Some((20, Word::NoData)),
    });
    assert_eq!(trace.outcomes[&0], (20, Outcome::Found));
}

#[test]
fn hints_neither_decide_nor_hold_up_the_search() {
    let roles = [Role::Decides, Role::Hints];
    let trace = run(settings(1), 2, &roles, None, |asked| match (asked.name, asked.lane) {
        (0, 0) => Some((10, Word::NameError)),
        (0, _) => None,
        (_, 0) => Some((10, Word::Found)),
        _ => Some((30, Word::Found)),
    });
    assert_eq!(trace.outcomes[&0], (20, Outcome::Found));
    assert_eq!(trace.outcomes[&1], (40, Outcome::Found));
    let trace = run(settings(1), 1, &roles, None, |asked| (asked.lane == 0).then_some((10, Word::NameError)));
    assert_eq!(trace.end, 10);
    // Found, they are told at once, and not asked for again.
    let trace = run(settings(1), 2, &roles, None, |asked| match asked.lane {
        0 => Some((30, if asked.name == 0 { Word::NoData } else { Word::Found })),
        _ => Some((10, Word::Found)),
    });
    assert_eq!(trace.outcomes[&1], (10, Outcome::Found));
    assert_eq!(trace.lines[2..], ["30 name 1", "30 ask [0] server 0 round 1"]);
}

#[test]
fn every_server_gets_its_share_of_a_short_budget() {
    let trace = run(settings(3), 1, &ONE, Some(600), |asked| {
        (asked.attempt.server == 2).then_some((150, Word::Found))
    });
    assert_eq!(
        trace.lines[1..],
        ["0 ask [0] server 0 round 1", "200 ask [0] server 1 round 1", "400 ask [0] server 2 round 1"]
    );
    assert_eq!(trace.outcomes[&0], (550, Outcome::Found));
    let trace = run(settings(3), 1, &ONE, Some(600), |_| None);
    assert_eq!(trace.outcomes[&0], (600, failed(2, Failure::TimedOut)));
}

#[test]
fn a_deadline_that_moves_takes_the_shares_with_it() {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut plan = QueryPlan::new(settings(2), 1, &ONE);
    plan.set_deadline(Some(at(100)));
    assert_eq!(plan.next(start), Action::Name(0));
    assert!(matches!(plan.next(start), Action::Ask(_)));
    assert_eq!(plan.next(start), Action::Wait(at(50)));
    plan.set_deadline(Some(at(1500)));
    assert_eq!(plan.next(at(50)), Action::Wait(at(750)));
    plan.set_deadline(None);
    assert_eq!(plan.next(at(750)), Action::Wait(at(1000)));
    plan.set_deadline(Some(at(20)));
    assert!(matches!(
        plan.next(at(750)),
        Action::Settle(0, Outcome::Failed { failure: Failure::TimedOut, .. })
    ));
}

#[test]
fn without_servers_there_is_nothing_to_ask() {
    let trace = run(settings(0), 2, &BOTH, None, |_| unreachable!("nobody to ask"));
    assert_eq!(trace.outcomes[&1].1, failed(0, Failure::NoServers));
}

/// Runs a lookup of one name with an old answer at hand.
fn with_old_answer(role_count: usize, world: impl Fn(usize, usize) -> Said) -> Vec<String> {
    let start = Instant::now();
    let at = |ms: u64| start + Duration::from_millis(ms);
    let mut plan = QueryPlan::new(settings(2), 1, &BOTH[..role_count]);
    let (mut now, mut pending, mut lines) = (0, Vec::new(), Vec::new());
    loop {
        match plan.next(at(now)) {
            Action::Name(_) => {}
            Action::Ask(ask) => {
                for lane in ask.lanes {
                    plan.offer(lane, at(1800));
                    pending.extend(
                        world(lane, ask.attempt.server).map(|(ms, word)| (now + ms, ask.id, lane, word)),
                    );
                }
            }
            Action::Settle(lane, outcome) => lines.push(format!("{now} {lane} {outcome:?}")),
            Action::Wait(until) => {
                let until = until.duration_since(start).as_millis() as u64;
                pending.sort_by_key(|&(at, ..)| std::cmp::Reverse(at));
                now = match pending.pop() {
                    Some((due, id, lane, word)) if due <= until => {
                        plan.hear(id, lane, word, at(due));
                        due
                    }
                    later => {
                        pending.extend(later);
                        until
                    }
                };
            }
            Action::Done => return lines,
        }
    }
}

#[test]
fn an_old_answer_is_settled_for_when_the_servers_fail_or_dawdle() {
    assert_eq!(with_old_answer(1, |_, _| None), ["1800 0 Found"]);
    assert_eq!(with_old_answer(1, |_, _| Some((10, SERVFAIL))), ["40 0 Found"]);
    assert_eq!(with_old_answer(1, |_, _| Some((10, Word::NameError))), ["10 0 NameError { server: 0 }"]);
    let lines = with_old_answer(2, |lane, _| (lane == 0).then_some((10, Word::Found)));
    assert_eq!(lines, ["10 0 Found", "1800 1 Found"]);
}

fn words() -> impl Strategy<Value = Word> {
    prop_oneof![
        Just(Word::Found),
        Just(Word::NoData),
        Just(Word::NameError),
        Just(Word::Truncated),
        Just(Word::NoEdns(OptRcode::FORMERR)),
        Just(SERVFAIL),
        Just(Word::Failed(Failure::Lame)),
        Just(Word::Failed(Failure::Garbled("bad".into()))),
        Just(Word::Failed(Failure::Unreachable("send", Errno::NETUNREACH))),
    ]
}

/// What each server says about each name and lane, and how soon; `None` for silence. Over TCP, or without EDNS where
/// that was the trouble, it says the second.
type Table = Vec<Option<(u64, Word, Word)>>;

fn tables(slowest: u64) -> impl Strategy<Value = Table> {
    let said = prop::option::weighted(0.8, (0..=slowest, words(), words()));
    prop::collection::vec(said, 3 * 3 * 3)
}

fn look_up(table: &Table, asked: Asked) -> Said {
    let (delay, first, second) = table[asked.name * 9 + asked.lane * 3 + asked.attempt.server].clone()?;
    let plain = asked.attempt.carrier == Carrier::Datagram && asked.attempt.edns;
    match if plain { first } else { second } {
        // No server does so over TCP.
        Word::Truncated if asked.attempt.carrier == Carrier::Stream => Some((delay, SERVFAIL)),
        word => Some((delay, word)),
    }
}

/// What one lane comes to for one name, worked out one server after the other.
fn expected(table: &Table, servers: usize, name: usize, lane: usize) -> Option<Word> {
    for server in 0..servers {
        let mut attempt = Attempt { server, round: 1, carrier: Carrier::Datagram, edns: true };
        loop {
            match look_up(table, Asked { name, lane, attempt }).map(|(_, word)| word) {
                Some(word @ (Word::Found | Word::NoData | Word::NameError)) => return Some(word),
                Some(Word::Truncated | Word::Failed(Failure::Garbled(_)))
                    if attempt.carrier == Carrier::Datagram =>
                {
                    attempt.carrier = Carrier::Stream;
                }
                Some(Word::NoEdns(_)) if attempt.edns => attempt.edns = false,
                _ => break,
            }
        }
    }
    None
}

proptest! {
    #[test]
    fn every_plan_ends_within_its_budget_and_settles_every_lane(
        servers in 0..4usize,
        names in 1..4usize,
        lanes in 1..4usize,
        slowest in prop_oneof![Just(0u64), Just(100), Just(3000)],
        table in tables(3000),
        budget in prop::option::of(0..5000u64),
        attempts in 1..4u32,
        (single_request, strict, edns) in any::<(bool, bool, bool)>(),
    ) {
        let settings = Settings { attempts, single_request, strict, edns, ..settings(servers) };
        let roles = [Role::Decides, Role::Decides, Role::Hints];
        let trace = run(settings, names, &roles[..lanes], budget, |asked| {
            look_up(&table, asked).map(|(delay, word)| (delay.min(slowest), word))
        });
        prop_assert!(budget.is_none_or(|budget| trace.end <= budget));
        let most = servers * attempts as usize * lanes * names * 3;
        let asks = trace.lines.iter().filter(|line| line.contains("ask")).count();
        prop_assert!(asks <= most, "{asks} asks, {most} expected at most");
        if strict {
            let deciding = || trace.outcomes.iter().filter(|(lane, _)| **lane < 2).map(|(_, (_, outcome))| outcome);
            let half = deciding().any(|outcome| *outcome == Outcome::Found)
                && deciding().any(|outcome| matches!(outcome, Outcome::Failed { .. }));
            prop_assert!(!half || budget.is_some());
        }
    }

    #[test]
    fn with_quick_servers_it_finds_what_asking_one_by_one_would_find(
        servers in 1..4usize,
        names in 1..4usize,
        table in tables(100),
        single_request: bool,
    ) {
        // Each lane remembers which servers refuse EDNS for all, so the table may not depend on it.
        let table: Table = table
            .into_iter()
            .map(|said| said.filter(|(_, first, second)| {
                !matches!(first, Word::NoEdns(_)) && !matches!(second, Word::NoEdns(_))
            }))
            .collect();
        let settings = Settings { single_request, attempts: 1, ..settings(servers) };
        let trace = run(settings, names, &BOTH, None, |asked| look_up(&table, asked));
        // The server to begin with moves, so which one answers may differ; compare where they agree on the answer.
        for name in 0..names {
            let all: Vec<Vec<Option<Word>>> = (0..2)
                .map(|lane| (0..servers).map(|first| {
                    let turned: Table = (0..27).map(|index| {
                        let (base, server) = (index / 3 * 3, index % 3);
                        if server < servers { table[base + (server + first) % servers].clone() } else { None }
                    }).collect();
                    expected(&turned, servers, name, lane)
                }).collect())
                .collect();
            if !all.iter().all(|words| words.iter().all(|word| *word == words[0])) {
                break;
            }
            let words: Vec<&Option<Word>> = all.iter().map(|words| &words[0]).collect();
            if words.contains(&&Some(Word::Found)) {
                for (lane, word) in words.iter().enumerate() {
                    let found = trace.outcomes[&lane].1 == Outcome::Found;
                    prop_assert_eq!(found, **word == Some(Word::Found));
                }
                break;
            }
            let last = format!("name {}", name + 1);
            prop_assert_eq!(name + 1 < names, trace.lines.iter().any(|line| line.ends_with(&last)));
        }
    }
}
