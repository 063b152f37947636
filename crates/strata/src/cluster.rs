//! Others who make the parts of a run. The program has none of its own: whoever carries it brings them.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use strata_featurize::{Error, Part, Watch};

use crate::options::cli::Workers;

/// What knows of machines, and has parts made on them.
pub trait Cluster: Sync {
    /// Has `parts` made by [workers](strata_featurize::Worker), and tells `watch` about it. Returns the input files
    /// that were skipped, with the reason.
    ///
    /// # Errors
    /// A worker fails; the cluster does; `watch` cancels the work.
    fn make(
        &self,
        order: &Order,
        parts: &[Part],
        watch: &dyn Watch,
    ) -> Result<BTreeMap<String, String>, Error>;

    /// Whether the run is to end as soon as it can, also before there are parts to make.
    fn is_cancelled(&self) -> bool {
        false
    }
}

/// What workers are told, and how many there are to be.
#[derive(Debug, Clone, Serialize)]
pub struct Order<'a> {
    /// The options of the run, for [`settings`](crate::settings), with paths that mean the same on every machine.
    pub options: Value,
    /// How many workers, and where.
    #[serde(flatten)]
    pub workers: &'a Workers,
}
