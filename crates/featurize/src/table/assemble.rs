//! Vectors to tables: what was kept, what is said of each output row, what was computed for it.

use std::ops::Range;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::compute::{filter, take};
use strata_bert::{Document, Features, Unit, VectorColumn};
use strata_io::{BATCH_BYTES, Lists, row_bytes};

use crate::Error;
use crate::table::columns::Columns;
use crate::table::on_null::{self, OnNull};
use crate::table::rows;
use crate::table::subjects::Subjects;

/// Rows that were read, with what was computed for them.
pub struct Computed<'a> {
    /// The rows, in slices.
    pub batches: &'a [RecordBatch],
    /// What is encoded of each slice.
    pub subjects: &'a [Subjects],
    /// The number of the first row.
    pub first_row: u64,
    /// One entry per row; none where the text is null.
    pub documents: &'a [Option<Document>],
    /// In the order of [`Features::columns`].
    pub vectors: Vec<VectorColumn>,
}

/// Gives the rows to `write` as tables of `columns`, in the slices in which they were read.
///
/// # Errors
/// A vector that the output cannot hold; whatever `write` returns.
pub fn assemble(
    columns: &Columns,
    features: &Features,
    computed: Computed<'_>,
    mut write: impl FnMut(&RecordBatch) -> Result<(), Error>,
) -> Result<(), Error> {
    let Computed { batches, subjects, first_row, documents, vectors } = computed;
    let unit = features.unit();
    let beside = rows::arrays(unit, documents);
    let stays = (columns.on_null == OnNull::Drop).then(|| on_null::complete(&vectors));
    let mut arrays = Vec::with_capacity(vectors.len());
    let counts: Vec<usize> = documents.iter().map(|document| unit.rows_of(document.as_ref())).collect();
    for (column, vectors) in features.columns().iter().zip(vectors) {
        let array = columns.on_null.array(vectors, &column.shape, columns.dtype);
        let array = array.map_err(|error| in_input(error, &counts, first_row));
        arrays.push(array.map_err(|source| Error::Column { column: column.name.clone(), source })?);
    }
    let (mut first, mut first_out) = (0, 0);
    for (read, subjects) in batches.iter().zip(subjects) {
        let documents = &documents[first..first + read.num_rows()];
        let counts = &counts[first..first + read.num_rows()];
        let out = first_out..first_out + counts.iter().sum::<usize>();
        let kept = columns.kept(read)?;
        let mut put = |before: Vec<ArrayRef>, labels: Vec<ArrayRef>, out: Range<usize>| {
            let slice = |array: &ArrayRef| array.slice(out.start, out.len());
            let all = before.into_iter().chain(beside.iter().map(slice)).chain(labels);
            let all = all.chain(arrays.iter().map(slice));
            let all: Vec<ArrayRef> = match &stays {
                None => all.collect(),
                Some(stays) => {
                    let stays = stays.slice(out.start, out.len());
                    all.map(|array| filter(&array, &stays)).collect::<Result<_, _>>()?
                }
            };
            write(&RecordBatch::try_new(columns.schema.clone(), all)?)
        };
        let first_row = first_row + first as u64;
        match unit {
            Unit::Row => {
                let row = rows::row_name(unit, columns.on_null);
                let row = row.map(|_| numbers(0..kept.num_rows() as u64, first_row));
                let before = row.into_iter().chain(kept.columns().iter().cloned());
                put(before.collect(), Vec::new(), out.clone())?;
            }
            Unit::Token | Unit::Word | Unit::Span => {
                let labels = labels(subjects, documents)?;
                let rows = repeated(counts);
                for piece in pieces(&rows, &row_bytes(&kept)) {
                    let before = taken(&kept, &rows[piece.clone()], first_row)?;
                    let labels = labels.iter().map(|label| label.slice(piece.start, piece.len()));
                    put(before, labels.collect(), out.start + piece.start..out.start + piece.end)?;
                }
            }
        }
        (first, first_out) = (first + read.num_rows(), out.end);
    }
    Ok(())
}

/// The row of each output row.
fn repeated(counts: &[usize]) -> Vec<u64> {
    counts.iter().enumerate().flat_map(|(row, &count)| std::iter::repeat_n(row as u64, count)).collect()
}

/// Divides output rows so that the kept columns of each piece, which stand there once for every item, take
/// a few megabytes, or are those of one output row.
fn pieces(rows: &[u64], row_bytes: &[usize]) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let (mut first, mut bytes) = (0, 0_usize);
    for (place, &row) in rows.iter().enumerate() {
        let own = row_bytes[row as usize];
        if place > first && bytes.saturating_add(own) > BATCH_BYTES {
            pieces.push(first..place);
            (first, bytes) = (place, 0);
        }
        bytes = bytes.saturating_add(own);
    }
    pieces.push(first..rows.len());
    pieces
}

/// The number of each row, counted from `first_row`, and its kept columns.
fn taken(kept: &RecordBatch, rows: &[u64], first_row: u64) -> Result<Vec<ArrayRef>, Error> {
    let mut arrays = vec![numbers(rows.iter().copied(), first_row)];
    let rows = UInt64Array::from(rows.to_vec());
    for column in kept.columns() {
        arrays.push(take(column, &rows, None)?);
    }
    Ok(arrays)
}

fn numbers(rows: impl Iterator<Item = u64>, first_row: u64) -> ArrayRef {
    Arc::new(UInt64Array::from_iter_values(rows.map(|row| first_row + row)))
}

/// What stands beside the words or spans of some rows. Rows without a text have no output rows, whatever stands there.
fn labels(subjects: &Subjects, documents: &[Option<Document>]) -> Result<Vec<ArrayRef>, Error> {
    let column = |lists: &Lists| {
        let rows = documents.iter().enumerate().filter_map(|(row, document)| Some((row, document.as_ref()?)));
        let places = rows.flat_map(|(row, document)| {
            let first = lists.places(row).start as u64;
            document.items.iter().map(move |item| first + u64::from(item.index))
        });
        Ok(take(lists.values(), &UInt64Array::from_iter_values(places), None)?)
    };
    subjects.labels().iter().map(column).collect()
}

/// An error whose row of the output, `counts` of which stand for each row of the input, becomes that of the input.
fn in_input(error: strata_io::Error, counts: &[usize], first_row: u64) -> strata_io::Error {
    let strata_io::Error::Float16Overflow { row, value } = error else { return error };
    let ends = counts.iter().scan(0, |end, count| {
        *end += count;
        Some(*end)
    });
    let before = ends.take_while(|end| *end <= row).count();
    strata_io::Error::Float16Overflow { row: first_row as usize + before, value }
}
