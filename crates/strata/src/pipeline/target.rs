//! Where finished rows go: parts in a folder, or a stream.

use std::io::{self, BufWriter, Stdout};
use std::sync::Arc;

use anyhow::Context;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use serde_json::{Map, Value, json};
use strata_io::{PROVENANCE_KEY, PartWriter, WriterOptions};

use crate::inputs::JobInput;
use crate::job::Job;
use crate::output::Output;
use crate::plan::Part;
use crate::report::{Counts, NonFinite};

/// Takes the rows of parts that come one after the other.
pub trait Target {
    /// Begins a part; one that was not ended is dropped.
    fn begin(&mut self, job: &Job, part: &Part) -> anyhow::Result<()>;
    /// Takes rows of the part.
    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()>;
    /// Makes the part visible, and returns its bytes.
    fn end(&mut self, part: &Part, counts: Counts, non_finite: &NonFinite) -> anyhow::Result<u64>;
}

/// Parts in a folder, each committed whole.
pub struct Folder<'a> {
    output: &'a mut Output,
    /// The part that is being written; dropped, it leaves nothing behind.
    open: Option<PartWriter>,
}

impl<'a> Folder<'a> {
    pub fn new(output: &'a mut Output) -> Self {
        Self { output, open: None }
    }
}

const NOTHING_BEGUN: &str = "rows came before their part was begun";

impl Target for Folder<'_> {
    fn begin(&mut self, job: &Job, part: &Part) -> anyhow::Result<()> {
        self.open = None;
        let options = WriterOptions {
            format: job.settings.format,
            provenance: Some(self.output.provenance(part)?),
            owner: self.output.owner(),
            ..WriterOptions::default()
        };
        let schema = job.inputs[part.input].columns.schema.clone();
        self.open = Some(PartWriter::create(&self.output.folder, &part.file_name, schema, &options)?);
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        let writer = self.open.as_mut().ok_or_else(|| anyhow::anyhow!(NOTHING_BEGUN))?;
        Ok(writer.write(batch)?)
    }

    fn end(&mut self, part: &Part, counts: Counts, non_finite: &NonFinite) -> anyhow::Result<u64> {
        let writer = self.open.take().ok_or_else(|| anyhow::anyhow!(NOTHING_BEGUN))?;
        Ok(self.output.commit(part, writer.close()?, recorded(counts, non_finite))?.bytes)
    }
}

/// What the manifest notes about a part.
fn recorded(counts: Counts, non_finite: &NonFinite) -> Map<String, Value> {
    let Counts { nulls, truncated, tokens, rows: _, output_rows: _, padded_tokens: _ } = counts;
    let fields = [("nulls", nulls), ("truncated", truncated), ("tokens", tokens)];
    let fields = fields.into_iter().map(|(name, count)| (name.to_owned(), json!(count)));
    let broken = (!non_finite.is_empty()).then(|| ("non_finite".to_owned(), json!(non_finite)));
    fields.chain(broken).collect()
}

/// An Arrow IPC stream on stdout.
pub struct Stream {
    writer: StreamWriter<BufWriter<Stdout>>,
    schema: SchemaRef,
    bytes: u64,
}

impl Stream {
    /// Writes the schema of the first of `inputs`, which carries the provenance. A column may hold nulls
    /// if it may in any of them.
    ///
    /// # Errors
    /// stdout is closed.
    pub fn start(inputs: &[JobInput], provenance: String) -> anyhow::Result<Self> {
        let first = inputs.first().context("a run without inputs was not refused")?;
        let is_nullable = |name: &str| {
            inputs.iter().any(|input| {
                input.columns.schema.field_with_name(name).is_ok_and(|field| field.is_nullable())
            })
        };
        let fields = first
            .columns
            .schema
            .fields()
            .iter()
            .map(|field| Arc::new(field.as_ref().clone().with_nullable(is_nullable(field.name()))));
        let metadata = first.columns.schema.metadata().clone().with(PROVENANCE_KEY, provenance);
        let schema = SchemaRef::new(Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata));
        let writer = StreamWriter::try_new_buffered(io::stdout(), &schema)?;
        Ok(Self { writer, schema, bytes: 0 })
    }

    /// Says that nothing follows.
    ///
    /// # Errors
    /// stdout is closed.
    pub fn finish(mut self) -> anyhow::Result<()> {
        Ok(self.writer.finish()?)
    }
}

impl Target for Stream {
    fn begin(&mut self, _: &Job, _: &Part) -> anyhow::Result<()> {
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> anyhow::Result<()> {
        // Files may have the same columns in another order.
        let columns = self.schema.fields().iter().map(|field| batch.column_by_name(field.name()).cloned());
        let columns = columns.collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| anyhow::anyhow!("a batch lacks columns of the stream"))?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        self.writer.write(&batch)?;
        self.bytes += batch.get_array_memory_size() as u64;
        Ok(())
    }

    fn end(&mut self, _: &Part, _: Counts, _: &NonFinite) -> anyhow::Result<u64> {
        self.writer.flush()?;
        Ok(std::mem::take(&mut self.bytes))
    }
}
