//! The `landline` program.
fn main() {}
