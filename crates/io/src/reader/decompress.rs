//! The bytes of a text format, unwrapped.

use std::io::{self, BufRead, BufReader};

use flate2::read::MultiGzDecoder;

use crate::{Compression, Source};

const BUFFER_BYTES: usize = 256 * 1024;

/// Opens a file for reading its plain bytes.
pub(super) fn open(source: &Source) -> io::Result<Box<dyn BufRead + Send>> {
    let file = fs_err::File::open(&source.path)?;
    Ok(match source.compression {
        Compression::None => Box::new(BufReader::with_capacity(BUFFER_BYTES, file)),
        // Tools that compress in parallel, or append, write several members in a row.
        Compression::Gzip => Box::new(BufReader::with_capacity(BUFFER_BYTES, MultiGzDecoder::new(file))),
        Compression::Zstd => Box::new(BufReader::with_capacity(BUFFER_BYTES, zstd::Decoder::new(file)?)),
    })
}
