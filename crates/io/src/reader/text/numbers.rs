//! Which types hold a number, as text formats write it.

use super::values::is_exact;
use crate::columns::Fits;

/// Up to here, every whole number is a float64.
const MOST_EXACT: u64 = 1 << 53;

/// The types of 64 bits that hold a number with all of its digits.
pub(super) fn fits(text: &str) -> Fits {
    if !is_whole(text) {
        return if text.parse().is_ok_and(|value| is_exact(text, value)) { Fits::FLOAT } else { Fits::NONE };
    }
    let (signed, unsigned) = (text.parse::<i64>(), text.parse::<u64>());
    let is_small = signed.as_ref().is_ok_and(|value| value.unsigned_abs() <= MOST_EXACT);
    let is_float = || text.parse::<i128>().is_ok_and(|value| value as f64 as i128 == value);
    [
        (Fits::SIGNED, signed.is_ok()),
        (Fits::UNSIGNED, unsigned.is_ok()),
        (Fits::FLOAT, is_small || is_float()),
    ]
    .into_iter()
    .filter(|(_, holds)| *holds)
    .fold(Fits::NONE, |all, (fits, _)| all.or(fits))
}

/// Whether a number has neither point nor exponent. Of minus zero only a float keeps the sign.
pub(super) fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0"
}
