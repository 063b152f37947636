//! An output folder as it is found, before anything is added to it.

use std::path::{Path, PathBuf};

use serde_json::Map;
use strata_io::{Manifest, SUCCESS_FILE, stray_files};

use crate::Error;
use crate::error::Refusal;
use crate::plan::survey::Consent;

/// The manifest that is there. One that cannot be understood is as good as none where the folder may
/// be started afresh.
pub fn load_manifest(folder: &Path, consent: Consent) -> Result<Option<Manifest>, Error> {
    match Manifest::load(folder) {
        Err(error) if consent.overwrite && error.kind() == strata_io::ErrorKind::Manifest => {
            fs_err::remove_file(folder.join(strata_io::MANIFEST_FILE))?;
            Ok(None)
        }
        manifest => Ok(manifest?),
    }
}

/// A folder without a manifest is ours only if it is empty, or if all it holds are parts of ours that
/// may go.
pub fn refuse_foreign_files(folder: &Path, consent: Consent) -> Result<(), Error> {
    if !folder.is_dir() || folder.join(strata_io::MANIFEST_FILE).exists() {
        return Ok(());
    }
    let nothing = Manifest::new("", Map::new());
    let mut ours: Vec<PathBuf> = Vec::new();
    if consent.overwrite {
        ours = stray_files(folder, &nothing)?
            .into_iter()
            .filter(|(_, own)| *own)
            .map(|(path, _)| path)
            .collect();
        ours.push(folder.join(SUCCESS_FILE));
    }
    for entry in fs_err::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && !ours.contains(&entry.path()) {
            return Err(Refusal::configuration(format!(
                "{} is not empty and has no manifest.json: it holds `{name}`",
                folder.display()
            ))
            .hint("give an empty folder, or one that strata wrote")
            .into());
        }
    }
    Ok(())
}
