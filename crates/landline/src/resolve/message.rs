//! DNS messages (RFC 1035, RFC 6891): composing a query, and telling its answer from everything else that arrives.

use std::borrow::Cow;
use std::fmt;

use domain::base::iana::{Class, Opcode, OptRcode, Rtype};
use domain::base::name::ToName;
use domain::base::{Message, MessageBuilder, Name as WireName, ParsedName};

use super::answer::{Answer, Status};
use super::name::Name;
use super::record::RecordType;

/// The size of UDP answers that servers are told to keep to: what passes every path without fragments (the
/// recommendation of DNS Flag Day 2020).
pub(crate) const UDP_PAYLOAD: u16 = 1232;

/// What is asked: one record type of one name, in class IN.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) record: RecordType,
}

/// The ways in which a query may differ beside its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Form {
    /// Carries an OPT record with [`UDP_PAYLOAD`].
    pub(crate) edns: bool,
    /// Asks whether the answer is authenticated: the AD bit (RFC 6840 section 5.7).
    pub(crate) trust_ad: bool,
}

/// What carries a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Carrier {
    /// Each message a packet of its own, cut at the size the query offered.
    Datagram,
    /// Each message after its length (RFC 7766), whole.
    Stream,
}

/// A question on its way to a server.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    id: u16,
    record: RecordType,
    form: Form,
    packet: Vec<u8>,
    /// The end of the name in the packet, which begins behind the header.
    name_end: usize,
}

/// What a server said to a query.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// Records, or that there are none.
    Answer(Answer),
    /// Cut short; the whole is to be had over TCP.
    Truncated,
    /// A referral, or nothing, from a server that neither recurses nor is responsible for the name.
    Lame,
    /// Refused because of the OPT record (RFC 6891 section 7).
    NoEdns(OptRcode),
    /// Any other failure.
    Failed(OptRcode),
    /// An answer to this query that cannot be understood or does not fit it.
    Garbled(Cow<'static, str>),
}

const HEADER: usize = 12;

impl Question {
    pub(crate) fn new(name: Name, record: RecordType) -> Question {
        Question { name, record }
    }
}

impl fmt::Display for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.record)
    }
}

impl Query {
    /// Composes the packet. `id` must come from a source that nobody can predict (RFC 5452 section 9.2).
    pub(crate) fn new(id: u16, question: &Question, form: Form) -> Query {
        let mut wire = [0; 256];
        let name = to_wire(&question.name, &mut wire);
        let packet = compose(id, name, question.record, form).expect("a vector takes any query");
        Query { id, record: question.record, form, name_end: HEADER + name.len(), packet }
    }

    pub(crate) fn id(&self) -> u16 {
        self.id
    }

    pub(crate) fn packet(&self) -> &[u8] {
        &self.packet
    }

    /// What `packet` says to this query, or `None` where it is no answer to it: late, or forged (RFC 5452 section
    /// 9.1), and then the wait goes on.
    pub(crate) fn read(&self, packet: &[u8], carrier: Carrier) -> Option<Reply> {
        let message = Message::from_slice(packet).ok()?;
        let header = message.header();
        if header.id() != self.id || !header.qr() || header.opcode() != Opcode::QUERY {
            return None;
        }
        let garbled = |fault: &'static str| Some(Reply::Garbled(fault.into()));
        match message.header_counts().qdcount() {
            // Some servers repeat no question when they refuse to look at it.
            0 if message.is_error() && message.header_counts().ancount() == 0 => {}
            1 => {
                let Some(question) = message.first_question() else {
                    return garbled("its question cannot be read");
                };
                let fits = question.qname().name_eq(self.name())
                    && question.qtype() == rtype(self.record)
                    && question.qclass() == Class::IN;
                if !fits {
                    return None;
                }
            }
            _ => return garbled("it does not hold one question"),
        }
        Some(self.judge(message, carrier))
    }

    fn judge(&self, message: &Message<[u8]>, carrier: Carrier) -> Reply {
        let header = message.header();
        match (header.tc(), carrier) {
            (true, Carrier::Datagram) => return Reply::Truncated,
            (true, Carrier::Stream) => return Reply::Garbled("truncated over TCP".into()),
            (false, _) => {}
        }
        let answers = message.header_counts().ancount();
        // The OPT record has the upper bits of the response code, and stands behind all the rest.
        let rcode = if answers > 0 && message.no_error() { OptRcode::NOERROR } else { message.opt_rcode() };
        match rcode {
            OptRcode::NOERROR | OptRcode::NXDOMAIN => {}
            OptRcode::FORMERR | OptRcode::NOTIMP | OptRcode::BADVERS if self.form.edns => {
                return Reply::NoEdns(rcode);
            }
            rcode => return Reply::Failed(rcode),
        }
        let answer = match Answer::extract(message, self.name(), self.record) {
            Ok(answer) => answer,
            Err(fault) => return Reply::Garbled(fault),
        };
        // As in libresolv, an answer without records counts only from a server that could know better; but a SOA
        // record proves that it does.
        let knows = header.aa() || header.ra() || answer.ttl.is_some();
        if answer.status == Status::NoData && answers == 0 && !knows {
            return Reply::Lame;
        }
        Reply::Answer(Answer { authenticated: self.form.trust_ad && header.ad(), ..answer })
    }

    fn name(&self) -> &WireName<[u8]> {
        WireName::from_slice(&self.packet[HEADER..self.name_end]).expect("composed from a valid name")
    }
}

fn compose(
    id: u16,
    name: &WireName<[u8]>,
    record: RecordType,
    form: Form,
) -> Result<Vec<u8>, domain::base::message_builder::PushError> {
    let packet = Vec::with_capacity(HEADER + name.len() + 4 + 11);
    let mut builder = MessageBuilder::from_target(packet)?;
    let header = builder.header_mut();
    header.set_id(id);
    header.set_rd(true);
    header.set_ad(form.trust_ad);
    let mut builder = builder.question();
    builder.push((name, rtype(record), Class::IN))?;
    let mut builder = builder.additional();
    if form.edns {
        builder.opt(|opt| {
            opt.set_udp_payload_size(UDP_PAYLOAD);
            Ok(())
        })?;
    }
    Ok(builder.finish())
}

/// The wire form, in `buffer`; a valid [`Name`] is at most 255 octets there.
fn to_wire<'a>(name: &Name, buffer: &'a mut [u8; 256]) -> &'a WireName<[u8]> {
    let mut end = 0;
    for label in name.labels() {
        buffer[end] = label.len() as u8;
        buffer[end + 1..end + 1 + label.len()].copy_from_slice(label.as_bytes());
        end += 1 + label.len();
    }
    buffer[end] = 0;
    WireName::from_slice(&buffer[..=end]).expect("a Name fits the wire")
}

/// The text of a name from the wire, with its final dot; characters that would read as something else escaped.
pub(crate) fn from_wire<Octets: AsRef<[u8]>>(name: &ParsedName<Octets>) -> String
where
    ParsedName<Octets>: ToName,
{
    name.fmt_with_dot().to_string()
}

pub(crate) fn rtype(record: RecordType) -> Rtype {
    match record {
        RecordType::A => Rtype::A,
        RecordType::Ns => Rtype::NS,
        RecordType::Cname => Rtype::CNAME,
        RecordType::Ptr => Rtype::PTR,
        RecordType::Mx => Rtype::MX,
        RecordType::Txt => Rtype::TXT,
        RecordType::Aaaa => Rtype::AAAA,
        RecordType::Srv => Rtype::SRV,
        RecordType::Svcb => Rtype::SVCB,
        RecordType::Https => Rtype::HTTPS,
    }
}

#[cfg(test)]
mod tests;
