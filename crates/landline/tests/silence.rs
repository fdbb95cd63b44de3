//! What explaining a dial costs when nobody listens: no event is made, and nothing is kept for one.

use allocation_counter::measure;
use landline::explain::Event;
use landline::{Dialer, KeepAlive};
use tokio::runtime::{Builder, Runtime};

/// The registration with the reactor, the conn, and the dial's own way to them.
const OF_A_CONN: u64 = 4;

/// How many allocations a dial takes when all that is made once has been made.
fn allocations(runtime: &Runtime, dialer: &Dialer, address: &str) -> u64 {
    let dial = || drop(runtime.block_on(dialer.dial_tcp(address)).unwrap());
    (0..10).for_each(|_| dial());
    // Any other thread's work is not counted.
    (0..10).map(|_| measure(dial).count_total).min().unwrap()
}

#[test]
fn a_dial_that_nobody_hears_allocates_for_its_conn_alone() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let silent = allocations(&runtime, &Dialer::new(), &address);
    assert!(silent <= OF_A_CONN, "{silent} allocations");
    // Every step of an explained dial has its words, each an allocation at least.
    let heard = allocations(&runtime, &Dialer::new().sink(|_: &Event| {}), &address);
    assert!(heard >= silent + 8, "{silent} allocations in silence, {heard} for a listener");
    // Four calls fewer are four steps fewer, which makes no difference in silence.
    let shorter = Dialer::new().keep_alive(KeepAlive::Off);
    assert_eq!(allocations(&runtime, &shorter, &address), silent);
    let heard_shorter = allocations(&runtime, &shorter.sink(|_: &Event| {}), &address);
    assert_eq!(heard_shorter, heard - 4);
}
