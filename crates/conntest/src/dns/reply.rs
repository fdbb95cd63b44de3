//! What to answer, and how to spoil it.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::time::Duration;

use super::name::Name;
use super::query::{Query, Transport};
use super::record::{Record, RecordType};

/// An answer in a script: honest, unless made to lie.
///
/// Constructors say what is answered; the other methods change how, and can be combined. An honest answer repeats
/// the question, sets QR, RD as asked, and RA, and holds an OPT record if the query did. Over UDP it is truncated (TC,
/// and no records) when it does not fit what the client can take: 512 bytes, or what its EDNS says.
///
/// ```
/// use conntest::dns::{Record, Reply};
/// use std::time::Duration;
///
/// let late = Reply::records([Record::a([192, 0, 2, 1]).ttl(0)]).delayed(Duration::from_millis(80));
/// let forged_first = Reply::records([Record::a([203, 0, 113, 66])]).wrong_id().then(late);
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Reply {
    pub(super) content: Content,
    pub(super) id: Id,
    pub(super) question: Question,
    pub(super) source: Source,
    pub(super) recursion: Recursion,
    pub(super) truncation: Truncation,
    pub(super) authoritative: bool,
    pub(super) authentic: bool,
    pub(super) ttl: Option<u32>,
    pub(super) edns: bool,
    pub(super) garbled: bool,
    pub(super) trailing: Vec<u8>,
    pub(super) cut: Option<usize>,
    pub(super) pace: Pace,
    pub(super) delay: Duration,
    pub(super) after_answers: u64,
    pub(super) over: Option<Transport>,
    pub(super) then: Vec<Reply>,
}

type Custom = dyn Fn(&Query) -> Vec<u8> + Send + Sync;

#[derive(Clone)]
pub(super) enum Content {
    Message { code: u8, answers: Answers, authority: Vec<Record>, additional: Vec<Record> },
    Custom(Arc<Custom>),
    Nothing,
    Close,
}

#[derive(Clone, Debug)]
pub(super) enum Answers {
    /// These.
    Records(Vec<Record>),
    /// Those of the family asked for.
    Addresses(Vec<IpAddr>),
    /// So many different ones, of the family asked for.
    Many(u16),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Id {
    Right,
    Wrong,
}

#[derive(Clone, Debug)]
pub(super) enum Question {
    Right,
    OtherCase,
    Other(Name, RecordType),
    Missing,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Source {
    Right,
    OtherPort,
    OtherAddress,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Recursion {
    Available,
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Truncation {
    /// Over UDP, where it does not fit.
    AsNeeded,
    /// Over UDP, always.
    Always,
    /// The flag alone, over UDP and TCP.
    FlagOnly,
    /// Never, however large it is.
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Pace {
    Whole,
    ByteByByte,
}

// What is answered.
impl Reply {
    /// These records, whatever they are; none make it [`Reply::no_data`].
    pub fn records(records: impl IntoIterator<Item = Record>) -> Reply {
        Reply::message(0, Answers::Records(records.into_iter().collect()))
    }

    /// Those of the addresses that are of the type asked for, A or AAAA, and no data for any other.
    pub fn addresses<A: Into<IpAddr>>(addresses: impl IntoIterator<Item = A>) -> Reply {
        Reply::message(0, Answers::Addresses(addresses.into_iter().map(Into::into).collect()))
    }

    /// `count` different addresses of the type asked for: `10.0.x.x` or `fd00::x`. From 30 or so on (IPv6: 17) they do
    /// not fit 512 bytes.
    pub fn many_addresses(count: u16) -> Reply {
        Reply::message(0, Answers::Many(count))
    }

    /// The name exists, but not with the type asked for: NOERROR without records.
    pub fn no_data() -> Reply {
        Reply::records([])
    }

    /// The name does not exist: NXDOMAIN.
    pub fn no_such_name() -> Reply {
        Reply::code(3)
    }

    /// The server failed: SERVFAIL.
    pub fn server_failure() -> Reply {
        Reply::code(2)
    }

    /// The server does not want to answer: REFUSED.
    pub fn refused() -> Reply {
        Reply::code(5)
    }

    /// Any response code from 0 to 15, without records.
    ///
    /// # Panics
    ///
    /// If the code has more than four bits.
    #[track_caller]
    pub fn code(code: u8) -> Reply {
        assert!(code < 16, "conntest: response code {code} does not fit the header");
        Reply::message(code, Answers::Records(Vec::new()))
    }

    /// A server that is asked about something it does not know: no answer, no recursion, and a referral to the
    /// servers of the root.
    pub fn lame() -> Reply {
        Reply::no_data().authority(Record::ns("a.root-servers.net").owner(".")).no_recursion()
    }

    /// Nothing, ever.
    pub fn silence() -> Reply {
        Reply::with(Content::Nothing)
    }

    /// Over TCP closes the connection; over UDP nothing.
    pub fn close() -> Reply {
        Reply::with(Content::Close)
    }

    /// A message made by `make`, sent as it is (over TCP with its length in front).
    pub fn custom(make: impl Fn(&Query) -> Vec<u8> + Send + Sync + 'static) -> Reply {
        Reply::with(Content::Custom(Arc::new(make)))
    }

    /// A message with the right id and question, and a record whose name is a pointer to itself.
    pub fn pointer_loop() -> Reply {
        Reply::custom(|query| {
            let question = super::query::HEADER..super::query::HEADER + query.question.wire().len() + 4;
            let mut message = query.raw[..question.end].to_vec();
            message[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            let here = 0xc000 | message.len() as u16;
            message.extend(here.to_be_bytes());
            message.extend([0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
            message
        })
    }
}

// What else it holds, and how it lies.
impl Reply {
    /// One more record in the authority section; no effect on what holds no message.
    pub fn authority(mut self, record: Record) -> Reply {
        if let Content::Message { authority, .. } = &mut self.content {
            authority.push(record);
        }
        self
    }

    /// One more record in the additional section; no effect on what holds no message.
    pub fn additional(mut self, record: Record) -> Reply {
        if let Content::Message { additional, .. } = &mut self.content {
            additional.push(record);
        }
        self
    }

    /// All its records with `seconds` to live.
    pub fn ttl(mut self, seconds: u32) -> Reply {
        self.ttl = Some(seconds);
        self
    }

    /// AA: the server is an authority for the name.
    pub fn authoritative(mut self) -> Reply {
        self.authoritative = true;
        self
    }

    /// AD: the server has checked the signatures.
    pub fn authentic(mut self) -> Reply {
        self.authentic = true;
        self
    }

    /// RA is not set: the server does not ask others.
    pub fn no_recursion(mut self) -> Reply {
        self.recursion = Recursion::Unavailable;
        self
    }

    /// Without the OPT record that the query asks for.
    pub fn without_edns(mut self) -> Reply {
        self.edns = false;
        self
    }

    /// Over UDP truncated (TC, and no records) even if it fits; whole over TCP.
    pub fn truncated(mut self) -> Reply {
        self.truncation = Truncation::Always;
        self
    }

    /// Says it is truncated (TC), and holds all its records; over TCP too.
    pub fn truncated_in_name_only(mut self) -> Reply {
        self.truncation = Truncation::FlagOnly;
        self
    }

    /// Over UDP in full, however little the client said it can take.
    pub fn oversized(mut self) -> Reply {
        self.truncation = Truncation::Never;
        self
    }

    /// Carries another id than the query.
    pub fn wrong_id(mut self) -> Reply {
        self.id = Id::Wrong;
        self
    }

    /// Repeats another question than the one asked; records without an owner of their own are owned by that name.
    #[track_caller]
    pub fn wrong_question(mut self, name: &str, record_type: RecordType) -> Reply {
        self.question = Question::Other(Name::of(name), record_type);
        self
    }

    /// Repeats the question with every letter in the other case.
    pub fn mangled_case(mut self) -> Reply {
        self.question = Question::OtherCase;
        self
    }

    /// Does not repeat the question.
    pub fn without_question(mut self) -> Reply {
        self.question = Question::Missing;
        self
    }

    /// Over UDP comes from another port of the server's address; no effect over TCP.
    pub fn from_other_port(mut self) -> Reply {
        self.source = Source::OtherPort;
        self
    }

    /// Over UDP comes from another address (on IPv6, which has but one loopback address, from another port); no
    /// effect over TCP.
    pub fn from_other_address(mut self) -> Reply {
        self.source = Source::OtherAddress;
        self
    }

    /// Noise in place of everything after the id and the flags.
    pub fn garbled(mut self) -> Reply {
        self.garbled = true;
        self
    }

    /// Followed by bytes that are part of nothing.
    pub fn trailing(mut self, bytes: impl Into<Vec<u8>>) -> Reply {
        self.trailing = bytes.into();
        self
    }

    /// Only the first `bytes` bytes: a datagram that ends there, or a TCP connection that is closed there although its
    /// length promised more.
    pub fn cut_to(mut self, bytes: usize) -> Reply {
        self.cut = Some(bytes);
        self
    }

    /// Over TCP one byte at a time, a millisecond apart; no effect over UDP.
    pub fn byte_by_byte(mut self) -> Reply {
        self.pace = Pace::ByteByByte;
        self
    }
}

// When it comes.
impl Reply {
    /// `delay` after the query, by tokio's clock.
    pub fn delayed(mut self, delay: Duration) -> Reply {
        self.delay = delay;
        self
    }

    /// Only after `count` queries that came later have been dealt with: so answers come out of order.
    pub fn after_answers(mut self, count: u64) -> Reply {
        self.after_answers = count;
        self
    }

    /// Only over this transport; over the other nothing.
    pub fn over(mut self, transport: Transport) -> Reply {
        self.over = Some(transport);
        self
    }

    /// Followed by another answer to the same query, sent after this one.
    pub fn then(mut self, reply: Reply) -> Reply {
        self.then.push(reply);
        self
    }
}

impl Reply {
    fn message(code: u8, answers: Answers) -> Reply {
        Reply::with(Content::Message { code, answers, authority: Vec::new(), additional: Vec::new() })
    }

    fn with(content: Content) -> Reply {
        Reply {
            content,
            id: Id::Right,
            question: Question::Right,
            source: Source::Right,
            recursion: Recursion::Available,
            truncation: Truncation::AsNeeded,
            authoritative: false,
            authentic: false,
            ttl: None,
            edns: true,
            garbled: false,
            trailing: Vec::new(),
            cut: None,
            pace: Pace::Whole,
            delay: Duration::ZERO,
            after_answers: 0,
            over: None,
            then: Vec::new(),
        }
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Content::Message { code, answers, authority, additional } => f
                .debug_struct("Message")
                .field("code", code)
                .field("answers", answers)
                .field("authority", authority)
                .field("additional", additional)
                .finish(),
            Content::Custom(_) => f.write_str("Custom"),
            Content::Nothing => f.write_str("Nothing"),
            Content::Close => f.write_str("Close"),
        }
    }
}
