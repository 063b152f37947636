//! The output folder of one run: who may write to it, what it already holds, what is added to it.

use std::path::{Path, PathBuf};

use rayon::prelude::*;
use serde_json::{Map, Value, json};
use strata_io::{
    ClosedPart, FinishedPart, Manifest, Notes, OutputLock, PartRecord, SUCCESS_FILE, Stamp,
    blake3_file_while, clear_success, mark_success, stray_files, sweep_temporaries, sync_folder,
    update_manifest,
};

use crate::Error;
use crate::error::Refusal;
use crate::job::Job;
use crate::plan::existing::{load_manifest, refuse_foreign_files};
use crate::plan::parts::Part;
use crate::plan::survey::{Consent, Survey};
use crate::watch::{self, Watch};

/// The key of the options of the last run among what the machine remembers of an output.
pub const OPTIONS: &str = "options";

/// An output folder that this process has locked.
pub struct Output {
    pub folder: PathBuf,
    pub survey: Survey,
    manifest: Manifest,
    notes: Notes,
    shard: Option<(u32, u32)>,
    _lock: OutputLock,
}

impl Output {
    /// Makes and locks the folder, and brings what it already has to the present. `options` are
    /// remembered for whoever looks at the output later.
    ///
    /// # Errors
    /// The folder cannot be written or is in use; it holds parts made otherwise without `consent` to
    /// lose them, or files that are not strata's; an input file cannot be read; the work is cancelled.
    pub fn open(job: &Job, consent: Consent, options: Value, watch: &dyn Watch) -> Result<Self, Error> {
        let folder = job.settings.output.clone();
        refuse_foreign_files(&folder, consent)?;
        make_folder(&folder)?;
        let lock = OutputLock::acquire(&folder, job.settings.shard)?;
        let mut notes = Notes::load(&folder);
        let known = load_manifest(&folder, consent)?;
        let survey = Survey::take(job, known.as_ref(), &mut notes, watch)?;
        notes.memory.insert(OPTIONS.to_owned(), options);

        let fresh = Manifest::new("", survey.fingerprint.clone());
        let manifest = update_manifest::<Error>(&folder, fresh, |manifest| {
            let before = manifest.clone();
            survey.reconcile(manifest, consent)?;
            if before.parts != manifest.parts || !manifest.skipped.is_empty() {
                clear_success(&folder)?;
            }
            notes.save(&folder)?;
            Ok(())
        })?;
        let output = Self { folder, survey, manifest, notes, shard: job.settings.shard, _lock: lock };
        output.sweep()?;
        Ok(output)
    }

    /// The parts that are this process's to make.
    pub fn own_parts(&self) -> impl Iterator<Item = &Part> {
        let shard = self.shard.unwrap_or((0, 1));
        self.survey.plan.iter().filter(move |part| part.belongs_to(shard))
    }

    /// The parts of this process that have yet to be made. A part counts as made only if its bytes
    /// are those that were written: read again, or not touched since they were.
    ///
    /// # Errors
    /// A part cannot be read; the work is cancelled.
    pub fn missing(&mut self, watch: &dyn Watch) -> Result<Vec<Part>, Error> {
        let own: Vec<&Part> = self.own_parts().collect();
        let looked = own
            .into_par_iter()
            .map(|part| Ok((part.clone(), self.is_intact(part, watch)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut missing = Vec::new();
        for (part, intact) in looked {
            match intact {
                Intact::No => missing.push(part),
                Intact::Noted => {}
                Intact::Read(stamp, hash) => self.notes.note(&self.folder.join(&part.file_name), stamp, hash),
            }
        }
        if !missing.is_empty() {
            self.manifest = update_manifest::<Error>(&self.folder, self.manifest.clone(), |manifest| {
                clear_success(&self.folder)?;
                missing.iter().for_each(|part| drop(manifest.parts.remove(&part.file_name)));
                Ok(())
            })?;
        }
        Ok(missing)
    }

    fn is_intact(&self, part: &Part, watch: &dyn Watch) -> Result<Intact, Error> {
        let path = self.folder.join(&part.file_name);
        let Some(record) = self.survey.made(part, &self.manifest) else { return Ok(Intact::No) };
        let Ok(stamp) = Stamp::of(&path) else { return Ok(Intact::No) };
        if stamp.bytes != record.bytes {
            return Ok(Intact::No);
        }
        if let Some(hash) = self.notes.hash_of(&path) {
            return Ok(if hash == record.blake3 { Intact::Noted } else { Intact::No });
        }
        let hash = blake3_file_while(&path, || watch::check(watch))?;
        Ok(if hash == record.blake3 { Intact::Read(stamp, hash) } else { Intact::No })
    }

    /// Tells this process's temporary files from those of other shards.
    pub fn owner(&self) -> String {
        self.shard.map(|(index, count)| format!("{index}-of-{count}")).unwrap_or_default()
    }

    /// Gives a part its name and enters it into the manifest, in one step as far as other shards can
    /// see.
    ///
    /// # Errors
    /// Either cannot be written; another shard has started over with other settings or inputs.
    pub fn commit(
        &mut self,
        part: &Part,
        closed: ClosedPart,
        counts: Map<String, Value>,
    ) -> Result<FinishedPart, Error> {
        let input = self.survey.names[part.input].clone();
        let mut finished = None;
        self.manifest = update_manifest::<Error>(&self.folder, self.manifest.clone(), |manifest| {
            let same_input = manifest.inputs.get(&input).map(|record| record.blake3.as_str())
                == self.survey.content(part.input);
            if manifest.fingerprint != self.survey.fingerprint || !same_input {
                return Err(Refusal::configuration(format!(
                    "another run has changed {} meanwhile: its settings or `{input}` are not those of this run",
                    self.folder.display()
                ))
                .hint("run all shards with the same settings over the same files")
                .into());
            }
            let part_file = closed.commit()?;
            let record = PartRecord {
                input,
                rows: [part.rows.start, part.rows.end],
                output_rows: part_file.rows,
                bytes: part_file.bytes,
                blake3: part_file.blake3.clone(),
                counts,
            };
            manifest.parts.insert(part_file.file_name.clone(), record);
            finished = Some(part_file);
            Ok(())
        })?;
        let finished = finished.ok_or_else(|| Error::Bug("a committed part has no file".to_owned()))?;
        let path = self.folder.join(&finished.file_name);
        self.notes.note(&path, Stamp::of(&path)?, finished.blake3.clone());
        Ok(finished)
    }

    /// Notes input files that could not be read to their end.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn skip(&mut self, skipped: impl IntoIterator<Item = (String, String)>) -> Result<(), Error> {
        self.survey.skipped.extend(skipped);
        let skipped = self.survey.skipped.clone();
        if skipped.is_empty() {
            return Ok(());
        }
        self.manifest = update_manifest::<Error>(&self.folder, self.manifest.clone(), |manifest| {
            manifest.skipped.extend(skipped);
            Ok(())
        })?;
        Ok(())
    }

    /// Keeps what was learned about files for the next run.
    ///
    /// # Errors
    /// The notes cannot be written.
    pub fn save_notes(&self) -> Result<(), Error> {
        update_manifest::<Error>(&self.folder, self.manifest.clone(), |_| {
            Ok(self.notes.save(&self.folder)?)
        })?;
        Ok(())
    }

    /// Marks the output as whole if every part of the plan is there, whichever shard made it.
    ///
    /// # Errors
    /// The marker cannot be written.
    pub fn complete(&mut self) -> Result<bool, Error> {
        let mut whole = false;
        self.manifest = update_manifest::<Error>(&self.folder, self.manifest.clone(), |manifest| {
            let is_there = |part: &Part| {
                let bytes = Stamp::of(&self.folder.join(&part.file_name)).map(|stamp| stamp.bytes).ok();
                self.survey.made(part, manifest).is_some_and(|record| Some(record.bytes) == bytes)
            };
            whole = manifest.skipped.is_empty() && self.survey.plan.iter().all(is_there);
            if whole && !self.folder.join(SUCCESS_FILE).exists() {
                mark_success(&self.folder, "")?;
            }
            Ok(())
        })?;
        Ok(whole)
    }

    /// What a part states about its origin: everything that decides its values, no clock, no path.
    ///
    /// # Errors
    /// It does not serialize.
    pub fn provenance(&self, part: &Part) -> Result<String, serde_json::Error> {
        let input = &self.survey.names[part.input];
        let rows = [part.rows.start, part.rows.end];
        provenance(&self.survey.fingerprint, input, self.survey.content(part.input), rows)
    }

    /// Inputs that are gone but whose parts are still here.
    pub fn vanished_inputs(&self) -> Vec<String> {
        self.survey.vanished(&self.manifest).into_iter().collect()
    }

    /// Removes what dead runs left: their temporary files, and parts that the manifest does not name.
    /// Under the manifest's lock, where no part of a living run has a name but no entry.
    fn sweep(&self) -> Result<(), Error> {
        update_manifest::<Error>(&self.folder, self.manifest.clone(), |manifest| {
            let own = self.owner();
            let others = |owner: &str| match self.shard {
                Some((_, count)) => owner != own && owner.ends_with(&format!("-of-{count}")),
                None => false,
            };
            sweep_temporaries(&self.folder, others)?;
            for (path, is_ours) in stray_files(&self.folder, manifest)? {
                if is_ours {
                    fs_err::remove_file(path)?;
                }
            }
            Ok(())
        })?;
        Ok(())
    }
}

/// What became of a part that the manifest names.
enum Intact {
    No,
    /// Nothing has touched it since its bytes were last read or written.
    Noted,
    /// Its bytes were read.
    Read(Stamp, String),
}

/// The provenance of a part, as JSON.
///
/// # Errors
/// It does not serialize.
pub fn provenance(
    fingerprint: &Map<String, Value>,
    input: &str,
    content: Option<&str>,
    rows: [u64; 2],
) -> Result<String, serde_json::Error> {
    let mut provenance = fingerprint.clone();
    provenance.insert("input".to_owned(), json!({"file": input, "blake3": content, "rows": rows}));
    serde_json::to_string(&provenance)
}

/// Makes the folder and the ones above it, for good.
fn make_folder(folder: &Path) -> Result<(), Error> {
    if folder.is_dir() {
        return Ok(());
    }
    fs_err::create_dir_all(folder)?;
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty());
    Ok(sync_folder(above.unwrap_or(Path::new(".")))?)
}
