//! A server, whatever a client sends.

use std::sync::Arc;

use super::method::Entry;
use super::registry::Registry;
use super::session::Session;
use super::{Limits, http};
use crate::codec::Codec;
use crate::error::Error;
use crate::fuzzing::{LONGEST, Script, poll_through};
use crate::handshake::head_end;

/// All that came is looked at and the conn ends; requests that are whole are answered.
pub fn server(data: &[u8]) {
    let Some((wire, mut script)) = Script::of(data) else { return };
    if let Some(end) = head_end(script.incoming) {
        let _ = http::answer(&script.incoming[..end]);
    }
    let mut registry = Registry::default();
    for entry in [
        Entry::new("A.Nothing", |(): ()| async { Ok::<_, Error>(()) }),
        Entry::new("A.Text", |text: String| async { Ok::<_, Error>(text) }),
        Entry::new("A.Number", |number: i64| async move { Ok::<_, Error>(number) }),
    ] {
        registry.insert(entry).expect("the names are good");
    }
    let limits = Limits { message: LONGEST, calls_per_conn: 4, unsent: 64 };
    let codec = wire.server(LONGEST);
    let mut session = Session::new(&mut script, codec, Arc::new(registry), limits, None, &[], None);
    let served = poll_through(|cx| session.poll(cx));
    drop(session);
    assert!(served.is_err() || script.incoming.is_empty());
}
