//! The access log: a line for every request that was answered.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, atomic::AtomicU64, atomic::Ordering::Relaxed};
use std::thread::JoinHandle;
use std::time::Duration;

use http::Version;
use landline::explain::render::printable;
use serde_json::json;
use time::OffsetDateTime;

use crate::output;

/// How many lines may wait to be written; more are dropped, and counted, so that a terminal that was stopped stops nobody.
const QUEUE: usize = 4096;

/// How lines are written, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The Common Log Format of the first web servers, on standard error.
    Common,
    /// An object a line, on standard output.
    Json,
}

/// A request that was answered, or given up.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) began: OffsetDateTime,
    pub(super) took: Duration,
    /// An IP address; none for those who come by a Unix socket.
    pub(super) client: Option<String>,
    pub(super) method: String,
    pub(super) target: String,
    pub(super) version: Version,
    /// None where the client left before there was one.
    pub(super) status: Option<u16>,
    /// Of the body.
    pub(super) bytes: u64,
    /// The body went out to its end.
    pub(super) is_whole: bool,
    pub(super) host: Option<String>,
    pub(super) agent: Option<String>,
}

impl Entry {
    fn line(&self, format: Format) -> String {
        match format {
            Format::Common => self.common(),
            Format::Json => self.json(),
        }
    }

    fn common(&self) -> String {
        let began = self.began;
        let date = format!(
            "{:02}/{}/{:04}:{:02}:{:02}:{:02} +0000",
            began.day(),
            &began.month().to_string()[..3],
            began.year(),
            began.hour(),
            began.minute(),
            began.second()
        );
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        format!(
            "{} - - [{date}] \"{} {} {:?}\" {} {}\n",
            or_dash(self.client.clone()),
            quotable(&self.method),
            quotable(&self.target),
            self.version,
            or_dash(self.status.map(|status| status.to_string())),
            or_dash((self.bytes > 0).then(|| self.bytes.to_string())),
        )
    }

    fn json(&self) -> String {
        let began = self.began;
        let time = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            began.year(),
            u8::from(began.month()),
            began.day(),
            began.hour(),
            began.minute(),
            began.second(),
            began.millisecond()
        );
        let object = json!({
            "time": time,
            "client": self.client,
            "method": self.method,
            "target": self.target,
            "protocol": format!("{:?}", self.version),
            "host": self.host,
            "user_agent": self.agent,
            "status": self.status,
            "bytes": self.bytes,
            "whole": self.is_whole,
            "seconds": self.took.as_secs_f64(),
        });
        format!("{object}\n")
    }
}

/// Text as it stands between quotes.
fn quotable(text: &str) -> String {
    printable(text).to_string().replace('\\', "\\\\").replace('"', "\\\"")
}

/// Where entries go; clones write into the same log.
#[derive(Clone, Debug)]
pub(super) struct Log {
    lines: SyncSender<Entry>,
    dropped: Arc<AtomicU64>,
}

impl Log {
    /// Begins a log, which is written by a thread of its own until the last clone is dropped.
    pub(super) fn begin(format: Format) -> (Log, Writer) {
        let (lines, entries) = sync_channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let (ended, end) = sync_channel(1);
        let thread = std::thread::spawn({
            let dropped = dropped.clone();
            move || {
                write(format, &entries, &dropped);
                let _ = ended.send(());
            }
        });
        (Log { lines, dropped }, Writer { thread, end })
    }

    pub(super) fn add(&self, entry: Entry) {
        if let Err(TrySendError::Full(_)) = self.lines.try_send(entry) {
            self.dropped.fetch_add(1, Relaxed);
        }
    }
}

fn write(format: Format, entries: &Receiver<Entry>, dropped: &AtomicU64) {
    while let Ok(entry) = entries.recv() {
        let line = entry.line(format);
        match format {
            Format::Common => output::tell_now(&line),
            // Whoever read it has gone.
            Format::Json if output::print(&line).is_err() => return,
            Format::Json => {}
        }
        let missing = dropped.swap(0, Relaxed);
        if missing > 0 {
            output::complain(&format!("{missing} lines of the log were dropped"));
        }
    }
}

/// The thread that writes a log.
pub(super) struct Writer {
    thread: JoinHandle<()>,
    end: Receiver<()>,
}

impl Writer {
    /// How long the rest of a log may take to be written.
    const PATIENCE: Duration = Duration::from_secs(2);

    /// Waits until all is written; not for ever, where nobody reads. No clone of the log may be left.
    pub(super) fn end(self) {
        if self.end.recv_timeout(Writer::PATIENCE).is_ok() {
            let _ = self.thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            began: OffsetDateTime::from_unix_timestamp(784_111_777).unwrap(),
            took: Duration::from_millis(1500),
            client: Some("127.0.0.1".to_owned()),
            method: "GET".to_owned(),
            target: "/a?b".to_owned(),
            version: Version::HTTP_11,
            status: Some(200),
            bytes: 2326,
            is_whole: true,
            host: Some("localhost:8080".to_owned()),
            agent: None,
        }
    }

    #[test]
    fn lines_of_the_common_log_format() {
        let line = |entry: Entry| entry.line(Format::Common);
        assert_eq!(
            line(entry()),
            "127.0.0.1 - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" 200 2326\n"
        );
        let given_up = Entry { client: None, status: None, bytes: 0, ..entry() };
        assert_eq!(line(given_up), "- - - [06/Nov/1994:08:49:37 +0000] \"GET /a?b HTTP/1.1\" - -\n");
        let quoted = Entry { target: "/\"\\".to_owned(), version: Version::HTTP_2, ..entry() };
        assert!(line(quoted).contains("\"GET /\\\"\\\\ HTTP/2.0\""));
    }

    #[test]
    fn lines_of_json() {
        let value: serde_json::Value = serde_json::from_str(&entry().line(Format::Json)).unwrap();
        assert_eq!(
            value,
            json!({
                "time": "1994-11-06T08:49:37.000Z", "client": "127.0.0.1", "method": "GET", "target": "/a?b",
                "protocol": "HTTP/1.1", "host": "localhost:8080", "user_agent": null, "status": 200,
                "bytes": 2326, "whole": true, "seconds": 1.5,
            })
        );
    }
}
