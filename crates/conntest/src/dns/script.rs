//! Which reply a query gets: no socket and no clock.

use std::collections::{BTreeSet, VecDeque};

use tokio::time::Duration;

use super::encode::{Aliases, encode};
use super::name::Name;
use super::query::{Query, Transport};
use super::record::RecordType;
use super::reply::{Content, Pace, Reply, Source};

/// What a server knows of EDNS (RFC 6891).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EdnsSupport {
    /// It understands it, and says so in its answers.
    #[default]
    Full,
    /// It ignores it: answers hold no OPT record, and are truncated at 512 bytes.
    Ignored,
    /// It answers queries that have it with FORMERR, as old servers do.
    Refused,
}

#[derive(Clone, Debug)]
pub(super) struct Script {
    entries: Vec<Entry>,
    aliases: Vec<(Name, Name)>,
    otherwise: Reply,
    dropped: BTreeSet<u64>,
    edns: EdnsSupport,
    received: u64,
}

#[derive(Clone, Debug)]
struct Entry {
    name: Name,
    /// `None` for all types.
    record_type: Option<RecordType>,
    /// In turn; the last stays.
    replies: VecDeque<Reply>,
}

/// One thing to do for a query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Delivery {
    /// Counts the queries from 1.
    pub(super) query: u64,
    pub(super) delay: Duration,
    pub(super) after_answers: u64,
    pub(super) source: Source,
    pub(super) pace: Pace,
    /// With the length in front over TCP.
    pub(super) bytes: Vec<u8>,
    pub(super) connection: Connection,
}

impl Delivery {
    /// Whether there is nothing to wait for: such are delivered in the order of their queries.
    pub(super) fn is_due(&self) -> bool {
        self.after_answers == 0 && self.delay.is_zero()
    }
}

/// What becomes of a TCP connection after a delivery.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Connection {
    Kept,
    Closed,
}

impl Script {
    pub(super) fn new() -> Script {
        Script {
            entries: Vec::new(),
            aliases: Vec::new(),
            otherwise: Reply::no_such_name(),
            dropped: BTreeSet::new(),
            edns: EdnsSupport::Full,
            received: 0,
        }
    }

    pub(super) fn add(&mut self, name: Name, record_type: Option<RecordType>, reply: Reply) {
        match self.position(&name, record_type) {
            Some(at) => self.entries[at].replies.push_back(reply),
            None => self.entries.push(Entry { name, record_type, replies: VecDeque::from([reply]) }),
        }
    }

    /// Forgets all that was scripted for the question.
    pub(super) fn remove(&mut self, name: &Name, record_type: Option<RecordType>) {
        if let Some(at) = self.position(name, record_type) {
            self.entries.remove(at);
        }
    }

    pub(super) fn alias(&mut self, name: Name, target: Name) {
        self.aliases.retain(|(owner, _)| *owner != name);
        self.aliases.push((name, target));
    }

    pub(super) fn otherwise(&mut self, reply: Reply) {
        self.otherwise = reply;
    }

    pub(super) fn drop_query(&mut self, number: u64) {
        self.dropped.insert(number);
    }

    pub(super) fn edns(&mut self, edns: EdnsSupport) {
        self.edns = edns;
    }

    fn position(&self, name: &Name, record_type: Option<RecordType>) -> Option<usize> {
        self.entries.iter().position(|entry| entry.name == *name && entry.record_type == record_type)
    }

    /// What is to be done for the next query, and its number.
    pub(super) fn deliveries(&mut self, query: &Query) -> (u64, Vec<Delivery>) {
        self.received += 1;
        if self.dropped.contains(&self.received) {
            return (self.received, Vec::new());
        }
        let without_edns;
        let (query, refused) = match self.edns {
            EdnsSupport::Full => (query, false),
            EdnsSupport::Ignored | EdnsSupport::Refused => {
                without_edns = Query { edns: None, ..query.clone() };
                (&without_edns, self.edns == EdnsSupport::Refused && query.edns.is_some())
            }
        };
        let (aliases, reply) = if refused {
            (Aliases::default(), Reply::code(1))
        } else {
            let (aliases, subject) = self.follow(&query.question, query.record_type);
            (aliases, self.reply(&subject, query.record_type))
        };
        let mut deliveries = Vec::new();
        self.plan(&reply, query, &aliases, &mut deliveries);
        (self.received, deliveries)
    }

    fn plan(&self, reply: &Reply, query: &Query, aliases: &Aliases, deliveries: &mut Vec<Delivery>) {
        if reply.over.is_none_or(|over| over == query.transport) {
            deliveries.extend(self.delivery(reply, query, aliases));
        }
        for next in &reply.then {
            self.plan(next, query, aliases, deliveries);
        }
    }

    fn delivery(&self, reply: &Reply, query: &Query, aliases: &Aliases) -> Option<Delivery> {
        let tcp = query.transport == Transport::Tcp;
        let mut connection = Connection::Kept;
        let mut bytes = match encode(reply, query, aliases) {
            Some(bytes) => bytes,
            None if tcp && matches!(reply.content, Content::Close) => Vec::new(),
            None => return None,
        };
        let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
        if let Some(cut) = reply.cut {
            bytes.truncate(cut);
            connection = Connection::Closed;
        }
        if matches!(reply.content, Content::Close) {
            connection = Connection::Closed;
        } else if tcp {
            bytes.splice(0..0, length.to_be_bytes());
        }
        Some(Delivery {
            query: self.received,
            delay: reply.delay,
            after_answers: reply.after_answers,
            source: reply.source,
            pace: reply.pace,
            bytes,
            connection,
        })
    }

    /// The way along the aliases from `name`, and where it ends. A loop ends where it began, with all its records.
    fn follow(&self, name: &Name, asked: RecordType) -> (Aliases, Name) {
        let mut way = Aliases::default();
        let mut here = name.clone();
        // A question for the alias itself is not led on (RFC 1034 section 3.6.2).
        while !matches!(asked, RecordType::CNAME | RecordType::ANY)
            && !way.0.iter().any(|(owner, _)| *owner == here)
            && let Some((_, target)) = self.aliases.iter().find(|(owner, _)| *owner == here)
        {
            way.0.push((here, target.clone()));
            here = target.clone();
        }
        (way, here)
    }

    fn reply(&mut self, name: &Name, asked: RecordType) -> Reply {
        let own = self.position(name, Some(asked)).or_else(|| self.position(name, None));
        if let Some(at) = own {
            let replies = &mut self.entries[at].replies;
            let next = if replies.len() > 1 { replies.pop_front() } else { replies.front().cloned() };
            return next.expect("an entry has a reply");
        }
        if let Some((_, target)) = self.aliases.iter().find(|(owner, _)| owner == name) {
            return match asked {
                RecordType::CNAME | RecordType::ANY => {
                    Reply::records([super::record::Record::raw(RecordType::CNAME, target.wire())])
                }
                // The end of a loop.
                _ => Reply::no_data(),
            };
        }
        // A name that exists with other types is not the same as one that does not exist.
        if self.entries.iter().any(|entry| entry.name == *name) {
            return Reply::no_data();
        }
        self.otherwise.clone()
    }
}
