//! `big.Float`.

use std::fmt;

use super::super::Opaque;
use super::shortest;

/// Go's `big.Float`: a binary floating-point number of any precision.
///
/// It keeps all that Go sends: the precision, how results are to be rounded, and how the last one was.
///
/// ```
/// use landline_gob::go::BigFloat;
///
/// let number = BigFloat::from(1.5);
/// assert_eq!((number.precision(), number.to_f64()), (53, 1.5));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct BigFloat {
    negative: bool,
    precision: u32,
    rounding: Rounding,
    /// Of the last result, in Go's bits: whether it is less than, equal to, or more than what it should be.
    accuracy: Accuracy,
    form: Form,
}

/// How Go is to round results to the precision of a `big.Float`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rounding {
    /// To the nearest, and to the even one of two that are as near.
    #[default]
    ToNearestEven,
    /// To the nearest, and away from zero.
    ToNearestAway,
    /// Towards zero.
    ToZero,
    /// Away from zero.
    AwayFromZero,
    /// Down.
    ToNegativeInf,
    /// Up.
    ToPositiveInf,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
enum Accuracy {
    Below,
    #[default]
    Exact,
    Above,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
enum Form {
    #[default]
    Zero,
    /// The mantissa is below one, and its highest bit is set; its bytes are whole words of eight.
    Finite {
        exponent: i32,
        mantissa: Vec<u8>,
    },
    Inf,
}

const ROUNDINGS: [Rounding; 6] = [
    Rounding::ToNearestEven,
    Rounding::ToNearestAway,
    Rounding::ToZero,
    Rounding::AwayFromZero,
    Rounding::ToNegativeInf,
    Rounding::ToPositiveInf,
];

const ACCURACIES: [Accuracy; 3] = [Accuracy::Below, Accuracy::Exact, Accuracy::Above];

impl BigFloat {
    /// How many bits its mantissa may have. Go gives that of a zero that was never set as 0.
    pub fn precision(&self) -> u32 {
        self.precision
    }

    /// How results are rounded to it.
    pub fn rounding(&self) -> Rounding {
        self.rounding
    }

    /// The nearest `f64`, or nearly: bits beyond the sixty-fourth are cut off first.
    pub fn to_f64(&self) -> f64 {
        let size = match &self.form {
            Form::Zero => 0.0,
            Form::Inf => f64::INFINITY,
            Form::Finite { exponent, mantissa } => {
                let mut top = [0; 8];
                top.copy_from_slice(&mantissa[..8]);
                // In two steps, so that what is too small for the one is not lost before the other.
                let exponent = exponent.saturating_sub(64);
                let half = exponent / 2;
                u64::from_be_bytes(top) as f64 * power(half) * power(exponent - half)
            }
        };
        if self.negative { -size } else { size }
    }
}

impl BigFloat {
    /// In decimal with no more digits than tell it from others of its precision, as Go writes it in JSON (`'g'`, -1);
    /// nothing for a number whose digits would be too many to work out.
    pub(crate) fn to_decimal(&self) -> Option<String> {
        let size = match &self.form {
            Form::Zero => "0".to_owned(),
            Form::Inf => if self.negative { "-Inf" } else { "+Inf" }.to_owned(),
            Form::Finite { exponent, mantissa } => {
                let (digits, point) = shortest::digits(mantissa, self.precision, *exponent)?;
                general(&digits, point)
            }
        };
        let sign = if self.negative && self.form != Form::Inf { "-" } else { "" };
        Some(format!("{sign}{size}"))
    }
}

/// Digits with the point before the one at `point`, with an exponent where that is below -4 or above 5.
fn general(digits: &str, point: i64) -> String {
    let exponent = point - 1;
    if !(-4..6).contains(&exponent) {
        let (first, rest) = digits.split_at(1);
        let dot = if rest.is_empty() { "" } else { "." };
        let sign = if exponent < 0 { '-' } else { '+' };
        return format!("{first}{dot}{rest}e{sign}{:02}", exponent.abs());
    }
    match usize::try_from(point) {
        Ok(point) if point >= digits.len() => format!("{digits:0<point$}"),
        Ok(point) if point > 0 => format!("{}.{}", &digits[..point], &digits[point..]),
        _ => format!("0.{:0<zeros$}{digits}", "", zeros = point.unsigned_abs() as usize),
    }
}

/// Two to this power.
fn power(exponent: i32) -> f64 {
    2_f64.powi(exponent.clamp(-1100, 1100))
}

impl From<f64> for BigFloat {
    /// The number, with the precision of an `f64`.
    ///
    /// Go has no like of a NaN: it becomes zero.
    fn from(number: f64) -> BigFloat {
        let form = if number.is_infinite() {
            Form::Inf
        } else if number == 0.0 || number.is_nan() {
            Form::Zero
        } else {
            let bits = number.to_bits();
            let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i32, bits & ((1 << 52) - 1));
            // Below the smallest normal number, the bit before the fraction is not set.
            let (exponent, whole) =
                if exponent == 0 { (1, fraction) } else { (exponent, fraction | 1 << 52) };
            let zeros = whole.leading_zeros();
            let mantissa = (whole << zeros).to_be_bytes().to_vec();
            Form::Finite { exponent: exponent - 1023 - 52 + 64 - zeros as i32, mantissa }
        };
        BigFloat {
            negative: number.is_sign_negative() && !number.is_nan(),
            precision: 53,
            form,
            ..BigFloat::default()
        }
    }
}

impl fmt::Display for BigFloat {
    /// Exact, in hexadecimal: `-0x.cp+1`, which Go parses.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.negative {
            f.write_str("-")?;
        }
        match &self.form {
            Form::Zero => f.write_str("0"),
            Form::Inf => f.write_str("Inf"),
            Form::Finite { exponent, mantissa } => {
                let digits: String = mantissa.iter().map(|byte| format!("{byte:02x}")).collect();
                write!(f, "0x.{}p{exponent:+}", digits.trim_end_matches('0'))
            }
        }
    }
}

const VERSION: u8 = 1;

impl Opaque for BigFloat {
    fn to_bytes(&self) -> Vec<u8> {
        let place = |rounding| ROUNDINGS.iter().position(|known| *known == rounding).unwrap_or(0) as u8;
        let form = match &self.form {
            Form::Zero => 0,
            Form::Finite { .. } => 1,
            Form::Inf => 2,
        };
        let mut bytes = vec![VERSION];
        bytes.push(
            place(self.rounding) << 5 | (self.accuracy as u8) << 3 | form << 1 | u8::from(self.negative),
        );
        bytes.extend(self.precision.to_be_bytes());
        if let Form::Finite { exponent, mantissa } = &self.form {
            bytes.extend(exponent.to_be_bytes());
            bytes.extend(mantissa);
        }
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Result<BigFloat, String> {
        let short = || format!("a number of {} bytes", bytes.len());
        // A nil pointer to one has no bytes.
        let Some((version, rest)) = bytes.split_first() else { return Ok(BigFloat::default()) };
        if *version != VERSION {
            return Err(format!("a number of version {version}"));
        }
        let (head, rest) = rest.split_first().ok_or_else(short)?;
        let (precision, rest) = rest.split_first_chunk().ok_or_else(short)?;
        let rounding =
            ROUNDINGS.get(usize::from(head >> 5)).ok_or("a way of rounding that Go does not have")?;
        let accuracy =
            ACCURACIES.get(usize::from(head >> 3 & 3)).ok_or("an accuracy that Go does not have")?;
        let form = match head >> 1 & 3 {
            0 => Form::Zero,
            1 => {
                let (exponent, mantissa) = rest.split_first_chunk().ok_or_else(short)?;
                if mantissa.first().is_none_or(|first| first & 0x80 == 0) || mantissa.len() % 8 != 0 {
                    return Err("a mantissa that Go does not have".to_owned());
                }
                Form::Finite { exponent: i32::from_be_bytes(*exponent), mantissa: mantissa.to_vec() }
            }
            2 => Form::Inf,
            _ => return Err("a form of number that Go does not have".to_owned()),
        };
        let precision = u32::from_be_bytes(*precision);
        Ok(BigFloat { negative: head & 1 == 1, precision, rounding: *rounding, accuracy: *accuracy, form })
    }

    fn zero() -> BigFloat {
        BigFloat::default()
    }

    fn is_zero(&self) -> bool {
        *self == BigFloat::default()
    }
}

crate::opaque!(BigFloat, GobEncoder on pointer, "big.Float");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_those_of_go() {
        for (number, bytes, text) in [
            (0.0, &[1, 8, 0, 0, 0, 53][..], "0"),
            (1.5, b"\x01\x0a\0\0\0\x35\0\0\0\x01\xc0\0\0\0\0\0\0\0", "0x.cp+1"),
            (
                -0.1,
                b"\x01\x0b\0\0\0\x35\xff\xff\xff\xfd\xcc\xcc\xcc\xcc\xcc\xcc\xd0\0",
                "-0x.ccccccccccccdp-3",
            ),
            (1e300, b"\x01\x0a\0\0\0\x35\0\0\x03\xe5\xbf\x21\xe4\x40\x03\xac\xe0\0", "0x.bf21e44003acep+997"),
            (f64::NEG_INFINITY, &[1, 0x0d, 0, 0, 0, 53], "-Inf"),
        ] {
            let big = BigFloat::from(number);
            assert_eq!(big.to_bytes(), bytes, "{number}");
            assert_eq!(BigFloat::from_bytes(bytes), Ok(big.clone()));
            assert_eq!(big.to_string(), text);
            assert_eq!(big.to_f64(), number);
        }
        assert_eq!(BigFloat::from_bytes(&[]), Ok(BigFloat::default()));
        assert_eq!(BigFloat::default().to_bytes(), [1, 8, 0, 0, 0, 0]);
    }

    #[test]
    fn texts_are_those_of_go() {
        for (number, text) in [
            (0.0, "0"),
            (-0.0, "-0"),
            (1.5, "1.5"),
            (-0.1, "-0.1"),
            (100_000.0, "100000"),
            (123_456.75, "123456.75"),
            (1e6, "1e+06"),
            (1_234_567.0, "1.234567e+06"),
            (0.000_123, "0.000123"),
            (0.000_012_3, "1.23e-05"),
            (1e300, "1e+300"),
            (5e-324, "5e-324"),
            (f64::MAX, "1.7976931348623157e+308"),
            (1.0 / 3.0, "0.3333333333333333"),
            (4_503_599_627_370_498.0, "4.503599627370498e+15"),
            (9_007_199_254_740_992.0, "9.007199254740992e+15"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
        ] {
            let mut number = BigFloat::from(number);
            if number.to_f64().abs() == 5e-324 {
                // The smallest of all has one bit, of which fewer digits are enough.
                number.precision = 1;
            }
            assert_eq!(number.to_decimal().as_deref(), Some(text));
        }
        // 1/3 with 100 bits, and what is too large to be written out.
        let third =
            b"\x01\x0a\0\0\0\x64\xff\xff\xff\xff\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xaa\xb0\0\0\0";
        let third = BigFloat::from_bytes(third).unwrap();
        assert_eq!(third.to_decimal().as_deref(), Some("0.3333333333333333333333333333335"));
        let huge = BigFloat::from_bytes(b"\x01\x0a\0\0\0\x35\x7f\xff\xff\xff\x80\0\0\0\0\0\0\0").unwrap();
        assert_eq!(huge.to_decimal(), None);
    }

    #[test]
    fn doubles_have_as_few_digits_as_rust_finds() {
        let mut random = fastrand::Rng::with_seed(7);
        for _ in 0..2000 {
            let number = f64::from_bits(random.u64(..));
            if number.is_normal() {
                let text = BigFloat::from(number).to_decimal().unwrap();
                // Of two that are as near, Rust takes another.
                let digits = |text: &str| {
                    let mantissa = text.split('e').next().unwrap_or_default();
                    mantissa.replace(['.', '-'], "").trim_matches('0').len()
                };
                assert_eq!(text.parse::<f64>().unwrap(), number, "{text}");
                assert_eq!(digits(&text), digits(&format!("{number:e}")), "{text}");
            }
        }
    }

    #[test]
    fn every_float_comes_back() {
        for number in [f64::MAX, f64::MIN_POSITIVE, 5e-324, 1.0 / 3.0, -2.5e-310, 4503599627370497.5] {
            assert_eq!(BigFloat::from(number).to_f64(), number);
        }
        assert_eq!(BigFloat::from(f64::NAN).to_f64(), 0.0);
        let huge = BigFloat::from_bytes(b"\x01\x0a\0\0\0\x35\x7f\xff\xff\xff\x80\0\0\0\0\0\0\0").unwrap();
        assert_eq!(huge.to_f64(), f64::INFINITY);
        let tiny = BigFloat::from_bytes(b"\x01\x0a\0\0\0\x35\x80\0\0\0\x80\0\0\0\0\0\0\0").unwrap();
        assert_eq!(tiny.to_f64(), 0.0);
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for bytes in [
            &[2][..],
            &[1],
            &[1, 8, 0, 0, 0],
            &[1, 0xe8, 0, 0, 0, 53],
            &[1, 0x18, 0, 0, 0, 53],
            &[1, 0x0e, 0, 0, 0, 53],
            &[1, 0x0a, 0, 0, 0, 53, 0, 0, 0, 1],
            &[1, 0x0a, 0, 0, 0, 53, 0, 0, 0, 1, 0xc0],
            &[1, 0x0a, 0, 0, 0, 53, 0, 0, 0, 1, 0x40, 0, 0, 0, 0, 0, 0, 0],
        ] {
            assert!(BigFloat::from_bytes(bytes).is_err(), "{bytes:?}");
        }
    }
}
