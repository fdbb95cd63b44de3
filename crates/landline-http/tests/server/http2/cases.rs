//! What a server does about something a client said, and what RFC 9113 allows it to do.

use landline_http::server::{Server, Serving};

use super::peer::{self, Frame, NoFrame, PREFACE, Peer, code, flag, frame, kind};

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// A connection error (section 5.4.1): GOAWAY with this code, and the conn closed by the server.
    Conn(u32),
    /// A stream error (section 5.4.2): RST_STREAM with this code, and the conn goes on.
    Stream(u32),
    /// A response with this status, and the conn goes on.
    Answered(u16),
    /// Nothing was said about it, and the conn goes on.
    Tolerated,
    /// The conn was closed without a GOAWAY.
    Closed,
    /// The server neither said anything nor closed the conn.
    Silent,
}

use Ended::{Answered, Conn, Stream, Tolerated};

/// Where the `h2` crate, which hyper speaks with, does otherwise than RFC 9113 or RFC 7541 has it, and what it does.
pub(super) const DEVIATIONS: &[(&str, Ended)] = &[
    // A conn error all the same, and of the one code.
    ("4.3 a field block that is none", Conn(code::PROTOCOL)),
    ("4.3 a field block that breaks off", Conn(code::PROTOCOL)),
    ("hpack 2.3.3 an index of nothing", Conn(code::PROTOCOL)),
    ("hpack 2.3.3 a literal whose name is an index of nothing", Conn(code::PROTOCOL)),
    ("hpack 4.2 an update of the size at the end", Conn(code::PROTOCOL)),
    ("hpack 5.1 a number without an end", Conn(code::PROTOCOL)),
    ("hpack 5.2 a string longer than the block", Conn(code::PROTOCOL)),
    ("hpack 5.2 padding of more than 7 bits", Conn(code::PROTOCOL)),
    ("hpack 5.2 padding of zeros", Conn(code::PROTOCOL)),
    ("hpack 5.2 EOS in a string", Conn(code::PROTOCOL)),
    ("hpack 6.1 index 0", Conn(code::PROTOCOL)),
    ("hpack 6.3 a size above what was allowed", Conn(code::PROTOCOL)),
    ("6.1 DATA padded without a count", Conn(code::PROTOCOL)),
    ("6.2 HEADERS too short for their priority", Conn(code::PROTOCOL)),
    ("6.3 PRIORITY of 4 bytes", Conn(code::PROTOCOL)),
    ("6.4 RST_STREAM of 3 bytes", Conn(code::PROTOCOL)),
    ("6.5 SETTINGS that acknowledge and say something", Conn(code::PROTOCOL)),
    ("6.5 SETTINGS of 3 bytes", Conn(code::PROTOCOL)),
    ("6.5.2 a window of 2^31", Conn(code::PROTOCOL)),
    ("6.7 PING of 6 bytes", Conn(code::PROTOCOL)),
    ("6.8 GOAWAY of 7 bytes", Conn(code::PROTOCOL)),
    ("6.9 WINDOW_UPDATE of 3 bytes", Conn(code::PROTOCOL)),
    // An error of the conn, where one of the stream were enough; and of the one code.
    ("5.1 half-closed (remote): DATA", Conn(code::PROTOCOL)),
    ("5.1 half-closed (remote): HEADERS", Conn(code::PROTOCOL)),
    ("5.1 closed by RST_STREAM: HEADERS", Conn(code::PROTOCOL)),
    ("5.1 closed: HEADERS", Conn(code::PROTOCOL)),
    // No error at all; the handler does not see the pseudo-header.
    ("8.1 a pseudo-header among trailers", Answered(200)),
    // Whatever comes first is taken for what would come later.
    ("3.4 PING instead of the first SETTINGS", Tolerated),
    ("3.4 a request instead of the first SETTINGS", Answered(200)),
    ("3.4 an acknowledgement instead of the first SETTINGS", Tolerated),
];

/// What a client says before it looks at the answer.
pub(super) enum Step {
    Say(Vec<u8>),
    /// Waits for the whole response on this stream.
    Hear(u32),
}

pub(super) struct Case {
    pub(super) name: &'static str,
    /// Whether nothing has been said before, but the 24 bytes that each client begins with.
    pub(super) is_first: bool,
    pub(super) steps: Vec<Step>,
    /// Any of these.
    pub(super) allowed: Vec<Ended>,
}

/// In one write.
pub(super) fn case(name: &'static str, frames: &[Vec<u8>], allowed: Vec<Ended>) -> Case {
    Case { name, is_first: false, steps: vec![Step::Say(frames.concat())], allowed }
}

/// As the first that is said.
pub(super) fn at_first(name: &'static str, frame: Vec<u8>, allowed: Vec<Ended>) -> Case {
    Case { is_first: true, ..case(name, &[frame], allowed) }
}

/// `frames` once there is the whole answer to a request on stream 1.
pub(super) fn behind_an_answer(name: &'static str, frames: &[Vec<u8>], allowed: Vec<Ended>) -> Case {
    let steps = vec![Step::Say(peer::get(1)), Step::Hear(1), Step::Say(frames.concat())];
    Case { name, is_first: false, steps, allowed }
}

/// "MUST be treated as a connection error".
pub(super) fn conn_error(code: u32) -> Vec<Ended> {
    vec![Conn(code)]
}

/// "MUST be treated as a stream error", which section 5.4.1 lets be one of the conn.
pub(super) fn stream_error(code: u32) -> Vec<Ended> {
    vec![Stream(code), Conn(code)]
}

/// Section 8.1.1: a stream error, before which a server may answer.
pub(super) fn malformed() -> Vec<Ended> {
    vec![Stream(code::PROTOCOL), Conn(code::PROTOCOL), Answered(400)]
}

pub(super) fn tolerated() -> Vec<Ended> {
    vec![Tolerated]
}

pub(super) fn answered() -> Vec<Ended> {
    vec![Answered(200)]
}

impl Case {
    /// What RFCs allow, or what is known to be otherwise.
    pub(super) fn expected(&self) -> Vec<Ended> {
        let known = DEVIATIONS.iter().find(|(name, _)| *name == self.name);
        known.map_or_else(|| self.allowed.clone(), |(_, ended)| vec![*ended])
    }

    async fn play(&self, serving: &Serving) -> Ended {
        let peer = if self.is_first { Peer::dial(serving).await } else { Peer::open(serving).await };
        if self.is_first {
            peer.say(PREFACE).await;
        }
        for step in &self.steps {
            match step {
                Step::Say(bytes) => peer.say(bytes).await,
                Step::Hear(stream) => assert_eq!(peer.answer(*stream).await.status, 200, "{}", self.name),
            }
        }
        let is_tolerated = self.expected().contains(&Tolerated);
        let ended = self.heard(&peer, is_tolerated).await;
        match ended {
            Conn(_) => match peer.end().await {
                NoFrame::Closed => {}
                NoFrame::Silent => return Ended::Silent,
            },
            Stream(_) | Answered(_) | Tolerated => peer.is_served(1001).await,
            Ended::Closed | Ended::Silent => {}
        }
        ended
    }

    /// Nothing follows what is tolerated, so there it is the answer to a PING that is waited for.
    async fn heard(&self, peer: &Peer, is_tolerated: bool) -> Ended {
        if is_tolerated {
            peer.say(&frame(kind::PING, 0, 0, b"tolerate")).await;
        }
        let is_end =
            |frame: &Frame| matches!(frame.kind, kind::HEADERS | kind::DATA) && frame.has(flag::END_STREAM);
        let mut status = 0;
        loop {
            let frame = match peer.next().await {
                Ok(frame) => frame,
                Err(NoFrame::Closed) => return Ended::Closed,
                Err(NoFrame::Silent) => return Ended::Silent,
            };
            match frame.kind {
                kind::GOAWAY => return Conn(frame.code()),
                kind::RST_STREAM => return Stream(frame.code()),
                kind::PING if frame.has(flag::ACK) && frame.payload == b"tolerate" => return Tolerated,
                kind::HEADERS => status = frame.status(),
                _ => {}
            }
            if is_end(&frame) && !is_tolerated {
                return Answered(status);
            }
        }
    }
}

/// Plays each on a conn of its own, and tells of all that went wrong.
pub(super) async fn check(cases: Vec<Case>) {
    let serving = peer::serve(Server::new()).await;
    let mut failed = Vec::new();
    for case in cases {
        let (ended, expected) = (case.play(&serving).await, case.expected());
        if !expected.contains(&ended) {
            failed.push(format!("{}: {ended:?}, not one of {expected:?}", case.name));
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn what_deviates_is_a_case_that_would_fail_otherwise() {
    let cases: Vec<Case> = [
        super::framing::cases(),
        super::streams::cases(),
        super::frames::cases(),
        super::messages::cases(),
        super::hpack::cases(),
    ]
    .into_iter()
    .flatten()
    .collect();
    for (name, ended) in DEVIATIONS {
        let named: Vec<&Case> = cases.iter().filter(|case| case.name == *name).collect();
        assert_eq!(named.len(), 1, "{name}");
        assert!(!named[0].allowed.contains(ended), "{name} is as it should be");
    }
}
