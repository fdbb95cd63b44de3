//! The server's end of one conn: everything that is done on it, in one future.

use std::borrow::Cow;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio_util::sync::PollSemaphore;

use super::Limits;
use super::calls::{Calls, GoingOn};
use super::method::{Entry, refuse};
use super::registry::Registry;
use crate::buffer::{Input, Output};
use crate::codec::{Fault, Header, ServerCodec};

/// Why a conn ended before its client ended it.
#[derive(Debug)]
pub(super) enum Broken {
    Io(io::Error),
    /// It sent what is no request.
    Codec(Fault),
}

/// Told when to take up no more calls.
pub(super) type Drain = Pin<Box<dyn Future<Output = ()> + Send>>;

/// One conn.
pub(super) struct Session<C, Io> {
    io: Io,
    codec: C,
    registry: Arc<Registry<C>>,
    limits: Limits,
    gate: Option<PollSemaphore>,
    input: Input,
    out: Output,
    calls: Calls<C>,
    /// A request whose header was taken, and whose arguments are not there yet.
    begun: Option<Begun<C>>,
    /// The method of the last request, which is often that of the next.
    last: Option<Arc<Entry<C>>>,
    drain: Option<Drain>,
    reading: Reading,
}

enum Begun<C> {
    Call(Arc<Entry<C>>, u64),
    /// Its arguments are skipped, and then this is answered.
    Refused {
        method: Box<str>,
        sequence: u64,
        text: String,
    },
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    Open,
    /// The server drains: what has come is served, and nothing more is read.
    Draining,
    /// The client has ended its side, and what it sent has been looked at.
    Ended,
}

/// Whether there is a next request.
#[derive(PartialEq, Eq)]
enum Next {
    /// More has to be read first.
    Starved,
    /// Not until calls of this conn have ended, or replies have been sent.
    Held,
    /// Not until calls of any conn have ended.
    Gated,
}

impl<C: ServerCodec, Io: AsyncRead + AsyncWrite + Unpin> Session<C, Io> {
    pub(super) fn new(
        io: Io,
        codec: C,
        registry: Arc<Registry<C>>,
        limits: Limits,
        gate: Option<PollSemaphore>,
        received: &[u8],
        drain: Option<Drain>,
    ) -> Session<C, Io> {
        Session {
            io,
            codec,
            registry,
            limits,
            gate,
            input: Input::of(received),
            out: Output::default(),
            calls: Calls::new(),
            begun: None,
            last: None,
            drain,
            reading: Reading::Open,
        }
    }

    /// Serves until the client ends its side and has all its replies, or the server drains and the same.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        self.calls.register(cx);
        loop {
            let next = match self.take_requests(cx) {
                Ok(next) => next,
                Err(fault) => {
                    // Those before it are answered, as far as that goes without waiting.
                    let _ = self.out.poll_send(Pin::new(&mut self.io), cx);
                    return Poll::Ready(Err(Broken::Codec(fault)));
                }
            };
            self.calls.poll_woken(&mut self.codec, &mut self.out.bytes);
            let sent = match self.out.poll_send(Pin::new(&mut self.io), cx) {
                Poll::Ready(Ok(())) => true,
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Io(error))),
                Poll::Pending => false,
            };
            match next {
                Next::Held if !self.is_full() => continue,
                // A call that ends, the gate or the socket wakes the task.
                Next::Held | Next::Gated => return Poll::Pending,
                Next::Starved => {}
            }
            self.look_for_drain(cx);
            match self.reading {
                Reading::Ended if sent && self.calls.count() == 0 => return Poll::Ready(Ok(())),
                Reading::Ended => return Poll::Pending,
                Reading::Open | Reading::Draining => {}
            }
            match self.input.poll_fill(Pin::new(&mut self.io), cx) {
                Poll::Ready(Ok(0)) => self.reading = Reading::Ended,
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(Broken::Io(error))),
                // All that came before the drain has been read.
                Poll::Pending if self.reading == Reading::Draining => self.reading = Reading::Ended,
                Poll::Pending => return Poll::Pending,
            }
        }
    }

    fn is_full(&self) -> bool {
        is_full(&self.limits, &self.out, &self.calls)
    }

    fn look_for_drain(&mut self, cx: &mut Context<'_>) {
        if let Some(drain) = &mut self.drain
            && drain.as_mut().poll(cx).is_ready()
        {
            self.drain = None;
            if self.reading == Reading::Open {
                self.reading = Reading::Draining;
            }
        }
    }

    /// Begins every call that has come whole.
    fn take_requests(&mut self, cx: &mut Context<'_>) -> Result<Next, Fault> {
        let whole = self.input.received();
        let mut rest = whole;
        let next = loop {
            if is_full(&self.limits, &self.out, &self.calls) {
                break Ok(Next::Held);
            }
            let begun = match self.begun.take() {
                Some(begun) => begun,
                None if rest.is_empty() => break Ok(Next::Starved),
                None => match self.codec.header(&mut rest) {
                    Ok(Some(header)) => find(&self.registry, &mut self.last, &header),
                    Ok(None) => break Ok(Next::Starved),
                    Err(fault) => break Err(fault),
                },
            };
            match begun {
                Begun::Call(entry, sequence) => {
                    let permit = match &mut self.gate {
                        None => None,
                        Some(gate) => match gate.poll_acquire(cx) {
                            Poll::Ready(permit) => permit,
                            Poll::Pending => {
                                self.begun = Some(Begun::Call(entry, sequence));
                                break Ok(Next::Gated);
                            }
                        },
                    };
                    match entry.start(&mut self.codec, &mut rest) {
                        Ok(Some(call)) => {
                            let call = GoingOn { call, entry, sequence, _permit: permit };
                            self.calls.start(call, &mut self.codec, &mut self.out.bytes);
                        }
                        Ok(None) => {
                            self.begun = Some(Begun::Call(entry, sequence));
                            break Ok(Next::Starved);
                        }
                        Err(fault) if fault.is_fatal() => break Err(fault),
                        Err(fault) => {
                            let header = Header { method: Cow::Borrowed(&entry.name), sequence };
                            refuse(&mut self.codec, &header, &fault.to_string(), &mut self.out.bytes);
                        }
                    }
                }
                Begun::Refused { method, sequence, text } => match self.codec.skip(&mut rest) {
                    Ok(true) => {
                        let header = Header { method: Cow::Borrowed(&method), sequence };
                        refuse(&mut self.codec, &header, &text, &mut self.out.bytes);
                    }
                    Ok(false) => {
                        self.begun = Some(Begun::Refused { method, sequence, text });
                        break Ok(Next::Starved);
                    }
                    Err(fault) => break Err(fault),
                },
            }
        };
        let left = rest.len();
        self.input.keep_last(left);
        next
    }
}

/// Whether no further call may begin.
#[inline]
fn is_full<C: ServerCodec>(limits: &Limits, out: &Output, calls: &Calls<C>) -> bool {
    out.unsent() > limits.unsent || calls.count() >= limits.calls_per_conn
}

/// What is called, or why it cannot be.
#[inline]
fn find<C>(registry: &Registry<C>, last: &mut Option<Arc<Entry<C>>>, header: &Header<'_>) -> Begun<C> {
    if let Some(entry) = last
        && *entry.name == *header.method
    {
        return Begun::Call(entry.clone(), header.sequence);
    }
    match registry.find(&header.method) {
        Ok(entry) => {
            *last = Some(entry.clone());
            Begun::Call(entry.clone(), header.sequence)
        }
        Err(text) => Begun::Refused { method: (*header.method).into(), sequence: header.sequence, text },
    }
}
