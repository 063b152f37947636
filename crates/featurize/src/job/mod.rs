//! Settings held against the model and the input files: everything that can be refused is refused
//! here, before any output is touched.

pub(crate) mod fingerprint;
pub(crate) mod input;
pub(crate) mod inputs;
pub(crate) mod model;
mod reconcile;
mod sentence;
pub(crate) mod settings;
pub mod text_formats;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use input::JobInput;
use inputs::Opened;
use model::Model;
use serde_json::{Map, Value};
use settings::Settings;
use strata_bert::{Checkpoint, Extractor, Features, LIBTORCH_VERSION, TextTokenizer, Unit};

use crate::Error;

/// A run that can be done.
pub struct Job {
    /// What is wanted.
    pub settings: Settings,
    /// The model, not yet loaded.
    pub checkpoint: Checkpoint,
    /// The columns of vectors.
    pub features: Features,
    /// The model's tokenizer.
    pub tokenizer: TextTokenizer,
    /// The input files, in order.
    pub inputs: Vec<JobInput>,
    /// What the user might not expect of the model's folder or the device.
    pub remarks: Vec<String>,
    /// Input files that cannot be opened, by name, with the reason; none unless those are skipped.
    pub skipped: BTreeMap<String, String>,
    /// Names of input files that hold nothing beside others that do.
    pub empty: BTreeSet<String>,
    /// Types of kept columns that a file alone does not decide, by column.
    pub types: BTreeMap<String, String>,
    /// The version of the libtorch that computes where it has a part in the values.
    pub libtorch: Option<&'static str>,
}

impl Job {
    /// Holds `settings` against the files they name.
    ///
    /// # Errors
    /// Anything that makes the run impossible.
    pub fn prepare(settings: Settings) -> Result<Self, Error> {
        Self::prepared(settings, Extractor::check, LIBTORCH_VERSION)
    }

    /// As [`Job::prepare`], where nothing is computed: the device need not be there, and `libtorch` is the version of
    /// the one that would compute.
    ///
    /// # Errors
    /// Those of [`Job::prepare`], but for what concerns device and weights.
    pub fn prepare_without_device(settings: Settings, libtorch: Option<&'static str>) -> Result<Self, Error> {
        Self::prepared(settings, |_, _, _, _| Ok(None), libtorch)
    }

    fn prepared(
        mut settings: Settings,
        check: model::Check,
        libtorch: Option<&'static str>,
    ) -> Result<Self, Error> {
        let Model { folder, checkpoint, features, tokenizer, remarks } = Model::open(&mut settings, check)?;
        let Opened { inputs, skipped, empty, types } = inputs::open(&settings, &features)?;
        tracing::debug!(
            "model: a {} of {} layers in {}; input files: {}",
            checkpoint.config.model_type(),
            checkpoint.config.num_hidden_layers,
            folder.display(),
            inputs.len()
        );
        Ok(Self {
            settings,
            checkpoint,
            features,
            tokenizer,
            inputs,
            remarks,
            skipped,
            empty,
            types,
            libtorch,
        })
    }

    /// What decides the values of every part, as the parts and the manifest state it; `model` are the
    /// sums of the model's files.
    pub fn fingerprint(&self, model: &Value) -> Result<Map<String, Value>, Error> {
        fingerprint::of(self, model)
    }

    /// Whether libtorch has a part in the values, if there is one.
    pub fn uses_libtorch(&self) -> bool {
        self.settings.device.uses_libtorch(&self.checkpoint.config, &self.features)
    }

    /// Loads the layers of the model that the features need.
    ///
    /// # Errors
    /// The weights cannot be read, or the device not be used.
    pub fn extractor(&self) -> Result<Extractor, Error> {
        model::load(&self.checkpoint, &self.features, &self.settings)
    }

    /// Does `work` while the model is loaded beside it.
    pub fn load_beside<T>(&self, work: impl FnOnce() -> T) -> (T, Result<Extractor, Error>) {
        thread::scope(|scope| {
            let loading = scope.spawn(|| self.extractor());
            let result = work();
            (result, loading.join().unwrap_or_else(|panic| Err(Error::panicked(&*panic))))
        })
    }

    /// The most tokens of a forward pass, unless a single text has more.
    pub fn max_batch_tokens(&self) -> usize {
        model::max_batch_tokens(&self.settings)
    }

    /// The most tokens, words or spans whose vectors are computed before any is written.
    pub fn most_items(&self) -> usize {
        // Twice as much as of rows: a few thousand tokens are few texts, and those batch badly.
        const VECTOR_BYTES: usize = 64 << 20;
        (VECTOR_BYTES / self.row_bytes().max(1)).clamp(1, 64 * 1024)
    }

    /// Bytes of the vectors that an input row is supposed to have.
    pub fn input_row_bytes(&self) -> usize {
        const ITEMS_OF_A_ROW: usize = 32;
        let items = if self.features.unit() == Unit::Row { 1 } else { ITEMS_OF_A_ROW };
        self.row_bytes() * items
    }

    /// Bytes of one output row's vectors while they are computed.
    pub fn row_bytes(&self) -> usize {
        self.features.width() * size_of::<f32>()
    }
}
