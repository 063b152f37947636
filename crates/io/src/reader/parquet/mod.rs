//! Parquet files.

mod encrypted;
mod int96;
mod schema;

use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use arrow::error::ArrowError;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::Type as PhysicalType;
use parquet::file::metadata::{ColumnChunkMetaData, ParquetStatisticsPolicy};

pub(super) use schema::Columns;

use int96::Whole;

use super::{BATCH_ROWS, ReadOptions, Stream};
use crate::Source;
use crate::columns::map_leaves;
use crate::error::BoxError;
use crate::store::{File, Span, Witness};

/// Reads the footer, without statistics: inputs may be thousands of wide files.
pub(in crate::reader) fn open(source: &Source, options: &ReadOptions) -> Result<Columns, BoxError> {
    let mut file = source.open()?.reading(Span::End);
    encrypted::refuse_footer(source, &mut file)?;
    let columns = schema::columns(footer(&file)?)?;
    encrypted::refuse_columns(source, &columns, options)?;
    Ok(columns)
}

fn footer(file: &File) -> Result<ArrowReaderMetadata, BoxError> {
    let options = ArrowReaderOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    Ok(ArrowReaderMetadata::load(file, options)?)
}

/// Decodes only the row groups that overlap `rows`, and of the first of them only from
/// `rows.start` on. Where a column could be in one of two types, it is in that of `wanted`.
pub(in crate::reader) fn read(
    source: &Source,
    found: &Columns,
    columns: &[usize],
    wanted: &Schema,
    rows: &Range<u64>,
) -> Result<Stream, BoxError> {
    let footer = &found.decoder;
    let mut groups = Vec::new();
    let mut offset = 0;
    let mut position = 0_u64;
    for (index, size) in row_group_sizes(footer).enumerate() {
        let end = position.checked_add(size?).ok_or("the row count overflows")?;
        if position < rows.end && end > rows.start {
            if groups.is_empty() {
                offset = rows.start - position;
            }
            groups.push(index);
        }
        position = end;
    }
    if groups.is_empty() {
        return Ok(Stream::empty(position));
    }
    let roots = |columns: &[usize]| ProjectionMask::roots(footer.parquet_schema(), columns.iter().copied());
    let batch_rows = batch_rows(footer, &groups, &roots(columns));
    let (offset, limit) = (usize::try_from(offset)?, usize::try_from(rows.end - rows.start)?);
    let read = |decoder: &ArrowReaderMetadata, columns: &[usize]| -> Result<Witnessed, BoxError> {
        let file = source.open()?.reading(Span::Chains(chunks(footer, &groups, &roots(columns))));
        let witness = file.witness();
        let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, decoder.clone())
            .with_batch_size(batch_rows)
            .with_projection(roots(columns))
            .with_row_groups(groups.clone())
            .with_offset(offset)
            .with_limit(limit);
        Ok(Witnessed { reader: reader.build()?, witness })
    };
    let batches = Box::new(read(footer, columns)?);
    let twice: Vec<usize> = columns.iter().copied().filter(|&column| found.differs(column)).collect();
    Ok(Stream {
        first: rows.start,
        batches: match &found.nanoseconds {
            Some(nanoseconds) if !twice.is_empty() => {
                let fields = twice.iter().map(|&column| wanted.field(column));
                let wanted = fields.filter(|field| has_nanoseconds(field)).map(|field| field.name().clone());
                Box::new(Whole {
                    microseconds: batches,
                    nanoseconds: Box::new(read(nanoseconds, &twice)?),
                    wanted: wanted.collect(),
                })
            }
            _ => batches,
        },
    })
}

/// Where the columns of row groups lie, each of which is read from one group to the next.
fn chunks(footer: &ArrowReaderMetadata, groups: &[usize], mask: &ProjectionMask) -> Vec<Vec<Range<u64>>> {
    let leaves = 0..footer.parquet_schema().num_columns();
    let chunk = |leaf: usize, group: usize| {
        let (start, length) = footer.metadata().row_group(group).column(leaf).byte_range();
        start..start.saturating_add(length)
    };
    let chain = |leaf| groups.iter().map(|&group| chunk(leaf, group)).collect();
    leaves.filter(|&leaf| mask.leaf_included(leaf)).map(chain).collect()
}

/// Batches, and what their store has said of failures, of which the reader leaves a text only.
struct Witnessed {
    reader: ParquetRecordBatchReader,
    witness: Witness,
}

impl Iterator for Witnessed {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        let failed =
            |error| self.witness.failure().map_or(error, |failure| ArrowError::ExternalError(failure.into()));
        Some(self.reader.next()?.map_err(failed))
    }
}

fn has_nanoseconds(field: &Field) -> bool {
    let mut has = false;
    map_leaves(&Arc::new(field.clone()), &mut |leaf| {
        has |= matches!(leaf.data_type(), DataType::Timestamp(TimeUnit::Nanosecond, _));
        leaf.clone()
    });
    has
}

/// Few rows a batch where they are long: a batch must neither fill the memory nor the two gigabytes
/// that one array of texts can hold.
fn batch_rows(footer: &ArrowReaderMetadata, groups: &[usize], mask: &ProjectionMask) -> usize {
    const BATCH_BYTES: i64 = 16 << 20;
    let longest = groups.iter().map(|&group| {
        let group = footer.metadata().row_group(group);
        let columns = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes = columns.fold(0, |sum: i64, (_, column)| sum.saturating_add(decoded_bytes(column)));
        bytes / group.num_rows().max(1)
    });
    let rows = BATCH_BYTES / longest.max().unwrap_or_default().max(1);
    usize::try_from(rows).unwrap_or(1).clamp(1, BATCH_ROWS)
}

/// What a column of a row group takes once it is decoded: values of a fixed width are written out, texts
/// stay in their pages.
fn decoded_bytes(column: &ColumnChunkMetaData) -> i64 {
    let width = match column.column_type() {
        PhysicalType::BOOLEAN => 1,
        PhysicalType::INT32 | PhysicalType::FLOAT => 4,
        PhysicalType::INT64 | PhysicalType::DOUBLE | PhysicalType::INT96 => 8,
        PhysicalType::BYTE_ARRAY => 16,
        PhysicalType::FIXED_LEN_BYTE_ARRAY => i64::from(column.column_descr().type_length()),
    };
    column.uncompressed_size().max(column.num_values().saturating_mul(width))
}

/// The rows of each row group.
pub(in crate::reader) fn row_group_sizes(
    footer: &ArrowReaderMetadata,
) -> impl Iterator<Item = Result<u64, BoxError>> {
    let groups = footer.metadata().row_groups();
    groups.iter().map(|group| Ok(u64::try_from(group.num_rows())?))
}
