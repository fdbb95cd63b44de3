//! A list that grows while what is in it is in use.

use std::cell::{Cell, OnceCell};

/// How many the first piece holds; each further one twice as many.
const FIRST: usize = 16;
/// More pieces than there is memory for.
const PIECES: usize = 32;

/// Values that stay where they are, each under a number.
pub(crate) struct Arena<T> {
    pieces: [OnceCell<Box<[OnceCell<T>]>>; PIECES],
    len: Cell<u32>,
}

impl<T> Arena<T> {
    pub(crate) fn new() -> Arena<T> {
        Arena { pieces: [const { OnceCell::new() }; PIECES], len: Cell::new(0) }
    }

    /// A new number, whose value is to be set.
    pub(crate) fn reserve(&self) -> u32 {
        let number = self.len.get();
        self.len.set(number + 1);
        let (piece, _) = place(number);
        self.pieces[piece].get_or_init(|| (0..FIRST << piece).map(|_| OnceCell::new()).collect());
        number
    }

    /// Sets the value of a number, once.
    pub(crate) fn set(&self, number: u32, value: T) {
        let (piece, at) = place(number);
        if let Some(cell) = self.pieces[piece].get().and_then(|piece| piece.get(at)) {
            // Set before: then it stays what it was.
            let _ = cell.set(value);
        }
    }

    #[inline]
    pub(crate) fn find(&self, number: u32) -> Option<&T> {
        // Most are in the first piece, which is found with half as many instructions.
        let (piece, at) = if (number as usize) < FIRST { (0, number as usize) } else { place(number) };
        self.pieces[piece].get()?.get(at)?.get()
    }
}

/// The piece that a number is in, and its place there.
#[inline]
fn place(number: u32) -> (usize, usize) {
    let number = number as usize + FIRST;
    let piece = number.ilog2() as usize - FIRST.ilog2() as usize;
    (piece, number - (FIRST << piece))
}

impl<T> std::fmt::Debug for Arena<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Arena of {}", self.len.get())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_stay_under_their_numbers() {
        let arena = Arena::new();
        for number in 0..1000 {
            assert_eq!(arena.reserve(), number);
            assert_eq!(arena.find(number), None);
            arena.set(number, number * 3);
        }
        arena.set(5, 0);
        for number in 0..1000 {
            assert_eq!(arena.find(number), Some(&(number * 3)));
        }
        assert_eq!(arena.find(1000), None);
        assert_eq!(arena.find(100_000), None);
    }
}
