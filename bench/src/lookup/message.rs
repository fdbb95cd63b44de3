//! The little of RFC 1035 that the bare client and the name server need: one question, one address.

/// The record types looked up.
pub(super) const A: u16 = 1;
pub(super) const AAAA: u16 = 28;

const HEADER: usize = 12;
/// QR, RD and RA: a recursive server's good answer.
const ANSWER_FLAGS: [u8; 2] = [0x81, 0x80];
/// The root, type OPT, 1232 bytes, no extended code, version 0, no flags, no options (RFC 6891).
const OPT: [u8; 11] = [0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0];

/// Writes a query for an absolute name.
pub(super) fn write_query(id: u16, name: &str, kind: u16, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&[0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 1]);
    for label in name.trim_end_matches('.').split('.') {
        out.push(label.len() as u8);
        out.extend_from_slice(label.as_bytes());
    }
    out.push(0);
    out.extend_from_slice(&kind.to_be_bytes());
    out.extend_from_slice(&1_u16.to_be_bytes());
    out.extend_from_slice(&OPT);
}

/// Whether `answer` answers `query` with an address: same id, same question, no error, a record.
pub(super) fn answers(query: &[u8], answer: &[u8]) -> bool {
    let question = HEADER..query.len() - OPT.len();
    answer.len() > question.end
        && answer[..2] == query[..2]
        && answer[2..4] == ANSWER_FLAGS
        && answer[6..8] != [0, 0]
        && answer[question.clone()] == query[question]
}

/// Writes the answer to a query; nothing when it is not one that a resolver would send.
pub(super) fn write_answer(query: &[u8], out: &mut Vec<u8>) -> Option<()> {
    let question_end = end_of_name(query)? + 4;
    let question = query.get(HEADER..question_end)?;
    let kind = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
    let address: &[u8] = match kind {
        A => &[127, 0, 0, 1],
        AAAA => &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
        _ => &[],
    };
    let with_opt = query[10..12] != [0, 0];
    out.clear();
    out.extend_from_slice(&query[..2]);
    out.extend_from_slice(&ANSWER_FLAGS);
    out.extend_from_slice(&[0, 1, 0, u8::from(!address.is_empty()), 0, 0, 0, u8::from(with_opt)]);
    out.extend_from_slice(question);
    if !address.is_empty() {
        // The question's name by pointer, its type, IN, 300 seconds.
        out.extend_from_slice(&[0xc0, HEADER as u8]);
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(&[0, 1, 0, 0, 1, 0x2c, 0, address.len() as u8]);
        out.extend_from_slice(address);
    }
    if with_opt {
        out.extend_from_slice(&OPT);
    }
    Some(())
}

/// Where the first question's name ends, one past its root label.
fn end_of_name(message: &[u8]) -> Option<usize> {
    let mut at = HEADER;
    loop {
        match *message.get(at)? {
            0 => return Some(at + 1),
            len @ 1..=63 => at += 1 + usize::from(len),
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_answers_its_own_query_and_no_other() {
        let (mut query, mut other, mut answer) = (Vec::new(), Vec::new(), Vec::new());
        write_query(7, "a.bench.test.", AAAA, &mut query);
        write_answer(&query, &mut answer).unwrap();
        assert!(answers(&query, &answer));
        for (id, name, kind) in
            [(8, "a.bench.test.", AAAA), (7, "b.bench.test.", AAAA), (7, "a.bench.test.", A)]
        {
            write_query(id, name, kind, &mut other);
            assert!(!answers(&other, &answer), "{id} {name} {kind}");
        }
    }

    #[test]
    fn what_is_cut_short_is_not_answered() {
        let (mut query, mut answer) = (Vec::new(), Vec::new());
        write_query(7, "a.bench.test.", A, &mut query);
        for len in 0..query.len() - OPT.len() {
            assert_eq!(write_answer(&query[..len], &mut answer), None, "{len} bytes");
        }
    }
}
