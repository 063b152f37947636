//! Stage four: vectors to columns, columns to parts, parts into the output.

use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::Context;
use arrow::array::{ArrayRef, BooleanArray, RecordBatch, UInt32Array};
use arrow::buffer::NullBuffer;
use serde_json::{Map, Value, json};
use strata_io::{PartWriter, WriterOptions, vector_array};

use crate::job::Job;
use crate::output::Output;
use crate::pipeline::Done;
use crate::pipeline::encode::Encoded;
use crate::plan::Part;
use crate::report::Counts;
use crate::stages::StageTimes;

/// Writes windows as they come, and commits a part with its last one.
pub fn write(
    job: &Job,
    parts: &[Part],
    output: &mut Output,
    source: Receiver<Encoded>,
    done: &mut Done,
) -> anyhow::Result<StageTimes> {
    let mut times = StageTimes::default();
    let mut open: Option<OpenPart> = None;
    while let Ok(encoded) = times.waiting(|| source.recv()) {
        times.busy(|| -> anyhow::Result<()> {
            let part = &parts[encoded.window.part];
            // A part that the reader gave up stays open until the next one starts: it is dropped.
            let mut current = match open.take().filter(|open| open.part == encoded.window.part) {
                Some(current) => current,
                None => OpenPart::create(job, part, encoded.window.part, output)?,
            };
            let (ends_part, counts) = (encoded.window.ends_part, encoded.counts);
            for batch in batches(job, part, encoded)? {
                current.writer.write(&batch)?;
            }
            current.counts += counts;
            if ends_part {
                current.commit(part, output, done)
            } else {
                open = Some(current);
                Ok(())
            }
        })?;
    }
    Ok(times)
}

/// The part that is being written; dropped, it leaves nothing behind.
struct OpenPart {
    /// Its index among the parts that are made.
    part: usize,
    writer: PartWriter,
    counts: Counts,
}

impl OpenPart {
    fn create(job: &Job, part: &Part, index: usize, output: &Output) -> anyhow::Result<Self> {
        let options = WriterOptions {
            format: job.settings.format,
            provenance: Some(output.provenance(part)?),
            owner: output.owner(),
            ..WriterOptions::default()
        };
        let schema = job.inputs[part.input].columns.schema.clone();
        let writer = PartWriter::create(&output.folder, &part.file_name, schema, &options)?;
        Ok(Self { part: index, writer, counts: Counts::default() })
    }

    fn commit(self, part: &Part, output: &mut Output, done: &mut Done) -> anyhow::Result<()> {
        let finished = output.commit(part, self.writer.close()?, recorded(self.counts))?;
        done.counts += self.counts;
        done.parts += 1;
        done.bytes += finished.bytes;
        Ok(())
    }
}

/// What the manifest notes about a part.
fn recorded(counts: Counts) -> Map<String, Value> {
    let Counts { nulls, truncated, tokens, rows: _, padded_tokens: _ } = counts;
    let fields = [("nulls", nulls), ("truncated", truncated), ("tokens", tokens)];
    fields.into_iter().map(|(name, count)| (name.to_owned(), json!(count))).collect()
}

/// The window's rows as the part's columns, in the slices in which they were read.
fn batches(job: &Job, part: &Part, encoded: Encoded) -> anyhow::Result<Vec<RecordBatch>> {
    let columns = &job.inputs[part.input].columns;
    let Encoded { window, n_tokens, truncated, columns: vectors, counts: _ } = encoded;
    let mut computed: Vec<ArrayRef> =
        vec![Arc::new(UInt32Array::from(n_tokens)), Arc::new(BooleanArray::from(truncated))];
    for (column, vectors) in job.features.columns().iter().zip(vectors) {
        let validity = NullBuffer::from(vectors.valid);
        let array = vector_array(vectors.values, Some(validity), &column.shape, job.settings.dtype)
            .with_context(|| format!("cannot store column `{}`", column.name))?;
        computed.push(array);
    }
    let mut first = 0;
    let mut batches = Vec::with_capacity(window.batches.len());
    for read in &window.batches {
        let computed = computed.iter().map(|array| array.slice(first, read.num_rows()));
        let arrays = columns.kept(read).iter().cloned().chain(computed).collect();
        batches.push(RecordBatch::try_new(columns.schema.clone(), arrays)?);
        first += read.num_rows();
    }
    Ok(batches)
}
