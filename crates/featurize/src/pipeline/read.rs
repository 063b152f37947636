//! Stage one: files to chunks of rows.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::mpsc::SyncSender;

use strata_bert::Unit;
use strata_io::Input;

use crate::Error;
use crate::job::Job;
use crate::pipeline::chunk::{Chunk, ChunkLimits, Cutter};
use crate::pipeline::stages::StageTimes;
use crate::plan::parts::Part;
use crate::watch::{self, Watch};

/// Reads the rows of `parts` in order. Parts that follow each other in a file are read in one go:
/// text formats can only be read from their start. Returns the files that were skipped, with the
/// reason.
pub fn read(
    job: &Job,
    parts: &[Part],
    sink: &SyncSender<Chunk>,
    watch: &dyn Watch,
) -> Result<(StageTimes, BTreeMap<String, String>), Error> {
    let limits = match job.features.unit() {
        Unit::Row => ChunkLimits::for_rows_of(job.row_bytes()),
        Unit::Token | Unit::Word | Unit::Span => ChunkLimits::for_items(job.most_items()),
    };
    let mut reader = Reader { job, limits, sink, watch, times: StageTimes::default() };
    let mut skipped = BTreeMap::new();
    let mut first = 0;
    for run in parts.chunk_by(|a, b| a.input == b.input && a.rows.end == b.rows.start) {
        let name = &job.inputs[run[0].input].file.source.name;
        if !skipped.contains_key(name) {
            match reader.read_run(run, first) {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    let rows = run[0].rows.start..run[run.len() - 1].rows.end;
                    // Whatever a reader makes of a file that changes under it, the change is the cause.
                    let changed = job.inputs[run[0].input].file.check_unchanged(&rows);
                    let error = changed.err().map_or(error, Into::into);
                    skipped.insert(name.clone(), job.settings.on_bad_file.reason_to_skip(error)?);
                }
            }
        }
        first += run.len();
    }
    Ok((reader.times, skipped))
}

struct Reader<'a> {
    job: &'a Job,
    limits: ChunkLimits,
    sink: &'a SyncSender<Chunk>,
    watch: &'a dyn Watch,
    times: StageTimes,
}

impl Reader<'_> {
    /// Reads parts that follow each other, the first of which has the index `first_part`. Returns
    /// whether anybody still wants chunks.
    fn read_run(&mut self, run: &[Part], first_part: usize) -> Result<bool, Error> {
        let input = &self.job.inputs[run[0].input];
        let ranges: Vec<Range<u64>> = run.iter().map(|part| part.rows.clone()).collect();
        let rows = ranges[0].start..ranges[ranges.len() - 1].end;
        let mut cutter = Cutter::new(self.limits, &ranges);
        if !self.send(cutter.empty_parts(), first_part, &input.file, &ranges)? {
            return Ok(false);
        }
        let mut batches = self.times.busy(|| input.file.read(&input.columns.read, rows))?;
        while let Some(batch) = self.times.busy(|| batches.next()) {
            watch::check(self.watch)?;
            let batch = batch?;
            let chunks =
                self.times.busy(|| Ok::<_, Error>(cutter.push(&batch, &input.columns.subjects(&batch)?)))?;
            if !self.send(chunks, first_part, &input.file, &ranges)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands chunks on. The one that ends a part commits it: then its rows must still be what the
    /// file holds.
    fn send(
        &mut self,
        chunks: Vec<Chunk>,
        first_part: usize,
        file: &Input,
        ranges: &[Range<u64>],
    ) -> Result<bool, Error> {
        for chunk in chunks {
            if chunk.ends_part {
                file.check_unchanged(&ranges[chunk.part])?;
            }
            let chunk = Chunk { part: first_part + chunk.part, ..chunk };
            if self.times.waiting(|| self.sink.send(chunk)).is_err() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
