//! Content hashes.

use std::io::Read;
use std::path::Path;

use crate::{Error, Store};

/// How much is read between two looks at whether to go on.
const PIECE_BYTES: u64 = 8 << 20;

/// The BLAKE3 hash of a file's bytes, in hexadecimal. Reads the file in small pieces.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn blake3_file(path: &Path) -> Result<String, Error> {
    blake3_file_while(&Store::Local, path, || Ok(()))
}

/// As [`blake3_file`], calling `go_on` every few megabytes.
///
/// # Errors
/// [`Error::Io`], [`Error::Store`] if the file cannot be read; whatever `go_on` returns.
pub fn blake3_file_while<E: From<Error>>(
    store: &Store,
    path: &Path,
    mut go_on: impl FnMut() -> Result<(), E>,
) -> Result<String, E> {
    let mut hasher = blake3::Hasher::new();
    let mut file = store.open(path)?;
    loop {
        go_on()?;
        let before = hasher.count();
        hasher.update_reader((&mut file).take(PIECE_BYTES)).map_err(Error::from)?;
        if hasher.count() == before {
            return Ok(hasher.finalize().to_hex().to_string());
        }
    }
}
