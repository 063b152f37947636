//! The bytes of a text format, unwrapped.

use std::io::{BufReader, Cursor, Read};

use bzip2::read::MultiBzDecoder;
use flate2::read::MultiGzDecoder;
use liblzma::read::XzDecoder;

use crate::error::BoxError;
use crate::{Compression, Source};

const BUFFER_BYTES: usize = 256 * 1024;

/// zstd's longest window, 2 GiB: what `zstd --long=31` writes. The memory is taken only where a file
/// has such a window.
const ZSTD_WINDOW_LOG: u32 = 31;

/// How wrapped bytes begin, each in a way that no UTF-8 text does.
const MAGIC: [(&[u8], Compression); 3] = [
    (b"\x1f\x8b", Compression::Gzip),
    (b"\x28\xb5\x2f\xfd", Compression::Zstd),
    (b"\xfd7zXZ\0", Compression::Xz),
];

/// Opens a file for reading its plain bytes.
pub(super) fn open(source: &Source) -> Result<Box<dyn Read + Send>, BoxError> {
    let mut file = source.open()?;
    let mut head = [0; 16];
    let mut count = 0;
    while count < head.len() {
        match file.read(&mut head[count..])? {
            0 => break,
            read => count += read,
        }
    }
    let head = head[..count].to_vec();
    let compression = match source.compression {
        // Streams have no name to say it, and files are renamed.
        Compression::None => sniff(&head),
        named => named,
    };
    let file = Cursor::new(head).chain(file);
    Ok(match compression {
        Compression::None => Box::new(file),
        // Tools that compress in parallel, or append, write several members in a row.
        Compression::Gzip => Box::new(MultiGzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, file))),
        Compression::Zstd => {
            let mut decoder = zstd::Decoder::new(file)?;
            decoder.window_log_max(ZSTD_WINDOW_LOG)?;
            Box::new(decoder)
        }
        Compression::Bzip2 => Box::new(MultiBzDecoder::new(BufReader::with_capacity(BUFFER_BYTES, file))),
        Compression::Xz => Box::new(XzDecoder::new_multi_decoder(file)),
    })
}

fn sniff(head: &[u8]) -> Compression {
    // Its name alone could be text; the mark of the first block, after a digit, could hardly.
    if head.starts_with(b"BZh") && head.get(4..10) == Some(b"1AY&SY") {
        return Compression::Bzip2;
    }
    MAGIC.iter().find(|(magic, _)| head.starts_with(magic)).map_or(Compression::None, |&(_, found)| found)
}
