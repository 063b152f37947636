//! Stage four: vectors to columns, columns to parts, parts into the output.

use std::ops::Range;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::Context;
use arrow::array::{ArrayRef, RecordBatch, UInt64Array};
use arrow::buffer::NullBuffer;
use arrow::compute::take;
use strata_bert::{Unit, VectorColumn};
use strata_io::{BATCH_BYTES, row_bytes, vector_array};

use crate::job::Job;
use crate::pipeline::Done;
use crate::pipeline::encode::Encoded;
use crate::pipeline::target::Target;
use crate::plan::Part;
use crate::report::{Counts, NonFinite};
use crate::rows;
use crate::stages::StageTimes;
use crate::subjects::Subjects;

/// Writes windows as they come, and ends a part with its last one.
pub fn write(
    job: &Job,
    parts: &[Part],
    target: &mut dyn Target,
    source: Receiver<Encoded>,
    done: &mut Done,
) -> anyhow::Result<StageTimes> {
    let mut times = StageTimes::default();
    // The part that is open, and what was counted in it. One that the reader gave up stays open until
    // the next one begins.
    let mut open: Option<(usize, Counts, NonFinite)> = None;
    while let Ok(encoded) = times.waiting(|| source.recv()) {
        times.busy(|| -> anyhow::Result<()> {
            let (index, ends_part, counts) = (encoded.window.part, encoded.window.ends_part, encoded.counts);
            let part = &parts[index];
            let (mut so_far, mut non_finite) = match open.take().filter(|(open, ..)| *open == index) {
                Some((_, so_far, non_finite)) => (so_far, non_finite),
                None => {
                    target.begin(job, part)?;
                    (Counts::default(), NonFinite::new())
                }
            };
            count_non_finite(job, &encoded.columns, &mut non_finite);
            write_window(job, part, encoded, target)?;
            so_far += counts;
            if ends_part {
                done.bytes += target.end(part, so_far, &non_finite)?;
                done.counts += so_far;
                done.parts += 1;
                for (column, count) in non_finite {
                    *done.non_finite.entry(column).or_default() += count;
                }
            } else {
                open = Some((index, so_far, non_finite));
            }
            Ok(())
        })?;
    }
    Ok(times)
}

/// Counts values of texts that are infinite or not a number, as damaged weights give them.
fn count_non_finite(job: &Job, vectors: &[VectorColumn], counts: &mut NonFinite) {
    for (column, vectors) in job.features.columns().iter().zip(vectors) {
        let rows = vectors.values.chunks_exact(column.width()).zip(&vectors.valid);
        let values = rows.filter(|(_, valid)| **valid).flat_map(|(row, _)| row);
        let count = values.filter(|value| !value.is_finite()).count() as u64;
        if count > 0 {
            *counts.entry(column.name.clone()).or_default() += count;
        }
    }
}

/// Writes the window's output rows as the part's columns, in the slices in which its rows were read.
fn write_window(job: &Job, part: &Part, encoded: Encoded, target: &mut dyn Target) -> anyhow::Result<()> {
    let columns = &job.inputs[part.input].columns;
    let unit = job.features.unit();
    let Encoded { window, documents, columns: vectors, counts: _ } = encoded;
    let beside = rows::arrays(unit, &documents);
    let mut arrays = Vec::with_capacity(vectors.len());
    for (column, vectors) in job.features.columns().iter().zip(vectors) {
        let validity = NullBuffer::from(vectors.valid);
        let array = vector_array(vectors.values, Some(validity), &column.shape, job.settings.dtype)
            .with_context(|| format!("cannot store column `{}`", column.name))?;
        arrays.push(array);
    }
    let counts: Vec<usize> = documents.iter().map(|document| unit.rows_of(document.as_ref())).collect();
    let (mut first, mut first_out) = (0, 0);
    for (read, subjects) in window.batches.iter().zip(&window.subjects) {
        let counts = &counts[first..first + read.num_rows()];
        let out = first_out..first_out + counts.iter().sum::<usize>();
        let kept = columns.kept(read)?;
        let mut write = |before: Vec<ArrayRef>, labels: Vec<ArrayRef>, out: Range<usize>| {
            let slice = |array: &ArrayRef| array.slice(out.start, out.len());
            let all = before.into_iter().chain(beside.iter().map(slice)).chain(labels);
            let all = all.chain(arrays.iter().map(slice)).collect();
            target.write(&RecordBatch::try_new(columns.schema.clone(), all)?)
        };
        match unit {
            Unit::Row => write(kept.columns().to_vec(), Vec::new(), out.clone())?,
            Unit::Token | Unit::Word | Unit::Span => {
                let labels = labels(subjects, counts)?;
                let rows = repeated(counts);
                for piece in pieces(&rows, &row_bytes(&kept)) {
                    let before = taken(&kept, &rows[piece.clone()], window.first_row + first as u64)?;
                    let labels = labels.iter().map(|label| label.slice(piece.start, piece.len()));
                    write(before, labels.collect(), out.start + piece.start..out.start + piece.end)?;
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
fn taken(kept: &RecordBatch, rows: &[u64], first_row: u64) -> anyhow::Result<Vec<ArrayRef>> {
    let numbers = UInt64Array::from_iter_values(rows.iter().map(|row| first_row + row));
    let rows = UInt64Array::from(rows.to_vec());
    let mut arrays: Vec<ArrayRef> = vec![Arc::new(numbers)];
    for column in kept.columns() {
        arrays.push(take(column, &rows, None)?);
    }
    Ok(arrays)
}

/// What the spans of some rows carry.
fn labels(subjects: &Subjects, counts: &[usize]) -> anyhow::Result<Vec<ArrayRef>> {
    let (labels, places) = subjects.labels();
    // Rows without a text have no output rows, whatever spans are named for them.
    let with_rows = counts.iter().enumerate().filter(|(_, count)| **count > 0);
    let places = with_rows.flat_map(|(row, _)| places(row)).map(|place| place as u64);
    let places = UInt64Array::from_iter_values(places);
    Ok(labels.iter().map(|column| take(column, &places, None)).collect::<Result<_, _>>()?)
}
