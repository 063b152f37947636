//! Values that the user chooses by name.

use crate::Error;

/// The value that `text` names.
///
/// # Errors
/// It names none; `what` is chosen, and `expected` lists the choices.
pub(crate) fn named<T: Copy>(
    names: &[(&str, T)],
    text: &str,
    what: &'static str,
    expected: &'static str,
) -> Result<T, Error> {
    let found = names.iter().find(|(name, _)| *name == text).map(|&(_, value)| value);
    found.ok_or_else(|| Error::Option { what, found: text.to_owned(), expected })
}

/// The name of a value.
pub(crate) fn name_of<T: PartialEq>(names: &[(&'static str, T)], value: &T) -> &'static str {
    names.iter().find(|(_, named)| named == value).map_or("", |&(name, _)| name)
}
