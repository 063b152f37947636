//! An output folder as it is found, before anything is added to it.

use serde_json::Map;
use strata_io::{ErrorKind, Manifest, OutputFolder, stray_parts, unknown_files};

use crate::Error;
use crate::error::Refusal;
use crate::plan::survey::Consent;

/// The manifest that is there. One that cannot be understood is as good as none where the folder may
/// be started afresh.
pub fn known_manifest(folder: &OutputFolder, consent: Consent) -> Result<Option<Manifest>, Error> {
    match Manifest::load(folder) {
        Err(error) if consent.overwrite && error.kind() == ErrorKind::Manifest => Ok(None),
        manifest => Ok(manifest?),
    }
}

/// [`known_manifest`]; what cannot be understood is then gone.
pub fn take_manifest(folder: &OutputFolder, consent: Consent) -> Result<Option<Manifest>, Error> {
    let manifest = known_manifest(folder, consent)?;
    if manifest.is_none() && !folder.is_new() {
        folder.forget()?;
    }
    Ok(manifest)
}

/// A folder without a manifest is ours only if it is empty, or if all it holds are parts of ours that
/// may go.
pub fn refuse_foreign_files(folder: &OutputFolder, consent: Consent) -> Result<(), Error> {
    if !folder.is_new() {
        return Ok(());
    }
    let nothing = Manifest::new("", Map::new());
    let mut foreign = unknown_files(folder, &nothing)?;
    foreign.extend(folder.is_whole().then(|| folder.marker()));
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
