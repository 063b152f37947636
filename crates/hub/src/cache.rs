//! The cache as huggingface_hub lays it out: `models--ORG--NAME/{blobs,snapshots/COMMIT,refs}`, where the
//! files of a snapshot are links to blobs, a ref holds the commit that a branch or tag stood at, and
//! `.no_exist/COMMIT` has empty files for those that a commit lacks.

use std::path::{Path, PathBuf};

use crate::Error;
use crate::environment;
use crate::files::is_plain;
use crate::id::ModelId;

/// The folder of all models.
pub struct Cache {
    root: PathBuf,
}

/// What the cache holds of one model.
pub struct CachedModel {
    folder: PathBuf,
    locks: PathBuf,
}

impl Cache {
    /// # Errors
    /// The environment names none.
    pub fn of_environment() -> Result<Self, Error> {
        Ok(Self { root: environment::cache()? })
    }

    pub fn root(&self) -> &Path {
        &self.root
    }

    pub fn model(&self, id: &ModelId) -> CachedModel {
        let name = format!("models--{}", id.name.replace('/', "--"));
        CachedModel { folder: self.root.join(&name), locks: self.root.join(".locks").join(name) }
    }
}

impl CachedModel {
    /// The folder of a revision's files, if any has been fetched.
    pub fn snapshot(&self, revision: &str) -> Option<PathBuf> {
        let named = fs_err::read_to_string(self.reference(revision)).ok();
        let commit = named.as_deref().map_or(revision, str::trim);
        Some(self.snapshot_of(commit)).filter(|folder| is_plain(commit) && folder.is_dir())
    }

    /// The folder for the files of a commit.
    pub fn snapshot_of(&self, commit: &str) -> PathBuf {
        self.folder.join("snapshots").join(commit)
    }

    /// The place of a file's bytes.
    pub fn blob(&self, etag: &str) -> PathBuf {
        self.folder.join("blobs").join(etag)
    }

    /// The file that whoever fetches a blob locks.
    pub fn lock(&self, etag: &str) -> PathBuf {
        self.locks.join(format!("{etag}.lock"))
    }

    /// Gives a blob its name in a snapshot.
    pub fn link(&self, commit: &str, file: &str, etag: &str) -> std::io::Result<()> {
        let path = self.snapshot_of(commit).join(file);
        // A file of a folder in the model is so much farther away.
        let up = "../".repeat(file.matches('/').count());
        let target = PathBuf::from(format!("{up}../../blobs")).join(etag);
        if fs_err::read_link(&path).is_ok_and(|found| found == target) {
            return Ok(());
        }
        path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
        let beside = beside(&path);
        // What a process of the same number left when it died.
        let _ = fs_err::remove_file(&beside);
        fs_err::os::unix::fs::symlink(target, &beside)?;
        fs_err::rename(beside, path)
    }

    /// Whether a commit is known to have no such file.
    pub fn is_absent(&self, commit: &str, file: &str) -> bool {
        self.absence(commit, file).is_file()
    }

    /// Notes that a commit has no such file, so that nobody asks for it again.
    pub fn note_absent(&self, commit: &str, file: &str) -> std::io::Result<()> {
        let path = self.absence(commit, file);
        path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
        fs_err::write(path, "")
    }

    fn absence(&self, commit: &str, file: &str) -> PathBuf {
        self.folder.join(".no_exist").join(commit).join(file)
    }

    /// Notes the commit that a branch or tag stands at.
    pub fn refer(&self, revision: &str, commit: &str) -> std::io::Result<()> {
        let path = self.reference(revision);
        if revision == commit || fs_err::read_to_string(&path).is_ok_and(|found| found == commit) {
            return Ok(());
        }
        path.parent().map_or(Ok(()), fs_err::create_dir_all)?;
        let beside = beside(&path);
        fs_err::write(&beside, commit)?;
        fs_err::rename(beside, path)
    }

    fn reference(&self, revision: &str) -> PathBuf {
        self.folder.join("refs").join(revision)
    }
}

/// Where this process makes what is to be at `path`: others must find it whole or not at all.
fn beside(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}
