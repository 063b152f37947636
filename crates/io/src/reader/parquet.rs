//! Parquet files.

use std::ops::Range;
use std::path::Path;

use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::ParquetStatisticsPolicy;

use super::{BATCH_ROWS, Stream};
use crate::error::BoxError;

/// Reads the footer, without statistics: inputs may be thousands of wide files.
pub(super) fn open(path: &Path) -> Result<ArrowReaderMetadata, BoxError> {
    let file = fs_err::File::open(path)?.into_file();
    let options = ArrowReaderOptions::new()
        .with_column_stats_policy(ParquetStatisticsPolicy::SkipAll)
        .with_size_stats_policy(ParquetStatisticsPolicy::SkipAll);
    Ok(ArrowReaderMetadata::load(&file, options)?)
}

/// Decodes only the row groups that overlap `rows`, and of the first of them only from
/// `rows.start` on.
pub(super) fn read(
    path: &Path,
    footer: &ArrowReaderMetadata,
    columns: &[usize],
    rows: &Range<u64>,
) -> Result<Stream, BoxError> {
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
    let file = fs_err::File::open(path)?.into_file();
    let mask = ProjectionMask::roots(footer.parquet_schema(), columns.iter().copied());
    let batch_rows = batch_rows(footer, &groups, &mask);
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(file, footer.clone())
        .with_batch_size(batch_rows)
        .with_projection(mask)
        .with_row_groups(groups)
        .with_offset(usize::try_from(offset)?)
        .with_limit(usize::try_from(rows.end - rows.start)?)
        .build()?;
    Ok(Stream { first: rows.start, batches: Box::new(reader) })
}

/// Few rows a batch where they are long: a batch must neither fill the memory nor the two gigabytes
/// that one array of texts can hold.
fn batch_rows(footer: &ArrowReaderMetadata, groups: &[usize], mask: &ProjectionMask) -> usize {
    const BATCH_BYTES: i64 = 64 << 20;
    let longest = groups.iter().map(|&group| {
        let group = footer.metadata().row_group(group);
        let columns = group.columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf));
        let bytes = columns.fold(0, |sum: i64, (_, column)| sum.saturating_add(column.uncompressed_size()));
        bytes / group.num_rows().max(1)
    });
    let rows = BATCH_BYTES / longest.max().unwrap_or_default().max(1);
    usize::try_from(rows).unwrap_or(1).clamp(1, BATCH_ROWS)
}

/// The rows of each row group.
pub(super) fn row_group_sizes(footer: &ArrowReaderMetadata) -> impl Iterator<Item = Result<u64, BoxError>> {
    let groups = footer.metadata().row_groups();
    groups.iter().map(|group| Ok(u64::try_from(group.num_rows())?))
}
