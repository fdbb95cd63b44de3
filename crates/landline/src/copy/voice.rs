//! What one direction of a copy tells of itself.

use super::copied::{Copied, CopyPath, Detour};
use crate::error::Error;
use crate::explain::{Explainer, What};

/// Tells of a copy, and of each path once, however often the bytes change between them.
pub(super) struct Voice<'a> {
    explainer: &'a Explainer,
    copy: u32,
    told: u8,
}

impl<'a> Voice<'a> {
    /// `copy` numbers the directions, from 1.
    pub(super) fn new(explainer: &'a Explainer, copy: u32) -> Voice<'a> {
        Voice { explainer, copy, told: 0 }
    }

    pub(super) fn started(&self, from: impl FnOnce() -> String, to: impl FnOnce() -> String) {
        self.explainer.tell(|| What::CopyStarted { copy: self.copy, from: from(), to: to() });
    }

    #[inline]
    pub(super) fn took(&mut self, path: CopyPath, detour: impl FnOnce() -> Option<Detour>) {
        let bit = 1 << path as u8;
        if self.told & bit == 0 {
            self.told |= bit;
            self.explainer.tell(|| What::CopyPath { copy: self.copy, path, detour: detour() });
        }
    }

    pub(super) fn ended(&self, copied: Copied) {
        self.explainer.tell(|| What::CopyDone { copy: self.copy, copied });
    }

    pub(super) fn failed(&self, copied: Copied, error: &Error) {
        self.explainer.tell(|| What::CopyFailed { copy: self.copy, copied, error: error.clone() });
    }
}
