//! The fewest decimal digits that tell a binary floating-point number from its neighbours.

use super::decimal;

/// Numbers with more bits on either side of the point are not worked out: that takes time by the square of their length.
const LONGEST: i64 = 16 << 10;

/// Digits, the first of them not 0, and how many of them are before the point: a negative number says how many zeros are
/// between the two.
///
/// The number is `mantissa`, a fraction of one whose highest bit is set, times two to the power `exponent`; of the bits, so
/// many as `precision` count.
pub(super) fn digits(mantissa: &[u8], precision: u32, exponent: i32) -> Option<(String, i64)> {
    let precision = i64::from(precision.max(1));
    let exponent = i64::from(exponent);
    if precision > LONGEST || exponent.abs() > LONGEST {
        return None;
    }
    let whole = Natural::top_bits(mantissa, precision as usize);
    // What is half of the last bit away is rounded to the number. Below a power of two numbers lie closer, of which Go takes
    // no notice.
    let halves = whole.times(2);
    let scale = |number: Natural| number.scaled(exponent - precision - 1);
    let (low, number, high) = (scale(halves.less(1)), scale(halves.clone()), scale(halves.plus(1)));
    let len = high.len();
    let padded = |digits: String| format!("{digits:0>len$}").into_bytes();
    let (low, number, high) = (padded(low), padded(number), high.into_bytes());
    // Ends are rounded to what is even.
    let ends_too = whole.is_even();
    let fits = |digits: &[u8]| {
        let (above_low, below_high) = (digits.cmp(&low), digits.cmp(&high));
        (above_low.is_gt() || (ends_too && above_low.is_eq()))
            && (below_high.is_lt() || (ends_too && below_high.is_eq()))
    };
    let mut found = number.clone();
    let zeros = number.iter().take_while(|digit| **digit == b'0').count();
    for count in zeros + 1..len {
        let mut down = number[..count].to_vec();
        down.resize(len, b'0');
        let up = next(&number[..count], len);
        let (down_fits, up_fits) = (fits(&down), up.as_ref().is_some_and(|up| fits(up)));
        if down_fits || up_fits {
            let half = rounds_up(&number, count);
            found = match up {
                Some(up) if up_fits && (half || !down_fits) => up,
                _ => down,
            };
            break;
        }
    }
    let text = String::from_utf8(found).ok()?;
    let zeros = text.len() - text.trim_start_matches('0').len();
    // Each bit after the point is a digit after it.
    let behind = (precision + 1 - exponent).max(0);
    let point = len as i64 - behind - zeros as i64;
    Some((text.trim_matches('0').to_owned(), point))
}

/// One more in the last of some digits, with zeros behind; nothing when that takes another digit.
fn next(digits: &[u8], len: usize) -> Option<Vec<u8>> {
    let last = digits.iter().rposition(|digit| *digit != b'9')?;
    let mut next = digits[..=last].to_vec();
    next[last] += 1;
    next.resize(len, b'0');
    Some(next)
}

/// Whether digits are nearer to the next than to themselves without what is behind so many of them.
fn rounds_up(digits: &[u8], count: usize) -> bool {
    match digits[count..].split_first() {
        Some((b'5', rest)) if rest.iter().all(|digit| *digit == b'0') => {
            count > 0 && (digits[count - 1] - b'0') % 2 == 1
        }
        Some((first, _)) => *first >= b'5',
        None => false,
    }
}

/// A whole number, the lowest word first.
#[derive(Clone)]
struct Natural(Vec<u32>);

impl Natural {
    /// The highest bits of a fraction, with zeros behind it.
    fn top_bits(fraction: &[u8], bits: usize) -> Natural {
        let mut bytes = fraction.to_vec();
        bytes.resize(bits.div_ceil(8), 0);
        let words =
            bytes.rchunks(4).map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)));
        let mut number = Natural(words.collect());
        let extra = bytes.len() * 8 - bits;
        let mut carry = 0_u64;
        for word in number.0.iter_mut().rev() {
            let whole = carry << 32 | u64::from(*word);
            *word = (whole >> extra) as u32;
            carry = whole & ((1 << extra) - 1);
        }
        number
    }

    fn is_even(&self) -> bool {
        self.0.first().is_none_or(|word| word % 2 == 0)
    }

    fn times(&self, factor: u32) -> Natural {
        let mut carry = 0;
        let mut words: Vec<u32> = Vec::with_capacity(self.0.len() + 1);
        for word in &self.0 {
            let whole = u64::from(*word) * u64::from(factor) + carry;
            words.push(whole as u32);
            carry = whole >> 32;
        }
        if carry > 0 {
            words.push(carry as u32);
        }
        Natural(words)
    }

    fn plus(&self, more: u32) -> Natural {
        let mut words = self.0.clone();
        let mut carry = more;
        for word in &mut words {
            let (sum, over) = word.overflowing_add(carry);
            *word = sum;
            carry = over.into();
        }
        if carry > 0 {
            words.push(carry);
        }
        Natural(words)
    }

    /// It is not below `fewer`.
    fn less(&self, fewer: u32) -> Natural {
        let mut words = self.0.clone();
        let mut borrow = fewer;
        for word in &mut words {
            let (difference, under) = word.overflowing_sub(borrow);
            *word = difference;
            borrow = under.into();
        }
        Natural(words)
    }

    /// The digits of it times two to a power. Below one, each halving is a five and one more digit behind the point.
    fn scaled(mut self, power: i64) -> String {
        let (factor, per_step, step) = if power < 0 { (5_u32, 13, 1_220_703_125) } else { (2, 31, 1 << 31) };
        let mut left = power.unsigned_abs();
        while left >= per_step {
            self = self.times(step);
            left -= per_step;
        }
        self = self.times(factor.pow(left as u32));
        let bytes: Vec<u8> = self.0.iter().rev().flat_map(|word| word.to_be_bytes()).collect();
        decimal::digits(&bytes)
    }
}
