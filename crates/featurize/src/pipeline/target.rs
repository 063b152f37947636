//! Where finished rows go: parts in a folder, or a stream.

use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::StreamWriter;
use strata_io::{PROVENANCE_KEY, PartWriter, WriterOptions};

use crate::Error;
use crate::job::Job;
use crate::job::input::JobInput;
use crate::output::Output;
use crate::pipeline::counts::{Counts, NonFinite, recorded};
use crate::plan::parts::Part;

/// Takes the rows of parts that come one after the other.
pub trait Target {
    /// Begins a part; one that was not ended is dropped.
    fn begin(&mut self, job: &Job, part: &Part) -> Result<(), Error>;
    /// Takes rows of the part.
    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error>;
    /// Makes the part visible, and returns its bytes.
    fn end(&mut self, part: &Part, counts: Counts, non_finite: &NonFinite) -> Result<u64, Error>;
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
    fn begin(&mut self, job: &Job, part: &Part) -> Result<(), Error> {
        self.open = None;
        let options = WriterOptions {
            format: job.settings.format,
            provenance: Some(self.output.provenance(part)?),
            growing: self.output.folder.growing(),
            owner: self.output.owner.clone(),
            ..WriterOptions::default()
        };
        let schema = job.inputs[part.input].columns.schema.clone();
        self.open = Some(PartWriter::create(&self.output.folder.data(), &part.file_name, schema, &options)?);
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        let writer = self.open.as_mut().ok_or_else(|| Error::Bug(NOTHING_BEGUN.to_owned()))?;
        Ok(writer.write(batch)?)
    }

    fn end(&mut self, part: &Part, counts: Counts, non_finite: &NonFinite) -> Result<u64, Error> {
        let writer = self.open.take().ok_or_else(|| Error::Bug(NOTHING_BEGUN.to_owned()))?;
        let bytes = self.output.commit(part, writer.close()?, recorded(counts, non_finite))?.bytes;
        let Range { start, end } = part.rows;
        tracing::debug!("{}: rows {start}..{end} of the input, {bytes} bytes", part.file_name);
        Ok(bytes)
    }
}

/// An Arrow IPC stream.
pub struct Stream<W: Write> {
    writer: StreamWriter<BufWriter<Counted<W>>>,
    schema: SchemaRef,
    /// How many bytes were written before the part that is being written.
    before: u64,
}

impl<W: Write> Stream<W> {
    /// Writes the schema of the first of `inputs`, which carries the provenance. A column may hold nulls
    /// if it may in any of them.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn start(out: W, inputs: &[JobInput], provenance: String) -> Result<Self, Error> {
        let first =
            inputs.first().ok_or_else(|| Error::Bug("a run without inputs was not refused".to_owned()))?;
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
        let writer = StreamWriter::try_new_buffered(Counted { inner: out, bytes: 0 }, &schema)?;
        Ok(Self { writer, schema, before: 0 })
    }

    /// Says that nothing follows, and returns the bytes of that.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<u64, Error> {
        self.writer.finish()?;
        self.flushed()
    }

    /// The bytes since this was last asked.
    fn flushed(&mut self) -> Result<u64, Error> {
        self.writer.flush()?;
        let bytes = self.writer.get_ref().get_ref().bytes;
        Ok(bytes - std::mem::replace(&mut self.before, bytes))
    }
}

impl<W: Write> Target for Stream<W> {
    fn begin(&mut self, _: &Job, _: &Part) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, batch: &RecordBatch) -> Result<(), Error> {
        // Files may have the same columns in another order.
        let columns = self.schema.fields().iter().map(|field| batch.column_by_name(field.name()).cloned());
        let columns = columns.collect::<Option<Vec<_>>>();
        let columns = columns.ok_or_else(|| Error::Bug("a batch lacks columns of the stream".to_owned()))?;
        let batch = RecordBatch::try_new(self.schema.clone(), columns)?;
        Ok(self.writer.write(&batch)?)
    }

    fn end(&mut self, _: &Part, _: Counts, _: &NonFinite) -> Result<u64, Error> {
        self.flushed()
    }
}

/// Counts what is written.
struct Counted<W> {
    inner: W,
    bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
