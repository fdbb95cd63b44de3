//! How a dial or lookup explains itself: typed events, sinks that receive them, and what they add up to.

mod event;
mod sink;

pub use event::{AttemptReason, Event, OrderedAddress, What};
pub use sink::Sink;

pub(crate) use sink::Explainer;
