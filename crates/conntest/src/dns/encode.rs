//! A reply to a query, in bytes.

use super::name::Name;
use super::query::{HEADER, Query, Transport};
use super::record::{Record, RecordType};
use super::reply::{Answers, Content, Id, Question, Recursion, Reply, Truncation};

/// The CNAME records that lead from the name asked for to the one the reply is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aliases(pub(super) Vec<(Name, Name)>);

/// What this server says in its OPT record; DNS flag day 2020.
const OWN_UDP_SIZE: u16 = 1232;
/// RFC 1035 section 4.2.1.
const PLAIN_UDP_SIZE: u16 = 512;

const QR: u16 = 0x8000;
const AA: u16 = 0x0400;
const TC: u16 = 0x0200;
const RD: u16 = 0x0100;
const RA: u16 = 0x0080;
const AD: u16 = 0x0020;

/// The message, without a length in front; `None` if nothing is to be sent.
pub(super) fn encode(reply: &Reply, query: &Query, aliases: &Aliases) -> Option<Vec<u8>> {
    let mut message = match &reply.content {
        Content::Nothing | Content::Close => return None,
        Content::Custom(make) => make(query),
        Content::Message { code, answers, authority, additional } => {
            let answers = records_of(answers, query.record_type);
            let sections = [&answers[..], authority, additional];
            let whole = Draft { reply, query, aliases, code: *code, sections, truncated: false }.encode();
            let truncate = query.transport == Transport::Udp
                && match reply.truncation {
                    Truncation::AsNeeded => whole.len() > room(query),
                    Truncation::Always => true,
                    Truncation::FlagOnly | Truncation::Never => false,
                };
            if truncate {
                let aliases = &Aliases::default();
                Draft { reply, query, aliases, code: *code, sections: [&[]; 3], truncated: true }.encode()
            } else {
                whole
            }
        }
    };
    if reply.id == Id::Wrong && message.len() >= 2 {
        message[..2].copy_from_slice(&query.id.wrapping_add(1).to_be_bytes());
    }
    if reply.garbled {
        for (at, byte) in message.iter_mut().enumerate().skip(4) {
            // Neither zeros, which are valid in most places, nor the same everywhere.
            *byte = 0xd1 ^ (at as u8).wrapping_mul(37);
        }
    }
    message.extend(&reply.trailing);
    Some(message)
}

/// The largest datagram the client can take.
fn room(query: &Query) -> usize {
    usize::from(query.edns.as_ref().map_or(PLAIN_UDP_SIZE, |edns| edns.udp_size.max(PLAIN_UDP_SIZE)))
}

fn records_of(answers: &Answers, asked: RecordType) -> Vec<Record> {
    let of_type = |record: &Record| asked == RecordType::ANY || record.record_type == asked;
    match answers {
        Answers::Records(records) => records.clone(),
        Answers::Addresses(addresses) => {
            addresses.iter().map(|&address| Record::address(address)).filter(of_type).collect()
        }
        Answers::Many(count) => (0..*count)
            .filter_map(|number| match asked {
                RecordType::A => Some(Record::raw(asked, (0x0a00_0000 | u32::from(number)).to_be_bytes())),
                RecordType::AAAA => {
                    Some(Record::raw(asked, (0xfd00 << 112 | u128::from(number)).to_be_bytes()))
                }
                _ => None,
            })
            .collect(),
    }
}

struct Draft<'a> {
    reply: &'a Reply,
    query: &'a Query,
    aliases: &'a Aliases,
    code: u8,
    /// Answers, authority, additional.
    sections: [&'a [Record]; 3],
    truncated: bool,
}

impl Draft<'_> {
    fn encode(&self) -> Vec<u8> {
        let Draft { reply, query, .. } = self;
        let opt = reply.edns && query.edns.is_some();
        let counts = [
            usize::from(!matches!(reply.question, Question::Missing)),
            self.aliases.0.len() + self.sections[0].len(),
            self.sections[1].len(),
            self.sections[2].len() + usize::from(opt),
        ];
        let mut message = query.id.to_be_bytes().to_vec();
        message.extend(self.flags().to_be_bytes());
        message.extend(counts.into_iter().flat_map(|count| (count as u16).to_be_bytes()));
        let question = match &reply.question {
            Question::Right | Question::Missing => (query.question.clone(), query.record_type),
            Question::OtherCase => (query.question.in_other_case(), query.record_type),
            Question::Other(name, record_type) => (name.clone(), *record_type),
        };
        if !matches!(reply.question, Question::Missing) {
            message.extend(question.0.wire());
            message.extend(question.1.0.to_be_bytes());
            message.extend(query.class.to_be_bytes());
        }
        let repeated = !matches!(reply.question, Question::Missing);
        let names = Names { question: question.0, repeated, ttl: reply.ttl };
        for (owner, target) in &self.aliases.0 {
            let alias = Record::raw(RecordType::CNAME, target.wire());
            // The first is owned by the name of the question, as it stands there.
            let owner = if *owner == query.question { &names.question } else { owner };
            names.push(&mut message, owner, &alias);
        }
        let subject = self.aliases.0.last().map_or(&names.question, |(_, target)| target);
        for record in self.sections.into_iter().flatten() {
            names.push(&mut message, record.owner.as_ref().unwrap_or(subject), record);
        }
        if opt {
            message.push(0);
            message.extend(RecordType::OPT.0.to_be_bytes());
            message.extend(OWN_UDP_SIZE.to_be_bytes());
            // Extended code, version and flags, and no options.
            message.extend([0; 6]);
        }
        message
    }

    fn flags(&self) -> u16 {
        let Draft { reply, query, .. } = self;
        let truncated = self.truncated || reply.truncation == Truncation::FlagOnly;
        [
            (true, QR),
            (reply.authoritative, AA),
            (truncated, TC),
            (query.recursion_desired, RD),
            (reply.recursion == Recursion::Available, RA),
            (reply.authentic, AD),
        ]
        .into_iter()
        .filter_map(|(set, flag)| set.then_some(flag))
        .fold(u16::from(self.code), |flags, flag| flags | flag)
    }
}

struct Names {
    question: Name,
    /// Whether the question stands in the message, and can be pointed to.
    repeated: bool,
    ttl: Option<u32>,
}

impl Names {
    fn push(&self, message: &mut Vec<u8>, owner: &Name, record: &Record) {
        if self.repeated && owner.wire() == self.question.wire() {
            message.extend((0xc000 | HEADER as u16).to_be_bytes());
        } else {
            message.extend(owner.wire());
        }
        message.extend(record.record_type.0.to_be_bytes());
        message.extend(record.class.to_be_bytes());
        message.extend(self.ttl.unwrap_or(record.ttl).to_be_bytes());
        message.extend((record.data.len() as u16).to_be_bytes());
        message.extend(&record.data);
    }
}
