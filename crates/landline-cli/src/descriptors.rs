//! How many descriptors the program may have.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to the highest that may be had without a privilege, as programs in Go do: the usual 1,024 is there for
/// programs that use select(2), which cannot take more.
pub(crate) fn raise() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    // Where that is refused, the limit stays what it was, and a server that reaches it waits.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
}
