//! Requests and responses that are little more than their heads, and need no hyper.
//!
//! Most requests are a `GET` whose head has come in one piece with nothing behind it, and many responses are short and there at
//! once. For these hyper's buffers, states and queues are a third of what the server does beside the kernel. So a conn has a hyper
//! only from its first request on that is anything else ([`parse`]), has to be waited for, or has such a response ([`is_plain`]),
//! until it rests. What was begun by then hyper's own call of the handler is given ([`Begun`]): nobody is asked twice.
//!
//! What is parsed here is parsed by what hyper parses with, and less of it is taken: whatever hyper would refuse, close the conn
//! behind, or read a body for, is hyper's.

use std::error::Error as StdError;
use std::io;
use std::ops::Deref;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Response, StatusCode, Uri, Version, response};
use http_body::Body;
use hyper::ext::ReasonPhrase;
use landline::{Conn, PooledBuf};
use tokio::io::AsyncWrite as _;
use tower_service::Service;

use super::body::{RequestBody, Sent, catch_panic};
use super::conn::drive;
use super::exchange::Exchange;
use super::refuse::refusal;
use super::service::{Answering, Begun, Handler};
use super::watch::Worker;

type BoxError = Box<dyn StdError + Send + Sync>;

/// With more fields than this a head is hyper's.
const MOST_FIELDS: usize = 24;

/// Up to so many values are copied each; of a copy of the whole head all are slices, which takes as much as three.
const FEW_FIELDS: usize = 3;

/// The longest body that is sent from here, in bytes.
const SHORT: u64 = 1024;

/// The request that this is the head of: all of the head, with nothing behind it, and without a body. `None` where it is anything
/// else, or may be.
#[inline(always)]
fn parse(heard: &[u8]) -> Option<Request<()>> {
    if !heard.starts_with(b"GET /") || !heard.ends_with(b"\r\n\r\n") {
        return None;
    }
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    if parsed.parse(heard) != Ok(httparse::Status::Complete(heard.len())) {
        return None;
    }
    let (Some("GET"), Some(target), Some(1)) = (parsed.method, parsed.path, parsed.version) else {
        return None;
    };
    let mut request = Request::new(());
    *request.uri_mut() = match target {
        "/" => Uri::from_static("/"),
        target => Uri::try_from(target).ok()?,
    };
    let whole = (parsed.headers.len() > FEW_FIELDS).then(|| Bytes::copy_from_slice(heard));
    let headers = request.headers_mut();
    headers.reserve(parsed.headers.len());
    for field in parsed.headers {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        if !is_plain_field(&name, field.value) {
            return None;
        }
        let value = match &whole {
            // What is empty may lie anywhere.
            Some(whole) if !field.value.is_empty() => {
                let begin = field.value.as_ptr().addr() - heard.as_ptr().addr();
                HeaderValue::from_maybe_shared(whole.slice(begin..begin + field.value.len()))
            }
            _ => HeaderValue::from_bytes(field.value),
        };
        headers.append(name, value.ok()?);
    }
    Some(request)
}

/// Whether a request with it is still the head alone, and its conn goes on behind it.
fn is_plain_field(name: &HeaderName, value: &[u8]) -> bool {
    match *name {
        header::CONNECTION => value.eq_ignore_ascii_case(b"keep-alive"),
        header::CONTENT_LENGTH
        | header::EXPECT
        | header::TE
        | header::TRAILER
        | header::TRANSFER_ENCODING
        | header::UPGRADE => false,
        _ => true,
    }
}

/// Whether a response with such a head is what it says and no more: with a body of that length, which may be none, behind which
/// the conn goes on.
fn is_plain(head: &response::Parts, length: u64) -> bool {
    let has_content = !matches!(head.status.as_u16(), ..200 | 204 | 205 | 304);
    has_content
        && head.version == Version::HTTP_11
        && head.extensions.get::<ReasonPhrase>().is_none()
        && head.headers.keys().all(|name| match *name {
            header::CONTENT_LENGTH => says(&head.headers, length),
            header::CONNECTION | header::TRAILER | header::TRANSFER_ENCODING | header::UPGRADE => false,
            _ => true,
        })
}

/// Whether it is this length that the one `Content-Length` tells.
fn says(headers: &HeaderMap, length: u64) -> bool {
    let mut told = headers.get_all(header::CONTENT_LENGTH).iter();
    let first = told.next().map(HeaderValue::as_bytes);
    first == Some(itoa::Buffer::new().format(length).as_bytes()) && told.next().is_none()
}

/// The head of a plain response, with what it does not say by itself (RFC 9110 sections 6.6.1 and 8.6).
fn encode(head: &response::Parts, length: u64, date: &[u8], to: &mut Vec<u8>) {
    if head.status == StatusCode::OK {
        to.put_slice(b"HTTP/1.1 200 OK\r\n");
    } else {
        to.put_slice(b"HTTP/1.1 ");
        to.put_slice(head.status.as_str().as_bytes());
        to.put_slice(b" ");
        to.put_slice(head.status.canonical_reason().unwrap_or("<none>").as_bytes());
        to.put_slice(b"\r\n");
    }
    let (mut has_length, mut has_date) = (false, false);
    for (name, value) in &head.headers {
        has_length |= name == header::CONTENT_LENGTH;
        has_date |= name == header::DATE;
        to.put_slice(name.as_str().as_bytes());
        to.put_slice(b": ");
        to.put_slice(value.as_bytes());
        to.put_slice(b"\r\n");
    }
    if !has_length {
        to.put_slice(b"content-length: ");
        to.put_slice(itoa::Buffer::new().format(length).as_bytes());
        to.put_slice(b"\r\n");
    }
    if !has_date {
        to.put_slice(b"date: ");
        to.put_slice(date);
        to.put_slice(b"\r\n");
    }
    to.put_slice(b"\r\n");
}

/// What was heard of a conn.
enum Heard {
    Before(Bytes),
    Now(PooledBuf),
}

impl Heard {
    fn into_bytes(self) -> Bytes {
        match self {
            Heard::Before(bytes) => bytes,
            Heard::Now(bytes) => Bytes::copy_from_slice(&bytes),
        }
    }
}

impl Deref for Heard {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Heard::Before(bytes) => bytes,
            Heard::Now(bytes) => bytes,
        }
    }
}

/// Why a conn is answered here no longer.
pub(super) enum Left {
    /// It is at its end.
    Over,
    /// It rests.
    Parked,
    /// This was heard, and is for hyper.
    Heard(Bytes),
}

/// A conn that has no hyper yet.
pub(super) struct Direct<'a, S, B>
where
    S: Service<Request<RequestBody>>,
    B: Body,
{
    handler: &'a Rc<Handler<S, B>>,
    worker: &'a Worker,
    conn: &'a Conn,
    /// Where requests and bodies are polled, one after the other; it is hyper's with what has to be waited for.
    answering: Option<Pin<Box<Option<Answering<S>>>>>,
    body: Option<Pin<Box<Option<B>>>>,
    /// The response that goes, and how much of it has.
    said: Vec<u8>,
    sent: usize,
}

impl<'a, S, B> Direct<'a, S, B>
where
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone,
    S::Error: Into<BoxError>,
    B: Body + 'static,
    B::Error: Into<BoxError>,
{
    pub(super) fn new(handler: &'a Rc<Handler<S, B>>, worker: &'a Worker, conn: &'a Conn) -> Self {
        Direct { handler, worker, conn, answering: None, body: None, said: Vec::new(), sent: 0 }
    }

    /// Answers what was heard, and what comes behind it.
    pub(super) async fn run(mut self, heard: Bytes) -> Result<Left, BoxError> {
        let (state, conn) = (&self.handler.state, self.conn);
        let mut first = Some(heard);
        let mut hearing = pin!(None);
        drive(state, |cx, _| {
            loop {
                ready!(self.poll_sent(cx))?;
                let heard = match first.take() {
                    Some(heard) => Heard::Before(heard),
                    None => {
                        if hearing.is_none() {
                            hearing.set(Some(conn.read_pooled()));
                        }
                        let Some(call) = hearing.as_mut().as_pin_mut() else { continue };
                        let Poll::Ready(heard) = call.poll(cx) else {
                            return match () {
                                // Whoever was not heard yet loses nothing.
                                () if state.is_ending() => Poll::Ready(Ok(Left::Over)),
                                () if state.take_parking() => Poll::Ready(Ok(Left::Parked)),
                                () => Poll::Pending,
                            };
                        };
                        hearing.set(None);
                        let heard = heard?;
                        state.read(heard.len());
                        if heard.is_empty() {
                            return Poll::Ready(Ok(Left::Over));
                        }
                        Heard::Now(heard)
                    }
                };
                if !self.answers(&heard, cx)? {
                    return Poll::Ready(Ok(Left::Heard(heard.into_bytes())));
                }
            }
        })
        .await
    }

    /// Sends what was said.
    #[inline(always)]
    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        let (state, mut conn) = (&self.handler.state, self.conn);
        while self.sent < self.said.len() {
            let rest = &self.said[self.sent..];
            let mut polled = pin!(conn.write(rest)).poll(cx).map_err(io::Error::from);
            if polled.is_pending() {
                // A call's place among those who wait is given up with it.
                polled = Pin::new(&mut conn).poll_write(cx, rest);
            }
            let Poll::Ready(sent) = polled else {
                state.cannot_write();
                return Poll::Pending;
            };
            match sent? {
                0 => return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into())),
                sent => {
                    state.wrote(sent);
                    self.sent += sent;
                }
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Answers a request, as far as that is done at once; false where it is for hyper.
    #[inline(always)]
    fn answers(&mut self, heard: &[u8], cx: &mut Context<'_>) -> Result<bool, BoxError> {
        let handler = self.handler;
        if handler.state.is_ending() || handler.is_next_last() || heard.len() > handler.settings.max_head {
            return Ok(false);
        }
        let Some(request) = parse(heard) else { return Ok(false) };
        if refusal(&request).is_some() {
            return Ok(false);
        }
        let mut room = self.answering.take().unwrap_or_else(|| Box::pin(None));
        room.set(Some(handler.answer(request)));
        let polled = match room.as_mut().as_pin_mut() {
            Some(answering) => answering.poll(cx),
            None => Poll::Pending,
        };
        let Poll::Ready(response) = polled else {
            handler.begun.set(Some(Begun::Running(room)));
            return Ok(false);
        };
        room.set(None);
        self.answering = Some(room);
        match self.say(response?, cx)? {
            None => Ok(true),
            Some(response) => {
                handler.begun.set(Some(Begun::Answered(Some(Box::new(response)))));
                Ok(false)
            }
        }
    }

    /// Encodes a response; gives it back where it is for hyper.
    #[inline(always)]
    fn say(
        &mut self,
        response: Response<Sent<B>>,
        cx: &mut Context<'_>,
    ) -> Result<Option<Response<Sent<B>>>, BoxError> {
        let (head, sent) = response.into_parts();
        let length = match sent.size_hint().exact() {
            Some(length @ ..=SHORT) if is_plain(&head, length) => length,
            _ => return Ok(Some(Response::from_parts(head, sent))),
        };
        let (body, exchange) = match sent.into_body() {
            Ok(parts) => parts,
            Err(sent) => return Ok(Some(Response::from_parts(head, sent))),
        };
        let mut room = self.body.take().unwrap_or_else(|| Box::pin(None));
        room.set(Some(body));
        let (content, is_whole) = poll_whole(room.as_mut(), length, &exchange, cx)?;
        if !is_whole {
            let sent = Sent::held(room, length, content, exchange);
            return Ok(Some(Response::from_parts(head, sent)));
        }
        self.said.clear();
        self.sent = 0;
        self.worker.with_date(|date| encode(&head, length, date, &mut self.said));
        if let Some(content) = content {
            self.said.put(content);
        }
        exchange.sent(length as usize);
        exchange.complete();
        room.set(None);
        self.body = Some(room);
        Ok(None)
    }
}

/// What a body of such a length gives at once, and whether that is all of it.
fn poll_whole<B>(
    mut body: Pin<&mut Option<B>>,
    length: u64,
    exchange: &Exchange,
    cx: &mut Context<'_>,
) -> Result<(Option<B::Data>, bool), BoxError>
where
    B: Body,
    B::Error: Into<BoxError>,
{
    let Some(mut body) = body.as_mut().as_pin_mut() else { return Ok((None, false)) };
    if body.is_end_stream() {
        return Ok((None, length == 0));
    }
    let frame = match catch_panic(exchange, || body.as_mut().poll_frame(cx))? {
        Poll::Pending => return Ok((None, false)),
        Poll::Ready(None) => return Err("the body is shorter than its length".into()),
        Poll::Ready(Some(frame)) => frame.map_err(Into::into)?,
    };
    match frame.into_data() {
        Ok(data) => {
            let is_whole = data.remaining() as u64 == length && body.is_end_stream();
            Ok((Some(data), is_whole))
        }
        Err(_) => Err("the body has trailers before its end".into()),
    }
}

/// What must hold of every head.
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzzing {
    use std::cell::RefCell;
    use std::convert::Infallible;
    use std::task::Waker;

    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncRead;

    use super::*;

    /// Reads so, and takes whatever is written.
    struct Peer<'a>(&'a [u8]);

    impl AsyncRead for Peer<'_> {
        fn poll_read(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
            buffer: &mut tokio::io::ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Pin::new(&mut self.0).poll_read(cx, buffer)
        }
    }

    impl tokio::io::AsyncWrite for Peer<'_> {
        fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// What is parsed here is one request for hyper, and the same.
    pub(crate) fn head(heard: &[u8]) {
        let Some(request) = parse(heard) else { return };
        let asked = RefCell::new(Vec::new());
        let service = service_fn(|request: Request<Incoming>| {
            let (head, body) = request.into_parts();
            assert!(body.is_end_stream());
            asked.borrow_mut().push(Request::from_parts(head, ()));
            std::future::ready(Ok::<_, Infallible>(Response::new(String::new())))
        });
        let mut builder = http1::Builder::new();
        // The end follows at once.
        let serving = builder.half_close(true).serve_connection(TokioIo::new(Peer(heard)), service);
        let mut serving = pin!(serving);
        let ended = serving.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(ended, Poll::Ready(Ok(()))), "{ended:?}");
        let asked = asked.take();
        let [other] = &asked[..] else { panic!("{asked:?}") };
        assert_eq!(request.method(), other.method());
        assert_eq!(request.uri(), other.uri());
        assert_eq!(request.version(), other.version());
        assert!(request.headers().iter().eq(other.headers()), "{request:?} {other:?}");
        assert!(other.extensions().is_empty());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_a_head_and_no_more() {
        let head = |lines: &str| format!("GET / HTTP/1.1\r\n{lines}\r\n");
        let most = |count: usize| (0..count).map(|number| format!("x: {number}\r\n")).collect::<String>();
        for (heard, is_plain) in [
            (head("Host: a\r\n"), true),
            (head(""), true),
            (head("Connection: keep-alive\r\n"), true),
            (head("Connection: KEEP-Alive\r\n"), true),
            (head("A: b\r\nC:\r\nD: e\r\nF: \t\r\nG: h\r\n"), true),
            (head(&most(MOST_FIELDS)), true),
            (head(&most(MOST_FIELDS + 1)), false),
            (head("Connection: close\r\n"), false),
            (head("Connection: keep-alive, x\r\n"), false),
            (head("Content-Length: 0\r\n"), false),
            (head("content-length: 1\r\n") + "x", false),
            (head("Transfer-Encoding: chunked\r\n"), false),
            (head("Upgrade: x\r\n"), false),
            (head("Expect: 100-continue\r\n"), false),
            (head("TE: trailers\r\n"), false),
            (head("Host: a\r\n") + &head("Host: a\r\n"), false),
            ("\r\n".to_owned() + &head(""), false),
            (head("Host: a\r\n") + "\r\n", false),
            (head(" folded: a\r\n"), false),
            (head("x y: a\r\n"), false),
            ("GET / HTTP/1.0\r\n\r\n".to_owned(), false),
            ("GET http://a/ HTTP/1.1\r\n\r\n".to_owned(), false),
            ("GET * HTTP/1.1\r\n\r\n".to_owned(), false),
            ("HEAD / HTTP/1.1\r\n\r\n".to_owned(), false),
            ("POST / HTTP/1.1\r\n\r\n".to_owned(), false),
            ("GET / HTTP/1.1\r\n".to_owned(), false),
            (String::new(), false),
        ] {
            assert_eq!(parse(heard.as_bytes()).is_some(), is_plain, "{heard:?}");
            fuzzing::head(heard.as_bytes());
        }
    }

    #[test]
    fn what_is_a_response_and_no_more() {
        let of = |status: u16, headers: &[(&str, &str)]| {
            let mut response = Response::builder().status(status);
            for (name, value) in headers {
                response = response.header(*name, *value);
            }
            response.body(()).unwrap().into_parts().0
        };
        for (status, headers, is) in [
            (200, &[][..], true),
            (599, &[("x", "y"), ("x", "z")], true),
            (200, &[("content-length", "5")], true),
            (200, &[("content-length", "05")], false),
            (200, &[("content-length", "5"), ("content-length", "5")], false),
            (200, &[("content-length", "4")], false),
            (200, &[("connection", "close")], false),
            (200, &[("transfer-encoding", "chunked")], false),
            (200, &[("trailer", "x")], false),
            (101, &[("upgrade", "x")], false),
            (103, &[], false),
            (204, &[], false),
            (205, &[], false),
            (304, &[], false),
        ] {
            assert_eq!(is_plain(&of(status, headers), 5), is, "{status} {headers:?}");
        }
        let mut old = of(200, &[]);
        old.version = Version::HTTP_10;
        assert!(!is_plain(&old, 5));
        let mut spoken = of(200, &[]);
        spoken.extensions.insert(ReasonPhrase::from_static(b"Fine"));
        assert!(!is_plain(&spoken, 5));
    }
}
