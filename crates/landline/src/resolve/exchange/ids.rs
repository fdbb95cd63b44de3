//! Message ids that nobody can predict (RFC 5452 section 9.2).

use std::cell::RefCell;

use rustix::io::Errno;
use rustix::rand::{GetRandomFlags, getrandom};

/// Ids fetched from the kernel at once, so that a lookup rarely costs a system call for them. 256 bytes are given
/// without interruption (getrandom(2)).
const POOL: usize = 128;

thread_local! {
    static IDS: RefCell<Vec<u16>> = const { RefCell::new(Vec::new()) };
}

/// An id that is none of `others`.
pub(super) fn fresh_id(others: impl Fn(u16) -> bool) -> Result<u16, Errno> {
    IDS.with_borrow_mut(|ids| {
        loop {
            match ids.pop() {
                Some(id) if !others(id) => return Ok(id),
                Some(_) => {}
                None => refill(ids)?,
            }
        }
    })
}

fn refill(ids: &mut Vec<u16>) -> Result<(), Errno> {
    let mut bytes = [0; POOL * 2];
    let filled = getrandom(&mut bytes, GetRandomFlags::empty())?;
    let (pairs, _) = bytes[..filled].as_chunks();
    ids.extend(pairs.iter().map(|&pair| u16::from_ne_bytes(pair)));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn ids_differ_and_avoid_those_in_use() {
        let mut seen = HashSet::new();
        for _ in 0..1000 {
            let id = fresh_id(|id| seen.contains(&id)).unwrap();
            assert!(seen.insert(id));
        }
        // All bits are used.
        assert_eq!(seen.iter().fold(0, |bits, id| bits | id), u16::MAX);
        assert_eq!(seen.iter().fold(u16::MAX, |bits, id| bits & id), 0);
    }
}
