//! The output folder of one run: who may write to it, what it already holds, what is added to it.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use serde_json::{Map, Value};
use strata_io::{
    ClosedPart, FinishedPart, Manifest, Notes, OutputFolder, OutputLock, PartRecord, PartStamps,
    SharedManifest, Stamp, blake3_file_while, stray_parts, sweep_temporaries,
};

use crate::Error;
use crate::error::Refusal;
use crate::job::Job;
use crate::job::fingerprint::provenance_of_part;
use crate::plan::existing::{may_go, refuse_foreign_files, refuse_mixed_columns};
use crate::plan::parts::Part;
use crate::plan::survey::{Consent, Survey};
use crate::watch::{self, Watch};

/// The key of the options of the last run among what the machine remembers of an output.
pub const OPTIONS: &str = "options";

/// What to do where machines see different input files.
const SAME_INPUTS: &str = "all machines must see the same input files at the same paths";

/// An output folder that this process has locked, or that another has for which it makes parts.
pub struct Output {
    pub folder: OutputFolder,
    pub survey: Survey,
    manifest: SharedManifest,
    notes: Notes,
    shard: Option<(u32, u32)>,
    /// Tells this process's temporary files from those of others at work.
    pub owner: String,
    /// None where another process holds it.
    _lock: Option<OutputLock>,
    /// Who that is; a run that begins after it is another.
    held_by: Option<String>,
}

impl Output {
    /// Makes and locks the folder, and brings what it already has to the present. `options` are
    /// remembered for whoever looks at the output later.
    ///
    /// # Errors
    /// The folder cannot be written or is in use; it holds parts made otherwise without `consent` to
    /// lose them, or files that are not strata's; an input file cannot be read; the work is cancelled.
    pub fn open(job: &Job, consent: Consent, options: Value, watch: &dyn Watch) -> Result<Self, Error> {
        let folder = job.settings.folder()?;
        refuse_foreign_files(&folder, consent)?;
        folder.make()?;
        let lock = OutputLock::acquire(&folder, job.settings.shard)?;
        let folder = folder.under(&lock);
        let mut notes = Notes::load(&folder);
        let mut manifest = SharedManifest::new(folder.clone(), Manifest::new("", Map::new()));
        let known = match manifest.read() {
            Err(error) if may_go(&error, consent) => {
                folder.clear_marker()?;
                folder.forget()?;
                // What was read of it before it was found to be of no use is gone as well.
                manifest = SharedManifest::new(folder.clone(), Manifest::new("", Map::new()));
                None
            }
            known => known?,
        };
        if known.is_none() {
            // Whole is what a manifest says.
            folder.clear_marker()?;
        }
        let survey = Survey::take(job, known, &mut notes, watch)?;
        notes.remember(OPTIONS, options);

        let shard = job.settings.shard;
        let owner = shard.map(|(index, count)| format!("{index}-of-{count}")).unwrap_or_default();
        let mut output =
            Self { folder, survey, manifest, notes, shard, owner, _lock: Some(lock), held_by: None };
        output.reconcile(consent)?;
        output.sweep()?;
        Ok(output)
    }

    /// Opens the folder beside the process that has opened it and holds it, to make parts for that one.
    ///
    /// # Errors
    /// The folder is not there; what is made here would not be what is made there; an input file cannot be
    /// read; the work is cancelled.
    pub fn join(job: &Job, watch: &dyn Watch) -> Result<Self, Error> {
        let folder = job.settings.folder()?;
        let mut notes = Notes::load(&folder);
        let mut manifest = SharedManifest::new(folder.clone(), Manifest::new("", Map::new()));
        let Some(known) = manifest.read()? else {
            let message =
                format!("expected an output that was begun at {}, found none", folder.root().display());
            let advice = "all machines must see the output folder at the same path";
            return Err(Refusal::not_found(message).hint(advice).into());
        };
        let held_by = OutputLock::signature(&folder)?;
        let survey = Survey::take(job, Some(known), &mut notes, watch)?;
        let differences = survey.differences(known);
        if !differences.is_empty() {
            let message = format!("parts that this machine makes would be others: {differences}");
            let advice = "give every machine the same model and the same build of strata";
            return Err(Refusal::configuration(message).hint(advice).into());
        }
        let is_other = |(index, name): &(usize, &String)| {
            let known = known.inputs.get(*name).map(|record| &record.content);
            known != survey.content(*index)
        };
        if let Some((_, name)) = survey.names.iter().enumerate().find(is_other) {
            let message = format!("the input file `{name}` that this machine sees is not the one of the run");
            return Err(Refusal::configuration(message).hint(SAME_INPUTS).into());
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let owner = format!("worker-{:x}-{since:x}", std::process::id());
        Ok(Self { folder, survey, manifest, notes, shard: None, owner, _lock: None, held_by })
    }

    /// Brings the manifest to the present.
    fn reconcile(&mut self, consent: Consent) -> Result<(), Error> {
        let Self { folder, survey, manifest, notes, .. } = self;
        manifest.update(|manifest| {
            let before = manifest.clone();
            survey.reconcile(manifest, consent)?;
            refuse_mixed_columns(folder, manifest, survey)?;
            if before.parts != manifest.parts || !manifest.skipped.is_empty() {
                folder.clear_marker()?;
            }
            Ok(notes.save(folder)?)
        })
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
        let stamps = self.folder.stamps()?;
        let looked = own
            .into_par_iter()
            .map(|part| Ok((part.clone(), self.is_intact(part, &stamps, watch)?)))
            .collect::<Result<Vec<_>, Error>>()?;
        let mut missing = Vec::new();
        for (part, intact) in looked {
            match intact {
                Intact::No => missing.push(part),
                Intact::Noted => {}
                Intact::Read { path, stamp, hash } => self.notes.note(&path, stamp, hash),
            }
        }
        if !missing.is_empty() {
            self.manifest.update(|manifest| {
                missing.iter().for_each(|part| drop(manifest.parts.remove(&part.file_name)));
                self.folder.clear_marker()
            })?;
        }
        Ok(missing)
    }

    fn is_intact(&self, part: &Part, stamps: &PartStamps, watch: &dyn Watch) -> Result<Intact, Error> {
        let Some(record) = self.survey.made(part, self.manifest.get()) else { return Ok(Intact::No) };
        let path = self.folder.data().join(record.file_name(&part.file_name));
        let Some(stamp) = stamps.of(&path).filter(|stamp| stamp.bytes == record.bytes) else {
            return Ok(Intact::No);
        };
        if let Some(hash) = self.notes.hash_of(&path, &stamp) {
            return Ok(if hash == record.blake3 { Intact::Noted } else { Intact::No });
        }
        let hash = blake3_file_while(self.folder.store(), &path, || watch::check(watch))?;
        Ok(if hash == record.blake3 { Intact::Read { path, stamp, hash } } else { Intact::No })
    }

    /// The part of the plan that has this name.
    ///
    /// # Errors
    /// There is none.
    pub fn part(&self, file_name: &str) -> Result<&Part, Refusal> {
        let part = self.survey.plan.iter().find(|part| part.file_name == file_name);
        part.ok_or_else(|| {
            Refusal::configuration(format!(
                "the input files as this machine sees them make no part {file_name}"
            ))
            .hint(SAME_INPUTS)
        })
    }

    /// Whether a part that was missing when the run began was committed since.
    ///
    /// # Errors
    /// That cannot be found out.
    pub fn is_committed(&self, part: &Part) -> Result<bool, Error> {
        Ok(self.manifest.has_record(&part.file_name)?)
    }

    /// Takes in what others have made meanwhile. What they left unfinished goes, if they are done.
    ///
    /// # Errors
    /// The manifest cannot be read or written, or the leftovers not be removed.
    pub fn gather(&mut self, are_done: bool) -> Result<(), Error> {
        self.manifest.update(|_| Ok::<_, Error>(()))?;
        // In a folder, locks tell who is at work; workers in a store have none.
        if are_done || self.folder.store().is_local() { self.sweep() } else { Ok(()) }
    }

    /// What is known of a part of the plan, if somebody has made it.
    pub fn made(&self, part: &Part) -> Option<&PartRecord> {
        self.survey.made(part, self.manifest.get())
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
        let Self { folder, survey, manifest, notes, held_by, .. } = self;
        let input = &survey.names[part.input];
        let is_ours = |manifest: &Manifest| {
            let content = manifest.inputs.get(input).map(|record| &record.content);
            // Another run may be about other rows of the same content.
            let is_held = held_by.is_none() || *held_by == OutputLock::signature(folder)?;
            if is_held && manifest.fingerprint == survey.fingerprint && content == survey.content(part.input)
            {
                return Ok(());
            }
            let folder = folder.root().display();
            Err(Error::from(
                Refusal::configuration(format!(
                    "another run has changed {folder} meanwhile: its settings or `{input}` are not those of this run"
                ))
                .hint("run all shards with the same settings over the same files"),
            ))
        };
        let finished = manifest.commit(closed, is_ours, |file| PartRecord {
            input: input.clone(),
            rows: [part.rows.start, part.rows.end],
            output_rows: file.rows,
            bytes: file.bytes,
            blake3: file.blake3.clone(),
            counts,
            stored_as: file.stored_as.clone(),
        })?;
        let path = folder.data().join(finished.stored_as.as_ref().unwrap_or(&finished.file_name));
        // What something has removed by now is told of at the end.
        if let Ok(stamp) = folder.store().stamp(&path) {
            notes.note(&path, stamp, finished.blake3.clone());
        }
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
        self.manifest.update(|manifest| {
            manifest.skipped.extend(skipped.clone());
            Ok(())
        })
    }

    /// Keeps what was learned about files for the next run.
    ///
    /// # Errors
    /// The notes cannot be written.
    pub fn save_notes(&mut self) -> Result<(), Error> {
        Ok(self.manifest.hold(|_| self.notes.save(&self.folder))?)
    }

    /// Marks the output as whole if every part of the plan is there, whichever shard made it.
    ///
    /// # Errors
    /// The marker cannot be written.
    pub fn complete(&mut self) -> Result<bool, Error> {
        self.manifest.update(|_| Ok::<_, Error>(()))?;
        let Self { folder, survey, manifest, .. } = self;
        // Listed before the manifest is read: what others commit meanwhile is for them to find.
        let stamps = folder.stamps()?;
        let is_whole = manifest.hold(|manifest| {
            let is_there = |part: &Part| survey.is_there(part, manifest, folder, &stamps);
            let is_whole = manifest.skipped.is_empty() && survey.plan.iter().all(is_there);
            if !is_whole {
                return Ok(false);
            }
            if !folder.store().is_local() {
                // Who else is at work has nothing to add: what nobody has recorded is of no use to anybody.
                remove_strays(folder, manifest, &stamps)?;
            }
            folder.mark_whole().map(|()| true)
        })?;
        if is_whole && !self.folder.store().is_local() {
            // Whoever lost the output while it was asleep may have woken up since.
            self.sweep()?;
        }
        Ok(is_whole)
    }

    /// Parts of the plan that are not there, or not as they were made.
    ///
    /// # Errors
    /// The folder cannot be listed.
    pub fn lost_parts(&self) -> Result<Vec<&Part>, Error> {
        let stamps = self.folder.stamps()?;
        let is_lost = |part: &&Part| !self.survey.is_there(part, self.manifest.get(), &self.folder, &stamps);
        Ok(self.survey.plan.iter().filter(is_lost).collect())
    }

    /// Whether other processes make parts of the same output.
    pub fn is_shared(&self) -> bool {
        self.shard.is_some()
    }

    /// What a part states about its origin: everything that decides its values, no clock, no path.
    ///
    /// # Errors
    /// It does not serialize.
    pub fn provenance(&self, part: &Part) -> Result<String, serde_json::Error> {
        let input = &self.survey.names[part.input];
        let rows = [part.rows.start, part.rows.end];
        provenance_of_part(&self.survey.fingerprint, input, self.survey.content(part.input), rows)
    }

    /// Inputs that are gone but whose parts are still here.
    pub fn vanished_inputs(&self) -> Vec<String> {
        self.survey.vanished(self.manifest.get()).into_iter().collect()
    }

    /// Removes what dead runs left: their temporary files, and parts that the manifest does not name.
    /// Under the manifest's lock, where no part of a living run has a name but no entry.
    fn sweep(&mut self) -> Result<(), Error> {
        let (own, folder, shard) = (&self.owner, &self.folder, self.shard);
        // A store has no lock on the manifest: a part of another shard may be there and not yet in a record. Of what
        // is there by now, nothing is another's if by now there is no other.
        let (seen, uploads) = (folder.stamps()?, folder.uploads()?);
        if !OutputLock::is_alone(folder, shard)? {
            return Ok(());
        }
        Ok(self.manifest.hold(|manifest| {
            let others = |owner: &str| {
                shard.is_some_and(|(_, count)| {
                    owner != own.as_str() && owner.ends_with(&format!("-of-{count}"))
                })
            };
            sweep_temporaries(folder, others)?;
            uploads.iter().try_for_each(|upload| folder.give_up(upload))?;
            remove_strays(folder, manifest, &seen)
        })?)
    }
}

/// Removes parts that the manifest does not name; in a store only those that were there when it was last listed.
fn remove_strays(
    folder: &OutputFolder,
    manifest: &Manifest,
    seen: &PartStamps,
) -> Result<(), strata_io::Error> {
    for part in stray_parts(folder, manifest)? {
        if folder.store().is_local() || seen.of(&part).is_some() {
            folder.remove(&part)?;
        }
    }
    Ok(())
}

/// What became of a part that the manifest names.
enum Intact {
    No,
    /// Nothing has touched it since its bytes were last read or written.
    Noted,
    /// Its bytes were read.
    Read {
        path: PathBuf,
        stamp: Stamp,
        hash: String,
    },
}
