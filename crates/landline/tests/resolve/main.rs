//! Lookups against a scripted DNS server, honest or not.

mod answers;

mod support;
