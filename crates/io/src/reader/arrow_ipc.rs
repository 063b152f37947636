//! Arrow IPC, as files with a footer and as streams. A batch of the file is decoded whole: it is
//! the unit its writer chose.

use std::fmt::Debug;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::{FileReader, StreamReader, read_footer_length};
use arrow::ipc::{root_as_footer, root_as_message};
use fs_err::File;

use super::Stream;
use crate::error::BoxError;

/// Magic and footer length, at the end of a file.
const TRAILER_BYTES: usize = 10;

/// Marks the start of a message; older writers leave it out.
const CONTINUATION: [u8; 4] = [0xff; 4];

pub(super) fn file_schema(path: &Path) -> Result<SchemaRef, BoxError> {
    Ok(FileReader::try_new(File::open(path)?, None)?.schema())
}

pub(super) fn stream_schema(path: &Path) -> Result<SchemaRef, BoxError> {
    Ok(StreamReader::try_new_buffered(File::open(path)?, None)?.schema())
}

pub(super) fn count_rows(path: &Path) -> Result<u64, BoxError> {
    batch_sizes(path)?
        .iter()
        .try_fold(0_u64, |sum, &size| sum.checked_add(size).ok_or_else(|| "the row count overflows".into()))
}

/// Starts at the batch that row `start` is in.
pub(super) fn read_file(path: &Path, columns: &[usize], start: u64) -> Result<Stream, BoxError> {
    let sizes = batch_sizes(path)?;
    let (mut index, mut first) = (0, 0_u64);
    while let Some(end) = sizes.get(index).map(|size| first.saturating_add(*size))
        && end <= start
    {
        index += 1;
        first = end;
    }
    if index == sizes.len() {
        return Ok(Stream::empty(first));
    }
    let mut reader = FileReader::try_new(File::open(path)?, Some(columns.to_vec()))?;
    reader.set_index(index)?;
    Ok(Stream { first, batches: Box::new(reader) })
}

pub(super) fn read_stream(path: &Path, columns: &[usize]) -> Result<Stream, BoxError> {
    let reader = StreamReader::try_new_buffered(File::open(path)?, Some(columns.to_vec()))?;
    Ok(Stream { first: 0, batches: Box::new(reader) })
}

/// The rows of each batch, from the headers of the messages that the footer lists.
fn batch_sizes(path: &Path) -> Result<Vec<u64>, BoxError> {
    let mut file = File::open(path)?;
    let mut trailer = [0; TRAILER_BYTES];
    file.seek(SeekFrom::End(-(TRAILER_BYTES as i64)))?;
    file.read_exact(&mut trailer)?;
    let footer_bytes = read_footer_length(trailer)?;
    let start = file.seek(SeekFrom::End(-((TRAILER_BYTES + footer_bytes) as i64)))?;
    let footer = read_at(&mut file, start, footer_bytes as u64)?;
    let footer = root_as_footer(&footer).map_err(damaged)?;
    let blocks = footer.recordBatches().into_iter().flatten();
    blocks
        .map(|block| {
            let offset = u64::try_from(block.offset())?;
            let bytes = read_at(&mut file, offset, u64::try_from(block.metaDataLength())?)?;
            batch_rows(&bytes)
        })
        .collect()
}

fn batch_rows(message: &[u8]) -> Result<u64, BoxError> {
    let prefix = if message.starts_with(&CONTINUATION) { 8 } else { 4 };
    let message = message.get(prefix..).ok_or("a message ends early")?;
    let message = root_as_message(message).map_err(damaged)?;
    let batch = message.header_as_record_batch().ok_or("a message is no record batch")?;
    Ok(u64::try_from(batch.length())?)
}

fn damaged(error: impl Debug) -> BoxError {
    format!("damaged metadata: {error:?}").into()
}

/// Reads `length` bytes at `offset`; memory grows only with bytes that are really there.
fn read_at(file: &mut File, offset: u64, length: u64) -> Result<Vec<u8>, BoxError> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err("the file ends early".into()) }
}
