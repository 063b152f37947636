//! Arrow IPC, as files with a footer and as streams. A batch of the file is decoded whole: it is
//! the unit its writer chose.

mod layout;

use std::io::Read;

use arrow::datatypes::SchemaRef;
use arrow::ipc::reader::{FileReader, StreamReader};

pub(super) use layout::{file_batches, stream_batches};

use super::Stream;
use crate::Source;
use crate::error::BoxError;
use crate::store::Span;

/// The first bytes of files that were called Feather before they were Arrow's.
const FEATHER_1: &[u8] = b"FEA1";

/// Refuses a file of the first version of Feather, which is another format.
pub(in crate::reader) fn refuse_feather_1(source: &Source) -> Result<(), BoxError> {
    let mut magic = Vec::new();
    source.open()?.reading(Span::Pieces).take(FEATHER_1.len() as u64).read_to_end(&mut magic)?;
    match magic == FEATHER_1 {
        true => Err("it is of the first version of Feather, which is another format: read it with \
                     pyarrow.feather.read_table and write it again"
            .into()),
        false => Ok(()),
    }
}

pub(in crate::reader) fn file_schema(source: &Source) -> Result<SchemaRef, BoxError> {
    Ok(FileReader::try_new(source.open()?.reading(Span::Pieces), None)?.schema())
}

pub(in crate::reader) fn stream_schema(source: &Source) -> Result<SchemaRef, BoxError> {
    Ok(StreamReader::try_new_buffered(source.open()?.reading(Span::Pieces), None)?.schema())
}

/// Starts at the batch that row `start` is in, where `sizes` are the rows of each batch.
pub(in crate::reader) fn read_file(
    source: &Source,
    sizes: &[u64],
    columns: &[usize],
    start: u64,
) -> Result<Stream, BoxError> {
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
    let mut reader = FileReader::try_new(source.open()?, Some(columns.to_vec()))?;
    reader.set_index(index)?;
    Ok(Stream { first, batches: Box::new(reader) })
}

pub(in crate::reader) fn read_stream(source: &Source, columns: &[usize]) -> Result<Stream, BoxError> {
    let reader = StreamReader::try_new_buffered(source.open()?, Some(columns.to_vec()))?;
    Ok(Stream { first: 0, batches: Box::new(reader) })
}
