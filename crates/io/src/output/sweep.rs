//! What dead runs leave in an output folder. Only for a caller that keeps every other writer out,
//! as inside [`SharedManifest::update`](crate::SharedManifest::update).

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use super::commit::is_temporary;
use super::{Manifest, OutputFolder};
use crate::PartFile;
use crate::{Error, OutputFormat};

/// Removes temporary files of runs that are over: all but those of which `is_alive` says, by the
/// owner of [`WriterOptions`](crate::WriterOptions), that somebody may still write to them.
///
/// # Errors
/// [`Error::Io`].
pub fn sweep_temporaries(folder: &OutputFolder, is_alive: impl Fn(&str) -> bool) -> Result<(), Error> {
    // In a store nothing grows under a name.
    if folder.store().is_local() { sweep(&folder.own(), is_alive) } else { Ok(()) }
}

pub(super) fn sweep(folder: &Path, is_alive: impl Fn(&str) -> bool) -> Result<(), Error> {
    for (path, name) in list(folder)? {
        let owner = name.strip_suffix(".partial").and_then(|name| name.rsplit('.').next());
        if is_temporary(&name) && !owner.is_some_and(&is_alive) {
            ignore_absent(fs_err::remove_file(path))?;
        }
    }
    Ok(())
}

/// What is visible in an output and neither a part that the manifest names nor made for its own purposes by
/// strata.
///
/// # Errors
/// [`Error::Io`].
pub fn unknown_files(folder: &OutputFolder, manifest: &Manifest) -> Result<Vec<PathBuf>, Error> {
    let places = [folder.data(), folder.own(), folder.marker()];
    let old_manifest = folder.is_old().then(|| folder.old_manifest());
    let parts: HashSet<&str> = manifest.parts.iter().map(|(name, part)| part.file_name(name)).collect();
    let is_part = |name: &String| parts.contains(name.as_str());
    let is_known = |path: &PathBuf, name: &String| {
        places.contains(path) || old_manifest.as_ref().is_some_and(|old| path == old || is_part(name))
    };
    let beside = folder.store().list(folder.root())?.into_iter().filter(|(path, name)| !is_known(path, name));
    let among = folder.store().list(&folder.data())?.into_iter().filter(|(_, name)| !is_part(name));
    let visible = beside.chain(among).filter(|(_, name)| !name.starts_with('.'));
    Ok(visible.map(|(path, _)| path).collect())
}

/// Those of the [`unknown_files`] that are parts which strata wrote.
///
/// # Errors
/// [`Error::Io`].
pub fn stray_parts(folder: &OutputFolder, manifest: &Manifest) -> Result<Vec<PathBuf>, Error> {
    let is_part = |path: &PathBuf| {
        let extensions = [OutputFormat::Parquet, OutputFormat::Arrow].map(OutputFormat::extension);
        path.extension().and_then(|found| found.to_str()).is_some_and(|found| extensions.contains(&found))
            && PartFile::open_in(folder.store(), path).is_ok_and(|part| part.provenance.is_some())
    };
    Ok(unknown_files(folder, manifest)?.into_iter().filter(is_part).collect())
}

/// Some temporary files live for a moment only.
pub(crate) fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// The paths and names of what is in a folder; nothing is in what is none.
pub(crate) fn list(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let named = |entry: io::Result<fs_err::DirEntry>| {
        let entry = entry?;
        Ok((entry.path(), entry.file_name().to_string_lossy().into_owned()))
    };
    use io::ErrorKind::{NotADirectory, NotFound};
    match fs_err::read_dir(folder) {
        Err(error) if matches!(error.kind(), NotFound | NotADirectory) => Ok(Vec::new()),
        entries => Ok(entries?.map(named).collect::<io::Result<_>>()?),
    }
}
