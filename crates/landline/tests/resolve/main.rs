//! Lookups against a scripted DNS server, honest or not.

mod answers;
mod cancel;
mod fallbacks;
mod search;
mod sharing;
mod support;
mod transport;
