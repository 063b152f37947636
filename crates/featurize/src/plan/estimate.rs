//! What a run would do, from its plan and a sample of its rows. Writes nothing.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use strata_bert::batch::Batch;
use strata_bert::{Document, Encoding, Unit};
use strata_io::{FloatType, Manifest};

use crate::Error;
use crate::job::Job;
use crate::plan::existing::{may_go, refuse_foreign_files};
use crate::plan::found::Found;
use crate::plan::parts::Part;
use crate::plan::survey::Consent;
use crate::table::documents::documents;
use crate::watch::{self, Watch};

/// Rows that stand for all.
const SAMPLE_ROWS: u64 = 512;
/// Parts that the sample is taken from.
const SAMPLE_PARTS: usize = 8;
/// How long the model is tried.
const TRIAL: Duration = Duration::from_secs(2);
/// What a value of each width takes in a part on average, compressed.
const BYTES_PER_FLOAT32: f64 = 3.4;
const BYTES_PER_FLOAT16: f64 = 1.84;

/// What a run would do.
#[derive(Debug, Clone)]
pub struct Estimate {
    /// Parts that are there.
    pub parts_made: usize,
    /// Parts that would be made.
    pub parts_to_make: usize,
    /// Input rows of those.
    pub rows: u64,
    /// Input files that would be skipped, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// What a sample of the rows says of all; none if there is nothing to do.
    pub trial: Option<Trial>,
}

/// What a sample of the rows says of all.
#[derive(Debug, Clone, Copy)]
pub struct Trial {
    /// Rows of the sample.
    pub rows: u64,
    /// Tokens of a row on average.
    pub tokens_per_row: f64,
    /// Tokens of all rows.
    pub tokens: f64,
    /// Bytes of all vectors, as they are stored.
    pub bytes: f64,
    /// How fast the model is; none if the sample has no text.
    pub tokens_per_second: Option<f64>,
}

impl Estimate {
    /// Looks at what is there, and tries the model on a sample of what is not.
    ///
    /// # Errors
    /// Whatever would make the run itself fail before it starts.
    pub fn take(job: &Job, consent: Consent, watch: &dyn Watch) -> Result<Self, Error> {
        let folder = job.settings.folder()?;
        refuse_foreign_files(&folder, consent)?;
        let saved = match Manifest::load(&folder) {
            Err(error) if may_go(&error, consent) => None,
            saved => saved?,
        };
        let found = Found::look(job, folder, saved, consent, watch)?;
        let shard = job.settings.shard.unwrap_or((0, 1));
        let own = found.survey.plan.iter().filter(|part| part.belongs_to(shard));
        let (made, to_make): (Vec<&Part>, Vec<&Part>) = own.partition(|part| found.is_there(part));
        let rows = to_make.iter().map(|part| part.num_rows()).sum();
        let trial = if rows == 0 { None } else { Some(trial(job, &to_make, rows, watch)?) };
        Ok(Self {
            parts_made: made.len(),
            parts_to_make: to_make.len(),
            rows,
            skipped: found.survey.skipped,
            trial,
        })
    }
}

fn trial(job: &Job, to_make: &[&Part], rows: u64, watch: &dyn Watch) -> Result<Trial, Error> {
    let (sampled, documents) = sample(job, to_make)?;
    let mean = |sum: usize| sum as f64 / sampled.max(1) as f64;
    let tokens_per_row = mean(documents.iter().map(Document::encoded_tokens).sum());
    let vectors_per_row = match job.features.unit() {
        Unit::Row => 1.0,
        unit => mean(documents.iter().map(|document| unit.rows_of(Some(document))).sum()),
    };
    let value_bytes = match job.settings.dtype {
        FloatType::Float32 => BYTES_PER_FLOAT32,
        FloatType::Float16 => BYTES_PER_FLOAT16,
    };
    Ok(Trial {
        rows: sampled,
        tokens_per_row,
        tokens: tokens_per_row * rows as f64,
        bytes: job.features.width() as f64 * value_bytes * vectors_per_row * rows as f64,
        tokens_per_second: tokens_per_second(job, &documents, watch)?,
    })
}

/// How many rows were looked at, and their texts, tokenized.
fn sample(job: &Job, to_make: &[&Part]) -> Result<(u64, Vec<Document>), Error> {
    let (mut sampled, mut found) = (0, Vec::new());
    let step = to_make.len().div_ceil(SAMPLE_PARTS).max(1);
    let share = SAMPLE_ROWS / to_make.len().clamp(1, SAMPLE_PARTS) as u64;
    for part in to_make.iter().step_by(step) {
        let input = &job.inputs[part.input];
        let rows = part.rows.start..part.rows.end.min(part.rows.start + share);
        sampled += rows.end - rows.start;
        let mut first_row = rows.start;
        for read in input.file.read(&input.columns.read, rows)? {
            let subjects = [input.columns.subjects(&read?)?];
            let file = input.file.source.shown.display();
            let place = |row| format!("{file}, row {}", first_row + row as u64);
            let documents = documents(&job.tokenizer, job.settings.refuse_overflow, &subjects, place)?;
            first_row += documents.len() as u64;
            found.extend(documents.into_iter().flatten());
        }
    }
    Ok((sampled, found))
}

/// How fast the model is on batches of these texts, after a first one to warm up.
fn tokens_per_second(job: &Job, documents: &[Document], watch: &dyn Watch) -> Result<Option<f64>, Error> {
    let windows: Vec<&Encoding> = documents.iter().flat_map(|document| &document.windows).collect();
    if windows.is_empty() {
        return Ok(None);
    }
    let extractor = job.extractor()?;
    let batches = extractor.plan(&windows, job.max_batch_tokens());
    let run = |batches: &[Batch]| -> Result<f64, Error> {
        let start = Instant::now();
        extractor.extract_each(&windows, batches, |_, _| watch::check(watch))?;
        let tokens: usize = batches.iter().map(|batch| batch.tokens).sum();
        Ok(tokens as f64 / start.elapsed().as_secs_f64().max(1e-6))
    };
    let enough = run(&batches[..1])? * TRIAL.as_secs_f64();
    // From both ends: long and short texts differ in speed.
    let ends = batches.iter().zip(batches.iter().rev()).flat_map(|(long, short)| [long, short]);
    let mut tokens = 0;
    let chosen = ends.take(batches.len()).take_while(|batch| {
        let is_wanted = (tokens as f64) < enough;
        tokens += batch.tokens;
        is_wanted
    });
    run(&chosen.cloned().collect::<Vec<_>>()).map(Some)
}
