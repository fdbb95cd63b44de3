//! The numbers of `math/big`.

mod decimal;
mod float;
mod int;
mod rat;
mod shortest;

pub use float::{BigFloat, Rounding};
pub use int::BigInt;
pub use rat::BigRat;

/// Longer numbers have no text in other formats: making one takes time by the square of their length.
const LONGEST_TEXT: usize = 4096;

/// The bytes of a number, the highest first, without zeros before it.
fn trimmed(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    &bytes[zeros..]
}
