//! What a client asked.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::name::Name;
use super::record::RecordType;

/// A query as it arrived.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Query {
    /// When it arrived.
    pub at: Instant,
    /// Where it came from.
    pub from: SocketAddr,
    /// How it came.
    pub transport: Transport,
    /// Which TCP connection it came over, counted from 1 by this server; `None` over UDP.
    pub connection: Option<u64>,
    /// Its id.
    pub id: u16,
    /// RD: the client wants the server to find the answer.
    pub recursion_desired: bool,
    /// AD: the client understands the AD flag of answers (RFC 6840 section 5.7).
    pub authentic_data: bool,
    /// CD: the client checks signatures itself.
    pub checking_disabled: bool,
    /// The name asked for, in presentation form with the final dot, in the case it was written in.
    pub name: String,
    /// The type asked for.
    pub record_type: RecordType,
    /// The class asked for; 1 is IN.
    pub class: u16,
    /// The EDNS extension, where the query has it.
    pub edns: Option<Edns>,
    /// The whole message.
    pub raw: Vec<u8>,
    pub(super) question: Name,
}

/// How messages travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// One datagram each way.
    Udp,
    /// A connection, with the length before each message.
    Tcp,
}

/// The OPT record of a query (RFC 6891).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Edns {
    /// The largest datagram the client can take.
    pub udp_size: u16,
    /// 0 in all known versions.
    pub version: u8,
    /// DO: the client wants signatures.
    pub dnssec_ok: bool,
    /// The options, undecoded.
    pub options: Vec<u8>,
}

pub(super) const HEADER: usize = 12;

impl Query {
    /// Reads a message that has exactly one question and is no answer; `None` if it is none such.
    pub(super) fn read(
        raw: &[u8],
        from: SocketAddr,
        transport: Transport,
        connection: Option<u64>,
    ) -> Option<Query> {
        let number = |at: usize| Some(u16::from_be_bytes([*raw.get(at)?, *raw.get(at + 1)?]));
        let (flags, questions) = (number(2)?, number(4)?);
        if flags & 0x8000 != 0 || questions != 1 {
            return None;
        }
        let records = [number(6)?, number(8)?, number(10)?].into_iter().map(usize::from).sum();
        let (question, length) = Name::read(raw.get(HEADER..)?)?;
        let end = HEADER + length;
        let (record_type, class) = (RecordType(number(end)?), number(end + 2)?);
        Some(Query {
            at: Instant::now(),
            from,
            transport,
            connection,
            id: number(0)?,
            recursion_desired: flags & 0x0100 != 0,
            authentic_data: flags & 0x0020 != 0,
            checking_disabled: flags & 0x0010 != 0,
            name: question.to_string(),
            record_type,
            class,
            edns: edns_among(raw.get(end + 4..)?, records)?,
            raw: raw.to_vec(),
            question,
        })
    }
}

/// The OPT record among the next `count` records; `None` outside if they are cut short.
fn edns_among(mut rest: &[u8], count: usize) -> Option<Option<Edns>> {
    let mut edns = None;
    for _ in 0..count {
        // Queries hold no compressed names: OPT is owned by the root, and what else there may be (TSIG) spells its out.
        let (_, length) = Name::read(rest)?;
        let fixed: [u8; 10] = rest.get(length..length + 10)?.try_into().ok()?;
        let pair = |at: usize| u16::from_be_bytes([fixed[at], fixed[at + 1]]);
        let end = length + 10 + usize::from(pair(8));
        let data = rest.get(length + 10..end)?;
        if RecordType(pair(0)) == RecordType::OPT {
            edns = Some(Edns {
                udp_size: pair(2),
                version: fixed[5],
                dnssec_ok: fixed[6] & 0x80 != 0,
                options: data.to_vec(),
            });
        }
        rest = &rest[end..];
    }
    Some(edns)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(raw: &[u8]) -> Option<Query> {
        Query::read(raw, "127.0.0.1:1".parse().unwrap(), Transport::Udp, None)
    }

    const PLAIN: &[u8] = b"\x12\x34\x01\x20\0\x01\0\0\0\0\0\0\x03WWW\x01x\0\0\x1c\0\x01";
    const WITH_EDNS: &[u8] =
        b"\x12\x34\0\x10\0\x01\0\0\0\0\0\x01\x01x\0\0\x01\0\x01\0\0\x29\x04\xd0\0\0\x80\0\0\x04\0\x0a\0\0";

    #[test]
    fn questions_flags_and_edns_are_read() {
        let plain = read(PLAIN).unwrap();
        assert_eq!((plain.id, &*plain.name), (0x1234, "WWW.x."));
        assert_eq!((plain.record_type, plain.class, plain.edns), (RecordType::AAAA, 1, None));
        assert!(plain.recursion_desired && plain.authentic_data && !plain.checking_disabled);
        let query = read(WITH_EDNS).unwrap();
        let edns = Edns { udp_size: 1232, version: 0, dnssec_ok: true, options: vec![0, 10, 0, 0] };
        assert_eq!(query.edns, Some(edns));
        assert!(!query.recursion_desired && query.checking_disabled);
    }

    #[test]
    fn what_is_no_query_is_not_read() {
        for cut in 0..PLAIN.len() {
            assert!(read(&PLAIN[..cut]).is_none(), "{cut}");
        }
        for cut in 0..WITH_EDNS.len() {
            assert!(read(&WITH_EDNS[..cut]).is_none(), "{cut}");
        }
        let mut answer = PLAIN.to_vec();
        answer[2] |= 0x80;
        assert!(read(&answer).is_none());
        let mut questions = PLAIN.to_vec();
        questions[5] = 2;
        assert!(read(&questions).is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(raw in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&raw);
        }

        #[test]
        fn no_change_of_a_query_makes_it_panic(at in 0..WITH_EDNS.len(), byte: u8) {
            let mut raw = WITH_EDNS.to_vec();
            raw[at] = byte;
            let _ = read(&raw);
        }
    }
}
