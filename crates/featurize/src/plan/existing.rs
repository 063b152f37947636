//! An output folder as it is found, before anything is added to it.

use serde_json::Map;
use strata_io::{ErrorKind, Manifest, OutputFolder, stray_parts, unknown_files};

use crate::Error;
use crate::error::Refusal;
use crate::plan::survey::Consent;

/// Whether a manifest cannot be understood and may go.
pub fn may_go(error: &strata_io::Error, consent: Consent) -> bool {
    consent.overwrite && error.kind() == ErrorKind::Manifest
}

/// A folder without a manifest is ours only if it is empty, or if all it holds are parts of ours that
/// may go.
pub fn refuse_foreign_files(folder: &OutputFolder, consent: Consent) -> Result<(), Error> {
    if !folder.is_new()? {
        return Ok(());
    }
    let nothing = Manifest::new("", Map::new());
    let mut foreign = unknown_files(folder, &nothing)?;
    foreign.extend(folder.is_whole()?.then(|| folder.marker()));
    if consent.overwrite {
        let ours = stray_parts(folder, &nothing)?;
        foreign.retain(|path| *path != folder.marker() && !ours.contains(path));
    }
    let Some(path) = foreign.first() else { return Ok(()) };
    let name = path.strip_prefix(folder.root()).unwrap_or(path).display();
    Err(Refusal::configuration(format!(
        "{} is not empty and has no manifest: it holds `{name}`",
        folder.root().display()
    ))
    .hint("give an empty folder, or one that strata wrote")
    .into())
}
