//! Folders of a store that must be files of this machine.

use std::path::{Path, PathBuf};

use super::{Meta, Store, Stores};
use crate::error::StoreTrouble;
use crate::output::commit::sync_folder;
use crate::{Error, Stamp};

/// Copies the files below an address into a folder of `cache`, unless they are there. The folder is named by
/// what the store says of them, so that other content never stands under the same name. `is_needed` is asked of
/// each by its path below the address.
///
/// # Errors
/// [`Error::Address`], [`Error::Store`]; [`Error::NoInput`] if nothing is there; [`Error::Io`] if it cannot be kept.
pub fn fetch_folder(
    stores: &Stores,
    address: &Path,
    cache: &Path,
    is_needed: impl Fn(&str) -> bool,
) -> Result<PathBuf, Error> {
    let store = stores.of(address)?;
    let Store::Remote(remote) = &store else { return Ok(address.to_owned()) };
    if !remote.can_list() {
        return Err(Error::Address {
            address: address.to_owned(),
            reason: "a server does not say what files it has".to_owned(),
            hint: "name a folder in a store, s3://, gs:// or az://",
        });
    }
    let root = address.to_string_lossy().trim_end_matches('/').to_owned();
    let named = |(path, meta): (PathBuf, Meta)| {
        let name = path.to_str()?.strip_prefix(&root)?.trim_start_matches('/').to_owned();
        is_needed(&name).then_some((name, path, meta))
    };
    let list =
        || -> Result<Vec<_>, Error> { Ok(remote.list(address)?.into_iter().filter_map(named).collect()) };
    let files = list()?;
    if files.is_empty() {
        return Err(Error::NoInput { input: root, found: "nothing" });
    }
    let last = root.rsplit('/').next().unwrap_or_default();
    let name = format!("{last}-{}", content_of(&files));
    let folder = cache.join(&name);
    if folder.is_dir() {
        return Ok(folder);
    }
    fs_err::create_dir_all(cache)?;
    let growing = tempfile::Builder::new().prefix(&format!(".{name}-")).tempdir_in(cache)?;
    for (name, path, _) in &files {
        let place = growing.path().join(name);
        fs_err::create_dir_all(place.parent().unwrap_or(growing.path()))?;
        let mut file = fs_err::File::create(&place)?;
        std::io::copy(&mut store.open(path)?, &mut file)?;
        file.sync_all()?;
    }
    if content_of(&list()?) != content_of(&files) {
        return Err(Error::Store {
            address: address.to_owned(),
            doing: "read",
            trouble: StoreTrouble::Changed,
            reason: "its files changed while they were fetched".to_owned(),
        });
    }
    match fs_err::rename(growing.path(), &folder) {
        // Somebody else has fetched the same.
        Err(_) if folder.is_dir() => {}
        renamed => renamed?,
    }
    sync_folder(cache)?;
    Ok(folder)
}

/// What a store says of files by their names, in a few digits.
fn content_of(files: &[(String, PathBuf, Meta)]) -> String {
    let mut what = blake3::Hasher::new();
    for (name, _, meta) in files {
        what.update(format!("{name}\0{:?}\0", Stamp::from(meta)).as_bytes());
    }
    what.finalize().to_hex()[..16].to_owned()
}
