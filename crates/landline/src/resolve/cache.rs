//! The optional cache: positive and negative answers (RFC 2308), bounded, and stale ones where the servers fail
//! (RFC 8767). Pure: it is told what time it is.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::answer::{Answer, Status};
use super::message::Question;

/// How long after the first query a stale answer is given while none has come (RFC 8767 section 5: 1.8 s).
pub(crate) const STALE_ANSWER_AFTER: Duration = Duration::from_millis(1800);
/// What is left to live, as far as others are told, of a stale answer (RFC 8767 section 4).
pub(crate) const STALE_TTL: Duration = Duration::from_secs(30);
/// How long the servers are left alone after they failed to refresh an answer (RFC 8767 section 5).
const RECHECK: Duration = Duration::from_secs(30);

/// Settings of a [`Resolver`](crate::Resolver)'s cache of DNS answers.
///
/// Answers are kept for as long as their time to live says, negative ones as their SOA record says (RFC 2308), and
/// in the number given at most; the one unused for longest makes room. Failures are never kept.
///
/// ```
/// use landline::{Resolver, resolve::Cache};
/// use std::time::Duration;
///
/// let day = Duration::from_secs(24 * 60 * 60);
/// let resolver = Resolver::system().cache(Cache::new().max_entries(500).serve_stale(day));
/// # drop(resolver);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cache {
    max_entries: usize,
    min_ttl: Duration,
    max_ttl: Duration,
    max_negative_ttl: Duration,
    serve_stale: Option<Duration>,
}

impl Cache {
    /// 4096 answers, each for its time to live but at most a day, negative ones at most an hour, none of them stale.
    pub fn new() -> Cache {
        Cache {
            max_entries: 4096,
            min_ttl: Duration::ZERO,
            max_ttl: Duration::from_secs(24 * 60 * 60),
            max_negative_ttl: Duration::from_secs(60 * 60),
            serve_stale: None,
        }
    }

    /// Keeps at most this many answers. An answer is that to one type of one name.
    #[must_use]
    pub fn max_entries(mut self, entries: usize) -> Cache {
        self.max_entries = entries;
        self
    }

    /// Keeps every answer for at least this long, whatever its time to live. Zero by default.
    #[must_use]
    pub fn min_ttl(mut self, ttl: Duration) -> Cache {
        self.min_ttl = ttl;
        self
    }

    /// Keeps none for longer. A day by default.
    #[must_use]
    pub fn max_ttl(mut self, ttl: Duration) -> Cache {
        self.max_ttl = ttl;
        self
    }

    /// Keeps the word that a name, or a record of it, does not exist no longer than this. An hour by default.
    #[must_use]
    pub fn max_negative_ttl(mut self, ttl: Duration) -> Cache {
        self.max_negative_ttl = ttl;
        self
    }

    /// Where the servers fail, or say nothing for 1.8 s, gives answers that have been past their time to live for up
    /// to this long (RFC 8767, which recommends one to three days). Off by default.
    #[must_use]
    pub fn serve_stale(mut self, how_long: Duration) -> Cache {
        self.serve_stale = Some(how_long);
        self
    }
}

impl Default for Cache {
    fn default() -> Cache {
        Cache::new()
    }
}

/// The answers themselves.
#[derive(Debug)]
pub(crate) struct CachedAnswers {
    settings: Cache,
    entries: HashMap<Question, Entry>,
    /// Which were used in what order.
    uses: BTreeMap<u64, Question>,
    last_use: u64,
}

#[derive(Debug)]
struct Entry {
    answer: Arc<Answer>,
    expires: Instant,
    /// After a failure to refresh it: when to try again.
    recheck: Option<Instant>,
    used: u64,
}

/// What the cache knows.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Hit {
    /// An answer that has so long to live.
    Fresh(Arc<Answer>, Duration),
    /// One past its time, that is to be used at once, because the servers failed a moment ago.
    Stale(Arc<Answer>),
    /// One past its time, to be used if the servers fail.
    Fallback(Arc<Answer>),
}

impl CachedAnswers {
    pub(crate) fn new(settings: Cache) -> CachedAnswers {
        CachedAnswers { settings, entries: HashMap::new(), uses: BTreeMap::new(), last_use: 0 }
    }

    /// The answer to `question`, if it is known.
    pub(crate) fn find(&mut self, question: &Question, now: Instant) -> Option<Hit> {
        let entry = self.entries.get_mut(question)?;
        let hit = if now < entry.expires {
            Hit::Fresh(entry.answer.clone(), entry.expires - now)
        } else if self.settings.serve_stale.is_none_or(|limit| now - entry.expires > limit) {
            self.remove(question);
            return None;
        } else if entry.recheck.is_some_and(|at| now < at) {
            Hit::Stale(entry.answer.clone())
        } else {
            Hit::Fallback(entry.answer.clone())
        };
        self.touch(question);
        Some(hit)
    }

    /// Keeps an answer, in place of an older one.
    pub(crate) fn insert(&mut self, question: &Question, answer: &Arc<Answer>, now: Instant) {
        let Cache { min_ttl, max_ttl, max_negative_ttl, max_entries, .. } = self.settings;
        let most = if answer.status == Status::Found { max_ttl } else { max_negative_ttl.min(max_ttl) };
        self.remove(question);
        // Without a SOA record a negative answer must not be kept (RFC 2308 section 5).
        let Some(ttl) = answer.ttl.map(|ttl| ttl.max(min_ttl).min(most)) else { return };
        if ttl.is_zero() || max_entries == 0 {
            return;
        }
        while self.entries.len() >= max_entries {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            self.entries.remove(&oldest);
        }
        let entry = Entry { answer: answer.clone(), expires: now + ttl, recheck: None, used: 0 };
        self.entries.insert(question.clone(), entry);
        self.touch(question);
    }

    /// Notes that the servers failed to refresh an answer.
    pub(crate) fn refresh_failed(&mut self, question: &Question, now: Instant) {
        if let Some(entry) = self.entries.get_mut(question) {
            entry.recheck = Some(now + RECHECK);
        }
    }

    fn touch(&mut self, question: &Question) {
        let Some(entry) = self.entries.get_mut(question) else { return };
        self.uses.remove(&entry.used);
        self.last_use += 1;
        entry.used = self.last_use;
        self.uses.insert(self.last_use, question.clone());
    }

    fn remove(&mut self, question: &Question) {
        if let Some(entry) = self.entries.remove(question) {
            self.uses.remove(&entry.used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::RecordType;
    use super::*;
    use proptest::prelude::*;

    fn question(name: &str) -> Question {
        Question::new(name.parse().unwrap(), RecordType::A)
    }

    fn answer(status: Status, ttl: Option<u64>) -> Arc<Answer> {
        Arc::new(Answer {
            status,
            records: Vec::new(),
            chain: Vec::new(),
            ttl: ttl.map(Duration::from_secs),
            authenticated: false,
            dropped: Vec::new(),
        })
    }

    fn found(ttl: u64) -> Arc<Answer> {
        answer(Status::Found, Some(ttl))
    }

    /// What is found after so many seconds.
    fn after(cache: &mut CachedAnswers, name: &str, start: Instant, seconds: u64) -> Option<String> {
        cache.find(&question(name), start + Duration::from_secs(seconds)).map(|hit| match hit {
            Hit::Fresh(_, left) => format!("fresh {}", left.as_secs()),
            Hit::Stale(_) => "stale".to_owned(),
            Hit::Fallback(_) => "fallback".to_owned(),
        })
    }

    #[test]
    fn answers_are_kept_for_their_time_and_no_longer() {
        let start = Instant::now();
        let mut cache = CachedAnswers::new(Cache::new());
        cache.insert(&question("a.example"), &found(60), start);
        assert_eq!(after(&mut cache, "A.Example", start, 59), Some("fresh 1".to_owned()));
        assert_eq!(after(&mut cache, "b.example", start, 0), None);
        assert_eq!(after(&mut cache, "a.example", start, 60), None);
        assert!(cache.entries.is_empty() && cache.uses.is_empty());
    }

    #[test]
    fn times_are_kept_within_the_limits() {
        let start = Instant::now();
        let limits = Cache::new().max_entries(9);
        let limits = limits.min_ttl(Duration::from_secs(10)).max_ttl(Duration::from_secs(100));
        let mut cache = CachedAnswers::new(limits.max_negative_ttl(Duration::from_secs(30)));
        for (answer, left) in [
            (found(0), Some("fresh 10")),
            (found(50), Some("fresh 50")),
            (found(1000), Some("fresh 100")),
            (answer(Status::NameError, Some(1000)), Some("fresh 30")),
            (answer(Status::NoData, Some(20)), Some("fresh 20")),
            (answer(Status::NameError, None), None),
        ] {
            cache.insert(&question("a.example"), &answer, start);
            assert_eq!(after(&mut cache, "a.example", start, 0).as_deref(), left);
        }
        let mut cache = CachedAnswers::new(Cache::new());
        cache.insert(&question("a.example"), &found(0), start);
        assert_eq!(after(&mut cache, "a.example", start, 0), None);
    }

    #[test]
    fn the_one_unused_for_longest_makes_room() {
        let start = Instant::now();
        let mut cache = CachedAnswers::new(Cache::new().max_entries(2));
        cache.insert(&question("a.example"), &found(60), start);
        cache.insert(&question("b.example"), &found(60), start);
        assert!(after(&mut cache, "a.example", start, 1).is_some());
        cache.insert(&question("c.example"), &found(60), start);
        assert!(after(&mut cache, "b.example", start, 1).is_none());
        assert!(after(&mut cache, "a.example", start, 1).is_some());
        assert!(after(&mut cache, "c.example", start, 1).is_some());

        let mut none = CachedAnswers::new(Cache::new().max_entries(0));
        none.insert(&question("a.example"), &found(60), start);
        assert_eq!(after(&mut none, "a.example", start, 0), None);
    }

    #[test]
    fn stale_answers_wait_for_the_servers_to_fail() {
        let start = Instant::now();
        let mut cache = CachedAnswers::new(Cache::new().serve_stale(Duration::from_secs(1000)));
        cache.insert(&question("a.example"), &found(60), start);
        assert_eq!(after(&mut cache, "a.example", start, 61).as_deref(), Some("fallback"));
        cache.refresh_failed(&question("a.example"), start + Duration::from_secs(61));
        assert_eq!(after(&mut cache, "a.example", start, 62).as_deref(), Some("stale"));
        assert_eq!(after(&mut cache, "a.example", start, 91).as_deref(), Some("fallback"));
        cache.insert(&question("a.example"), &found(60), start + Duration::from_secs(91));
        assert_eq!(after(&mut cache, "a.example", start, 91).as_deref(), Some("fresh 60"));
        assert_eq!(after(&mut cache, "a.example", start, 151 + 1000).as_deref(), Some("fallback"));
        assert_eq!(after(&mut cache, "a.example", start, 152 + 1000), None);
    }

    proptest! {
        #[test]
        fn it_never_holds_more_than_it_may_and_knows_what_it_holds(
            steps in prop::collection::vec((0..4u8, 0..12u8, 0..100u64), 0..100),
            most in 0..6usize,
        ) {
            let start = Instant::now();
            let mut cache = CachedAnswers::new(Cache::new().max_entries(most).serve_stale(Duration::from_secs(20)));
            let mut now = start;
            for (step, name, number) in steps {
                let question = question(&format!("n{name}.example"));
                match step {
                    0 => now += Duration::from_secs(number),
                    1 => cache.insert(&question, &found(number), now),
                    2 => cache.refresh_failed(&question, now),
                    _ => {
                        if let Some(Hit::Fresh(answer, left)) = cache.find(&question, now) {
                            prop_assert!(Some(left) <= answer.ttl);
                        }
                    }
                }
                prop_assert!(cache.entries.len() <= most);
                prop_assert_eq!(cache.entries.len(), cache.uses.len());
            }
        }
    }
}
