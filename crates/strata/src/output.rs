//! The output folder of one run: who may write to it, what it already holds, what is added to it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::{Map, Value, json};
use strata_io::{
    FinishedPart, InputRecord, Manifest, OutputLock, PartRecord, SUCCESS_FILE, blake3_file, clear_success,
    differences, mark_success, update_manifest,
};

use crate::failure::Refusal;
use crate::job::{Job, JobInput};
use crate::plan::{self, Part};

/// An output folder that this process has locked.
pub struct Output {
    pub folder: PathBuf,
    /// Every part of the plan, also those that exist and those of other shards.
    pub plan: Vec<Part>,
    manifest: Manifest,
    names: Vec<String>,
    _lock: OutputLock,
}

impl Output {
    /// Makes and locks the folder, and holds what it already has against the job.
    ///
    /// # Errors
    /// The folder cannot be written or is in use; it holds parts of other settings and `overwrite`
    /// is not given, or files that are not strata's.
    pub fn open(job: &Job, overwrite: bool) -> anyhow::Result<Self> {
        let folder = job.settings.output.clone();
        fs_err::create_dir_all(&folder)?;
        let lock = OutputLock::acquire(&folder, job.settings.shard)?;
        let fresh = Manifest::new(env!("CARGO_PKG_VERSION"), job.fingerprint.clone());
        let known = known_manifest(&folder, &job.fingerprint, overwrite)?;
        let records = known.as_ref().map(|known| &known.inputs);
        let inputs: Vec<InputRecord> = job
            .inputs
            .iter()
            .map(|input| record(input, records.and_then(|records| records.get(&input.file.source.name))))
            .collect::<Result<_, _>>()?;

        let extension = job.settings.format.extension();
        let stems: Vec<(String, u64)> = job
            .inputs
            .iter()
            .zip(&inputs)
            .map(|(input, record)| (input.file.source.stem(), record.rows))
            .collect();
        let rows_per_part =
            job.settings.rows_per_part.unwrap_or_else(|| plan::default_rows_per_part(job.row_bytes()));
        let plan = plan::plan(&stems, rows_per_part, extension);
        let names: Vec<String> = job.inputs.iter().map(|input| input.file.source.name.clone()).collect();

        let manifest = update_manifest::<anyhow::Error>(&folder, fresh, |manifest| {
            manifest.strata = env!("CARGO_PKG_VERSION").to_owned();
            if manifest.fingerprint != job.fingerprint {
                manifest.fingerprint = job.fingerprint.clone();
                manifest.parts.clear();
                manifest.inputs.clear();
            }
            for (name, record) in names.iter().zip(inputs) {
                let changed = manifest
                    .inputs
                    .insert(name.clone(), record.clone())
                    .is_some_and(|old| old.blake3 != record.blake3);
                if changed {
                    manifest.parts.retain(|_, part| part.input != *name);
                }
            }
            // Parts of this plan only, or of inputs that are no longer there.
            manifest.parts.retain(|file, part| {
                !names.contains(&part.input) || plan.iter().any(|p| matches(p, file, part))
            });
            Ok(())
        })?;
        let output = Self { folder, plan, manifest, names, _lock: lock };
        output.sweep(job.settings.shard.is_none())?;
        Ok(output)
    }

    /// The parts that this shard has yet to make. A part counts as made only if its bytes are those
    /// that were written.
    pub fn missing(&self, shard: (u32, u32)) -> anyhow::Result<Vec<Part>> {
        let mut missing = Vec::new();
        for part in self.plan.iter().filter(|part| part.belongs_to(shard)) {
            if !self.is_intact(part)? {
                missing.push(part.clone());
            }
        }
        if !missing.is_empty() {
            clear_success(&self.folder)?;
        }
        Ok(missing)
    }

    fn is_intact(&self, part: &Part) -> anyhow::Result<bool> {
        let path = self.folder.join(&part.file_name);
        let Some(record) = self.manifest.parts.get(&part.file_name) else { return Ok(false) };
        let bytes = path.metadata().map(|metadata| metadata.len()).ok();
        Ok(bytes == Some(record.bytes) && blake3_file(&path)? == record.blake3)
    }

    /// Enters a committed part into the manifest.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn commit(
        &mut self,
        part: &Part,
        finished: FinishedPart,
        counts: Map<String, Value>,
    ) -> anyhow::Result<()> {
        let record = PartRecord {
            input: self.names[part.input].clone(),
            rows: [part.rows.start, part.rows.end],
            bytes: finished.bytes,
            blake3: finished.blake3,
            counts,
        };
        let current = self.manifest.clone();
        self.manifest = update_manifest::<anyhow::Error>(&self.folder, current, |manifest| {
            manifest.parts.insert(finished.file_name, record);
            Ok(())
        })?;
        Ok(())
    }

    /// Marks the output as whole if every part of the plan is there, whichever shard made it.
    ///
    /// # Errors
    /// The marker cannot be written.
    pub fn complete(&mut self) -> anyhow::Result<bool> {
        self.manifest = Manifest::load(&self.folder)?.unwrap_or_else(|| self.manifest.clone());
        let whole = self.plan.iter().all(|part| self.manifest.parts.contains_key(&part.file_name));
        if whole && !self.folder.join(SUCCESS_FILE).exists() {
            mark_success(&self.folder, "")?;
        }
        Ok(whole)
    }

    /// What a part states about its origin: everything that decides its values, no clock, no path.
    pub fn provenance(&self, job: &Job, part: &Part) -> Result<String, serde_json::Error> {
        let mut provenance = job.fingerprint.clone();
        let name = &self.names[part.input];
        let content = self.manifest.inputs.get(name).map(|input| input.blake3.clone());
        provenance.insert(
            "input".to_owned(),
            json!({"file": name, "blake3": content, "rows": [part.rows.start, part.rows.end]}),
        );
        serde_json::to_string(&provenance)
    }

    /// Inputs that are gone but whose parts are still here.
    pub fn vanished_inputs(&self) -> BTreeSet<&str> {
        let inputs = self.manifest.parts.values().map(|part| part.input.as_str());
        inputs.filter(|input| !self.names.iter().any(|name| name == input)).collect()
    }

    /// Removes what dead runs left: their temporary files, and parts that the manifest no longer
    /// names. A run that shares the folder with other shards leaves theirs alone.
    fn sweep(&self, alone: bool) -> anyhow::Result<()> {
        if !alone {
            return Ok(());
        }
        for entry in fs_err::read_dir(&self.folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let is_temporary = name.starts_with('.') && name.ends_with(".partial");
            let is_orphan = [".parquet", ".arrow"].iter().any(|extension| name.ends_with(extension))
                && !self.manifest.parts.contains_key(&name);
            if is_temporary || is_orphan {
                fs_err::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

fn matches(planned: &Part, file: &str, part: &PartRecord) -> bool {
    planned.file_name == file && [planned.rows.start, planned.rows.end] == part.rows
}

/// The manifest that is there, if its parts may stay.
fn known_manifest(
    folder: &std::path::Path,
    fingerprint: &Map<String, Value>,
    overwrite: bool,
) -> anyhow::Result<Option<Manifest>> {
    let Some(manifest) = Manifest::load(folder)? else {
        refuse_foreign_files(folder)?;
        return Ok(None);
    };
    let differences = differences(&manifest.fingerprint, fingerprint);
    if differences.is_empty() || overwrite {
        return Ok(Some(manifest));
    }
    let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
    Err(Refusal::configuration(format!(
        "{} holds parts made otherwise: {}",
        folder.display(),
        list.join("; ")
    ))
    .hint("write to another folder, or start afresh with --overwrite")
    .into())
}

/// A folder without a manifest is not ours to sweep.
fn refuse_foreign_files(folder: &std::path::Path) -> anyhow::Result<()> {
    for entry in fs_err::read_dir(folder)? {
        let name = entry?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            let found = name.to_string_lossy().into_owned();
            return Err(Refusal::configuration(format!(
                "{} is not empty and has no manifest.json: it holds `{found}`",
                folder.display()
            ))
            .hint("give an empty folder, or one that strata wrote")
            .into());
        }
    }
    Ok(())
}

/// The identity of an input file; its content is read again only if size or time have changed.
fn record(input: &JobInput, known: Option<&InputRecord>) -> anyhow::Result<InputRecord> {
    let source = &input.file.source;
    let same = |known: &&InputRecord| (known.bytes, known.modified_ns) == (source.bytes, source.modified_ns);
    if let Some(known) = known.filter(same) {
        return Ok(known.clone());
    }
    Ok(InputRecord {
        bytes: source.bytes,
        modified_ns: source.modified_ns,
        blake3: blake3_file(&source.path)?,
        rows: input.file.count_rows()?,
    })
}
