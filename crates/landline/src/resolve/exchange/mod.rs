//! One exchange with one server: questions go out together over a socket of their own, answers come in any order.

mod conversation;
mod ids;
mod transport;
mod udp;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{self, Poll};

use futures_core::Stream;
use futures_util::stream;
use rustix::io::Errno;

use self::conversation::Conversation;
use self::udp::UdpSocket;
use super::message::{Carrier, Form, Query, Question, Reply};
use super::plan::Failure;

pub use transport::{Datagram, DnsConn, Transport};

/// How servers are reached.
#[derive(Clone, Default)]
pub(crate) struct Link {
    /// In place of sockets of our own.
    pub(crate) transport: Option<Arc<dyn Transport>>,
}

/// What came of one of the questions.
#[derive(Debug)]
pub(crate) struct Heard {
    /// The number that the question was given.
    pub(crate) lane: usize,
    pub(crate) result: Result<Reply, Failure>,
}

/// An exchange under way. Dropping it closes its socket.
pub(crate) struct Exchange(Way);

enum Way {
    Udp(Udp),
    Boxed(Pin<Box<dyn Stream<Item = Heard> + Send>>),
}

struct Udp {
    socket: Option<UdpSocket>,
    pending: Pending,
    heard: VecDeque<Heard>,
}

/// Questions without an answer so far.
#[derive(Default)]
struct Pending(Vec<(usize, Query)>);

impl Exchange {
    /// Sends each question, in its lane, to `server`. Never waits; what goes wrong is heard of later.
    pub(crate) fn start(
        link: &Link,
        server: SocketAddr,
        carrier: Carrier,
        form: Form,
        questions: impl IntoIterator<Item = (usize, Question)>,
    ) -> Exchange {
        let mut pending = Pending::default();
        let mut heard = VecDeque::new();
        for (lane, question) in questions {
            match pending.fresh_id() {
                Ok(id) => pending.0.push((lane, Query::new(id, &question, form))),
                Err(error) => {
                    heard.push_back(Heard { lane, result: Err(Failure::Unreachable("getrandom", error)) });
                }
            }
        }
        if carrier == Carrier::Datagram && link.transport.is_none() {
            let mut udp = Udp { socket: None, pending, heard };
            if let Err(failure) = udp.send(server) {
                udp.heard.extend(udp.pending.fail(&failure));
            }
            return Exchange(Way::Udp(udp));
        }
        let conversation = Conversation::new(link.clone(), server, carrier, pending);
        let replies = stream::unfold(conversation, |mut conversation| async {
            let heard = conversation.next().await?;
            Some((heard, conversation))
        });
        Exchange(Way::Boxed(Box::pin(futures_util::StreamExt::chain(stream::iter(heard), replies))))
    }

    /// What is heard next. Pending for ever once everything is answered.
    pub(crate) fn poll_heard(&mut self, cx: &mut task::Context<'_>) -> Poll<Heard> {
        match &mut self.0 {
            Way::Udp(udp) => udp.poll_heard(cx),
            Way::Boxed(replies) => match replies.as_mut().poll_next(cx) {
                Poll::Ready(Some(heard)) => Poll::Ready(heard),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            },
        }
    }
}

impl Udp {
    fn send(&mut self, server: SocketAddr) -> Result<(), Failure> {
        let socket = UdpSocket::connect(server)?;
        socket.send(self.pending.packets())?;
        self.socket = Some(socket);
        Ok(())
    }

    fn poll_heard(&mut self, cx: &mut task::Context<'_>) -> Poll<Heard> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Poll::Ready(heard);
            }
            let Some(socket) = self.socket.as_mut().filter(|_| !self.pending.is_empty()) else {
                return Poll::Pending;
            };
            let (pending, heard) = (&mut self.pending, &mut self.heard);
            let received =
                socket.poll_receive(cx, |packet| heard.extend(pending.take(packet, Carrier::Datagram)));
            match received {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(failure)) => heard.extend(pending.fail(&failure)),
            }
        }
    }
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn fresh_id(&self) -> Result<u16, Errno> {
        ids::fresh_id(|id| self.0.iter().any(|(_, query)| query.id() == id))
    }

    fn packets(&self) -> impl Iterator<Item = &[u8]> + Clone {
        self.0.iter().map(|(_, query)| query.packet())
    }

    /// What a packet says to one of the questions, which is then no longer open; nothing if it answers none.
    fn take(&mut self, packet: &[u8], carrier: Carrier) -> Option<Heard> {
        let (index, reply) = self
            .0
            .iter()
            .enumerate()
            .find_map(|(index, (_, query))| Some((index, query.read(packet, carrier)?)))?;
        let lane = self.0[index].0;
        // What is garbled may be forged, and the real answer still to come.
        if carrier == Carrier::Stream || !matches!(reply, Reply::Garbled(_)) {
            self.0.swap_remove(index);
        }
        Some(Heard { lane, result: Ok(reply) })
    }

    /// The same end for all that are left.
    fn fail(&mut self, failure: &Failure) -> Vec<Heard> {
        let left = std::mem::take(&mut self.0);
        left.into_iter().map(|(lane, _)| Heard { lane, result: Err(failure.clone()) }).collect()
    }
}
