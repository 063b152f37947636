//! Addresses, told from paths.

use std::path::Path;

/// Whether a place is an address, `scheme://…`, and no path of the local file system.
pub fn is_address(place: &Path) -> bool {
    scheme_of(place).is_some()
}

/// The scheme of an address, in lower case.
pub(super) fn scheme_of(place: &Path) -> Option<String> {
    let (scheme, _) = place.to_str()?.split_once("://")?;
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
    is_scheme.then(|| scheme.to_lowercase())
}

/// An address as its root, `scheme://host`, and what follows, without slashes around it.
#[cfg_attr(not(feature = "stores"), expect(dead_code, reason = "what reads addresses is not built"))]
pub(super) fn split(place: &Path) -> Option<(&str, &str)> {
    let text = place.to_str()?;
    let start = text.find("://")? + "://".len();
    let end = text[start..].find('/').map_or(text.len(), |at| start + at);
    Some((&text[..end], text[end..].trim_matches('/')))
}
