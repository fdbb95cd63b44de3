//! Project tasks that need more than cargo: tests with real peers, interop, benches.
fn main() {}
