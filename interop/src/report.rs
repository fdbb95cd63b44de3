//! The report of a dial, as `landline dial --json` prints it.

use serde_json::Value;

use crate::Finished;

/// A report, read leniently: a field that is missing is null.
#[derive(Debug)]
pub struct Report {
    value: Value,
    /// How the program ended that printed it.
    pub code: i32,
}

/// One attempt to connect.
#[derive(Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Where to.
    pub peer: String,
    /// How it ended: `won`, `failed`, `abandoned`.
    pub fate: String,
    /// Why it failed.
    pub error: Option<String>,
    /// Why it began when it did: `first`, `previous_failed`, `delay_passed`.
    pub reason: String,
    /// When it began, in microseconds from the beginning of the dial.
    pub start_us: u64,
    /// When it ended.
    pub end_us: Option<u64>,
}

/// One question to a name server.
#[derive(Debug, PartialEq, Eq)]
pub struct Query {
    /// The absolute name.
    pub name: String,
    /// The type, such as `AAAA`.
    pub record: String,
    /// The server.
    pub server: String,
    /// `udp` or `tcp`.
    pub transport: String,
    /// How it ended: `done`, `failed`, `abandoned`.
    pub fate: String,
    /// Whether the answer was truncated.
    pub truncated: bool,
}

impl Report {
    /// The one report a program printed.
    ///
    /// # Panics
    ///
    /// When it printed anything else.
    #[track_caller]
    pub fn of(finished: &Finished) -> Report {
        let mut printed = finished.json();
        assert_eq!(printed.len(), 1, "one report: {finished:?}");
        Report { value: printed.remove(0), code: finished.code }
    }

    /// How it ended: `connected`, `answered` or `failed`.
    pub fn status(&self) -> &str {
        self.value["outcome"]["status"].as_str().unwrap_or_default()
    }

    /// The address of the peer of the conn.
    pub fn peer(&self) -> &str {
        self.value["outcome"]["peer"].as_str().unwrap_or_default()
    }

    /// The address on this side of the conn.
    pub fn local(&self) -> &str {
        self.value["outcome"]["local"].as_str().unwrap_or_default()
    }

    /// The error it failed with; null if it did not.
    pub fn error(&self) -> &Value {
        &self.value["outcome"]["error"]
    }

    /// The error's text.
    pub fn message(&self) -> &str {
        self.error()["message"].as_str().unwrap_or_default()
    }

    /// How long all of it took, in milliseconds.
    pub fn total_ms(&self) -> u64 {
        self.value["total_us"].as_u64().expect("total_us") / 1000
    }

    /// The attempts in the order in which they began.
    pub fn attempts(&self) -> Vec<Attempt> {
        self.steps("attempt")
            .map(|step| Attempt {
                peer: text(step, "peer"),
                fate: text(step, "fate"),
                error: step["error"].as_str().map(str::to_owned),
                reason: text(step, "reason"),
                start_us: step["start_us"].as_u64().unwrap_or_default(),
                end_us: step["end_us"].as_u64(),
            })
            .collect()
    }

    /// The questions in the order in which they were asked.
    pub fn queries(&self) -> Vec<Query> {
        self.steps("query")
            .map(|step| Query {
                name: text(step, "name"),
                record: text(step, "record"),
                server: text(step, "server"),
                transport: text(step, "transport"),
                fate: text(step, "fate"),
                truncated: step["truncated"].as_bool().unwrap_or_default(),
            })
            .collect()
    }

    /// The steps of one kind.
    pub fn steps<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.value["steps"].as_array().into_iter().flatten().filter(move |step| step["step"] == kind)
    }
}

fn text(step: &Value, field: &str) -> String {
    step[field].as_str().unwrap_or_default().to_owned()
}
