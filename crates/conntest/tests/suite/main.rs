//! The suite passes correct conns, and names the behaviour that a flawed one misses.

mod memory;
mod stream;

use std::future::Future;

use conntest::suite;
use memory::{Flaw, Memory, message_pair, pair};
use stream::{StreamFlaw, stream_pair};

/// The words of the panic that `work` ends in.
async fn panic_of(work: impl Future<Output = ()> + Send + 'static) -> Option<String> {
    let error = tokio::spawn(work).await.err()?;
    let panic = error.into_panic();
    Some(*panic.downcast::<String>().expect("a panic with words"))
}

macro_rules! caught {
    ($pair:expr; $($flaw:expr => $group:ident::$behaviour:ident),* $(,)?) => {$(
        let (a, b) = $pair($flaw);
        let words = panic_of(suite::$group::$behaviour(a, b)).await;
        let words = words.unwrap_or_else(|| panic!("{:?} passed {}", $flaw, stringify!($behaviour)));
        let named = concat!("conntest: ", stringify!($behaviour), ": ");
        assert!(words.starts_with(named), "{:?}: {words}", $flaw);
    )*};
}

#[tokio::test(start_paused = true)]
async fn flaws_of_shared_conns_are_caught() {
    caught![pair;
        Flaw::DropsAByte => shared::basic_io,
        Flaw::FlipsABit => shared::basic_io,
        Flaw::DoublesAByte => shared::basic_io,
        Flaw::NeverWakesWriters => shared::basic_io,
        Flaw::HoldsShortWritesBack => shared::ping_pong,
        Flaw::RacingReadersGetTheSame => shared::racing_reads,
        Flaw::RacingWritersOverwrite => shared::racing_writes,
        Flaw::CancelledReadLosesData => shared::cancelled_reads,
        Flaw::CancelledReaderTakesTheWakeUp => shared::cancelled_reader_passes_on,
        Flaw::CloseDoesNotWake => shared::close_wakes_reads,
        Flaw::CloseWakesOne => shared::close_wakes_reads,
        Flaw::ReadsNothingAfterClose => shared::close_wakes_reads,
        Flaw::WritesAfterClose => shared::close_wakes_reads,
        Flaw::CloseIsATimeout => shared::close_wakes_reads,
        Flaw::CloseDoesNotWake => shared::close_wakes_writes,
        Flaw::CloseWakesOne => shared::close_wakes_writes,
        Flaw::AcceptsEverything => shared::close_wakes_writes,
        Flaw::CloseLosesData => shared::close_ends_the_peer,
        Flaw::CloseIsNotSeenByThePeer => shared::close_ends_the_peer,
        Flaw::PeersCloseLooksLikeOurs => shared::close_ends_the_peer,
    ];
}

#[tokio::test(start_paused = true)]
async fn flaws_of_deadlines_are_caught() {
    caught![pair;
        Flaw::IgnoresDeadlines => deadline::past_deadline,
        Flaw::PastDeadlineLetsDataThrough => deadline::past_deadline,
        Flaw::TimeoutIsForEver => deadline::past_deadline,
        Flaw::TimeoutIsCalledClosed => deadline::past_deadline,
        Flaw::TimedOutReadLosesData => deadline::past_deadline,
        Flaw::TimedOutWriteIsSent => deadline::past_deadline,
        Flaw::LooksAtDeadlinesOnce => deadline::present_deadline,
        Flaw::FollowsNoMoves => deadline::present_deadline,
        Flaw::TimeoutIsCalledClosed => deadline::present_deadline,
        Flaw::IgnoresDeadlines => deadline::future_deadline,
        Flaw::LooksAtDeadlinesOnce => deadline::future_deadline,
        Flaw::TimesOutEarly => deadline::future_deadline,
        Flaw::TimesOutLate => deadline::future_deadline,
        Flaw::OneDeadlineForBoth => deadline::directions_are_apart,
        Flaw::TimeoutIsForEver => deadline::timed_out_then_revived,
        Flaw::FollowsNoMoves => deadline::deadline_moved_up,
        Flaw::FollowsNoMoves => deadline::deadline_moved_back,
        Flaw::MovingADeadlineWakesReaders => deadline::deadline_moved_back,
        Flaw::FollowsNoMoves => deadline::deadline_removed,
        Flaw::MovingADeadlineWakesReaders => deadline::deadline_removed,
        Flaw::TimedOutReadLosesData => deadline::racing_timeouts,
        Flaw::PanicsInACrowd => deadline::concurrent_use,
    ];
}

#[tokio::test(start_paused = true)]
async fn flaws_of_messages_and_addresses_are_caught() {
    caught![message_pair;
        Flaw::MergesMessages => message::boundaries,
        Flaw::SplitsMessages => message::boundaries,
        Flaw::DropsAByte => message::boundaries,
    ];
    caught![pair;
        Flaw::SwapsAddresses => address::addresses,
    ];
}

#[tokio::test(start_paused = true)]
async fn flaws_of_streams_are_caught() {
    caught![stream_pair;
        StreamFlaw::DropsAByte => stream::basic_io,
        StreamFlaw::NeverWakesWriters => stream::basic_io,
        StreamFlaw::HoldsUnflushedWritesForEver => stream::ping_pong,
        StreamFlaw::ReadsTooMuch => stream::small_reads,
        StreamFlaw::OverwritesTheBuffer => stream::small_reads,
        StreamFlaw::ReadsNothingNow => stream::small_reads,
        StreamFlaw::CountsUnwrittenBuffers => stream::vectored_writes,
        StreamFlaw::ReversesBuffers => stream::vectored_writes,
        StreamFlaw::AcceptsEverything => stream::back_pressure,
        StreamFlaw::NeverWakesWriters => stream::back_pressure,
        StreamFlaw::LosesWhatWaits => stream::cancelled_reads,
        StreamFlaw::ShutdownLosesData => stream::end_of_stream,
        StreamFlaw::EndsOnce => stream::end_of_stream,
        StreamFlaw::WritesAfterShutdown => stream::end_of_stream,
        StreamFlaw::ShutdownClosesBoth => stream::half_close,
    ];
}

#[tokio::test(start_paused = true)]
async fn run_all_stops_at_the_first_flaw() {
    let words = panic_of(suite::run_all(async || pair(Flaw::CloseDoesNotWake))).await;
    assert_eq!(words.unwrap(), "conntest: close_wakes_reads: still waiting after 30 s");
}

#[tokio::test(start_paused = true)]
async fn a_correct_conn_passes_in_paused_time() {
    suite::run_all(async || pair(Flaw::None)).await;
    suite::run_all(async || message_pair(Flaw::None)).await;
    suite::message::run_all(async || message_pair(Flaw::None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_correct_conn_passes_in_real_time_on_several_threads() {
    suite::run_all(async || pair(Flaw::None)).await;
    suite::run_all(async || message_pair(Flaw::None)).await;
    suite::message::run_all(async || message_pair(Flaw::None)).await;
}

#[tokio::test(start_paused = true)]
async fn a_correct_stream_passes() {
    suite::stream::run_all(async || stream_pair(StreamFlaw::None)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokio_streams_pass() {
    suite::stream::run_all(async || tokio::io::duplex(700)).await;
    suite::stream::run_all(async || tokio::net::UnixStream::pair().unwrap()).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = listener.local_addr().unwrap();
    suite::stream::run_all(async || {
        let (dialled, accepted) = tokio::join!(tokio::net::TcpStream::connect(addr), listener.accept());
        (dialled.unwrap(), accepted.unwrap().0)
    })
    .await;
}

#[test]
fn conns_of_the_test_can_be_shared() {
    fn shared<C: Send + Sync>() {}
    shared::<Memory>();
}
