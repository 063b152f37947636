//! A file that is hashed while it is written.

use std::io::{self, BufWriter, Write};

use fs_err::File;

use crate::Error;

pub(super) struct HashingFile {
    file: BufWriter<File>,
    hasher: blake3::Hasher,
    bytes: u64,
}

impl HashingFile {
    pub(super) fn new(file: File) -> Self {
        let file = BufWriter::with_capacity(1 << 20, file);
        Self { file, hasher: blake3::Hasher::new(), bytes: 0 }
    }

    /// The file, its size in bytes and its hash.
    pub(super) fn finish(self) -> Result<(File, u64, String), Error> {
        let file = self.file.into_inner().map_err(|error| error.into_error())?;
        Ok((file, self.bytes, self.hasher.finalize().to_hex().to_string()))
    }
}

impl Write for HashingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.hasher.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
