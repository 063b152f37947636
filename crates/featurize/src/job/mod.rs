//! Settings held against the model and the input files: everything that can be refused is refused
//! here, before any output is touched.

pub(crate) mod inputs;
mod sentence;
pub(crate) mod settings;
pub mod text_formats;

use std::collections::BTreeMap;
use std::thread;

use inputs::{JobInput, Opened};
use serde_json::{Map, Value, json};
use settings::Settings;
use strata_bert::{Checkpoint, Division, Extractor, Features, TextTokenizer, TokenizerOptions, Unit};

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
    /// What the user might not expect of the model's folder.
    pub remarks: Vec<String>,
    /// Input files that cannot be opened, by name, with the reason; none unless those are skipped.
    pub skipped: BTreeMap<String, String>,
    /// Types of kept columns that a file alone does not decide, by column.
    pub types: BTreeMap<String, String>,
}

impl Job {
    /// Holds `settings` against the files they name.
    ///
    /// # Errors
    /// Anything that makes the run impossible.
    pub fn prepare(mut settings: Settings) -> Result<Self, Error> {
        let folder = strata_hub::locate(&settings.model)?;
        let (checkpoint, mut remarks) = sentence::open(&mut settings, &folder)?;
        let tokenizer = TextTokenizer::load(&checkpoint, &settings.tokenizer)?;
        remarks.extend(sentence::cut_earlier(&settings, &folder, &checkpoint, tokenizer.max_length()));
        if let Some(sentence) = &mut settings.features.sentence {
            sentence.prefix_tokens = tokenizer.prefix_tokens();
        }
        let features = Features::resolve(&settings.features, &checkpoint.config)?;
        Extractor::check(&checkpoint, &features, settings.device, settings.compute)?;
        let Opened { inputs, skipped, types } = inputs::open(&settings, &features)?;
        Ok(Self { settings, checkpoint, features, tokenizer, inputs, remarks, skipped, types })
    }

    /// What decides the values of every part, as the parts and the manifest state it; `model` are the
    /// sums of the model's files.
    pub fn fingerprint(&self, model: &Value) -> Result<Map<String, Value>, Error> {
        fingerprint(self, model)
    }

    /// Loads the layers of the model that the features need.
    ///
    /// # Errors
    /// The weights cannot be read, or the device not be used.
    pub fn extractor(&self) -> Result<Extractor, Error> {
        let Settings { device, compute, threads, .. } = self.settings;
        Ok(Extractor::load(&self.checkpoint, self.features.clone(), device, compute, threads)?)
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
        let Settings { max_batch_tokens, device, threads, .. } = self.settings;
        max_batch_tokens.unwrap_or_else(|| device.batch_tokens(threads.unwrap_or_else(settings::cores)))
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

fn fingerprint(job: &Job, model: &Value) -> Result<Map<String, Value>, Error> {
    let Job { settings, checkpoint, tokenizer, types, features: _, inputs: _, remarks: _, skipped: _ } = job;
    let Settings {
        text_formats,
        subject,
        keep,
        features: asked,
        format,
        dtype,
        device,
        compute,
        max_batch_tokens,
        // The tokenizer knows the length that is meant where none is given.
        tokenizer: TokenizerOptions { max_length: _, overflow: _, division, pairs: _, prefix: _, lower_case },
        // What comes of them is known.
        prefix: _,
        prompt: _,
        truncate_dim: _,
        // No part comes of a text that is refused.
        refuse_overflow: _,
        // Part of the model's identity.
        random_weights: _,
        // Decide which rows are made where, not their values.
        inputs: _,
        reads_stdin: _,
        model: _,
        on_bad_file: _,
        output: _,
        rows_per_part: _,
        threads: _,
        shard: _,
    } = settings;
    let layers = asked.layers.resolve(checkpoint.config.num_hidden_layers)?;
    let encoded: Map<String, Value> = subject
        .columns()
        .into_iter()
        .map(|(role, column)| (role.option().trim_start_matches("--").replace('-', "_"), json!(column)))
        .collect();
    let mut value = json!({
        "strata": env!("CARGO_PKG_VERSION"),
        "layer_convention": "0 is the embedding output, N the output of the Nth encoder layer",
        "model": {
            "files": model,
            "model_type": checkpoint.config.model_type(),
            "hidden_size": checkpoint.config.hidden_size,
            "num_hidden_layers": checkpoint.config.num_hidden_layers,
        },
        "device": device.to_string(),
        "compute": compute.to_string(),
        "libtorch": strata_bert::LIBTORCH_VERSION,
        "settings": {
            "unit": asked.unit.to_string(),
            "keep": keep.to_string(),
            "layers": layers,
            "pooling": asked.pooling.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "combine": asked.combine.to_string(),
            "normalize": asked.normalize,
            "attentions": asked.attentions,
            "special_tokens": if asked.count_special_tokens { "include" } else { "exclude" },
            "max_length": tokenizer.max_length(),
            "overflow": if tokenizer.stride().is_some() { "window" } else { "truncate" },
            "dtype": dtype.to_string(),
            "format": format.extension(),
        },
    });
    if let Some(settings) = value["settings"].as_object_mut() {
        settings.extend(encoded);
        settings.extend(text_formats.stated());
        if !types.is_empty() {
            settings.insert("types".to_owned(), json!(types));
        }
        // What it is otherwise depends on the machine, and a part begun on one may be finished on another.
        if let Some(tokens) = max_batch_tokens {
            settings.insert("max_batch_tokens".to_owned(), json!(tokens));
        }
        if let Some(stride) = tokenizer.stride() {
            settings.insert("stride".to_owned(), json!(stride));
        }
        if !tokenizer.prefix().is_empty() {
            settings.insert("prefix".to_owned(), json!(tokenizer.prefix()));
        }
        if *lower_case {
            settings.insert("lower_case".to_owned(), json!(true));
        }
        if let Some(sentence) = &asked.sentence {
            settings.insert("sentence_width".to_owned(), json!(sentence.width(&checkpoint.config)?));
        }
        if let Some(words) = words_name(*division) {
            settings.insert("words".to_owned(), json!(words));
        }
    }
    Ok(value.as_object().cloned().unwrap_or_default())
}

/// The rule by which words are found; none where a column holds them.
fn words_name(division: Division) -> Option<&'static str> {
    match division {
        Division::TokenizerWords => Some("tokenizer"),
        Division::WhitespaceWords => Some("whitespace"),
        Division::Whole | Division::Tokens { .. } | Division::GivenWords | Division::Spans => None,
    }
}
