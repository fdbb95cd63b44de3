//! Resolvers as the flags ask for them.

use landline::Resolver;
use landline::resolve::{Config, LookupOrder, NameServer, Source};

/// The system's resolver, or with servers one that asks these and nothing else: no `/etc/hosts`, no search list.
pub(crate) fn asking(servers: &[NameServer]) -> Resolver {
    if servers.is_empty() {
        return Resolver::system();
    }
    let order = LookupOrder::Sources(vec![Source::Dns]);
    Resolver::new(Config::new().with_servers(servers.iter().copied()).with_order(order))
}
