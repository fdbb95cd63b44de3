//! For tests: messages written byte by byte, so that what reads them is not tested with itself.

use super::message::{Query, Question, rtype};
use super::record::RecordType;

pub(crate) const QR: u16 = 0x8000;
pub(crate) const AA: u16 = 0x0400;
pub(crate) const TC: u16 = 0x0200;
pub(crate) const RA: u16 = 0x0080;
pub(crate) const AD: u16 = 0x0020;
pub(crate) const IN: u16 = 1;

pub(crate) const NXDOMAIN: u16 = 3;
pub(crate) const SERVFAIL: u16 = 2;

/// A message in the making. Names are written without compression.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    id: u16,
    /// All of the header's second word: flags and response code.
    flags: u16,
    questions: Vec<Vec<u8>>,
    sections: [Vec<Vec<u8>>; 3],
}

impl Packet {
    /// A positive answer to `query`, with its question and nothing else.
    pub(crate) fn answering(query: &Query) -> Packet {
        let packet = query.packet();
        let id = u16::from_be_bytes([packet[0], packet[1]]);
        let end = 12 + packet[12..].iter().position(|&byte| byte == 0).unwrap() + 5;
        Packet {
            id,
            flags: QR | RA | 0x0100,
            questions: vec![packet[12..end].to_vec()],
            sections: Default::default(),
        }
    }

    pub(crate) fn id(mut self, id: u16) -> Packet {
        self.id = id;
        self
    }

    pub(crate) fn flags(mut self, flags: u16) -> Packet {
        self.flags = flags;
        self
    }

    pub(crate) fn without_question(mut self) -> Packet {
        self.questions.clear();
        self
    }

    pub(crate) fn question(mut self, question: &Question, class: u16) -> Packet {
        let mut bytes = name(question.name.as_str());
        bytes.extend(rtype(question.record).to_int().to_be_bytes());
        bytes.extend(class.to_be_bytes());
        self.questions.push(bytes);
        self
    }

    pub(crate) fn answer(self, owner: &str, record: RecordType, ttl: u32, data: &[u8]) -> Packet {
        self.row(0, owner, rtype(record).to_int(), IN, ttl, data)
    }

    pub(crate) fn cname(self, owner: &str, target: &str) -> Packet {
        self.answer(owner, RecordType::Cname, 300, &name(target))
    }

    /// A SOA record in the authority section.
    pub(crate) fn soa(self, zone: &str, ttl: u32, minimum: u32) -> Packet {
        let mut data = [name("ns."), name("hostmaster.")].concat();
        data.extend([1, 7200, 900, 86400, minimum].iter().flat_map(|number: &u32| number.to_be_bytes()));
        self.row(1, zone, 6, IN, ttl, &data)
    }

    /// An OPT record with the upper bits of a response code.
    pub(crate) fn opt(self, upper_rcode: u8) -> Packet {
        self.row(2, ".", 41, 1232, u32::from(upper_rcode) << 24, &[])
    }

    pub(crate) fn row(
        mut self,
        section: usize,
        owner: &str,
        rtype: u16,
        class: u16,
        ttl: u32,
        data: &[u8],
    ) -> Packet {
        let mut row = name(owner);
        row.extend(rtype.to_be_bytes());
        row.extend(class.to_be_bytes());
        row.extend(ttl.to_be_bytes());
        row.extend((data.len() as u16).to_be_bytes());
        row.extend(data);
        self.sections[section].push(row);
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let counts =
            [self.questions.len(), self.sections[0].len(), self.sections[1].len(), self.sections[2].len()];
        let mut bytes: Vec<u8> = [self.id, self.flags].iter().flat_map(|word| word.to_be_bytes()).collect();
        bytes.extend(counts.iter().flat_map(|&count| (count as u16).to_be_bytes()));
        bytes.extend(self.questions.iter().chain(self.sections.iter().flatten()).flatten());
        bytes
    }
}

/// The wire form of a name; `\046` in a label stands for a dot inside it.
pub(crate) fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        let label = label.replace("\\046", ".");
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}
