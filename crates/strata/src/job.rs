//! Settings held against the model and the input files: everything that can be refused is refused
//! here, before any output is touched.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use strata_bert::{Checkpoint, Extractor, Features, TextTokenizer};
use strata_io::{Input, find};

use crate::columns::Columns;
use crate::failure::{Refusal, in_one_line};
use crate::hub;
use crate::settings::Settings;

/// A run that can be done.
pub struct Job {
    pub settings: Settings,
    pub checkpoint: Checkpoint,
    pub features: Features,
    pub tokenizer: TextTokenizer,
    pub inputs: Vec<JobInput>,
    /// Input files that cannot be opened, by name, with the reason; none unless those are skipped.
    pub skipped: BTreeMap<String, String>,
}

/// An input file and the columns of its parts.
pub struct JobInput {
    pub file: Input,
    pub columns: Columns,
}

impl Job {
    /// Holds `settings` against the files they name.
    ///
    /// # Errors
    /// Anything that makes the run impossible.
    pub fn prepare(settings: Settings) -> anyhow::Result<Self> {
        let checkpoint = Checkpoint::open(&hub::locate(&settings.model)?)?;
        let features = Features::resolve(&settings.features, &checkpoint.config)?;
        let tokenizer = TextTokenizer::load(&checkpoint, settings.max_length)?;
        Extractor::check(&checkpoint, &features, settings.device, settings.compute)?;
        refuse_output_among_inputs(&settings)?;
        let (inputs, skipped) = open_inputs(&settings, &features)?;
        Ok(Self { settings, checkpoint, features, tokenizer, inputs, skipped })
    }

    /// What decides the values of every part, as the parts and the manifest state it; `model` are the
    /// sums of the model's files.
    pub fn fingerprint(&self, model: &Value) -> anyhow::Result<Map<String, Value>> {
        fingerprint(&self.settings, &self.checkpoint, &self.tokenizer, model)
    }

    /// Loads the layers of the model that the features need.
    ///
    /// # Errors
    /// The weights cannot be read, or the device not be used.
    pub fn extractor(&self) -> Result<Extractor, strata_bert::Error> {
        let Settings { device, compute, .. } = self.settings;
        Extractor::load(&self.checkpoint, self.features.clone(), device, compute)
    }

    /// Bytes of one row's vectors while they are computed.
    pub fn row_bytes(&self) -> usize {
        self.features.width() * size_of::<f32>()
    }
}

/// The next run would read its own parts.
fn refuse_output_among_inputs(settings: &Settings) -> anyhow::Result<()> {
    let output = std::path::absolute(&settings.output)?;
    // What exists of the path, with its links resolved.
    let resolved = output.ancestors().find_map(|ancestor| {
        let rest = output.strip_prefix(ancestor).ok()?;
        Some(fs_err::canonicalize(ancestor).ok()?.join(rest))
    });
    for input in settings.inputs.iter().filter(|input| Path::new(input).is_dir()) {
        if resolved
            .as_ref()
            .is_some_and(|output| fs_err::canonicalize(input).is_ok_and(|input| output.starts_with(input)))
        {
            let message =
                format!("the output {} lies inside the input folder {input}", settings.output.display());
            return Err(Refusal::usage(message).hint("write to a folder outside the input").into());
        }
    }
    Ok(())
}

fn open_inputs(
    settings: &Settings,
    features: &Features,
) -> anyhow::Result<(Vec<JobInput>, BTreeMap<String, String>)> {
    let mut inputs: Vec<JobInput> = Vec::new();
    let mut skipped = BTreeMap::new();
    for source in find(&settings.inputs)? {
        let name = source.name.clone();
        let file = match Input::open(source, std::slice::from_ref(&settings.text)) {
            Err(error) if settings.on_bad_file.skips(&error) => {
                skipped.insert(name, in_one_line(&error));
                continue;
            }
            file => file?,
        };
        let columns = Columns::settle(
            &file,
            &settings.text,
            &settings.keep,
            features,
            settings.dtype,
            settings.format,
        )?;
        if let Some(first) = inputs.first()
            && let Err(column) = columns.agrees_with(&first.columns)
        {
            let (one, other) = (first.file.source.path.display(), file.source.path.display());
            return Err(Refusal::bad_data(format!(
                "{one} and {other} do not have the same columns: only one of them has {column}"
            ))
            .hint("keep only columns that all files share, with --keep")
            .into());
        }
        inputs.push(JobInput { file, columns });
    }
    Ok((inputs, skipped))
}

fn fingerprint(
    settings: &Settings,
    checkpoint: &Checkpoint,
    tokenizer: &TextTokenizer,
    model: &Value,
) -> anyhow::Result<Map<String, Value>> {
    let Settings {
        text,
        keep,
        features: asked,
        format,
        dtype,
        device,
        compute,
        max_batch_tokens,
        // The tokenizer knows the length that is meant where none is given.
        max_length: _,
        // Decide which rows are made where, not their values.
        inputs: _,
        model: _,
        on_bad_file: _,
        output: _,
        rows_per_part: _,
        threads: _,
        shard: _,
    } = settings;
    let layers = asked.layers.resolve(checkpoint.config.num_hidden_layers)?;
    let value = json!({
        "strata": env!("CARGO_PKG_VERSION"),
        "layer_convention": "0 is the embedding output, N the output of the Nth encoder layer",
        "model": {
            "files": model,
            "model_type": "bert",
            "hidden_size": checkpoint.config.hidden_size,
            "num_hidden_layers": checkpoint.config.num_hidden_layers,
        },
        "device": device.to_string(),
        "compute": compute.to_string(),
        "libtorch": strata_bert::LIBTORCH_VERSION,
        "settings": {
            "text": text,
            "keep": keep.to_string(),
            "layers": layers,
            "pooling": asked.pooling.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "combine": asked.combine.to_string(),
            "normalize": asked.normalize,
            "special_tokens": if asked.count_special_tokens { "include" } else { "exclude" },
            "max_length": tokenizer.max_length(),
            "overflow": "truncate",
            "max_batch_tokens": max_batch_tokens,
            "dtype": dtype.to_string(),
            "format": format.extension(),
        },
    });
    Ok(value.as_object().cloned().unwrap_or_default())
}
