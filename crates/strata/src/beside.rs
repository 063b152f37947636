//! The program with libtorch beside this one.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use strata_bert::LIBTORCH_VERSION;

/// What it is called.
pub const PROGRAM: &str = "strata-libtorch";
/// Where it is, from the folder of this one: beside it where both were built, or where it was installed.
const PLACES: [&str; 2] = ["", "../lib/strata"];

/// Where it was found, by a program that may become it.
static FOUND: OnceLock<Option<PathBuf>> = OnceLock::new();

/// Looks for it, in a program that may become it.
pub fn find() -> Option<&'static Path> {
    let look = || {
        let here = std::env::current_exe().and_then(fs_err::canonicalize).ok()?;
        let folder = here.parent()?;
        PLACES.map(|place| folder.join(place).join(PROGRAM)).into_iter().find(|place| place.exists())
    };
    FOUND.get_or_init(look).as_deref()
}

/// The version of the libtorch that this program or the one beside it has.
pub fn libtorch() -> Option<&'static str> {
    let beside = || FOUND.get()?.as_ref().and(option_env!("STRATA_LIBTORCH_BESIDE"));
    LIBTORCH_VERSION.or_else(beside)
}
