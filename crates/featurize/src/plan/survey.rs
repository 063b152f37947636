//! What a run would be: the identity of model and input files, and the plan that follows from them.
//! Touches nothing in the output folder.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use arrow::datatypes::SchemaRef;
use serde_json::{Map, Value};
use strata_io::{
    Content, InputRecord, Manifest, Notes, OutputFolder, PartRecord, PartStamps, Source, Stamp,
    blake3_file_while, differences,
};

use crate::Error;
use crate::error::Refusal;
use crate::job::Job;
use crate::job::fingerprint::{LIBTORCH, present};
use crate::plan::parts::{self, Part};
use crate::watch::{self, Watch};

/// A job held against the content of its files.
pub struct Survey {
    /// What decides the values of every part, as the parts and the manifest state it.
    pub fingerprint: Map<String, Value>,
    /// Every part of the plan, also those that exist and those of other shards.
    pub plan: Vec<Part>,
    /// The name of each input of the job.
    pub names: Vec<String>,
    /// Input files that cannot be read, with the reason.
    pub skipped: BTreeMap<String, String>,
    /// The columns of the parts of the plan, if there are any inputs.
    pub columns: Option<SchemaRef>,
    /// Input files that hold nothing.
    empty: BTreeSet<String>,
    records: Vec<Option<InputRecord>>,
    /// The output folder, for messages.
    folder: PathBuf,
}

/// What may happen to parts that exist.
#[derive(Debug, Clone, Copy, Default)]
pub struct Consent {
    /// Parts of other settings or another model may go.
    pub overwrite: bool,
    /// Parts of input files that are no longer there may go.
    pub prune: bool,
}

impl Survey {
    /// Takes the identity of every file, from `notes` where they know it.
    ///
    /// # Errors
    /// A file cannot be read, unless bad files are to be skipped; more parts than names; the work is cancelled.
    pub fn take(
        job: &Job,
        known: Option<&Manifest>,
        notes: &mut Notes,
        watch: &dyn Watch,
    ) -> Result<Self, Error> {
        let fingerprint = job.fingerprint(&model_identity(job, notes)?)?;
        watch::check(watch)?;
        // Other settings may find another number of rows in the same bytes.
        let known = known.filter(|manifest| present(&manifest.fingerprint, &fingerprint) == fingerprint);
        let mut skipped = job.skipped.clone();
        let mut records = Vec::with_capacity(job.inputs.len());
        for input in &job.inputs {
            let name = &input.file.source.name;
            let known = known.and_then(|manifest| manifest.inputs.get(name));
            match record(job, &input.file, known, notes, watch) {
                Ok(record) => records.push(Some(record)),
                Err(error) => {
                    skipped.insert(name.clone(), job.settings.on_bad_file.reason_to_skip(error)?);
                    records.push(None);
                }
            }
        }
        let names = job.inputs.iter().map(|input| input.file.source.name.clone()).collect();
        let plan = plan_of(job, &records)?;
        let columns = job.inputs.first().map(|input| input.columns.schema.clone());
        let (empty, folder) = (job.empty.clone(), job.settings.output.clone());
        Ok(Self { fingerprint, plan, names, skipped, columns, empty, records, folder })
    }

    /// What tells the content of an input of the job.
    pub fn content(&self, input: usize) -> Option<&Content> {
        self.records[input].as_ref().map(|record| &record.content)
    }

    /// What the manifest says of a planned part, if it is the part that is planned.
    pub fn made<'a>(&self, part: &Part, manifest: &'a Manifest) -> Option<&'a PartRecord> {
        let record = manifest.parts.get(&part.file_name)?;
        (record.input == self.names[part.input] && record.rows == [part.rows.start, part.rows.end])
            .then_some(record)
    }

    /// Whether a part of the plan is made and its file is at its place, as far as its size tells.
    pub fn is_there(
        &self,
        part: &Part,
        manifest: &Manifest,
        folder: &OutputFolder,
        stamps: &PartStamps,
    ) -> bool {
        self.made(part, manifest).is_some_and(|record| {
            let stamp = stamps.of(&folder.find_part(record.file_name(&part.file_name)));
            stamp.is_some_and(|stamp| stamp.bytes == record.bytes)
        })
    }

    /// Brings a manifest to the present: without parts that this plan replaces.
    ///
    /// # Errors
    /// It names parts made otherwise, and there is no consent to lose them.
    pub fn reconcile(&self, manifest: &mut Manifest, consent: Consent) -> Result<(), Refusal> {
        manifest.fingerprint = present(&manifest.fingerprint, &self.fingerprint);
        if manifest.fingerprint != self.fingerprint {
            if !consent.overwrite && !manifest.parts.is_empty() {
                return Err(self.made_otherwise(manifest));
            }
            *manifest = Manifest::new("", self.fingerprint.clone());
        }
        manifest.strata = env!("CARGO_PKG_VERSION").to_owned();
        let mut changed = BTreeSet::new();
        for (name, record) in self.names.iter().zip(&self.records) {
            let Some(record) = record else { continue };
            let before = manifest.inputs.insert(name.clone(), record.clone());
            if before.is_some_and(|before| before.content != record.content) {
                changed.insert(name);
            }
        }
        let planned: HashMap<&str, &Part> =
            self.plan.iter().map(|part| (part.file_name.as_str(), part)).collect();
        let present = self.present();
        manifest.inputs.retain(|name, _| !self.empty.contains(name));
        // An input that is gone, and that others take places of, would keep some of its rows.
        let is_displaced = |(file, part): &(&String, &PartRecord)| {
            planned.contains_key(file.as_str()) && !present.contains(part.input.as_str())
        };
        let displaced: BTreeSet<String> =
            manifest.parts.iter().filter(is_displaced).map(|(_, part)| part.input.clone()).collect();
        let stays = |file: &String, part: &PartRecord| match planned.get(file.as_str()) {
            Some(planned) => {
                part.input == self.names[planned.input]
                    && part.rows == [planned.rows.start, planned.rows.end]
                    && !changed.contains(&part.input)
            }
            // Of an input that is gone, or that cannot be read at present.
            None => match present.contains(part.input.as_str()) {
                true => self.skipped.contains_key(&part.input),
                false => !consent.prune && !displaced.contains(&part.input),
            },
        };
        manifest.parts.retain(|file, part| stays(file, part));
        if consent.prune {
            manifest.inputs.retain(|name, _| present.contains(name.as_str()));
        }
        manifest.skipped.clone_from(&self.skipped);
        Ok(())
    }

    /// Inputs that are gone but whose parts are still there.
    pub fn vanished(&self, manifest: &Manifest) -> BTreeSet<String> {
        let present = self.present();
        let inputs = manifest.parts.values().map(|part| part.input.as_str());
        inputs.filter(|input| !present.contains(input)).map(str::to_owned).collect()
    }

    /// The names of all input files that are there, readable or not, and whether or not they hold anything.
    fn present(&self) -> BTreeSet<&str> {
        self.names.iter().chain(self.skipped.keys()).chain(&self.empty).map(String::as_str).collect()
    }

    /// In what the parts of a manifest and of this plan are made otherwise; nothing if in nothing.
    pub fn differences(&self, manifest: &Manifest) -> String {
        let differences = differences(&manifest.fingerprint, &self.fingerprint);
        let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
        list.join("; ")
    }

    fn made_otherwise(&self, manifest: &Manifest) -> Refusal {
        let (folder, differences) = (self.folder.display(), self.differences(manifest));
        let made = &manifest.fingerprint;
        let is_without = |of: &Map<String, Value>| of.get(LIBTORCH).is_some_and(Value::is_null);
        let hint = if is_without(&self.fingerprint) && !is_without(made) {
            "write to another folder, start afresh with --overwrite, or have libtorch go on with it (`make build` brings that)"
        } else {
            "write to another folder, or start afresh with --overwrite"
        };
        Refusal::configuration(format!("{folder} holds parts made otherwise: {differences}")).hint(hint)
    }
}

/// Sums of the model's files. Noted for each file, so that touching one of them is enough to read
/// all again.
fn model_identity(job: &Job, notes: &mut Notes) -> Result<Value, Error> {
    if job.settings.random_weights.is_some() {
        // The seed is in no file, and without weights there is little to read.
        return Ok(serde_json::to_value(job.checkpoint.fingerprint()?)?);
    }
    let files = job.checkpoint.files();
    let mut noted = files.iter().map(|file| notes.hash_of(file, &Stamp::of(file).ok()?));
    if let Some(Some(first)) = noted.next()
        && noted.all(|other| other == Some(first))
        && let Ok(known) = serde_json::from_str::<Value>(first)
        // Another run over the same output may have been about more of the model's files.
        && known.get("modules_sha256").is_some() == job.checkpoint.has_modules()
    {
        return Ok(known);
    }
    let stamps = files.iter().map(|file| Stamp::of(file)).collect::<Result<Vec<_>, _>>()?;
    let identity = serde_json::to_value(job.checkpoint.fingerprint()?)?;
    for (file, stamp) in files.iter().zip(stamps) {
        notes.note(file, stamp, identity.to_string());
    }
    Ok(identity)
}

/// The identity of an input file. Its rows are counted again only if its content is not `known`.
fn record(
    job: &Job,
    input: &strata_io::Input,
    known: Option<&InputRecord>,
    notes: &mut Notes,
    watch: &dyn Watch,
) -> Result<InputRecord, Error> {
    let source = &input.source;
    input.note(&job.settings.text_formats.options, notes)?;
    // What its store says of a file saves reading it once more.
    let content = match &source.tag {
        Some(tag) => Content::Tag(tag.clone()),
        None => Content::Blake3(hash_of(source, notes, watch)?),
    };
    let rows = match known.filter(|known| known.content == content) {
        Some(known) => known.rows,
        None => input.count_rows()?,
    };
    if source.tag.is_none() {
        // Rows are those of the file that was opened, the sum is that of the file that was there later.
        input.check_unchanged(&(0..rows))?;
    }
    watch::check(watch)?;
    Ok(InputRecord { bytes: source.bytes, modified_ns: source.modified_ns, content, rows })
}

fn hash_of(source: &Source, notes: &mut Notes, watch: &dyn Watch) -> Result<String, Error> {
    let stamp = source.stamp()?;
    if let Some(hash) = notes.hash_of(&source.path, &stamp) {
        return Ok(hash.to_owned());
    }
    let hash = blake3_file_while(&source.store, &source.path, || watch::check(watch))?;
    notes.note(&source.path, stamp, hash.clone());
    Ok(hash)
}

fn plan_of(job: &Job, records: &[Option<InputRecord>]) -> Result<Vec<Part>, Error> {
    let rows_per_part =
        job.settings.rows_per_part.unwrap_or_else(|| parts::default_rows_per_part(job.input_row_bytes()));
    let readable: Vec<(usize, &InputRecord)> =
        records.iter().enumerate().filter_map(|(index, record)| Some((index, record.as_ref()?))).collect();
    let stems: Vec<(String, u64)> =
        readable.iter().map(|&(index, record)| (job.inputs[index].file.source.stem(), record.rows)).collect();
    if let Some((stem, rows)) = stems.iter().find(|(_, rows)| rows.div_ceil(rows_per_part) > parts::MAX_PARTS)
    {
        return Err(Refusal::usage(format!(
            "{rows} rows of `{stem}` at {rows_per_part} a part make more than {} parts, whose names would not sort",
            parts::MAX_PARTS
        ))
        .hint("raise --rows-per-part, or split the file")
        .into());
    }
    let parts = parts::plan(&stems, rows_per_part, job.settings.format.extension());
    Ok(parts.into_iter().map(|part| Part { input: readable[part.input].0, ..part }).collect())
}
