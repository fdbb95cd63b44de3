//! What the clones of a proxy share.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use tokio::runtime::{Handle, Id};
use tokio::task::AbortHandle;

use super::backend::Place;
use super::names::Names;
use super::table::Table;
use super::{Settings, check, loops};
use crate::client::Client;

/// The settings, the targets, and the tasks that look after them. Ends these when it is dropped.
pub(super) struct Shared {
    pub(super) settings: Settings,
    /// By what its own requests are known.
    pub(super) pseudonym: HeaderValue,
    /// It is told once, as there may be as many as there are requests.
    pub(super) has_told_of_loop: AtomicBool,
    pub(super) table: Arc<Table>,
    pub(super) names: Arc<Names>,
    checker: Mutex<Option<AbortHandle>>,
    /// One for each runtime: conns are not moved from core to core.
    clients: Mutex<HashMap<Id, Client>>,
}

impl Shared {
    pub(super) fn new(settings: Settings) -> Arc<Shared> {
        let table = Arc::new(Table::new(settings.rest));
        let mut names = Vec::new();
        for (index, backend) in settings.backends.iter().enumerate() {
            match &backend.place {
                Place::Known(to) => table.set(index, std::slice::from_ref(to)),
                Place::Name => names.push((index, backend.origin.host.clone(), backend.origin.port)),
            }
        }
        let names = Names::new(
            names.into_iter(),
            settings.resolver.clone(),
            settings.resolve_interval,
            table.clone(),
        );
        Arc::new(Shared {
            settings,
            pseudonym: loops::pseudonym(fastrand::u64(..)),
            has_told_of_loop: AtomicBool::new(false),
            table,
            names,
            checker: Mutex::default(),
            clients: Mutex::default(),
        })
    }

    /// The client of this runtime.
    pub(super) fn client(&self) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        clients.entry(Handle::current().id()).or_insert_with(|| self.settings.client.apart()).clone()
    }

    /// Sees to it that the targets are checked, if they are to be.
    pub(super) fn keep_checking(&self) {
        let Some(how) = &self.settings.check else { return };
        let mut checker = self.checker.lock().unwrap_or_else(PoisonError::into_inner);
        // It ends with the runtime that it runs on.
        if checker.as_ref().is_none_or(AbortHandle::is_finished) {
            let checks =
                check::run(self.settings.clone(), how.clone(), self.table.clone(), self.names.clone());
            *checker = Some(tokio::spawn(checks).abort_handle());
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(checker) = self.checker.get_mut().unwrap_or_else(PoisonError::into_inner) {
            checker.abort();
        }
    }
}
