//! Numbers of any length as decimal digits, and back. Both take time by the square of the length.

/// The digits that fit into one step.
const STEP: usize = 9;
const RADIX: u64 = 1_000_000_000;

/// The decimal digits of a number given by its bytes, the highest first.
pub(super) fn digits(bytes: &[u8]) -> String {
    let mut words: Vec<u32> = bytes
        .rchunks(4)
        .rev()
        .map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u32::from(*byte)))
        .collect();
    let mut groups = Vec::new();
    let mut first = words.iter().take_while(|word| **word == 0).count();
    while first < words.len() {
        let mut left = 0_u64;
        for word in &mut words[first..] {
            let whole = left << 32 | u64::from(*word);
            *word = (whole / RADIX) as u32;
            left = whole % RADIX;
        }
        groups.push(left);
        first += words[first..].iter().take_while(|word| **word == 0).count();
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:0STEP$}"));
    }
    text
}

/// The bytes of a number, the highest first and none of them zero before it, from its decimal digits.
pub(super) fn bytes(digits: &str) -> Option<Vec<u8>> {
    if digits.is_empty() || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    // The lowest word first.
    let mut words: Vec<u32> = Vec::with_capacity(digits.len() / STEP + 1);
    let (head, rest) = digits.split_at(digits.len() % STEP);
    let groups = std::iter::once(head).chain((0..rest.len() / STEP).map(|at| &rest[at * STEP..][..STEP]));
    for group in groups.filter(|group| !group.is_empty()) {
        let mut carry: u64 = group.parse().ok()?;
        for word in &mut words {
            let whole = u64::from(*word) * RADIX + carry;
            *word = whole as u32;
            carry = whole >> 32;
        }
        if carry > 0 {
            words.push(carry as u32);
        }
    }
    let bytes: Vec<u8> = words.iter().rev().flat_map(|word| word.to_be_bytes()).collect();
    Some(super::trimmed(&bytes).to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_and_bytes() {
        for number in
            [0_u128, 1, 9, 10, 255, 256, 999_999_999, 1_000_000_000, u64::MAX.into(), 1 << 64, u128::MAX]
        {
            let all = number.to_be_bytes();
            assert_eq!(digits(&all), number.to_string());
            assert_eq!(bytes(&number.to_string()).unwrap(), super::super::trimmed(&all));
        }
        assert_eq!(bytes("000000000000000000001").unwrap(), [1]);
        for text in ["", "-1", "1.", "1 ", "x", "١"] {
            assert_eq!(bytes(text), None, "{text}");
        }
    }
}
