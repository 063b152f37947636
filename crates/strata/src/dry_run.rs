//! `strata run --dry-run`: what a run would do, from the plan and a sample. Writes nothing.

use std::time::{Duration, Instant};

use indicatif::{HumanBytes, HumanCount, HumanDuration};
use strata_bert::{Document, Encoding, TextInput, Unit, batch};
use strata_io::{ErrorKind, Manifest, Notes, Stamp};

use crate::console::{counted, print_result};
use crate::job::Job;
use crate::output;
use crate::pipeline::tokenize::with_its_row;
use crate::plan::Part;
use crate::signals::Signals;
use crate::survey::{Consent, Survey};

/// Rows that stand for all.
const SAMPLE_ROWS: u64 = 512;
/// Parts that the sample is taken from.
const SAMPLE_PARTS: usize = 8;
/// How long the model is tried.
const TRIAL: Duration = Duration::from_secs(2);
/// What a value of each width takes in a part on average, compressed.
const BYTES_PER_FLOAT32: f64 = 3.4;
const BYTES_PER_FLOAT16: f64 = 1.84;

/// Prints rows, parts done and to do, bytes of output, tokens and time.
///
/// # Errors
/// Whatever would make the run itself fail before it starts.
pub fn dry_run(job: &Job, consent: Consent, signals: &Signals) -> anyhow::Result<()> {
    let folder = &job.settings.output;
    output::refuse_foreign_files(folder, consent)?;
    let saved = match Manifest::load(folder) {
        Err(error) if consent.overwrite && error.kind() == ErrorKind::Manifest => None,
        saved => saved?,
    };
    let survey = Survey::take(job, saved.as_ref(), &mut Notes::load(folder), signals)?;
    let mut manifest = saved.unwrap_or_else(|| Manifest::new("", survey.fingerprint.clone()));
    survey.reconcile(&mut manifest, consent)?;

    let shard = job.settings.shard.unwrap_or((0, 1));
    let own = survey.plan.iter().filter(|part| part.belongs_to(shard));
    let is_there = |part: &&Part| {
        let bytes = Stamp::of(&folder.join(&part.file_name)).map(|stamp| stamp.bytes).ok();
        survey.made(part, &manifest).is_some_and(|record| Some(record.bytes) == bytes)
    };
    let (made, to_do): (Vec<&Part>, Vec<&Part>) = own.partition(is_there);
    let rows: u64 = to_do.iter().map(|part| num_rows(part)).sum();
    let text = format!(
        "{}: {} of {}, {} already there, {} to make\n",
        folder.display(),
        counted(made.len() + to_do.len(), "part"),
        counted(job.inputs.len(), "file"),
        HumanCount(made.len() as u64),
        HumanCount(to_do.len() as u64),
    );
    let skipped: Vec<String> =
        survey.skipped.iter().map(|(name, reason)| format!("  to be skipped   {name}: {reason}\n")).collect();
    let estimate = if rows == 0 { String::new() } else { estimate(job, &to_do, rows, signals)? };
    print_result(&format!("{text}{}  rows to encode  {}\n{estimate}", skipped.concat(), HumanCount(rows)))
}

/// The lines that rest on a sample.
fn estimate(job: &Job, to_do: &[&Part], rows: u64, signals: &Signals) -> anyhow::Result<String> {
    let (sampled, documents) = sample(job, to_do)?;
    let mean = |sum: usize| sum as f64 / sampled.max(1) as f64;
    let per_row = mean(documents.iter().map(Document::encoded_tokens).sum());
    let vectors_per_row = match job.features.unit() {
        Unit::Row => 1.0,
        unit => mean(documents.iter().map(|document| unit.rows_of(Some(document))).sum()),
    };
    let rate = tokens_per_second(job, &documents, signals)?;
    let tokens = per_row * rows as f64;
    let value_bytes = if job.settings.dtype == strata_io::FloatType::Float32 {
        BYTES_PER_FLOAT32
    } else {
        BYTES_PER_FLOAT16
    };
    let bytes = job.features.width() as f64 * value_bytes * vectors_per_row * rows as f64;
    let time = rate.map_or_else(
        || "unknown: the sample has no text".to_owned(),
        |rate| {
            let left = HumanDuration(Duration::from_secs_f64(tokens / rate));
            format!("about {left} ({} tokens/s in the sample)", HumanCount(rate as u64))
        },
    );
    Ok(format!(
        "  tokens          about {} ({per_row:.1} a row in a sample of {})\n  \
         vectors         about {}\n  time            {time}\n",
        HumanCount(tokens as u64),
        HumanCount(sampled),
        HumanBytes(bytes as u64),
    ))
}

/// How many rows were looked at, and their texts, tokenized.
fn sample(job: &Job, to_do: &[&Part]) -> anyhow::Result<(u64, Vec<Document>)> {
    let (mut sampled, mut documents) = (0, Vec::new());
    let step = to_do.len().div_ceil(SAMPLE_PARTS).max(1);
    let share = SAMPLE_ROWS / to_do.len().clamp(1, SAMPLE_PARTS) as u64;
    for part in to_do.iter().step_by(step) {
        let input = &job.inputs[part.input];
        let rows = part.rows.start..part.rows.end.min(part.rows.start + share);
        sampled += rows.end - rows.start;
        let mut first_row = rows.start;
        for read in input.file.read(&input.columns.read, rows)? {
            let subjects = input.columns.subjects(&read?)?;
            let texts: Vec<TextInput> = (0..subjects.len()).filter_map(|row| subjects.get(row)).collect();
            let has_text = (0..subjects.len()).map(|row| subjects.get(row).is_some());
            let path = input.file.source.path.display();
            let encoded = job.tokenizer.encode(&texts);
            documents.extend(encoded.map_err(|error| with_its_row(error, path, first_row, has_text))?);
            first_row += subjects.len() as u64;
        }
    }
    Ok((sampled, documents))
}

/// How fast the model is on batches of these texts, after a first one to warm up.
fn tokens_per_second(job: &Job, documents: &[Document], signals: &Signals) -> anyhow::Result<Option<f64>> {
    let windows: Vec<&Encoding> = documents.iter().flat_map(|document| &document.windows).collect();
    let lengths: Vec<usize> = windows.iter().map(|window| window.len()).collect();
    let batches = batch::plan(&lengths, job.max_batch_tokens());
    let Some(first) = batches.first() else { return Ok(None) };
    let extractor = job.extractor()?;
    let run = |batch: &batch::Batch| -> anyhow::Result<usize> {
        signals.check()?;
        let members: Vec<&Encoding> = batch.rows.iter().map(|&row| windows[row]).collect();
        extractor.extract(&members)?;
        Ok(batch.tokens)
    };
    run(first)?;
    let (start, mut tokens) = (Instant::now(), 0);
    // From both ends: long and short texts differ in speed.
    let ends = batches.iter().zip(batches.iter().rev()).flat_map(|(long, short)| [long, short]);
    for batch in ends.take(batches.len()) {
        tokens += run(batch)?;
        if start.elapsed() > TRIAL {
            break;
        }
    }
    Ok(Some(tokens as f64 / start.elapsed().as_secs_f64().max(1e-6)))
}

fn num_rows(part: &Part) -> u64 {
    part.rows.end - part.rows.start
}
