//! Lookup: both kinds of addresses of names never asked for before, many at a time, from one name server.

pub(crate) mod bare;
pub(crate) mod names;
pub(crate) mod on_hickory;
pub(crate) mod on_landline;

mod message;

/// The name of one lookup. Absolute, so that no search list applies; each its own, so that neither a cache
/// nor the sharing of identical lookups spares a query.
fn name(number: u64) -> String {
    format!("n{number:08}.bench.test.")
}
