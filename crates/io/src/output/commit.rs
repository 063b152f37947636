//! Files that are whole or absent: written beside their place, synced, then renamed into it.

use std::io::Write;
use std::path::{Path, PathBuf};

use fs_err::File;

use crate::Error;

/// Replaces the file that `path` leads to by one holding `bytes`. After a crash either the old or the new
/// content is there, never a mixture. A pipe, a device, and what this process has open, as `/dev/stderr`, are written to.
///
/// # Errors
/// [`Error::Io`], also for a pipe that nobody reads; a file is then unchanged.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    match fs_err::metadata(path) {
        Ok(there) if there.is_file() && !is_open(path) => {
            let path = fs_err::canonicalize(path)?;
            replace(&path, parent(&path), bytes)
        }
        Ok(_) => write_into(path, bytes),
        // A link to what is not there yet.
        Err(_) if path.is_symlink() => Ok(fs_err::write(path, bytes)?),
        Err(_) => replace(path, parent(path), bytes),
    }
}

/// Whether a path leads to a descriptor of this process, which may be a file: a log that others write to as well.
fn is_open(path: &Path) -> bool {
    const MOST_LINKS: usize = 40;
    let steps = std::iter::successors(std::path::absolute(path).ok(), |path| {
        let target = std::fs::read_link(path).ok()?;
        Some(path.parent()?.join(target))
    });
    let is_descriptor = |path: PathBuf| {
        path.starts_with("/dev/fd") || path.starts_with("/proc") && parent(&path).ends_with("fd")
    };
    steps.take(MOST_LINKS).any(is_descriptor)
}

fn write_into(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let mut options = File::options();
    options.append(true);
    // To open a pipe would wait for a reader, without an end if there is none: so it is asked for first.
    #[cfg(unix)]
    let _reader = {
        use fs_err::os::unix::fs::OpenOptionsExt;
        options.clone().custom_flags(libc::O_NONBLOCK).open(path)?
    };
    Ok(options.open(path)?.write_all(bytes)?)
}

/// As [`write_atomically`], with a folder of the same file system for the file to grow in.
pub(crate) fn replace(path: &Path, growing_in: &Path, bytes: &[u8]) -> Result<(), Error> {
    let (partial, mut file) = Partial::create(path, growing_in, "")?;
    file.write_all(bytes)?;
    file.sync_all()?;
    partial.put_in_place()
}

/// Makes the names in `folder` (created, renamed, removed) survive a crash.
///
/// # Errors
/// [`Error::Io`] if the folder cannot be opened or synced.
pub fn sync_folder(folder: &Path) -> Result<(), Error> {
    Ok(File::open(folder)?.sync_all()?)
}

/// The folder that a file is in.
pub(crate) fn parent(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What the names of files end with that are not yet whole.
const PARTIAL_SUFFIX: &str = ".partial";

/// Whether a file name is that of a temporary file of this crate.
pub(crate) fn is_temporary(name: &str) -> bool {
    name.starts_with('.') && (name.ends_with(PARTIAL_SUFFIX) || name.ends_with(SPOOL_SUFFIX))
}

/// What the names of files end with that lose their name as soon as they are made.
pub(crate) const SPOOL_SUFFIX: &str = ".spool";

/// The hidden file that a file grows in; removed on drop unless committed.
#[derive(Debug)]
pub(crate) struct Partial {
    path: PathBuf,
    target: PathBuf,
    committed: bool,
}

impl Partial {
    /// Opens an empty `.{name}.partial` in a folder of the same file system, or `.{name}.{owner}.partial`:
    /// two writers of one file must not share it. A leftover of a crash is overwritten.
    pub(crate) fn create(target: &Path, growing_in: &Path, owner: &str) -> Result<(Self, File), Error> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let dot = if owner.is_empty() { "" } else { "." };
        let path = growing_in.join(format!(".{name}{dot}{owner}{PARTIAL_SUFFIX}"));
        let file = File::create(&path)?;
        let target = target.to_owned();
        Ok((Self { path, target, committed: false }, file))
    }

    /// Opens an empty file among the temporary files of this machine, which goes with the process.
    pub(crate) fn apart(target: &Path) -> Result<(Self, File), Error> {
        let (file, name) = tempfile::NamedTempFile::with_prefix(".strata-")?.into_parts();
        let path = name.to_path_buf();
        name.close()?;
        let file = File::from_parts(file, path.clone());
        // There is nothing to remove.
        Ok((Self { path, target: target.to_owned(), committed: true }, file))
    }

    /// The place the file has while it grows.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The place the file will have.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// Moves the file into place. It must have been synced before, so that no crash can leave a name
    /// whose bytes are not there.
    pub(crate) fn put_in_place(mut self) -> Result<(), Error> {
        fs_err::rename(&self.path, &self.target)?;
        self.committed = true;
        sync_folder(parent(&self.target))
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
