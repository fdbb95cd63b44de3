//! What goes wrong inside a program that runs for long: a line on standard error for each warning and error of landline,
//! which are events of `tracing` and would be heard by nobody.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::output;

/// Tells of trouble from now on, to the end of the program.
pub(crate) fn tell() {
    // An error means that somebody listens already.
    let _ = tracing::subscriber::set_global_default(Trouble);
}

struct Trouble;

impl Subscriber for Trouble {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What other libraries warn of is often the doing of clients, who could fill a disk with it.
        metadata.is_event() && *metadata.level() <= Level::WARN && metadata.target().starts_with("landline")
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut line = Line::default();
        event.record(&mut line);
        output::complain(&line.text());
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// An event in words: its message, and after it its fields.
#[derive(Debug, Default)]
struct Line {
    message: String,
    fields: String,
}

impl Line {
    fn text(self) -> String {
        if self.fields.is_empty() { self.message } else { format!("{}: {}", self.message, self.fields) }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
            return;
        }
        let comma = if self.fields.is_empty() { "" } else { ", " };
        let _ = match field.name() {
            "error" => write!(self.fields, "{comma}{value:?}"),
            name => write!(self.fields, "{comma}{name} {value:?}"),
        };
    }
}
