//! A name server for one name: just enough of RFC 1035 to answer the tour's questions.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What it knows.
#[derive(Clone, Debug)]
pub(crate) struct Zone {
    /// The name, without its trailing dot.
    pub(crate) name: String,
    /// Its addresses, in the order in which they are given.
    pub(crate) addresses: Vec<IpAddr>,
}

const HEADER: usize = 12;
const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;
const NO_ERROR: u8 = 0;
const FORMAT_ERROR: u8 = 1;
const NAME_ERROR: u8 = 3;
const NOT_IMPLEMENTED: u8 = 4;
/// Seconds.
const TIME_TO_LIVE: u32 = 60;

impl Zone {
    /// Whether a datagram asks for IPv6 addresses.
    pub(crate) fn is_about_ipv6(query: &[u8]) -> bool {
        query.get(HEADER..).and_then(Question::parse).is_some_and(|question| question.kind == TYPE_AAAA)
    }

    /// The answer to a datagram; none to one that is not a question.
    pub(crate) fn answer(&self, query: &[u8]) -> Option<Vec<u8>> {
        let header = query.get(..HEADER)?;
        let is_response = header[2] & 0x80 != 0;
        if is_response {
            return None;
        }
        let questions = u16::from_be_bytes([header[4], header[5]]);
        let (code, question, addresses) = match Question::parse(&query[HEADER..]) {
            _ if header[2] & 0x78 != 0 => (NOT_IMPLEMENTED, &[][..], Vec::new()),
            Some(question) if questions == 1 => {
                let bytes = &query[HEADER..HEADER + question.length];
                match question.name.eq_ignore_ascii_case(&self.name) {
                    true => (NO_ERROR, bytes, self.matching(&question)),
                    false => (NAME_ERROR, bytes, Vec::new()),
                }
            }
            _ => (FORMAT_ERROR, &[][..], Vec::new()),
        };

        let mut answer = Vec::with_capacity(512);
        answer.extend_from_slice(&header[..2]);
        // QR and AA set, opcode and RD as in the question; RA set, because resolvers want to see it.
        answer.extend_from_slice(&[0x84 | (header[2] & 0x79), 0x80 | code]);
        let count = |number: usize| u16::try_from(number).unwrap_or(0).to_be_bytes();
        answer.extend_from_slice(&count(usize::from(!question.is_empty())));
        answer.extend_from_slice(&count(addresses.len()));
        answer.extend_from_slice(&[0; 4]);
        answer.extend_from_slice(question);
        for address in addresses {
            // A pointer to the question's name.
            let pointer = 0xc000 | HEADER as u16;
            answer.extend_from_slice(&pointer.to_be_bytes());
            let (kind, data) = match address {
                IpAddr::V4(ip) => (TYPE_A, Ipv4Addr::octets(&ip).to_vec()),
                IpAddr::V6(ip) => (TYPE_AAAA, Ipv6Addr::octets(&ip).to_vec()),
            };
            answer.extend_from_slice(&kind.to_be_bytes());
            answer.extend_from_slice(&CLASS_IN.to_be_bytes());
            answer.extend_from_slice(&TIME_TO_LIVE.to_be_bytes());
            answer.extend_from_slice(&count(data.len()));
            answer.extend_from_slice(&data);
        }
        Some(answer)
    }

    fn matching(&self, question: &Question) -> Vec<IpAddr> {
        let wanted = |ip: &&IpAddr| match question.kind {
            TYPE_A => ip.is_ipv4(),
            TYPE_AAAA => ip.is_ipv6(),
            _ => false,
        };
        match question.class {
            CLASS_IN => self.addresses.iter().filter(wanted).copied().collect(),
            _ => Vec::new(),
        }
    }
}

struct Question {
    name: String,
    kind: u16,
    class: u16,
    /// In octets.
    length: usize,
}

impl Question {
    fn parse(bytes: &[u8]) -> Option<Question> {
        let mut name = String::new();
        let mut at = 0;
        loop {
            let length = usize::from(*bytes.get(at)?);
            at += 1;
            match length {
                0 => break,
                // A question has nothing before it that a compressed name could point to.
                64.. => return None,
                _ => {}
            }
            if !name.is_empty() {
                name.push('.');
            }
            name.extend(bytes.get(at..at + length)?.iter().map(|byte| char::from(*byte)));
            at += length;
        }
        let number = |at: usize| bytes.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]]));
        Some(Question { name, kind: number(at)?, class: number(at + 2)?, length: at + 4 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone() -> Zone {
        Zone {
            name: "echo.test".to_owned(),
            addresses: vec![IpAddr::V6(Ipv6Addr::LOCALHOST), IpAddr::V4(Ipv4Addr::LOCALHOST)],
        }
    }

    fn query(name: &[&str], kind: u16) -> Vec<u8> {
        let mut query = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name {
            query.push(label.len() as u8);
            query.extend_from_slice(label.as_bytes());
        }
        query.push(0);
        query.extend_from_slice(&kind.to_be_bytes());
        query.extend_from_slice(&CLASS_IN.to_be_bytes());
        query
    }

    #[test]
    fn answers_with_the_addresses_of_the_family_asked_for() {
        let answer = zone().answer(&query(&["ECHO", "test"], TYPE_A)).unwrap();
        assert_eq!(answer[..12], [0x12, 0x34, 0x85, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
        assert_eq!(answer[answer.len() - 16..], [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 1]);
        let about_ipv6 = query(&["echo", "test"], TYPE_AAAA);
        assert!(Zone::is_about_ipv6(&about_ipv6) && !Zone::is_about_ipv6(&query(&["echo", "test"], TYPE_A)));
        let answer = zone().answer(&about_ipv6).unwrap();
        assert_eq!(
            answer[answer.len() - 18..],
            [vec![0, 16], Ipv6Addr::LOCALHOST.octets().to_vec()].concat()
        );
    }

    #[test]
    fn other_types_have_no_records_and_other_names_do_not_exist() {
        let answer = zone().answer(&query(&["echo", "test"], 15)).unwrap();
        assert_eq!((answer[3] & 15, answer[7]), (NO_ERROR, 0));
        let answer = zone().answer(&query(&["other", "test"], TYPE_A)).unwrap();
        assert_eq!((answer[3] & 15, answer[7]), (NAME_ERROR, 0));
    }

    #[test]
    fn whatever_else_comes_is_refused_or_passed_over() {
        let whole = query(&["echo", "test"], TYPE_A);
        for cut in 0..whole.len() {
            match zone().answer(&whole[..cut]) {
                None => assert!(cut < HEADER),
                Some(answer) => assert_eq!(answer[3] & 15, FORMAT_ERROR, "{cut}"),
            }
        }
        let mut response = whole.clone();
        response[2] |= 0x80;
        assert_eq!(zone().answer(&response), None);
        let mut notify = whole.clone();
        notify[2] |= 0x20;
        assert_eq!(zone().answer(&notify).unwrap()[3] & 15, NOT_IMPLEMENTED);
        let mut pointer = whole;
        pointer[HEADER] = 0xc0;
        assert_eq!(zone().answer(&pointer).unwrap()[3] & 15, FORMAT_ERROR);
    }
}
