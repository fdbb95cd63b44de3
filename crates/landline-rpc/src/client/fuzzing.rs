//! A client, whatever a server sends.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use super::call::Place;
use super::driver::Driver;
use super::link::{Limits, Shared};
use crate::codec::{Codec, RequestWriter};
use crate::fuzzing::{LONGEST, Script, poll_through};

/// Every call comes to an end, with a reply or an error.
pub fn client(data: &[u8]) {
    let Some((wire, mut script)) = Script::of(data) else { return };
    let limits = Limits { message: LONGEST, calls: 8, unsent: LONGEST };
    let shared = Arc::new(Shared::new(&wire, limits, Arc::default()));
    let places: Vec<Arc<Place<i64>>> = (0..4).map(|_| Arc::new(Place::new())).collect();
    for place in &places {
        let submitted = shared.submit("A.Number", place, &|requests, header, out| {
            RequestWriter::request(requests, header, &7_i64, out)
        });
        assert!(matches!(submitted, Ok(Some(_))));
    }
    let mut driver = Driver::new(&mut script, wire.replies(LONGEST), shared.clone(), &[]);
    poll_through(|cx| Pin::new(&mut driver).poll(cx));
    drop(driver);
    assert!(places.iter().all(|place| place.is_done()));
    assert_eq!(shared.state().in_flight(), 0);
}
