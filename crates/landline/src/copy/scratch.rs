//! The buffer that reads go into: one for each thread, lent out between a read and the write that follows it, so that
//! a copy that waits holds none.

use std::cell::Cell;

use super::route::MESSAGE_READ;

thread_local! {
    /// Only what is used of it is ever in memory.
    static BUFFER: Cell<Option<Box<[u8]>>> = const { Cell::new(None) };
}

/// Lends the first `len` bytes of the thread's buffer, whatever is in them.
pub(super) fn with<T>(len: usize, work: impl FnOnce(&mut [u8]) -> T) -> T {
    // A source may itself copy when it is read from, and then makes a buffer of its own.
    let mut buffer = BUFFER.take().unwrap_or_else(|| vec![0; MESSAGE_READ].into_boxed_slice());
    let result = work(&mut buffer[..len]);
    BUFFER.set(Some(buffer));
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_has_one_and_a_nested_use_another() {
        let first = with(8, |outer| {
            outer.fill(1);
            with(8, |inner| inner.fill(2));
            assert_eq!(outer, [1; 8]);
            outer.as_ptr()
        });
        assert_eq!(with(8, |again| again.as_ptr()), first);
    }
}
