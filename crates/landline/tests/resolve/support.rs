//! What the tests share.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use conntest::dns::{Running, Server};
use landline::explain::{Event, Sink, What};
use landline::resolve::Config;
use landline::{Lookup, Resolver};

/// A resolver that asks these servers, with a timeout that a busy machine does not reach by itself.
pub(crate) fn resolver(servers: &[&Running]) -> Resolver {
    Resolver::new(config(servers))
}

pub(crate) fn config(servers: &[&Running]) -> Config {
    let servers = servers.iter().map(|server| server.addr());
    Config::new().with_servers(servers).with_timeout(Duration::from_secs(5)).with_attempts(2)
}

pub(crate) async fn start(server: Server) -> Running {
    server.start().await.expect("loopback has a free port")
}

/// The records as text, in the order of the text.
pub(crate) fn texts<T: ToString>(lookup: &Lookup<T>) -> Vec<String> {
    let mut texts: Vec<String> = lookup.iter().map(ToString::to_string).collect();
    texts.sort();
    texts
}

/// Keeps what lookups tell.
#[derive(Clone, Default)]
pub(crate) struct Events(Arc<Mutex<Vec<What>>>);

impl Events {
    pub(crate) fn all(&self) -> Vec<What> {
        self.0.lock().unwrap().clone()
    }

    /// What `pick` makes of them.
    pub(crate) fn pick<T>(&self, pick: impl FnMut(&What) -> Option<T>) -> Vec<T> {
        self.all().iter().filter_map(pick).collect()
    }
}

impl Sink for Events {
    fn event(&self, event: &Event) {
        self.0.lock().unwrap().push(event.what.clone());
    }
}
