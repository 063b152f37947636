//! Files that are whole or absent: written beside their place, synced, then renamed into it.

use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::Error;

/// Replaces the file at `path` by one holding `bytes`. After a crash either the old or the new
/// content is there, never a mixture.
///
/// # Errors
/// [`Error::Io`]; the file at `path` is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (partial, mut file) = Partial::create(path)?;
    file.write_all(bytes)?;
    partial.commit(&file)
}

/// Makes the names in `folder` (created, renamed, removed) survive a crash.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<(), Error> {
    Ok(File::open(folder)?.sync_all()?)
}

/// The hidden file that a file grows in; removed on drop unless committed.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl Partial {
    /// Opens an empty `.{name}.partial` beside `target`. A leftover of a crash is overwritten.
    pub(crate) fn create(target: &Path) -> Result<(Self, File), Error> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let path = target.with_file_name(format!(".{name}.partial"));
        let file = File::create(&path)?;
        let target = target.to_owned();
        Ok((Self { path, target, committed: false }, file))
    }

    /// The place the file will have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Syncs `file` (the one `create` gave) and moves it into place.
    pub(crate) fn commit(mut self, file: &File) -> Result<(), Error> {
        file.sync_all()?;
        fs_err::rename(&self.path, &self.target)?;
        self.committed = true;
        match self.target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => sync_folder(folder),
            _ => sync_folder(Path::new(".")),
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.committed {
            // Nothing more can be done here; the next run overwrites the leftover.
            let _ = fs_err::remove_file(&self.path);
        }
    }
}
