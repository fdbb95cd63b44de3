//! What can be called, by name.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::sync::Arc;

use std::collections::HashMap;

use super::method::Entry;

/// The methods of all services.
pub(super) struct Registry<C> {
    methods: HashMap<Box<str>, Arc<Entry<C>>>,
    services: HashSet<Box<str>>,
}

/// Why a method cannot be registered.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegisterError {
    /// The name is not `Service.Method`; it has to have a dot, and something on both sides of the last one.
    IllFormed(String),
    /// There is a method of that name already.
    AlreadyRegistered(String),
}

impl fmt::Display for RegisterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RegisterError::IllFormed(name) => write!(f, "{name}: not of the form Service.Method"),
            RegisterError::AlreadyRegistered(name) => write!(f, "{name}: registered already"),
        }
    }
}

impl std::error::Error for RegisterError {}

impl<C> Clone for Registry<C> {
    fn clone(&self) -> Registry<C> {
        Registry { methods: self.methods.clone(), services: self.services.clone() }
    }
}

impl<C> Default for Registry<C> {
    fn default() -> Registry<C> {
        Registry { methods: HashMap::new(), services: HashSet::new() }
    }
}

impl<C> Registry<C> {
    pub(super) fn insert(&mut self, entry: Entry<C>) -> Result<(), RegisterError> {
        let name = entry.name.clone();
        match name.rsplit_once('.') {
            Some((service, method)) if !service.is_empty() && !method.is_empty() => {
                if self.methods.contains_key(&name) {
                    return Err(RegisterError::AlreadyRegistered(name.into()));
                }
                self.services.insert(service.into());
                self.methods.insert(name, Arc::new(entry));
                Ok(())
            }
            _ => Err(RegisterError::IllFormed(name.into())),
        }
    }

    /// The method of that name, or what Go says when there is none.
    #[inline]
    pub(super) fn find(&self, name: &str) -> Result<&Arc<Entry<C>>, String> {
        self.methods.get(name).ok_or_else(|| self.missing(name))
    }

    #[cold]
    fn missing(&self, name: &str) -> String {
        match name.rsplit_once('.') {
            None => format!("rpc: service/method request ill-formed: {name}"),
            Some((service, _)) if !self.services.contains(service) => {
                format!("rpc: can't find service {name}")
            }
            Some(_) => format!("rpc: can't find method {name}"),
        }
    }

    /// The methods of each service, both in the order of their names.
    pub(super) fn by_service(&self) -> BTreeMap<&str, BTreeMap<&str, &Entry<C>>> {
        let mut services: BTreeMap<&str, BTreeMap<&str, &Entry<C>>> = BTreeMap::new();
        for (name, entry) in &self.methods {
            let (service, method) = name.rsplit_once('.').unwrap_or(("", name));
            services.entry(service).or_default().insert(method, entry);
        }
        services
    }
}
