//! What dead runs leave in an output folder. Only for a caller that keeps every other writer out,
//! as inside [`update_manifest`](crate::update_manifest).

use std::io;
use std::path::{Path, PathBuf};

use crate::commit::is_temporary;
use crate::{Error, Manifest, OutputFormat, PartFile};

/// Removes temporary files of runs that are over: all but those of which `is_alive` says, by the
/// owner of [`WriterOptions`](crate::WriterOptions), that somebody may still write to them.
///
/// # Errors
/// [`Error::Io`].
pub fn sweep_temporaries(folder: &Path, is_alive: impl Fn(&str) -> bool) -> Result<(), Error> {
    for (path, name) in files(folder)? {
        let owner = name.strip_suffix(".partial").and_then(|name| name.rsplit('.').next());
        if is_temporary(&name) && !owner.is_some_and(&is_alive) {
            ignore_absent(fs_err::remove_file(path))?;
        }
    }
    Ok(())
}

/// The data files in `folder` that the manifest does not name, and whether each is a part that
/// strata wrote.
///
/// # Errors
/// [`Error::Io`].
pub fn stray_files(folder: &Path, manifest: &Manifest) -> Result<Vec<(PathBuf, bool)>, Error> {
    let is_part = |name: &String| {
        let extension = |format: OutputFormat| name.ends_with(&format!(".{}", format.extension()));
        extension(OutputFormat::Parquet) || extension(OutputFormat::Arrow)
    };
    let strays = files(folder)?
        .into_iter()
        .filter(|(_, name)| !name.starts_with('.') && is_part(name) && !manifest.parts.contains_key(name));
    let is_ours = |path: &Path| PartFile::open(path).is_ok_and(|part| part.provenance.is_some());
    Ok(strays.map(|(path, _)| (path.clone(), is_ours(&path))).collect())
}

/// Some temporary files live for a moment only.
pub(crate) fn ignore_absent(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

fn files(folder: &Path) -> Result<Vec<(PathBuf, String)>, Error> {
    let named = |entry: io::Result<fs_err::DirEntry>| {
        let entry = entry?;
        Ok((entry.path(), entry.file_name().to_string_lossy().into_owned()))
    };
    Ok(fs_err::read_dir(folder)?.map(named).collect::<io::Result<_>>()?)
}
