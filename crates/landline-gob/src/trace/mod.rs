//! Finding out what a Rust type is in gob's terms, from its `Deserialize` alone.
//!
//! `T::deserialize` is given a deserializer that writes down what it is asked for and answers with small made-up values.
//! One pass through a type sees every field, the inside of every `Option`, one element of every collection and one variant
//! of every enum; as many passes are made as it takes to see all variants. What refuses the made-up value is given another
//! one in the next pass.

mod access;
mod samples;
mod state;
mod tracer;
mod variants;

use std::any::TypeId;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, PoisonError, RwLock};

use serde::Deserialize;

use crate::error::Error;
use crate::schema::Type;
use state::Trace;

/// What was found out, for the life of the program: at most one entry for each type in its source.
static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

type Known = HashMap<TypeId, Arc<Result<Type, Error>>>;

/// The gob type of `T`, found out the first time.
pub(crate) fn type_of<'de, T: Deserialize<'de>>() -> Result<Type, Error> {
    let id = typeid::of::<T>();
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
    let found = known.unwrap_or_else(|| {
        // Not under the lock: a `Deserialize` may well use gob itself.
        let found = Arc::new(Trace::run::<T>());
        KNOWN.write().unwrap_or_else(PoisonError::into_inner).insert(id, found.clone());
        found
    });
    match &*found {
        Ok(found) => Ok(found.clone()),
        Err(error) => Err(error.again()),
    }
}

#[cfg(test)]
mod tests;
