//! Which types hold the texts of a column, and give each of them back.

use crate::columns::Fits;
use crate::columns::values::numbers;
use crate::columns::values::times::{date, moment};

/// The types that hold a text, which is not empty. Moments are looked for only if `among` has some.
pub(super) fn fits(text: &str, among: Fits) -> Fits {
    let found = match text.as_bytes() {
        [b't' | b'T' | b'f' | b'F', ..] => {
            let is_boolean = text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false");
            if is_boolean { Fits::BOOLEAN } else { Fits::NONE }
        }
        [b'-' | b'.' | b'0'..=b'9', ..] => {
            let may_be_time = among.has_any(Fits::DAY.or(Fits::LOCAL).or(Fits::UTC));
            number(text).or(if may_be_time { time(text) } else { Fits::NONE })
        }
        _ => Fits::NONE,
    };
    found.or(Fits::TEXT)
}

fn time(text: &str) -> Fits {
    if text.len() == 10 {
        return if date(text).is_some() { Fits::DAY } else { Fits::NONE };
    }
    let moment = moment(text);
    moment.map_or(Fits::NONE, |found| Fits::moments(found.is_utc, found.unit, found.fits_nanoseconds))
}

/// What a text is as a number. One that begins with a zero or a plus is not taken for one: a postal
/// code or a telephone number would lose it.
fn number(text: &str) -> Fits {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_padded = matches!(digits.as_bytes(), [b'0', b'0'..=b'9', ..]);
    let is_number = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-'))
        && digits.bytes().any(|byte| byte.is_ascii_digit());
    if is_padded || !is_number { Fits::NONE } else { numbers::fits(text) }
}
