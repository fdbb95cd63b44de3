//! Just enough of rtnetlink(7): questions to the kernel about links and addresses, and its answers taken apart.

use std::os::fd::OwnedFd;

use rustix::io::{Errno, retry_on_intr};
use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType};

/// What is asked for; the numbers of linux/rtnetlink.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    Link = 18,
    Address = 22,
}

// linux/netlink.h
const HEADER: usize = 16;
const KIND_ERROR: u16 = 2;
const KIND_DONE: u16 = 3;
const FLAG_REQUEST: u16 = 0x1;
const FLAG_DUMP: u16 = 0x300;
const FLAG_DUMP_INTERRUPTED: u16 = 0x10;
/// The two high bits of an attribute's type are flags.
const ATTRIBUTE_TYPE: u16 = 0x3fff;

/// The kernel fills no more than this into one datagram of an answer.
const BUFFER: usize = 32 << 10;
/// A dump during which something changed may be inconsistent and is asked for again, this often in all.
const TRIES: u32 = 8;

/// Asks for all things of one kind and keeps what `take` makes of each.
pub(super) fn dump<T>(question: Question, take: impl Fn(&[u8]) -> Option<T>) -> Result<Vec<T>, Errno> {
    let mut tries = 1;
    loop {
        let (items, interrupted) = dump_once(question, &take)?;
        if !interrupted || tries == TRIES {
            return Ok(items);
        }
        tries += 1;
    }
}

fn dump_once<T>(question: Question, take: impl Fn(&[u8]) -> Option<T>) -> Result<(Vec<T>, bool), Errno> {
    let socket = open()?;
    // A body of zeros asks for every family and every link.
    send(&socket, &request(question, FLAG_DUMP, 1, &[0; 16]))?;
    let mut buffer = vec![0; BUFFER];
    let mut items = Vec::new();
    let mut interrupted = false;
    loop {
        for message in messages(receive(&socket, &mut buffer)?).filter(|message| message.sequence == 1) {
            interrupted |= message.flags & FLAG_DUMP_INTERRUPTED != 0;
            match message.kind {
                KIND_DONE => return Ok((items, interrupted)),
                KIND_ERROR => return Err(message.error()),
                _ => items.extend(take(message.body)),
            }
        }
    }
}

/// Asks one question for each body and makes `take` of its answer; an error where the kernel knows of no such thing.
pub(super) fn ask<T>(
    question: Question,
    bodies: &[Vec<u8>],
    take: impl Fn(&[u8]) -> Option<T>,
) -> Result<Vec<Result<T, Errno>>, Errno> {
    let socket = open()?;
    let mut all = Vec::new();
    for (sequence, body) in (0..).zip(bodies) {
        all.extend(request(question, 0, sequence, body));
    }
    send(&socket, &all)?;
    let mut buffer = vec![0; BUFFER];
    let mut answers: Vec<Option<Result<T, Errno>>> = bodies.iter().map(|_| None).collect();
    while answers.iter().any(Option::is_none) {
        for message in messages(receive(&socket, &mut buffer)?) {
            let Some(answer) = answers.get_mut(message.sequence as usize) else { continue };
            *answer = Some(match message.kind {
                KIND_ERROR => Err(message.error()),
                _ => take(message.body).ok_or(Errno::BADMSG),
            });
        }
    }
    Ok(answers.into_iter().flatten().collect())
}

fn open() -> Result<OwnedFd, Errno> {
    rustix::net::socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)
}

fn send(socket: &OwnedFd, bytes: &[u8]) -> Result<(), Errno> {
    retry_on_intr(|| rustix::net::send(socket, bytes, SendFlags::empty())).map(drop)
}

/// Never waits: the kernel has the answer ready when the question has been sent.
fn receive<'a>(socket: &OwnedFd, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    let flags = RecvFlags::DONTWAIT | RecvFlags::TRUNC;
    let (received, length) = retry_on_intr(|| rustix::net::recv(socket, &mut *buffer, flags))?;
    if length > received { Err(Errno::MSGSIZE) } else { Ok(&buffer[..received]) }
}

fn request(question: Question, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend(((HEADER + body.len()) as u32).to_ne_bytes());
    bytes.extend((question as u16).to_ne_bytes());
    bytes.extend((flags | FLAG_REQUEST).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(body);
    bytes.resize(aligned(bytes.len()), 0);
    bytes
}

/// Appends an attribute to the body of a question.
pub(super) fn push_attribute(body: &mut Vec<u8>, kind: u16, value: &[u8]) {
    body.extend(((4 + value.len()) as u16).to_ne_bytes());
    body.extend(kind.to_ne_bytes());
    body.extend(value);
    body.resize(aligned(body.len()), 0);
}

/// One message of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Message<'a> {
    kind: u16,
    flags: u16,
    sequence: u32,
    /// What follows the netlink header.
    pub(super) body: &'a [u8],
}

impl Message<'_> {
    /// The reason in a message of the kind `NLMSG_ERROR`, a negative error number.
    fn error(&self) -> Errno {
        match number(self.body, 0).map(|number| number as i32) {
            Some(number @ -4095..=-1) => Errno::from_raw_os_error(-number),
            _ => Errno::BADMSG,
        }
    }
}

/// The messages of a datagram; ends at the first that is malformed.
pub(super) fn messages(mut bytes: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = number(bytes, 0)? as usize;
        let message = bytes.get(..length)?;
        let body = message.get(HEADER..)?;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some(Message {
            kind: short(message, 4)?,
            flags: short(message, 6)?,
            sequence: number(message, 8)?,
            body,
        })
    })
}

/// The attributes that follow the first `offset` bytes of a message's body; ends at the first that is malformed.
pub(super) fn attributes(body: &[u8], offset: usize) -> impl Iterator<Item = (u16, &[u8])> {
    let mut bytes = body.get(aligned(offset)..).unwrap_or_default();
    std::iter::from_fn(move || {
        let length = usize::from(short(bytes, 0)?);
        let value = bytes.get(4..length)?;
        let kind = short(bytes, 2)? & ATTRIBUTE_TYPE;
        bytes = bytes.get(aligned(length)..).unwrap_or_default();
        Some((kind, value))
    })
}

/// The number at `offset`, in the byte order of this host.
pub(super) fn number(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|&bytes| u32::from_ne_bytes(bytes))
}

fn short(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|&bytes| u16::from_ne_bytes(bytes))
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_put_together_is_taken_apart_again() {
        let mut body = vec![7; 8];
        push_attribute(&mut body, 3, b"eth0\0");
        push_attribute(&mut body, 0x8000 | 4, &1500_u32.to_ne_bytes());
        let mut bytes = request(Question::Link, FLAG_DUMP, 9, &body);
        bytes.extend(request(Question::Address, 0, 10, &[]));

        let parsed: Vec<_> = messages(&bytes).collect();
        assert_eq!(
            parsed.iter().map(|message| (message.kind, message.flags, message.sequence)).collect::<Vec<_>>(),
            [(18, FLAG_DUMP | FLAG_REQUEST, 9), (22, FLAG_REQUEST, 10)]
        );
        assert_eq!(
            attributes(parsed[0].body, 8).collect::<Vec<_>>(),
            [(3, b"eth0\0".as_slice()), (4, &1500_u32.to_ne_bytes())]
        );
        assert_eq!(attributes(parsed[1].body, 8).count(), 0);
    }

    #[test]
    fn a_length_that_lies_ends_the_list() {
        for length in [0_u32, 15, 17, u32::MAX] {
            let mut bytes = request(Question::Link, 0, 1, &[]);
            bytes[..4].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(messages(&bytes).count(), 0, "{length}");
        }
        for length in [0_u16, 3, 9, u16::MAX] {
            let mut body = Vec::new();
            push_attribute(&mut body, 1, &[0; 4]);
            body[..2].copy_from_slice(&length.to_ne_bytes());
            assert_eq!(attributes(&body, 0).count(), 0, "{length}");
        }
    }

    #[test]
    fn the_kernels_errors_come_through() {
        let mut nonsense = vec![0; 16];
        nonsense[4..8].copy_from_slice(&i32::MAX.to_ne_bytes());
        let answers = ask(Question::Link, &[nonsense], |_| Some(())).unwrap();
        assert_eq!(answers, [Err(Errno::NODEV)]);
    }

    proptest! {
        #[test]
        fn no_answer_panics_or_loops(bytes in prop::collection::vec(0_u8..20, 0..200)) {
            for message in messages(&bytes) {
                prop_assert!(attributes(message.body, 8).count() <= bytes.len());
            }
        }
    }
}
