//! Echo: every byte comes back, on one core, one task or one slot of a table per conn.

pub(crate) mod bare;
pub(crate) mod load;
pub(crate) mod on_landline;
pub(crate) mod on_tokio;

/// What a usual echo loop reads into. It is part of what an idle conn costs, and the same in all peers.
const BUFFER: usize = 4096;
