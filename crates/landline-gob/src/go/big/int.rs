//! `big.Int`.

use std::fmt;
use std::str::FromStr;

use super::super::Opaque;
use super::{LONGEST_TEXT, decimal, trimmed};

/// Go's `big.Int`: a whole number of any size.
///
/// ```
/// use landline_gob::go::BigInt;
///
/// let number: BigInt = "-123456789012345678901234567890".parse().unwrap();
/// assert_eq!(i64::try_from(&number).ok(), None);
/// assert_eq!(i128::try_from(&number).ok(), Some(-123_456_789_012_345_678_901_234_567_890));
/// assert_eq!(BigInt::from(-300).to_string(), "-300");
/// ```
///
/// There is no arithmetic here: the bytes of [`magnitude`](BigInt::magnitude) are what crates for it take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BigInt {
    negative: bool,
    /// The highest byte first, and it is not zero.
    magnitude: Vec<u8>,
}

impl BigInt {
    /// A number from its sign and its absolute value, the highest byte first. Zero has no sign.
    pub fn new(negative: bool, magnitude: &[u8]) -> BigInt {
        let magnitude = trimmed(magnitude).to_vec();
        BigInt { negative: negative && !magnitude.is_empty(), magnitude }
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        self.negative
    }

    /// The absolute value, the highest byte first, without zeros before it.
    pub fn magnitude(&self) -> &[u8] {
        &self.magnitude
    }
}

macro_rules! integers {
    ($($type:ty)*) => {
        $(impl From<$type> for BigInt {
            fn from(number: $type) -> BigInt {
                #[allow(unused_comparisons)]
                let negative = number < 0;
                let magnitude = if negative { (number as i128).unsigned_abs() } else { number as u128 };
                BigInt::new(negative, &magnitude.to_be_bytes())
            }
        }

        impl TryFrom<&BigInt> for $type {
            type Error = String;

            fn try_from(number: &BigInt) -> Result<$type, String> {
                let fits = || {
                    let mut bytes = [0; 16];
                    let start = bytes.len().checked_sub(number.magnitude.len())?;
                    bytes[start..].copy_from_slice(&number.magnitude);
                    let magnitude = u128::from_be_bytes(bytes);
                    match number.negative {
                        false => <$type>::try_from(magnitude).ok(),
                        true if magnitude <= i128::MIN.unsigned_abs() => {
                            <$type>::try_from((magnitude as i128).wrapping_neg()).ok()
                        }
                        true => None,
                    }
                };
                fits().ok_or_else(|| concat!("a number that does not fit into ", stringify!($type)).to_owned())
            }
        }
    )*};
}

integers! { i8 i16 i32 i64 i128 isize u8 u16 u32 u64 u128 usize }

impl fmt::Display for BigInt {
    /// In decimal, which takes time by the square of its length.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(!self.negative, "", &decimal::digits(&self.magnitude))
    }
}

impl FromStr for BigInt {
    type Err = String;

    /// From decimal, which takes time by the square of its length.
    fn from_str(text: &str) -> Result<BigInt, String> {
        let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
        let magnitude = decimal::bytes(digits).ok_or("no whole number")?;
        Ok(BigInt::new(text.starts_with('-'), &magnitude))
    }
}

/// The version of the bytes, above the bit for the sign.
const VERSION: u8 = 1;

impl Opaque for BigInt {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(1 + self.magnitude.len());
        bytes.push(VERSION << 1 | u8::from(self.negative));
        bytes.extend(&self.magnitude);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<BigInt, String> {
        // A nil pointer to one has no bytes.
        let Some((head, magnitude)) = bytes.split_first() else { return Ok(BigInt::default()) };
        match head >> 1 {
            VERSION => Ok(BigInt::new(head & 1 == 1, magnitude)),
            version => Err(format!("a whole number of version {version}")),
        }
    }

    fn zero() -> BigInt {
        BigInt::default()
    }

    fn is_zero(&self) -> bool {
        self.magnitude.is_empty()
    }

    fn to_text(&self) -> Option<String> {
        (self.magnitude.len() <= LONGEST_TEXT).then(|| self.to_string())
    }

    fn from_text(text: &str) -> Result<BigInt, String> {
        if text.len() > 3 * LONGEST_TEXT { Err("too long a number".to_owned()) } else { text.parse() }
    }
}

crate::opaque!(BigInt, GobEncoder on pointer, "big.Int");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_go() {
        for (number, bytes) in [(0, &[2][..]), (3, &[2, 3]), (255, &[2, 255]), (-300, &[3, 1, 44])] {
            assert_eq!(BigInt::from(number).to_bytes(), bytes);
            assert_eq!(BigInt::from_bytes(bytes), Ok(BigInt::from(number)));
        }
        assert_eq!(BigInt::from_bytes(&[]), Ok(BigInt::default()));
        assert_eq!(BigInt::from_bytes(&[2, 0, 0, 1]), Ok(BigInt::from(1)));
        assert!(BigInt::from_bytes(&[4]).is_err());
    }

    #[test]
    fn integers_come_back() {
        for number in [0, 1, -1, i128::MAX, i128::MIN, i64::MIN.into(), i64::MAX.into()] {
            let big = BigInt::from(number);
            assert_eq!(i128::try_from(&big), Ok(number));
            assert_eq!(big.to_string(), number.to_string());
            assert_eq!(number.to_string().parse(), Ok(big.clone()));
            assert_eq!(i64::try_from(&big).ok(), i64::try_from(number).ok());
            assert_eq!(u8::try_from(&big).ok(), u8::try_from(number).ok());
        }
        assert_eq!(u128::try_from(&BigInt::from(u128::MAX)), Ok(u128::MAX));
        assert!(i128::try_from(&BigInt::from(u128::MAX)).is_err());
        assert!(i128::try_from(&BigInt::new(true, &[0xff; 16])).is_err());
        assert!(u128::try_from(&BigInt::new(false, &[1; 17])).is_err());
        for text in ["", "-", "1e3", "0x1", "--1"] {
            assert!(text.parse::<BigInt>().is_err(), "{text}");
        }
    }
}
