//! `big.Rat`.

use std::fmt;
use std::str::FromStr;

use super::super::Opaque;
use super::LONGEST_TEXT;
use super::int::BigInt;

/// Go's `big.Rat`: a fraction of whole numbers of any size.
///
/// It is not reduced here. Go keeps its own reduced, and does so with those it decodes as soon as it computes with them.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BigRat {
    numerator: BigInt,
    /// Above zero.
    denominator: BigInt,
}

impl Default for BigRat {
    fn default() -> BigRat {
        BigRat { numerator: BigInt::default(), denominator: BigInt::from(1) }
    }
}

impl BigRat {
    /// A fraction; nothing when the denominator is not above zero.
    pub fn new(numerator: impl Into<BigInt>, denominator: impl Into<BigInt>) -> Option<BigRat> {
        let (numerator, denominator) = (numerator.into(), denominator.into());
        let fits = !denominator.is_zero() && !denominator.is_negative();
        fits.then_some(BigRat { numerator, denominator })
    }

    /// The numerator, which has the sign.
    pub fn numerator(&self) -> &BigInt {
        &self.numerator
    }

    /// The denominator, which is above zero.
    pub fn denominator(&self) -> &BigInt {
        &self.denominator
    }
}

impl fmt::Display for BigRat {
    /// As `-1/3`, or as a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.numerator)?;
        if self.denominator.magnitude() == [1] { Ok(()) } else { write!(f, "/{}", self.denominator) }
    }
}

impl FromStr for BigRat {
    type Err = String;

    fn from_str(text: &str) -> Result<BigRat, String> {
        let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
        let fraction = BigRat::new(numerator.parse::<BigInt>()?, denominator.parse::<BigInt>()?);
        fraction.ok_or_else(|| "a denominator that is not above zero".to_owned())
    }
}

/// The version of the bytes, above the bit for the sign.
const VERSION: u8 = 1;

impl Opaque for BigRat {
    fn to_bytes(&self) -> Vec<u8> {
        let (numerator, denominator) = (self.numerator.magnitude(), self.denominator.magnitude());
        let mut bytes = Vec::with_capacity(5 + numerator.len() + denominator.len());
        bytes.push(VERSION << 1 | u8::from(self.numerator.is_negative()));
        bytes.extend((numerator.len() as u32).to_be_bytes());
        bytes.extend(numerator);
        bytes.extend(denominator);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<BigRat, String> {
        // A nil pointer to one has no bytes.
        let Some((head, rest)) = bytes.split_first() else { return Ok(BigRat::default()) };
        if head >> 1 != VERSION {
            return Err(format!("a fraction of version {}", head >> 1));
        }
        let short = || format!("a fraction of {} bytes", bytes.len());
        let (len, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let len = u32::from_be_bytes(*len) as usize;
        let (numerator, denominator) = rest.split_at_checked(len).ok_or_else(short)?;
        let numerator = BigInt::new(head & 1 == 1, numerator);
        match BigInt::new(false, denominator) {
            // To Go, that is a whole number.
            zero if zero.is_zero() => Ok(BigRat { numerator, denominator: BigInt::from(1) }),
            denominator => Ok(BigRat { numerator, denominator }),
        }
    }

    fn zero() -> BigRat {
        BigRat::default()
    }

    fn is_zero(&self) -> bool {
        self.numerator.is_zero()
    }

    fn to_text(&self) -> Option<String> {
        let longest = self.numerator.magnitude().len().max(self.denominator.magnitude().len());
        (longest <= LONGEST_TEXT).then(|| self.to_string())
    }

    fn from_text(text: &str) -> Result<BigRat, String> {
        if text.len() > 6 * LONGEST_TEXT { Err("too long a number".to_owned()) } else { text.parse() }
    }
}

crate::opaque!(BigRat, GobEncoder on pointer, "big.Rat");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_go() {
        for (text, bytes) in [
            ("0", &[2, 0, 0, 0, 0, 1][..]),
            ("5", &[2, 0, 0, 0, 1, 5, 1]),
            ("-22/7", &[3, 0, 0, 0, 1, 22, 7]),
        ] {
            let fraction: BigRat = text.parse().unwrap();
            assert_eq!(fraction.to_bytes(), bytes);
            assert_eq!(BigRat::from_bytes(bytes), Ok(fraction.clone()));
            assert_eq!(fraction.to_string(), text);
        }
        assert_eq!(BigRat::from_bytes(&[]), Ok(BigRat::default()));
        assert_eq!(BigRat::from_bytes(&[2, 0, 0, 0, 1, 5]), Ok(BigRat::new(5, 1).unwrap()));
        for bytes in [&[4][..], &[2, 0, 0, 0], &[2, 0, 0, 0, 2, 5], &[2, 0xff, 0xff, 0xff, 0xff, 5]] {
            assert!(BigRat::from_bytes(bytes).is_err());
        }
        for text in ["", "1/0", "1/-2", "1/2/3", "/"] {
            assert!(text.parse::<BigRat>().is_err(), "{text}");
        }
    }
}
