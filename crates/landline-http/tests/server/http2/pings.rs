//! Whether a client is still there.

use std::time::Duration;

use landline_http::server::Server;

use super::super::until;
use super::block;
use super::peer::{self, Peer, flag, frame, kind};

#[tokio::test]
async fn a_client_that_answers_no_ping_is_given_up() {
    let server = Server::new().ping_interval(Duration::from_millis(100)).ping_timeout(Duration::from_secs(3));
    let serving = peer::serve(server).await;
    let peer = Peer::open(&serving).await;
    peer.say(&frame(kind::HEADERS, flag::WHOLE, 1, &block::get("/never"))).await;
    let is_ping = |frame: &peer::Frame| frame.kind == kind::PING && !frame.has(flag::ACK);
    // As long as it answers it is asked again.
    for _ in 0..3 {
        let ping = peer.until(is_ping).await;
        peer.say(&frame(kind::PING, flag::ACK, 0, &ping.payload)).await;
    }
    peer.until(is_ping).await;
    // NO_ERROR: the client did nothing wrong.
    assert_eq!(peer.goaway().await, 0);
    until(&serving, |counters| (counters.in_flight, counters.aborted) == (0, 1)).await;
}
