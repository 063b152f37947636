//! What a run is to be: everything said, defaults filled in, nothing yet held against files.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use strata_bert::{Compute, DeviceKind, FeatureRequest, TokenizerOptions};
use strata_io::{FloatType, OutputFolder, OutputFormat, Stores};
use strum::{Display, EnumString, VariantNames};

use crate::Error;
use crate::error::{Refusal, in_one_line};
use crate::job::text_formats::{self, TextFormats};
use crate::table::columns::Wanted;
use crate::table::keep::Keep;
use crate::table::on_null::OnNull;
use crate::table::unit::Subject;

/// A run's settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Files, folders and patterns.
    pub inputs: Vec<String>,
    /// Whether the one input is a copy of stdin.
    pub reads_stdin: bool,
    /// How formats are read that say little of themselves.
    pub text_formats: TextFormats,
    /// The columns that are encoded.
    pub subject: Subject,
    /// The columns that are carried through.
    pub keep: Keep,
    /// The folder of the model, or its id at the hub.
    pub model: PathBuf,
    /// The seed of weights that stand in for the model's.
    pub random_weights: Option<u32>,
    /// Where the model runs.
    pub device: DeviceKind,
    /// The type of the matrix products.
    pub compute: Compute,
    /// Which layers, pooled and combined how.
    pub features: FeatureRequest,
    /// What stands before each text, where the user says it.
    pub prefix: Option<String>,
    /// The same by its name in the model's folder.
    pub prompt: Option<String>,
    /// How many values of a sentence's vector are kept, where the user says it.
    pub truncate_dim: Option<usize>,
    /// How texts are cut and divided.
    pub tokenizer: TokenizerOptions,
    /// Whether a text that the model cannot see at once ends the run.
    pub refuse_overflow: bool,
    /// The folder of the output, or [`STDIO`].
    pub output: PathBuf,
    /// The format of the parts.
    pub format: OutputFormat,
    /// The type of the vectors' values.
    pub dtype: FloatType,
    /// What becomes of rows without a vector.
    pub on_null: OnNull,
    /// Input rows of a part, where the user says it.
    pub rows_per_part: Option<u64>,
    /// Tokens of a forward pass, where the user says it.
    pub max_batch_tokens: Option<usize>,
    /// At most as many as there are.
    pub threads: Option<usize>,
    /// `(I, N)`: every Nth part, beginning with part I.
    pub shard: Option<(u32, u32)>,
    /// What happens when an input file turns out to be damaged.
    pub on_bad_file: OnBadFile,
    /// How stores are reached, where inputs and output are addresses.
    pub stores: Stores,
}

/// What happens when an input file turns out to be damaged.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, EnumString, Display, VariantNames, Serialize, Deserialize,
)]
#[strum(serialize_all = "lowercase")]
#[serde(rename_all = "lowercase")]
pub enum OnBadFile {
    /// The run ends.
    #[default]
    Fail,
    /// The run goes on with the other files, and fails at its end.
    Skip,
}

impl OnBadFile {
    /// Whether the run goes on after this error of an input file.
    pub fn skips(self, error: &strata_io::Error) -> bool {
        self == Self::Skip && error.kind() == strata_io::ErrorKind::BadData
    }

    /// Why a file is skipped.
    ///
    /// # Errors
    /// `error` itself, if it ends the run.
    pub fn reason_to_skip(self, error: Error) -> Result<String, Error> {
        match error {
            Error::Data(cause) if self.skips(&cause) => Ok(in_one_line(&cause)),
            error => Err(error),
        }
    }
}

impl Settings {
    /// The folder of the output.
    ///
    /// # Errors
    /// It is at an address to which nothing can be written.
    pub fn folder(&self) -> Result<OutputFolder, Error> {
        Ok(OutputFolder::at(&self.output, &self.stores)?)
    }

    /// The mean of the last layer's tokens for every text in `column` of some input files, beside all their
    /// columns, as parts in the folder `output`.
    ///
    /// # Errors
    /// What text formats are told does not go together, which is not so of what they are told here.
    pub fn new(
        inputs: Vec<String>,
        column: impl Into<String>,
        model: impl Into<PathBuf>,
        output: impl Into<PathBuf>,
    ) -> Result<Self, Refusal> {
        let (subject, keep) = (Subject::Text(column.into()), Keep::All);
        let formats = text_formats::Asked::default();
        Ok(Self {
            inputs,
            reads_stdin: false,
            text_formats: text_formats::settle(formats, subject.texts(), keep.needed(&subject))?,
            subject,
            keep,
            model: model.into(),
            random_weights: None,
            device: DeviceKind::default(),
            compute: Compute::default(),
            features: FeatureRequest::default(),
            prefix: None,
            prompt: None,
            truncate_dim: None,
            tokenizer: TokenizerOptions::default(),
            refuse_overflow: false,
            output: output.into(),
            format: OutputFormat::default(),
            dtype: FloatType::default(),
            rows_per_part: None,
            max_batch_tokens: None,
            threads: None,
            shard: None,
            on_bad_file: OnBadFile::default(),
            on_null: OnNull::default(),
            stores: Stores::default(),
        })
    }

    /// What tables are made of, and how they are stored.
    pub fn wanted(&self) -> Wanted {
        let Self { subject, keep, dtype, on_null, refuse_overflow, .. } = self;
        let (subject, keep, format) = (subject.clone(), keep.clone(), self.stored_format());
        Wanted { subject, keep, format, dtype: *dtype, on_null: *on_null, refuse_overflow: *refuse_overflow }
    }

    /// The format of what is written: a stream is Arrow's.
    pub fn stored_format(&self) -> OutputFormat {
        if self.writes_to_stdout() { OutputFormat::Arrow } else { self.format }
    }

    /// Whether the output is a stream on stdout, not a folder.
    pub fn writes_to_stdout(&self) -> bool {
        self.output == Path::new(STDIO)
    }
}

/// The name of stdin among inputs, and of stdout as output.
pub const STDIO: &str = "-";

/// The processor threads there are for this process.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
