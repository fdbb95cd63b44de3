//! A conn of HTTP/1.1: who uses it moves its bytes, so that no other task has to run for a request.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use http::header::{self, HeaderValue};
use http::{Request, Response, Uri, Version};
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1};
use hyper_util::rt::TokioIo;
use landline::Conn;
use tokio::sync::Notify;

use super::bell::Bell;
use super::body::Outgoing;
use super::conn::{ConnInfo, Driver, MAX_HEAD};

/// How often the conn is polled before others have their turn.
const MOST_TURNS: usize = 16;

/// HTTP/1.1: one request at a time.
pub(super) struct Single {
    sender: http1::SendRequest<Outgoing>,
    /// Moves the bytes; none once the conn is at an end, or has a task of its own.
    machine: Option<Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>>,
    bell: Arc<Bell>,
    /// Rings the bell.
    waker: Waker,
    /// The task of its own.
    _driver: Option<Driver>,
    pub(super) info: ConnInfo,
    form: Form,
    /// The value of `Host` of requests that say nothing else.
    host: HeaderValue,
}

/// How a request names what it asks for.
#[derive(Clone, Debug)]
pub(super) enum Form {
    /// By its path, to the server (RFC 9112 section 3.2.1).
    Origin,
    /// By its URL, to a proxy (section 3.2.2).
    Absolute { authorization: Option<HeaderValue> },
}

impl Single {
    /// Begins to speak; who keeps it while it is idle is told when it has news.
    pub(super) async fn begin(
        conn: Conn,
        info: ConnInfo,
        (form, host): (Form, HeaderValue),
        keeper: Arc<Notify>,
    ) -> hyper::Result<Single> {
        let (sender, machine) =
            http1::Builder::new().max_header_size(MAX_HEAD as usize).handshake(TokioIo::new(conn)).await?;
        let bell = Bell::new(keeper);
        let waker = Waker::from(bell.clone());
        let machine = Some(Box::pin(machine.with_upgrades()) as _);
        Ok(Single { sender, machine, bell, waker, _driver: None, info, form, host })
    }

    /// Whether an idle conn can carry a request; reads what has come meanwhile, mostly its end.
    pub(super) fn is_usable(&mut self) -> bool {
        if self.bell.is_rung() {
            self.run();
        }
        self.sender.is_ready()
    }

    /// Waits until it can carry a request; false if it never will.
    pub(super) fn poll_usable(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        self.poll_with(cx, |single, cx| single.sender.poll_ready(cx).map(|ready| ready.is_ok()))
    }

    /// To be called when it is put aside to be used again.
    pub(super) fn rest(&self) {
        self.bell.rest();
    }

    /// Sends a request of which the URI is absolute. An error gives the request back where none of it went out.
    pub(super) async fn send(
        &mut self,
        request: Request<Outgoing>,
    ) -> Result<Response<Incoming>, TrySendError<Request<Outgoing>>> {
        let request = self.in_form(request);
        // A conn that was closed meanwhile says so here or there, with the request.
        std::future::poll_fn(|cx| self.poll_usable(cx)).await;
        self.bell.attend();
        let mut response = std::pin::pin!(self.sender.try_send_request(request));
        std::future::poll_fn(|cx| self.poll_with(cx, |_, cx| response.as_mut().poll(cx))).await
    }

    /// Polls something that the conn has to bring about, and the conn for as long as that helps.
    pub(super) fn poll_with<T>(
        &mut self,
        cx: &mut Context<'_>,
        mut poll: impl FnMut(&mut Single, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<T> {
        if self.machine.is_none() {
            self.bell.leave();
            return poll(self, cx);
        }
        self.bell.attend();
        self.bell.tell(cx.waker());
        // Whatever it waits for comes of the conn, after which it is polled anyway.
        let mut nobody = Context::from_waker(Waker::noop());
        for _ in 0..MOST_TURNS {
            if let Poll::Ready(result) = poll(self, &mut nobody) {
                self.bell.leave();
                return Poll::Ready(result);
            }
            if self.bell.leave_unless_rung() {
                return Poll::Pending;
            }
            self.run();
            if self.machine.is_none() {
                self.bell.leave();
                return poll(self, cx);
            }
        }
        self.bell.leave();
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Moves the bytes that can be moved. An error is told to the request that it meets.
    fn run(&mut self) {
        self.bell.answer();
        if let Some(machine) = &mut self.machine
            && machine.as_mut().poll(&mut Context::from_waker(&self.waker)).is_ready()
        {
            self.machine = None;
        }
    }

    /// Gives the conn a task of its own, where more is to be sent than the reader of the response can be asked to do.
    pub(super) fn drive(&mut self) {
        if let Some(machine) = self.machine.take() {
            self.bell.answer();
            self._driver = Some(Driver::spawn(machine));
        }
    }

    /// A request as HTTP/1.1 puts it: the path as target, or the URL, and the host in a header (RFC 9112 section 3.2).
    fn in_form(&self, mut request: Request<Outgoing>) -> Request<Outgoing> {
        request.headers_mut().entry(header::HOST).or_insert_with(|| self.host.clone());
        match &self.form {
            Form::Origin => {
                if let Some(target) = request.uri().path_and_query() {
                    *request.uri_mut() = Uri::from(target.clone());
                }
            }
            Form::Absolute { authorization } => {
                if let Some(authorization) = authorization {
                    request.headers_mut().insert(header::PROXY_AUTHORIZATION, authorization.clone());
                }
            }
        }
        // hyper takes a body of these methods for none unless told otherwise.
        let body = http_body::Body::size_hint(request.body()).exact();
        if body.is_none() && !request.headers().contains_key(header::CONTENT_LENGTH) {
            request.headers_mut().insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
        }
        *request.version_mut() = Version::HTTP_11;
        request
    }
}
