//! Stage one: files to windows of rows.

use std::ops::Range;
use std::sync::mpsc::SyncSender;

use crate::job::Job;
use crate::plan::Part;
use crate::stages::StageTimes;
use crate::window::{Cutter, Window, WindowLimits};

/// Reads the rows of `parts` in order. Parts that follow each other in a file are read in one go:
/// text formats can only be read from their start.
pub fn read(job: &Job, parts: &[Part], sink: &SyncSender<Window>) -> anyhow::Result<StageTimes> {
    let limits = WindowLimits::for_rows_of(job.row_bytes());
    let mut times = StageTimes::default();
    let mut first = 0;
    for run in parts.chunk_by(|a, b| a.input == b.input && a.rows.end == b.rows.start) {
        if !read_run(job, run, first, limits, sink, &mut times)? {
            break;
        }
        first += run.len();
    }
    Ok(times)
}

/// Reads parts that follow each other, the first of which has the index `first_part`. Returns
/// whether anybody still wants windows.
fn read_run(
    job: &Job,
    run: &[Part],
    first_part: usize,
    limits: WindowLimits,
    sink: &SyncSender<Window>,
    times: &mut StageTimes,
) -> anyhow::Result<bool> {
    let input = &job.inputs[run[0].input];
    let ranges: Vec<Range<u64>> = run.iter().map(|part| part.rows.clone()).collect();
    let rows = ranges[0].start..ranges[ranges.len() - 1].end;
    let send = |windows: Vec<Window>, times: &mut StageTimes| {
        let numbered = windows.into_iter().map(|window| Window { part: first_part + window.part, ..window });
        numbered.into_iter().all(|window| times.waiting(|| sink.send(window)).is_ok())
    };

    let mut cutter = Cutter::new(limits, &ranges);
    if !send(cutter.empty_parts(), times) {
        return Ok(false);
    }
    let mut batches = times.busy(|| input.file.read(&input.columns.read, rows))?;
    while let Some(batch) = times.busy(|| batches.next()) {
        let batch = batch?;
        let windows =
            times.busy(|| Ok::<_, anyhow::Error>(cutter.push(&batch, &input.columns.texts(&batch)?)))?;
        if !send(windows, times) {
            return Ok(false);
        }
    }
    Ok(true)
}
