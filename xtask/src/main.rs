//! Project tasks that need more than cargo: tests with real peers, interop, benches.

mod go;
mod paths;

fn main() {}
