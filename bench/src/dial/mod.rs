//! Dial: connect to an IP literal and close, one after another.

pub(crate) mod acceptor;
pub(crate) mod bare;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;
