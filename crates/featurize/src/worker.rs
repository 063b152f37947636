//! One of several processes, on this machine or others, that make parts of one output.

use std::collections::BTreeMap;

use strata_bert::Extractor;

use crate::Error;
use crate::job::Job;
use crate::output::Output;
use crate::pipeline::target::Folder;
use crate::pipeline::{self, Done};
use crate::plan::parts::Part;
use crate::watch::Watch;

/// Makes parts for [`run_by`](crate::run_by), which holds the output folder, with a model that stays loaded.
pub struct Worker {
    job: Job,
    output: Output,
    extractor: Extractor,
}

impl Worker {
    /// Loads the model, and makes sure that what is made here is what would be made where the run began.
    ///
    /// # Errors
    /// It would not; the output was not begun, as this machine sees it; the model or the inputs cannot be read.
    pub fn join(job: Job, watch: &dyn Watch) -> Result<Self, Error> {
        let (output, extractor) = job.load_beside(|| Output::join(&job, watch));
        Ok(Self { output: output?, extractor: extractor?, job })
    }

    /// Makes and commits the parts of these names. Those that somebody has committed meanwhile are left as they
    /// are. Returns the input files that were skipped, with the reason.
    ///
    /// # Errors
    /// The input files make no such part; the first failure on the data's way; another run has changed the
    /// output; the work is cancelled. Parts that were committed before stay.
    pub fn make(&mut self, names: &[String], watch: &dyn Watch) -> Result<BTreeMap<String, String>, Error> {
        let Self { job, output, extractor } = self;
        let parts = names.iter().map(|name| output.part(name)).collect::<Result<Vec<&Part>, _>>()?;
        let mut to_make = Vec::new();
        for part in parts {
            if !output.is_committed(part)? {
                to_make.push(part.clone());
            }
        }
        let mut done = Done::default();
        pipeline::run(job, &to_make, &mut Folder::new(output), extractor, watch, &mut done)?;
        Ok(done.skipped)
    }
}
