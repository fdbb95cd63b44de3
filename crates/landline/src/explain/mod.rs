//! How a dial, lookup or copy explains itself: typed events, sinks that receive them, and what they add up to.
//!
//! | | |
//! |---|---|
//! | [`Event`], [`What`] | what the flow tells, step by step |
//! | [`Sink`] | whoever listens: a closure, a [`Recorder`], [`Tracing`] |
//! | [`Report`] | the whole of one dial, lookup or copy: outcome, events, and the [`Span`]s they add up to |
//! | [`render`] | the report as text with bars, as JSON (feature `json`), and as one HTML file |
//!
//! Where nobody listens, no event is made.

mod event;
mod recorder;
pub mod render;
mod report;
mod sink;
mod span;
mod tracing;
mod words;

pub use event::{AttemptReason, Event, OrderedAddress, What};
pub use recorder::Recorder;
pub use report::{Outcome, Report};
pub use sink::Sink;
pub use span::{Answer, Fate, Span, Step};
pub use tracing::Tracing;

pub(crate) use sink::Explainer;
