//! How a dynamic value gets through serde, which has no place for one: beside it, on the same thread.

use std::cell::RefCell;

use super::Value;

thread_local! {
    static SLOT: RefCell<Option<Value>> = const { RefCell::new(None) };
}

pub(crate) fn put(value: Value) {
    SLOT.set(Some(value));
}

pub(crate) fn take() -> Option<Value> {
    SLOT.take()
}
