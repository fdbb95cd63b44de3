//! Server-sent events: a response that goes on, as an `EventSource` of a browser reads it (HTML section 9.2).
//!
//! A server that drains waits for such responses, too: [`Caller::draining`](super::Caller::draining) tells when to end them. A
//! client comes again by itself, and tells which event it has heard last ([`last_event_id`]).
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! use landline_http::client::Client;
//! use landline_http::server::events::{self, Event};
//! use landline_http::server::{Server, handle};
//!
//! let count = handle(async |_| {
//!     let (sender, events) = events::channel(16);
//!     tokio::spawn(async move {
//!         for number in 1..=3 {
//!             let event = Event::new().data(&format!("{number}"));
//!             // Nobody is there any more.
//!             let Ok(()) = sender.send(event).await else { return };
//!         }
//!     });
//!     events.into_response()
//! });
//! let serving = Server::new().serve("tcp", "127.0.0.1:0", count).await?;
//!
//! let response = Client::new().get(&format!("http://{}/", serving.local_addr())).await?;
//! assert_eq!(response.headers()["content-type"], "text/event-stream");
//! assert_eq!(response.into_body().text(1024).await?, "data: 1\n\ndata: 2\n\ndata: 3\n\n");
//! serving.shutdown(Duration::from_secs(5)).await;
//! # Ok(()) }
//! ```

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use http::Response;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderValue};
use http_body::Frame;
use pin_project_lite::pin_project;
use tokio::sync::mpsc;
use tokio::time::{Sleep, sleep};

use crate::Body;

/// What HTML recommends: "every 15 seconds or so" (section 9.2.7).
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What is sent to keep a conn in use: a comment without words.
const NOTHING: &[u8] = b":\n\n";

/// One event. What is not set is not sent; one without [`Event::data`] sets what it has, and no listener hears of it.
///
/// ```
/// use landline_http::server::events::Event;
///
/// let event = Event::new().id("7")?.event("chat")?.data("first\nsecond");
/// assert_eq!(event.encode(), "event: chat\nid: 7\ndata: first\ndata: second\n\n");
/// # Ok::<(), landline_http::server::events::InvalidEvent>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    comment: Option<String>,
    event: Option<String>,
    id: Option<String>,
    retry: Option<Duration>,
    data: Option<String>,
}

/// A field of an event would not be what it was meant to be at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidEvent {
    field: &'static str,
    value: String,
}

impl std::fmt::Display for InvalidEvent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the {} of an event cannot be {:?}", self.field, self.value)
    }
}

impl std::error::Error for InvalidEvent {}

fn one_line(field: &'static str, value: &str) -> Result<String, InvalidEvent> {
    if value.contains(['\r', '\n', '\0']) {
        Err(InvalidEvent { field, value: value.to_owned() })
    } else {
        Ok(value.to_owned())
    }
}

impl Event {
    /// One that has nothing yet.
    pub fn new() -> Event {
        Event::default()
    }

    /// What the event says, of any number of lines. Whatever they end with, CR LF, LF or CR, arrives as LF.
    #[must_use]
    pub fn data(mut self, data: &str) -> Event {
        self.data = Some(data.to_owned());
        self
    }

    /// What kind of event it is: `message` by default.
    ///
    /// # Errors
    /// If there is a line break or a NUL in it.
    pub fn event(mut self, name: &str) -> Result<Event, InvalidEvent> {
        self.event = Some(one_line("name", name)?);
        Ok(self)
    }

    /// What a client that comes again tells as the last it has heard; see [`last_event_id`]. Empty, it takes back the one
    /// before.
    ///
    /// # Errors
    /// If there is a line break or a NUL in it: clients would not take it.
    pub fn id(mut self, id: &str) -> Result<Event, InvalidEvent> {
        self.id = Some(one_line("id", id)?);
        Ok(self)
    }

    /// How long a client is to wait before it comes again, in whole milliseconds.
    #[must_use]
    pub fn retry(mut self, wait: Duration) -> Event {
        self.retry = Some(wait);
        self
    }

    /// What only those hear who look at the bytes, of any number of lines.
    #[must_use]
    pub fn comment(mut self, comment: &str) -> Event {
        self.comment = Some(comment.to_owned());
        self
    }

    /// As it is sent, with the empty line at its end.
    pub fn encode(&self) -> String {
        let length = |text: &Option<String>| text.as_ref().map_or(0, |text| text.len() + 8);
        let mut out = String::with_capacity(
            length(&self.comment) + length(&self.event) + length(&self.id) + length(&self.data) + 32,
        );
        let mut field = |name: &str, value: &str| {
            // A reader takes one space away, and would take the value's own.
            out.extend([name, ": ", value, "\n"]);
        };
        for line in self.comment.iter().flat_map(|comment| lines(comment)) {
            field("", line);
        }
        if let Some(event) = &self.event {
            field("event", event);
        }
        if let Some(id) = &self.id {
            field("id", id);
        }
        if let Some(retry) = self.retry {
            field("retry", &retry.as_millis().to_string());
        }
        for line in self.data.iter().flat_map(|data| lines(data)) {
            field("data", line);
        }
        out.push('\n');
        out
    }
}

/// What is between line ends, of which CR LF is one.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = text.find(['\r', '\n']) else { return rest.take() };
        let behind = &text[end..];
        rest = behind.strip_prefix("\r\n").or_else(|| behind.get(1..));
        Some(&text[..end])
    })
}

pin_project! {
    /// A body of events, from a stream of them or from [`channel`]. It ends with the stream; when the client leaves it is
    /// dropped, and with it the stream.
    ///
    /// While there are none, a comment every 15 s ([`Events::keep_alive`]) keeps the conn in use, and shows where it is
    /// not any more.
    #[derive(Debug)]
    pub struct Events<S> {
        #[pin]
        events: S,
        interval: Option<Duration>,
        // There while an event is waited for.
        #[pin]
        pause: Option<Sleep>,
    }
}

impl<S: Stream<Item = Event>> Events<S> {
    /// Those of a stream.
    pub fn new(events: S) -> Events<S> {
        Events { events, interval: Some(KEEP_ALIVE), pause: None }
    }

    /// After how long without an event there is a comment; 15 s by default, and `None` never.
    #[must_use]
    pub fn keep_alive(mut self, interval: impl Into<Option<Duration>>) -> Events<S> {
        self.interval = interval.into();
        self
    }

    /// A 200 with this body, of its media type, which no cache keeps.
    pub fn into_response(self) -> Response<Body>
    where
        S: Send + 'static,
    {
        let mut response = Response::new(Body::wrap(self));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

impl<S: Stream<Item = Event>> http_body::Body for Events<S> {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let mut this = self.project();
        if let Poll::Ready(event) = this.events.poll_next(cx) {
            this.pause.set(None);
            return Poll::Ready(event.map(|event| Ok(Frame::data(event.encode().into()))));
        }
        let Some(interval) = *this.interval else { return Poll::Pending };
        if this.pause.is_none() {
            this.pause.set(Some(sleep(interval)));
        }
        if let Some(pause) = this.pause.as_mut().as_pin_mut() {
            ready!(pause.poll(cx));
        }
        this.pause.set(None);
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(NOTHING)))))
    }
}

/// Events that are sent from elsewhere; up to `capacity` of them (one at least) wait for the client to take them.
pub fn channel(capacity: usize) -> (EventSender, Events<EventReceiver>) {
    let (sender, receiver) = mpsc::channel(capacity.max(1));
    (EventSender(sender), Events::new(EventReceiver(receiver)))
}

/// The end of [`channel`] for those who have something to say. When the last is dropped the response ends.
#[derive(Clone, Debug)]
pub struct EventSender(mpsc::Sender<Event>);

/// The client has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gone;

impl std::fmt::Display for Gone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the client has left")
    }
}

impl std::error::Error for Gone {}

impl EventSender {
    /// Sends an event, as soon as there is place for it.
    ///
    /// # Errors
    /// If the client has left.
    ///
    /// # Cancellation
    /// Dropping the future sends nothing.
    pub async fn send(&self, event: Event) -> Result<(), Gone> {
        self.0.send(event).await.map_err(|_| Gone)
    }

    /// Waits until the client has left.
    ///
    /// # Cancellation
    /// Dropping the future changes nothing.
    pub async fn closed(&self) {
        self.0.closed().await;
    }
}

/// The events that a [`channel`] brings.
#[derive(Debug)]
pub struct EventReceiver(mpsc::Receiver<Event>);

impl Stream for EventReceiver {
    type Item = Event;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll_recv(cx)
    }
}

/// The [`Event::id`] of the last event that a client had when its conn broke: `Last-Event-ID` (section 9.2.4).
pub fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    let id = headers.get("last-event-id")?;
    std::str::from_utf8(id.as_bytes()).ok()
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn events_are_lines() {
        let new = Event::new;
        for (event, text) in [
            (new(), "\n"),
            (new().data(""), "data: \n\n"),
            (new().data("one"), "data: one\n\n"),
            (new().data(" one"), "data:  one\n\n"),
            (new().data("one\n"), "data: one\ndata: \n\n"),
            (new().data("one\ntwo"), "data: one\ndata: two\n\n"),
            (new().data("one\r\ntwo"), "data: one\ndata: two\n\n"),
            (new().data("one\rtwo"), "data: one\ndata: two\n\n"),
            (new().data("\r\r\n\n"), "data: \ndata: \ndata: \ndata: \n\n"),
            (new().data("event: x"), "data: event: x\n\n"),
            (new().data("\u{feff}é"), "data: \u{feff}é\n\n"),
            (new().event("").unwrap(), "event: \n\n"),
            (new().id("").unwrap(), "id: \n\n"),
            (new().retry(Duration::ZERO), "retry: 0\n\n"),
            (new().retry(Duration::from_micros(2500)), "retry: 2\n\n"),
            (new().comment(""), ": \n\n"),
            (new().comment("one\rtwo"), ": one\n: two\n\n"),
            (
                new()
                    .data("d")
                    .retry(Duration::from_secs(1))
                    .id("i")
                    .unwrap()
                    .event("e")
                    .unwrap()
                    .comment("c"),
                ": c\nevent: e\nid: i\nretry: 1000\ndata: d\n\n",
            ),
        ] {
            assert_eq!(event.encode(), text, "{event:?}");
        }
        assert!(new().retry(Duration::MAX).encode().starts_with("retry: 18446744073709551615"));
    }

    #[test]
    fn what_would_be_another_field_is_refused() {
        for value in ["a\nb", "a\r", "\r\n", "\0", "a\nid: 7"] {
            let refused = Event::new().id(value).unwrap_err();
            assert_eq!(refused.to_string(), format!("the id of an event cannot be {value:?}"));
            let refused = Event::new().event(value).unwrap_err();
            assert_eq!(refused.to_string(), format!("the name of an event cannot be {value:?}"));
        }
    }

    /// As section 9.2.6 has it: the type, the data and the last id of each event that is dispatched.
    fn heard(text: &str) -> Vec<(String, String, String)> {
        let (mut data, mut kind, mut id, mut heard) =
            (String::new(), String::new(), String::new(), Vec::new());
        for line in text.replace("\r\n", "\n").replace('\r', "\n").split_terminator('\n') {
            if line.is_empty() {
                if let Some(data) = data.strip_suffix('\n') {
                    heard.push((kind, data.to_owned(), id.clone()));
                }
                (data, kind) = Default::default();
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "data" => data.extend([value, "\n"]),
                "event" => value.clone_into(&mut kind),
                "id" if !value.contains('\0') => value.clone_into(&mut id),
                _ => {}
            }
        }
        heard
    }

    proptest! {
        #[test]
        fn what_is_said_is_heard(
            data in "[ a:\r\n\u{feff}é]{0,12}",
            event in "[ a:é]{0,5}",
            id in "[ a:é]{0,5}",
            comment in "[ a:\r\ndtid]{0,12}",
        ) {
            let said = Event::new().data(&data).event(&event).unwrap().id(&id).unwrap().comment(&comment);
            let next = Event::new().data("next");
            let data = data.replace("\r\n", "\n").replace('\r', "\n");
            prop_assert_eq!(
                heard(&format!("{}{}", said.encode(), next.encode())),
                vec![(event, data, id.clone()), (String::new(), "next".to_owned(), id)]
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn comments_come_while_events_do_not() {
        let (sender, events) = channel(1);
        let mut events = Box::pin(events.keep_alive(Duration::from_secs(5)));
        let began = tokio::time::Instant::now();
        let sending = async {
            // The second event starts the pause again.
            for (at, word) in [(3, "one"), (7, "two"), (20, "three")] {
                tokio::time::sleep_until(began + Duration::from_secs(at)).await;
                sender.send(Event::new().data(word)).await.unwrap();
            }
            drop(sender);
        };
        let hearing = async {
            let mut heard = Vec::new();
            while let Some(frame) = events.frame().await {
                let text = String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap();
                heard.push((began.elapsed().as_secs(), text));
            }
            heard
        };
        let ((), heard) = tokio::join!(sending, hearing);
        let expected = [
            (3, "data: one\n\n"),
            (7, "data: two\n\n"),
            (12, ":\n\n"),
            (17, ":\n\n"),
            (20, "data: three\n\n"),
        ];
        assert_eq!(heard, expected.map(|(at, text)| (at, text.to_owned())));
    }

    #[tokio::test(start_paused = true)]
    async fn there_are_no_comments_where_none_are_wanted() {
        let (sender, events) = channel(0);
        let mut events = Box::pin(events.keep_alive(None));
        let waiting = tokio::time::timeout(Duration::from_secs(3600), events.frame());
        waiting.await.unwrap_err();
        drop(events);
        sender.closed().await;
        assert_eq!(sender.send(Event::new()).await, Err(Gone));
    }

    #[test]
    fn the_last_event_is_told() {
        let mut headers = HeaderMap::new();
        assert_eq!(last_event_id(&headers), None);
        headers.insert("last-event-id", HeaderValue::from_bytes("é 7".as_bytes()).unwrap());
        assert_eq!(last_event_id(&headers), Some("é 7"));
        headers.insert("last-event-id", HeaderValue::from_bytes(b"\xff").unwrap());
        assert_eq!(last_event_id(&headers), None);
    }
}
