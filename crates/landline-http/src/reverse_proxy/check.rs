//! Health checks: asking targets how they are, at intervals.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::uri::PathAndQuery;
use http::{HeaderMap, Method};
use landline::Context;

use super::Settings;
use super::head::{Head, Host};
use super::health::Thresholds;
use super::names::Names;
use super::table::Table;
use crate::client::Body;
use crate::client::route::{Route, To};

/// How to ask targets how they are: a GET that has to be answered with 2xx or 3xx, and in time.
///
/// A target that fails several checks in a row is down, and gets requests only where all are; several passed bring it up
/// again, whatever requests have said of it.
#[derive(Clone, Debug)]
pub struct HealthCheck {
    path: String,
    interval: Duration,
    timeout: Duration,
    thresholds: Thresholds,
}

impl HealthCheck {
    /// Of a path, and maybe a query; below the path of a backend's URL. One that is none fails every check.
    pub fn new(path: impl Into<String>) -> HealthCheck {
        HealthCheck {
            path: path.into(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(2),
            thresholds: Thresholds { fall: 3, rise: 2 },
        }
    }

    /// From one check to the next; 10 s by default, and a millisecond at least.
    #[must_use]
    pub fn interval(mut self, interval: Duration) -> HealthCheck {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// The longest that a target may take, to the end of the body; 2 s by default.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> HealthCheck {
        self.timeout = timeout;
        self
    }

    /// How many checks in a row have to fail, 3 by default, and to pass, 2, for a change; one at least.
    #[must_use]
    pub fn thresholds(mut self, fall: u32, rise: u32) -> HealthCheck {
        self.thresholds = Thresholds { fall: fall.max(1), rise: rise.max(1) };
        self
    }
}

/// The longest body of an answer that is read, in bytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// Checks without end; whoever needs it no longer drops it.
pub(super) async fn run(settings: Settings, check: HealthCheck, table: Arc<Table>, names: Arc<Names>) {
    loop {
        // Names come and go without requests too.
        let _ = names.ready().await;
        let asked = table.all().into_iter().map(|(id, backend, to)| {
            let (settings, check, table) = (&settings, &check, &table);
            async move {
                let has_passed = passes(settings, check, backend, to).await;
                table.checked(id, has_passed, check.thresholds);
            }
        });
        join_all(asked).await;
        tokio::time::sleep(check.interval).await;
    }
}

async fn passes(settings: &Settings, check: &HealthCheck, backend: usize, to: To) -> bool {
    let Ok(target) = PathAndQuery::try_from(check.path.as_str()) else { return false };
    let head = Head { method: Method::GET, target, headers: HeaderMap::new(), host: None, upgrade: None };
    let backend = &settings.backends[backend];
    let Ok(request) = backend.request(&head, Host::Rewrite) else { return false };
    let route = Arc::new(Route::new(backend.origin.clone(), to, false));
    let context = Context::background().with_timeout(check.timeout);
    match settings.client.forward(&context, &route, request.map(|()| Body::empty())).await {
        Ok(response) => {
            let status = response.status();
            let is_whole = response.into_body().bytes(LONGEST_ANSWER).await.is_ok();
            is_whole && (status.is_success() || status.is_redirection())
        }
        Err(_) => false,
    }
}
