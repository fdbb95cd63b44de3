//! A method that can be called, with its types forgotten.

use std::any::type_name;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use landline_gob::Encode;
use pin_project_lite::pin_project;
use serde::de::DeserializeOwned;

use crate::codec::{Fault, Header, ServerCodec};

/// A registered method.
pub(super) struct Entry<C> {
    /// `Service.Method`.
    pub(super) name: Box<str>,
    pub(super) args: &'static str,
    pub(super) reply: &'static str,
    pub(super) calls: AtomicU64,
    method: Box<dyn Method<C>>,
}

impl<C: ServerCodec> Entry<C> {
    pub(super) fn new<A, R, E, H, F>(name: &str, handler: H) -> Entry<C>
    where
        A: DeserializeOwned + Send + 'static,
        R: Encode + Send + 'static,
        E: fmt::Display + 'static,
        H: Fn(A) -> F + Send + Sync + 'static,
        F: Future<Output = Result<R, E>> + Send + 'static,
    {
        let method = Handler { handler, args: std::marker::PhantomData };
        Entry {
            name: name.into(),
            args: type_name::<A>(),
            reply: type_name::<R>(),
            calls: AtomicU64::new(0),
            method: Box::new(method),
        }
    }

    /// Takes the arguments and makes the call; nothing if not all of them are there.
    #[inline]
    pub(super) fn start(&self, codec: &mut C, input: &mut &[u8]) -> Result<Option<Call<C>>, Fault> {
        let call = self.method.start(codec, input)?;
        if call.is_some() {
            self.calls.fetch_add(1, Ordering::Relaxed);
        }
        Ok(call)
    }
}

/// A call that goes on.
pub(super) type Call<C> = Pin<Box<dyn Run<C>>>;

/// What can be started.
trait Method<C>: Send + Sync {
    fn start(&self, codec: &mut C, input: &mut &[u8]) -> Result<Option<Call<C>>, Fault>;
}

/// What has been started.
pub(super) trait Run<C>: Send {
    /// Polls the handler, and writes its reply when it has one.
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        codec: &mut C,
        header: &Header<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<()>;
}

struct Handler<A, H> {
    handler: H,
    args: std::marker::PhantomData<fn(A)>,
}

impl<C, A, R, E, H, F> Method<C> for Handler<A, H>
where
    C: ServerCodec,
    A: DeserializeOwned + Send + 'static,
    R: Encode + Send + 'static,
    E: fmt::Display + 'static,
    H: Fn(A) -> F + Send + Sync + 'static,
    F: Future<Output = Result<R, E>> + Send + 'static,
{
    fn start(&self, codec: &mut C, input: &mut &[u8]) -> Result<Option<Call<C>>, Fault> {
        let Some(args) = codec.args::<A>(input)? else { return Ok(None) };
        match catch_unwind(AssertUnwindSafe(|| (self.handler)(args))) {
            Ok(future) => Ok(Some(Box::pin(Running { future }))),
            Err(panic) => Err(Fault::new(words_of(&*panic))),
        }
    }
}

pin_project! {
    struct Running<F> {
        #[pin]
        future: F,
    }
}

impl<C, R, E, F> Run<C> for Running<F>
where
    C: ServerCodec,
    R: Encode + Send + 'static,
    E: fmt::Display + 'static,
    F: Future<Output = Result<R, E>> + Send + 'static,
{
    #[inline]
    fn poll_reply(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        codec: &mut C,
        header: &Header<'_>,
        out: &mut Vec<u8>,
    ) -> Poll<()> {
        let future = self.project().future;
        let done = match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(reply))) => codec.reply(header, &reply, out).map_err(|fault| fault.to_string()),
            Ok(Poll::Ready(Err(error))) => Err(error.to_string()),
            Err(panic) => Err(words_of(&*panic)),
        };
        if let Err(text) = done {
            refuse(codec, header, &text, out);
        }
        Poll::Ready(())
    }
}

/// Answers with an error, which on the wire is told from success by not being empty.
pub(super) fn refuse<C: ServerCodec>(codec: &mut C, header: &Header<'_>, text: &str, out: &mut Vec<u8>) {
    codec.error(header, if text.is_empty() { "unspecified error" } else { text }, out);
}

#[cold]
fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    match words {
        Some(words) => format!("rpc: the method panicked: {words}"),
        None => "rpc: the method panicked".to_owned(),
    }
}
