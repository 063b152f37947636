//! Where the messages of an Arrow file or stream lie, checked before anything is decoded: the
//! decoder allocates whatever size a damaged file claims.

use std::fmt::Debug;
use std::io::{Read, Seek, SeekFrom};

use crate::Source;
use crate::error::BoxError;
use crate::store::{File, Span};
use arrow::ipc::reader::read_footer_length;
use arrow::ipc::{Block, Endianness, Message, RecordBatch, root_as_footer, root_as_message};

/// Footer length and magic, at the end of a file.
const TRAILER_BYTES: u64 = 10;

/// Marks the start of a message; older writers leave it out.
const CONTINUATION: [u8; 4] = [0xff; 4];

/// No writer puts more into one buffer of a batch; a larger claim is damage.
const MAX_BUFFER_BYTES: i64 = 4 << 30;

/// The number of rows of each batch of a file, in the order of its footer.
pub(in crate::reader) fn file_batches(source: &Source) -> Result<Vec<u64>, BoxError> {
    let mut file = Checked::open(source)?;
    let trailer = file.length.checked_sub(TRAILER_BYTES).ok_or("the file is too short")?;
    let bytes = file.read_at(trailer, TRAILER_BYTES)?;
    let length = read_footer_length(bytes.try_into().map_err(|_| "the file ends early")?)? as u64;
    let start = trailer.checked_sub(length).ok_or("the footer is longer than the file")?;
    let footer = file.read_at(start, length)?;
    let footer = root_as_footer(&footer).map_err(damaged)?;
    if footer.schema().is_some_and(|schema| schema.endianness() == Endianness::Big) {
        return Err("its numbers are big-endian, which is not supported".into());
    }
    for block in footer.dictionaries().into_iter().flatten() {
        file.rows_of(block)?;
    }
    let rows = footer.recordBatches().into_iter().flatten().map(|block| file.rows_of(block));
    rows.filter_map(Result::transpose).collect()
}

/// The number of rows of each batch of a stream.
pub(in crate::reader) fn stream_batches(source: &Source) -> Result<Vec<u64>, BoxError> {
    let mut file = Checked::open(source)?;
    let mut rows = Vec::new();
    let mut offset = 0;
    loop {
        match file.message_at(offset)? {
            Next::Message(block) => {
                rows.extend(file.rows_of(&block)?);
                offset += u64::try_from(block.metaDataLength())? + u64::try_from(block.bodyLength())?;
            }
            // Readers stop here: whatever follows would be left out without a word.
            Next::End(end) if end < file.length => {
                let left = file.length - end;
                return Err(format!("the stream ends at byte {end}, and {left} bytes follow").into());
            }
            Next::End(_) => return Ok(rows),
        }
    }
}

/// What comes next in a stream.
enum Next {
    /// Where a message lies.
    Message(Block),
    /// Nothing; the place behind the end of the stream.
    End(u64),
}

/// A file that is never read beyond its end.
struct Checked {
    file: File,
    length: u64,
}

impl Checked {
    fn open(source: &Source) -> Result<Self, BoxError> {
        let file = source.open()?.reading(Span::Pieces);
        let length = file.size()?;
        Ok(Self { file, length })
    }

    fn read_at(&mut self, offset: u64, length: u64) -> Result<Vec<u8>, BoxError> {
        if offset.checked_add(length).is_none_or(|end| end > self.length) {
            return Err("the file ends early".into());
        }
        let mut bytes = vec![0; usize::try_from(length)?];
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.read_exact(&mut bytes)?;
        Ok(bytes)
    }

    /// The extent of the stream's message at `offset`, if one is there.
    fn message_at(&mut self, offset: u64) -> Result<Next, BoxError> {
        if offset == self.length {
            return Ok(Next::End(offset));
        }
        let mut prefix = self.read_at(offset, 4)?;
        let mut prefix_bytes = 4;
        if prefix == CONTINUATION {
            prefix = self.read_at(offset + 4, 4)?;
            prefix_bytes = 8;
        }
        let length = u32::from_le_bytes(prefix.try_into().map_err(|_| "the file ends early")?);
        if length == 0 {
            return Ok(Next::End(offset + prefix_bytes));
        }
        let message = self.read_at(offset + prefix_bytes, u64::from(length))?;
        let message = root_as_message(&message).map_err(damaged)?;
        if message.header_as_schema().is_some_and(|schema| schema.endianness() == Endianness::Big) {
            return Err("its numbers are big-endian, which is not supported".into());
        }
        let metadata = i32::try_from(prefix_bytes + u64::from(length))?;
        Ok(Next::Message(Block::new(i64::try_from(offset)?, metadata, message.bodyLength())))
    }

    /// The rows of the batch in `block`; `None` if it holds another message.
    fn rows_of(&mut self, block: &Block) -> Result<Option<u64>, BoxError> {
        let offset = u64::try_from(block.offset())?;
        let metadata = u64::try_from(block.metaDataLength())?;
        let body = offset.checked_add(metadata).ok_or("a message lies nowhere")?;
        let end = body.checked_add(u64::try_from(block.bodyLength())?);
        if end.is_none_or(|end| end > self.length) {
            return Err("a message reaches beyond the end of the file".into());
        }
        let bytes = self.read_at(offset, metadata)?;
        let message = parse(&bytes)?;
        if let Some(dictionary) = message.header_as_dictionary_batch() {
            self.check_buffers(dictionary.data().ok_or("a dictionary has no values")?, body)?;
        }
        let Some(batch) = message.header_as_record_batch() else { return Ok(None) };
        self.check_buffers(batch, body)?;
        Ok(Some(u64::try_from(batch.length())?))
    }

    /// Compressed buffers start with the size they will have.
    fn check_buffers(&mut self, batch: RecordBatch<'_>, body: u64) -> Result<(), BoxError> {
        if batch.compression().is_none() {
            return Ok(());
        }
        for buffer in batch.buffers().into_iter().flatten().filter(|buffer| buffer.length() > 0) {
            let offset = body.checked_add(u64::try_from(buffer.offset())?);
            let size = self.read_at(offset.ok_or("a buffer lies nowhere")?, 8)?;
            let size = i64::from_le_bytes(size.try_into().map_err(|_| "the file ends early")?);
            if size > MAX_BUFFER_BYTES {
                return Err(format!("a compressed buffer claims to hold {size} bytes").into());
            }
        }
        Ok(())
    }
}

fn parse(bytes: &[u8]) -> Result<Message<'_>, BoxError> {
    let prefix = if bytes.starts_with(&CONTINUATION) { 8 } else { 4 };
    root_as_message(bytes.get(prefix..).ok_or("a message is too short")?).map_err(damaged)
}

fn damaged(error: impl Debug) -> BoxError {
    format!("damaged metadata: {error:?}").into()
}
