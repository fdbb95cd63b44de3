//! Frames by chance, many of them wrong: nothing is left over of any conn, and others are served.
//!
//! Built for debugging, `h2` asserts that no stream outlives its conn, which one does whose task is told a little later
//! (hyperium/h2 issue 907); those panics end that task alone.

use landline_http::server::Server;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;

use super::super::until;
use super::block;
use super::peer::{self, NoFrame, Peer, frame, settings};

/// Frames, each by its type, flags and payload, on one stream: on the next where none is said.
type Frames = (Option<u32>, Vec<(u8, u8, Vec<u8>)>);

/// What may follow the head of a request: a body, its end, trailers, a reset, a window.
fn following() -> impl Strategy<Value = (u8, u8, Vec<u8>)> {
    prop_oneof![
        (0..2_u8, 0..50_usize).prop_map(|(flags, length)| (0, flags, vec![0; length])),
        Just((1, 5, block::field("x", "1"))),
        (0..14_u32).prop_map(|code| (3, 0, code.to_be_bytes().to_vec())),
        (1..1_u32 << 20).prop_map(|more| (8, 0, more.to_be_bytes().to_vec())),
    ]
}

fn request() -> impl Strategy<Value = Vec<(u8, u8, Vec<u8>)>> {
    let block = prop_oneof![
        8 => prop::sample::select(vec!["/", "/never", "/long"]).prop_map(block::get),
        4 => prop::sample::select(vec!["/", "/never"]).prop_map(block::post),
        2 => Just(block::request(block::POST, "/", &[("content-length", "3")])),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let flags = prop_oneof![8 => Just(5_u8), 8 => Just(4), 1 => any::<u8>()];
    (flags, block, prop::collection::vec(following(), 0..3)).prop_map(|(flags, block, mut following)| {
        // What has ended is mostly left alone.
        if flags & 1 == 1 && following.len() == 1 {
            following.clear();
        }
        following.insert(0, (1, flags, block));
        following
    })
}

fn says() -> impl Strategy<Value = Vec<Frames>> {
    let setting = (0..8_u16, 0..1_u32 << 17).prop_map(|(id, value)| settings(&[(id, value)])[9..].to_vec());
    let wrong = (any::<u8>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..20));
    let part = prop_oneof![
        20 => request().prop_map(|frames| (None, frames)),
        2 => setting.prop_map(|payload| (Some(0), vec![(4, 0, payload)])),
        1 => (0..12_u32, wrong).prop_map(|(id, frame)| (Some(id), vec![frame])),
    ];
    prop::collection::vec(part, 1..20)
}

#[tokio::test]
async fn nothing_is_left_of_conns_that_say_anything() {
    let serving = peer::serve(Server::new()).await;
    // The same each time, so that a failure is found again.
    let mut runner = TestRunner::deterministic();
    for _ in 0..400 {
        let says = says().new_tree(&mut runner).unwrap().current();
        let peer = Peer::open(&serving).await;
        for ((stream, frames), at) in says.iter().zip(0..) {
            let stream = stream.unwrap_or(at * 2 + 1);
            let bytes =
                frames.iter().flat_map(|(kind, flags, payload)| frame(*kind, *flags, stream, payload));
            peer.say(&bytes.collect::<Vec<u8>>()).await;
        }
        // Then the server has nothing more to wait for.
        let _ = peer.conn.close_write();
        assert_eq!(peer.end().await, NoFrame::Closed, "{says:?}");
    }
    Peer::open(&serving).await.is_served(1).await;
    until(&serving, |counters| {
        let answered: u64 = counters.responses.iter().sum();
        counters.in_flight == 0 && answered > 50 && answered + counters.aborted >= counters.requests
    })
    .await;
    assert_eq!(serving.http_counters().panicked, 0);
}
