//! What the load says and hears: requests made beforehand, replies counted and not decoded.

use std::{fs, io, time::Duration};

use landline_gob::Encoder;
use serde::Serialize;
use tarpc::{ClientMessage, Request, context};

use super::{Args, on_tarpc::ArithRequest};

const ARGS: Args = Args { a: 7, b: 8 };

/// Whose wire is spoken.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    /// Go's `net/rpc`.
    Gob,
    /// Length-delimited bincode.
    Tarpc,
}

#[derive(Serialize, serde::Deserialize)]
#[serde(rename = "Request")]
struct GobRequest<'a> {
    #[serde(rename = "ServiceMethod", borrow)]
    method: &'a str,
    #[serde(rename = "Seq")]
    sequence: u64,
}

/// One conn's end of it.
pub(super) struct Talk {
    protocol: Protocol,
    encoder: Encoder,
    /// Of the next request, for those who mind that it is another's.
    sequence: u64,
    /// A request once the types are known.
    again: Vec<u8>,
    received: Vec<u8>,
    /// Gob values that have come: two make a reply.
    values: u64,
}

impl Protocol {
    /// By the name of the peer that the server was started as.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let line = fs::read(format!("/proc/{pid}/cmdline"))?;
        let is_tarpc = line.split(|byte| *byte == 0).any(|word| word == b"tarpc");
        Ok(if is_tarpc { Self::Tarpc } else { Self::Gob })
    }
}

impl Talk {
    pub(super) fn new(protocol: Protocol) -> Self {
        let encoder = Encoder::new();
        Self { protocol, encoder, sequence: 0, again: Vec::new(), received: Vec::new(), values: 0 }
    }

    /// Appends so many requests.
    pub(super) fn ask(&mut self, count: u64, out: &mut Vec<u8>) -> io::Result<()> {
        match self.protocol {
            Protocol::Gob => {
                for _ in 0..count {
                    // From the third on they are the same, apart from the number, which no server minds.
                    if self.sequence < 2 {
                        let begin = out.len();
                        let request = GobRequest { method: "Arith.Multiply", sequence: 77 };
                        self.encoder.encode(&request, out).map_err(io::Error::other)?;
                        self.encoder.encode(&ARGS, out).map_err(io::Error::other)?;
                        self.again = out[begin..].to_vec();
                        self.sequence += 1;
                    } else {
                        out.extend_from_slice(&self.again);
                    }
                }
            }
            Protocol::Tarpc => {
                for _ in 0..count {
                    let mut context = context::current();
                    context.deadline += Duration::from_secs(3600);
                    let message = ArithRequest::Multiply { a: ARGS.a, b: ARGS.b };
                    let request = Request { context, id: self.sequence, message };
                    self.sequence += 1;
                    let bytes = encode(&ClientMessage::Request(request))?;
                    out.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
                    out.extend_from_slice(&bytes);
                }
            }
        }
        Ok(())
    }

    /// How many replies these bytes complete.
    pub(super) fn hear(&mut self, bytes: &[u8]) -> io::Result<u64> {
        self.received.extend_from_slice(bytes);
        let mut rest = &self.received[..];
        let mut replies = 0;
        loop {
            match self.protocol {
                Protocol::Gob => {
                    let Some((len, begin)) = gob_uint(rest) else { break };
                    let Some(message) = rest.get(begin..begin + len as usize) else { break };
                    rest = &rest[begin + len as usize..];
                    // Negative type ids, odd as they are written, describe types.
                    let Some((id, _)) = gob_uint(message) else { break };
                    if id % 2 == 0 {
                        self.values += 1;
                        replies += u64::from(self.values.is_multiple_of(2));
                    }
                }
                Protocol::Tarpc => {
                    let Some((len, after)) = rest.split_first_chunk::<4>() else { break };
                    let Some(after) = after.get(u32::from_be_bytes(*len) as usize..) else { break };
                    rest = after;
                    replies += 1;
                }
            }
        }
        let left = rest.len();
        let taken = self.received.len() - left;
        self.received.drain(..taken);
        Ok(replies)
    }
}

/// As tarpc's own transport does.
fn encode<T: Serialize + serde::de::DeserializeOwned>(message: &T) -> io::Result<Vec<u8>> {
    use tarpc::tokio_serde::{Serializer as _, formats::Bincode};
    let codec = std::pin::pin!(Bincode::<T, T>::default());
    Ok(codec.serialize(message)?.to_vec())
}

fn gob_uint(bytes: &[u8]) -> Option<(u64, usize)> {
    match *bytes.first()? {
        byte @ ..=0x7f => Some((byte.into(), 1)),
        byte => {
            let len = usize::from(byte.wrapping_neg());
            let number = bytes.get(1..=len)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte));
            Some((number, len + 1))
        }
    }
}
