//! Content hashes.

use std::path::Path;

use crate::Error;

/// The BLAKE3 hash of a file's bytes, in hexadecimal. Reads the file in small pieces.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read.
pub fn blake3_file(path: &Path) -> Result<String, Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs_err::File::open(path)?)?;
    Ok(hasher.finalize().to_hex().to_string())
}
