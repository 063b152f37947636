//! Which types hold a number, as text formats write it.

use crate::columns::Fits;

/// Up to here, every whole number is a float64.
const MOST_EXACT: u64 = 1 << 53;

/// The types of 64 bits that hold a number with all of its digits.
pub(crate) fn fits(text: &str) -> Fits {
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
pub(crate) fn is_whole(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    digits.bytes().all(|byte| byte.is_ascii_digit()) && text != "-0"
}

/// Whether a float64 is the number as it is written: printed with as many digits, it is the same.
pub(crate) fn is_exact(text: &str, value: f64) -> bool {
    let count = digits(text).count();
    is_not_lost(text, value)
        // Any 15 digits come back from a float64, and most of 17 are what it is printed with.
        && (count <= 15
            || same_digits(text, zmij::Buffer::new().format(value))
            || same_digits(text, &format!("{value:.*e}", count - 1)))
}

/// The digits of a number from the first that is not zero on, without sign, point and exponent.
fn digits(text: &str) -> impl Iterator<Item = u8> {
    let mantissa = text.bytes().take_while(|byte| !matches!(byte, b'e' | b'E'));
    mantissa.filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0')
}

/// Whether two numbers have the same digits, zeros behind the last aside.
fn same_digits(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (digits(one), digits(other));
    loop {
        match (one.next(), other.next()) {
            (None, None) => return true,
            (one, other) if one.unwrap_or(b'0') != other.unwrap_or(b'0') => return false,
            _ => {}
        }
    }
}

/// Neither too large nor too small for its type.
pub(crate) fn is_not_lost(text: &str, value: f64) -> bool {
    if value.is_finite() && value != 0.0 {
        return true;
    }
    let is_number = text.bytes().any(|byte| byte.is_ascii_digit());
    !is_number || value.is_finite() && digits(text).next().is_none()
}
