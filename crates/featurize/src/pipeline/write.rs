//! Stage four: vectors to columns, columns to parts, parts into the output.

use std::sync::mpsc::Receiver;

use strata_bert::VectorColumn;

use crate::Error;
use crate::job::Job;
use crate::pipeline::Done;
use crate::pipeline::counts::{Counts, NonFinite};
use crate::pipeline::encode::Encoded;
use crate::pipeline::stages::StageTimes;
use crate::pipeline::target::Target;
use crate::plan::parts::Part;
use crate::table::assemble::{Computed, assemble};
use crate::table::on_null::OnNull;

/// Writes chunks as they come, and ends a part with its last one.
pub fn write(
    job: &Job,
    parts: &[Part],
    target: &mut dyn Target,
    source: Receiver<Encoded>,
    done: &mut Done,
) -> Result<StageTimes, Error> {
    let mut times = StageTimes::default();
    // The part that is open, and what was counted in it. One that the reader gave up stays open until
    // the next one begins.
    let mut open: Option<(usize, Counts, NonFinite)> = None;
    while let Ok(encoded) = times.waiting(|| source.recv()) {
        times.busy(|| -> Result<(), Error> {
            let Encoded { chunk, documents, columns: vectors, mut counts } = encoded;
            let (index, ends_part) = (chunk.part, chunk.ends_part);
            let part = &parts[index];
            let (mut so_far, mut non_finite) = match open.take().filter(|(open, ..)| *open == index) {
                Some((_, so_far, non_finite)) => (so_far, non_finite),
                None => {
                    target.begin(job, part)?;
                    (Counts::default(), NonFinite::new())
                }
            };
            count_non_finite(job, &vectors, &mut non_finite);
            let computed = Computed {
                batches: &chunk.batches,
                subjects: &chunk.subjects,
                first_row: chunk.first_row,
                documents: &documents,
                vectors,
            };
            let columns = &job.inputs[part.input].columns;
            assemble(columns, &job.features, computed, |batch| target.write(batch))?;
            if columns.on_null == OnNull::Drop {
                counts.output_rows -= counts.without_vector;
            }
            so_far += counts;
            if ends_part {
                let bytes = target.end(part, so_far, &non_finite)?;
                done.add_part(so_far, non_finite, bytes);
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
