//! What an output has of a job's plan: looked at, and nothing is written.

use strata_io::{Manifest, Notes, OutputFolder, PartStamps};

use crate::Error;
use crate::job::Job;
use crate::plan::existing::refuse_mixed_columns;
use crate::plan::parts::Part;
use crate::plan::survey::{Consent, Survey};
use crate::watch::Watch;

/// A plan, and the output folder that it was held against.
pub struct Found {
    pub survey: Survey,
    /// What a run would begin with.
    pub manifest: Manifest,
    folder: OutputFolder,
    stamps: PartStamps,
}

impl Found {
    /// Holds a job's plan against its output `folder`, whose manifest is `saved`.
    ///
    /// # Errors
    /// Those of [`Survey::take`] and [`Survey::reconcile`]; the folder cannot be listed.
    pub fn look(
        job: &Job,
        folder: OutputFolder,
        saved: Option<Manifest>,
        consent: Consent,
        watch: &dyn Watch,
    ) -> Result<Self, Error> {
        let survey = Survey::take(job, saved.as_ref(), &mut Notes::load(&folder), watch)?;
        let mut manifest = saved.unwrap_or_else(|| Manifest::new("", survey.fingerprint.clone()));
        survey.reconcile(&mut manifest, consent)?;
        refuse_mixed_columns(&folder, &manifest, &survey)?;
        let stamps = folder.stamps()?;
        Ok(Self { survey, manifest, folder, stamps })
    }

    /// Whether a part of the plan is made and its file is at its place, as far as its size tells.
    pub fn is_there(&self, part: &Part) -> bool {
        self.survey.is_there(part, &self.manifest, &self.folder, &self.stamps)
    }
}
