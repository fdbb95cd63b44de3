//! A client that says whatever bytes it is told to, and keeps its side open.

use std::time::Duration;

use http::{Request, Response};
use http_body_util::BodyExt as _;
use landline::Conn;
use landline_http::Body;
use landline_http::server::{RequestBody, Server, Serving, handle};

use super::super::{PATIENCE, dial, one};
use super::block;

pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// The types of RFC 9113 section 6.
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
}

/// The flags of section 6, some of which share a bit.
pub(super) mod flag {
    pub(crate) const ACK: u8 = 1;
    pub(crate) const END_STREAM: u8 = 1;
    pub(crate) const END_HEADERS: u8 = 4;
    pub(crate) const PADDED: u8 = 8;
    pub(crate) const PRIORITY: u8 = 0x20;
    /// A request without a body, in one frame.
    pub(crate) const WHOLE: u8 = END_STREAM | END_HEADERS;
}

/// The codes of section 7.
pub(super) mod code {
    pub(crate) const PROTOCOL: u32 = 1;
    pub(crate) const FLOW_CONTROL: u32 = 3;
    pub(crate) const STREAM_CLOSED: u32 = 5;
    pub(crate) const FRAME_SIZE: u32 = 6;
    pub(crate) const REFUSED_STREAM: u32 = 7;
    pub(crate) const CANCEL: u32 = 8;
    pub(crate) const COMPRESSION: u32 = 9;
    pub(crate) const CALM: u32 = 11;
}

/// One frame as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    pub(super) payload: Vec<u8>,
}

impl Frame {
    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Of a RST_STREAM or a GOAWAY.
    pub(super) fn code(&self) -> u32 {
        let at = if self.kind == kind::GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }

    /// Of a response's HEADERS, as far as the static table of RFC 7541 has it; 0 otherwise.
    pub(super) fn status(&self) -> u16 {
        // Behind an update of the table's size, of which no more than one byte is expected (section 6.3).
        let index = self.payload.iter().find(|byte| **byte & 0xe0 != 0x20).copied().unwrap_or_default();
        let statuses = [200, 204, 206, 304, 400, 404, 500];
        index.checked_sub(0x88).and_then(|at| statuses.get(usize::from(at)).copied()).unwrap_or_default()
    }
}

/// RFC 9113 section 4.1.
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// SETTINGS with these values.
pub(super) fn settings(values: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = values
        .iter()
        .flat_map(|(id, value)| [&id.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(kind::SETTINGS, 0, 0, &payload)
}

pub(super) fn window_update(stream: u32, increment: u32) -> Vec<u8> {
    frame(kind::WINDOW_UPDATE, 0, stream, &increment.to_be_bytes())
}

pub(super) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
}

/// A whole request.
pub(super) fn get(stream: u32) -> Vec<u8> {
    frame(kind::HEADERS, flag::WHOLE, stream, &block::get("/"))
}

/// Why there is no further frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoFrame {
    /// The server has closed the conn.
    Closed,
    /// It said nothing for [`PATIENCE`].
    Silent,
}

/// What a response was, once it was whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(super) status: u16,
    pub(crate) body: Vec<u8>,
    /// How long each DATA frame was.
    pub(super) lengths: Vec<usize>,
}

/// What there is to say of a request with a body.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Step {
    Begin,
    Part(&'static [u8]),
    End,
}

pub(crate) struct Peer {
    pub(super) conn: Conn,
}

impl Peer {
    /// Says nothing yet.
    pub(super) async fn dial(serving: &Serving) -> Peer {
        Peer { conn: dial(serving).await }
    }

    /// After the preface and the settings of both sides.
    pub(crate) async fn open(serving: &Serving) -> Peer {
        let peer = Peer::dial(serving).await;
        peer.say(&[PREFACE, &settings(&[])].concat()).await;
        assert_eq!(peer.next().await.unwrap().kind, kind::SETTINGS);
        peer.say(&frame(kind::SETTINGS, flag::ACK, 0, &[])).await;
        peer.until(|frame| frame.kind == kind::SETTINGS && frame.has(flag::ACK)).await;
        peer
    }

    /// The server may have closed the conn before it has it all.
    pub(super) async fn say(&self, bytes: &[u8]) {
        let _ = self.conn.write_all(bytes).await;
    }

    async fn exactly(&self, count: usize) -> Result<Vec<u8>, NoFrame> {
        let mut all = vec![0; count];
        let mut read = 0;
        while read < count {
            match tokio::time::timeout(PATIENCE, self.conn.read(&mut all[read..])).await {
                Err(_) => return Err(NoFrame::Silent),
                Ok(Ok(0) | Err(_)) => return Err(NoFrame::Closed),
                Ok(Ok(more)) => read += more,
            }
        }
        Ok(all)
    }

    pub(super) async fn next(&self) -> Result<Frame, NoFrame> {
        let head = self.exactly(9).await?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.exactly(length as usize).await?;
        Ok(Frame { kind: head[3], flags: head[4], stream, payload })
    }

    /// Passes over all frames before one that is so.
    pub(super) async fn until(&self, is: impl Fn(&Frame) -> bool) -> Frame {
        let mut passed = Vec::new();
        loop {
            match self.next().await {
                Ok(frame) if is(&frame) => return frame,
                Ok(frame) => passed.push((frame.kind, frame.flags, frame.stream, frame.payload.len())),
                Err(error) => panic!("{error:?} after (type, flags, stream, length) {passed:?}"),
            }
        }
    }

    /// Its code, and the end of the conn behind it, which the server has to bring about.
    pub(super) async fn goaway(&self) -> u32 {
        let code = self.until(|frame| frame.kind == kind::GOAWAY).await.code();
        assert_eq!(self.end().await, NoFrame::Closed);
        code
    }

    pub(crate) async fn end(&self) -> NoFrame {
        loop {
            if let Err(error) = self.next().await {
                return error;
            }
        }
    }

    /// The response on this stream, whole.
    pub(crate) async fn answer(&self, stream: u32) -> Answer {
        let mut answer = Answer::default();
        loop {
            let frame = self.until(|frame| frame.stream == stream || frame.kind == kind::GOAWAY).await;
            match frame.kind {
                kind::HEADERS if answer.status == 0 => answer.status = frame.status(),
                kind::DATA => {
                    answer.lengths.push(frame.payload.len());
                    answer.body.extend(&frame.payload);
                }
                kind::RST_STREAM | kind::GOAWAY => panic!("no answer but {frame:?}"),
                _ => {}
            }
            if matches!(frame.kind, kind::HEADERS | kind::DATA) && frame.has(flag::END_STREAM) {
                return answer;
            }
        }
    }

    /// A step of a POST to `/`.
    pub(crate) async fn post(&self, stream: u32, step: Step) {
        let bytes = match step {
            Step::Begin => frame(kind::HEADERS, flag::END_HEADERS, stream, &block::post("/")),
            Step::Part(bytes) => frame(kind::DATA, 0, stream, bytes),
            Step::End => frame(kind::DATA, flag::END_STREAM, stream, b""),
        };
        self.say(&bytes).await;
    }

    /// The server is well: it answers a PING, and on this stream a request.
    pub(super) async fn is_served(&self, stream: u32) {
        self.say(&frame(kind::PING, 0, 0, b"are you?")).await;
        self.until(|frame| frame.kind == kind::PING && frame.has(flag::ACK) && frame.payload == b"are you?")
            .await;
        self.say(&get(stream)).await;
        let answer = self.answer(stream).await;
        assert_eq!((answer.status, &answer.body[..]), (200, &b"GET /"[..]));
    }
}

/// What it was asked, once that has come whole: the method, the target, `x` fields, the body and the trailers. `/never` has
/// no answer; `/long` has one of 100 000 bytes. Nor has a request an answer whose body fails.
pub(super) async fn serve(server: Server) -> Serving {
    let echo = handle(async |request: Request<RequestBody>| {
        let mut text = format!("{} {}", request.method(), request.uri().path());
        for (name, value) in request.headers() {
            if name.as_str().starts_with("custom") {
                text += &format!(" {name}={}", value.to_str().unwrap());
            }
        }
        match request.uri().path() {
            "/never" => std::future::pending().await,
            "/long" => return Response::new(Body::from(vec![b'x'; 100_000])),
            _ => {}
        }
        let Ok(body) = request.into_body().collect().await else { return std::future::pending().await };
        let trailers = body.trailers().cloned();
        let body = body.to_bytes();
        if !body.is_empty() {
            text += &format!(" body={}", body.len());
        }
        for (name, value) in trailers.iter().flatten() {
            text += &format!(" {name}={}", value.to_str().unwrap());
        }
        Response::new(Body::from(text))
    });
    // Whatever is waited for comes from the server's rules, not from its patience.
    let server = server.body_timeout(Duration::from_secs(600)).idle_timeout(Duration::from_secs(600));
    server.transport(one()).serve("tcp", "127.0.0.1:0", echo).await.unwrap()
}
