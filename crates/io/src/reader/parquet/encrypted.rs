//! Files that are encrypted, whole or in some of their columns.

use std::io::{Read, Seek, SeekFrom};

use super::Columns;
use crate::error::BoxError;
use crate::reader::ReadOptions;
use crate::reader::place::Place;
use crate::store::File;
use crate::{Error, Source};

/// What a file ends with whose footer is encrypted.
const MAGIC: [u8; 4] = *b"PARE";

/// Refuses a file whose footer is encrypted.
pub(super) fn refuse_footer(source: &Source, file: &mut File) -> Result<(), BoxError> {
    let mut magic = [0; MAGIC.len()];
    if source.bytes >= MAGIC.len() as u64 {
        file.seek(SeekFrom::End(-(MAGIC.len() as i64)))?;
        file.read_exact(&mut magic)?;
    }
    match magic == MAGIC {
        true => Err(Box::new(Error::Encrypted { path: source.shown.clone(), column: None })),
        false => Ok(()),
    }
}

/// Refuses a file in which a column is encrypted that is needed.
pub(super) fn refuse_columns(
    source: &Source,
    columns: &Columns,
    options: &ReadOptions,
) -> Result<(), BoxError> {
    let metadata = columns.decoder.metadata();
    let Some(group) = metadata.row_groups().first() else { return Ok(()) };
    let needed = options.needed.as_ref().map(|names| {
        let places = names.iter().filter_map(|name| Place::of(name, &columns.schema));
        places.map(|place| place.index).collect::<Vec<_>>()
    });
    for (leaf, chunk) in group.columns().iter().enumerate() {
        let root = columns.decoder.parquet_schema().get_column_root_idx(leaf);
        if chunk.crypto_metadata().is_some() && needed.as_ref().is_none_or(|needed| needed.contains(&root)) {
            let column = Some(chunk.column_path().string());
            return Err(Box::new(Error::Encrypted { path: source.shown.clone(), column }));
        }
    }
    Ok(())
}
