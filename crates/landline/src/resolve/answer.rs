//! What an answer holds: the way from the name asked for along its CNAME records to the records of the type asked
//! for, and their data in types of our own.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use domain::base::iana::{Class, Rtype};
use domain::base::name::ToName;
use domain::base::wire::ParseError;
use domain::base::{Message, Name as WireName, ParsedName, ParsedRecord, RecordSection, Ttl};
use domain::rdata;

use super::message::{from_wire, rtype};
use super::name;
use super::record::{Mx, RecordType, Srv, Txt};
use super::svcb::Svcb;

/// The most CNAME records followed from one name. BIND follows 11, unbound 11, glibc as many as fit the packet.
const MAX_CHAIN: usize = 16;

/// A server's word on a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    /// Those of the type asked for, at the end of the chain; empty unless found.
    pub(crate) records: Vec<Data>,
    /// Where the CNAME records led, in order; the last is the canonical name, none means the name itself.
    pub(crate) chain: Vec<String>,
    /// How long it may be kept: the least of the records and the chain, or for a negative answer what its SOA record
    /// says (RFC 2308 section 5), if it has one.
    pub(crate) ttl: Option<Duration>,
    /// The server says that it has validated the answer, and was asked to say so.
    pub(crate) authenticated: bool,
    /// Records left out, and why.
    pub(crate) dropped: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    /// The name has records of the type.
    Found,
    /// It exists without (NODATA, RFC 2308 section 2.2).
    NoData,
    /// It does not exist (NXDOMAIN).
    NameError,
}

/// The data of one record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Data {
    Address(IpAddr),
    /// CNAME, NS, PTR.
    Name(String),
    Mx(Mx),
    Srv(Srv),
    Txt(Txt),
    Svcb(Svcb),
}

type Record<'a> = ParsedRecord<'a, [u8]>;
type Fault = Cow<'static, str>;

impl Answer {
    /// Reads the answer to `question` from a message whose header and question have been checked; the error says why
    /// it cannot be understood, or does not fit.
    pub(crate) fn extract(
        message: &Message<[u8]>,
        question: &WireName<[u8]>,
        record: RecordType,
    ) -> Result<Answer, Fault> {
        let section = message.answer().map_err(garbled)?;
        let rows = relevant(section, rtype(record)).map_err(garbled)?;
        let mut answer = Answer {
            status: if message.no_error() { Status::NoData } else { Status::NameError },
            records: Vec::new(),
            chain: Vec::new(),
            ttl: None,
            authenticated: false,
            dropped: Vec::new(),
        };
        let end = answer.follow(&rows, question, record)?;
        if answer.status == Status::NoData && answer.chain.is_empty() && message.header_counts().ancount() > 0
        {
            let fits = owners(message).map_err(garbled)?.any(|owner| owner.name_eq(question));
            if !fits {
                return Err("the answer is about another name".into());
            }
        }
        if answer.status != Status::Found {
            let soa = negative_ttl(message, question, end.as_ref()).map_err(garbled)?;
            answer.ttl = soa.map(|soa| answer.ttl.map_or(soa, |chain| chain.min(soa)));
        }
        Ok(answer)
    }

    /// The records in presentation form, for [`What::QueryAnswered`](crate::explain::What::QueryAnswered).
    pub(crate) fn present(&self, record: RecordType) -> Vec<String> {
        let chain = self.chain.iter().map(|target| format!("CNAME {target}"));
        chain.chain(self.records.iter().map(|data| format!("{record} {data}"))).collect()
    }

    /// Walks the chain, and takes in the records at its end. Returns the last name, if it is not the first.
    fn follow<'a>(
        &mut self,
        rows: &[Record<'a>],
        question: &WireName<[u8]>,
        record: RecordType,
    ) -> Result<Option<ParsedName<&'a [u8]>>, Fault> {
        let wanted = rtype(record);
        let mut at: Option<ParsedName<&'a [u8]>> = None;
        loop {
            let here = |row: &&Record<'a>| match &at {
                None => row.owner().name_eq(question),
                Some(name) => row.owner().name_eq(name),
            };
            let mut found = rows.iter().filter(here).filter(|row| row.rtype() == wanted).peekable();
            if found.peek().is_some() {
                for row in found {
                    self.keep_for(row.ttl());
                    self.take(row, record).map_err(garbled)?;
                }
                self.status = Status::Found;
                self.drop_repeated();
                return Ok(at);
            }
            let Some(alias) = rows.iter().filter(here).find(|row| row.rtype() == Rtype::CNAME) else {
                return Ok(at);
            };
            if self.chain.len() == MAX_CHAIN {
                return Err(format!("more than {MAX_CHAIN} CNAME records in a row").into());
            }
            self.keep_for(alias.ttl());
            let target = parse::<rdata::Cname<ParsedName<&'a [u8]>>>(alias).map_err(garbled)?.into_cname();
            self.chain.push(from_wire(&target));
            at = Some(target);
        }
    }

    /// Takes in the data of one record; a name that cannot be one is left out, as Go does.
    fn take(&mut self, row: &Record<'_>, record: RecordType) -> Result<(), ParseError> {
        type N<'a> = ParsedName<&'a [u8]>;
        let data = match record {
            RecordType::A => Data::Address(IpAddr::V4(parse::<rdata::A>(row)?.addr())),
            RecordType::Aaaa => Data::Address(IpAddr::V6(parse::<rdata::Aaaa>(row)?.addr())),
            RecordType::Cname => Data::Name(from_wire(parse::<rdata::Cname<N<'_>>>(row)?.cname())),
            RecordType::Ptr => Data::Name(from_wire(parse::<rdata::Ptr<N<'_>>>(row)?.ptrdname())),
            RecordType::Ns => Data::Name(from_wire(parse::<rdata::Ns<N<'_>>>(row)?.nsdname())),
            RecordType::Mx => {
                let mx = parse::<rdata::Mx<N<'_>>>(row)?;
                Data::Mx(Mx::new(mx.preference(), from_wire(mx.exchange())))
            }
            RecordType::Srv => {
                let srv = parse::<rdata::Srv<N<'_>>>(row)?;
                Data::Srv(Srv::new(srv.priority(), srv.weight(), srv.port(), from_wire(srv.target())))
            }
            RecordType::Txt => Data::Txt(Txt::new(parse::<rdata::Txt<&[u8]>>(row)?.iter())),
            RecordType::Svcb | RecordType::Https => match svcb(row, record)? {
                Ok(svcb) => Data::Svcb(svcb),
                Err(fault) => {
                    self.dropped.push(format!("{record} record: {fault}"));
                    return Ok(());
                }
            },
        };
        match data.host() {
            Some(host) if !is_host(&data, host) => {
                self.dropped.push(format!("{record} record: invalid name {}", host.escape_debug()));
            }
            _ => self.records.push(data),
        }
        Ok(())
    }

    /// A set has no member twice (RFC 2181 section 5). Of service bindings one malformed record spoils the set (RFC
    /// 9460 section 2.2).
    fn drop_repeated(&mut self) {
        if self.records.len() > 1 {
            let mut seen = HashSet::with_capacity(self.records.len());
            self.records.retain(|data| seen.insert(data.clone()));
        }
        if !self.dropped.is_empty() && matches!(self.records.first(), Some(Data::Svcb(_))) {
            self.records.clear();
        }
    }

    fn keep_for(&mut self, ttl: Ttl) {
        let ttl = duration(ttl);
        self.ttl = Some(self.ttl.map_or(ttl, |least| least.min(ttl)));
    }
}

impl Data {
    /// The name of a host or domain inside, which users will go on to.
    fn host(&self) -> Option<&str> {
        match self {
            Data::Name(name) => Some(name),
            Data::Mx(mx) => Some(&mx.exchange),
            Data::Srv(srv) => Some(&srv.target),
            Data::Svcb(svcb) => Some(&svcb.target),
            Data::Address(_) | Data::Txt(_) => None,
        }
    }
}

/// Presentation form.
impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Data::Address(ip) => ip.fmt(f),
            Data::Name(name) => name.fmt(f),
            Data::Mx(mx) => mx.fmt(f),
            Data::Srv(srv) => srv.fmt(f),
            Data::Txt(txt) => txt.fmt(f),
            Data::Svcb(svcb) => svcb.fmt(f),
        }
    }
}

fn is_host(data: &Data, host: &str) -> bool {
    // Some domains have an address where the name of their mail exchanger should be; mailers go there.
    let address = || matches!(data, Data::Mx(_)) && host.trim_end_matches('.').parse::<IpAddr>().is_ok();
    name::validate(host).is_ok() || address()
}

/// The records of class IN that are CNAME or of the type wanted.
fn relevant<'a>(section: RecordSection<'a, [u8]>, wanted: Rtype) -> Result<Vec<Record<'a>>, ParseError> {
    let mut rows = Vec::new();
    for row in section {
        let row = row?;
        if row.class() == Class::IN && (row.rtype() == wanted || row.rtype() == Rtype::CNAME) {
            rows.push(row);
        }
    }
    Ok(rows)
}

fn owners(message: &Message<[u8]>) -> Result<impl Iterator<Item = ParsedName<&[u8]>>, ParseError> {
    Ok(message.answer()?.filter_map(Result::ok).map(|row| row.owner()))
}

fn parse<'a, D: domain::base::rdata::ParseRecordData<'a, [u8]>>(row: &Record<'a>) -> Result<D, ParseError> {
    match row.to_record::<D>()? {
        Some(record) => Ok(record.into_data()),
        None => Err(ParseError::form_error("record of another type")),
    }
}

fn svcb(row: &Record<'_>, record: RecordType) -> Result<Result<Svcb, &'static str>, ParseError> {
    fn convert<V>(data: &rdata::svcb::SvcbRdata<V, &[u8], ParsedName<&[u8]>>) -> Result<Svcb, &'static str> {
        let mut svcb = Svcb::new(data.priority(), from_wire(data.target()));
        for param in data.params().iter_raw() {
            svcb.add_param(param.key().to_int(), param.as_slice())?;
        }
        svcb.check()?;
        Ok(svcb)
    }
    Ok(match record {
        RecordType::Https => convert(&parse::<rdata::Https<_, _>>(row)?),
        _ => convert(&parse::<rdata::Svcb<_, _>>(row)?),
    })
}

/// How long a negative answer may be kept: the lesser of its SOA record's TTL and MINIMUM field (RFC 2308 section 5).
/// The SOA must be of a zone that the name is in.
fn negative_ttl(
    message: &Message<[u8]>,
    question: &WireName<[u8]>,
    end: Option<&ParsedName<&[u8]>>,
) -> Result<Option<Duration>, ParseError> {
    for row in message.authority()? {
        let row = row?;
        let owner = row.owner();
        let within = match end {
            Some(end) => end.ends_with(&owner),
            None => question.ends_with(&owner),
        };
        if row.rtype() == Rtype::SOA && row.class() == Class::IN && within {
            let soa = parse::<rdata::Soa<ParsedName<&[u8]>>>(&row)?;
            return Ok(Some(duration(row.ttl()).min(duration(soa.minimum()))));
        }
    }
    Ok(None)
}

/// A TTL with its highest bit set means 0 (RFC 2181 section 8).
fn duration(ttl: Ttl) -> Duration {
    match i32::try_from(ttl.as_secs()) {
        Ok(_) => ttl.into_duration(),
        Err(_) => Duration::ZERO,
    }
}

fn garbled(error: ParseError) -> Fault {
    error.to_string().into()
}
