//! Values that several kinds of tests have.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Inner {
    pub(crate) x: isize,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Point {
    pub(crate) x: isize,
    pub(crate) y: isize,
}

pub(crate) fn text(text: &str) -> String {
    text.to_owned()
}

pub(crate) fn map<K: std::hash::Hash + Eq, V, const N: usize>(entries: [(K, V); N]) -> HashMap<K, V> {
    HashMap::from(entries)
}
