//! What the user types.

use std::path::PathBuf;
use std::sync::LazyLock;

use clap::{Args, ColorChoice, Parser, Subcommand, ValueEnum, value_parser};
use clap_complete::Shell;
use serde::Serialize;
use strata_hub::ModelId;
use tracing::level_filters::LevelFilter;

use crate::beside;
use crate::console::LogFormat;
use crate::options::Options;
#[cfg(feature = "probe")]
use crate::options::probe::ProbeOptions;
use crate::options::storage::Storage;

/// What `--version` says beyond `-V`.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    format!(
        "{}\ncommit: {}\ntarget: {}\nlibtorch: {}",
        env!("CARGO_PKG_VERSION"),
        env!("STRATA_COMMIT"),
        env!("STRATA_TARGET"),
        beside::libtorch().unwrap_or("none"),
    )
});

/// The heading of what every command knows.
const EVERYWHERE: &str = "Global options";

const ENVIRONMENT: &str = "\
Environment:
  HF_HOME, HF_HUB_CACHE         where fetched models are [default: ~/.cache/huggingface/hub]
  HF_TOKEN, HF_TOKEN_PATH       who you are to the hub, or the file that says so
  HF_ENDPOINT                   another hub
  HF_HUB_OFFLINE                1 forbids the network
  HF_HUB_DOWNLOAD_TIMEOUT       seconds that the hub may be silent [default: 30]
  HTTPS_PROXY, NO_PROXY         the way to the hub
  SSL_CERT_FILE, SSL_CERT_DIR   whom to trust on it
  AWS_*, GOOGLE_*, AZURE_*      who you are to a store, where it is, and the like
  RAYON_NUM_THREADS             processor threads, where --threads says nothing
  TMPDIR                        where stdin is kept while it is read, and a part of a store's
  NO_COLOR, CLICOLOR_FORCE      colours, where --color says nothing
  STRATA_CPU                    avx512, avx2, portable or none: newer instructions are left alone
  TORCH_ALLOW_TF32_CUBLAS_OVERRIDE
                                1 lets a GPU multiply float32 in 10 bits of precision
  RUST_BACKTRACE                1 adds to a bug's message where it happened";

/// Turn a column of text into columns of BERT layer vectors.
#[derive(Debug, Parser)]
#[command(version, long_version = LONG_VERSION.as_str(), propagate_version = true, max_term_width = 100)]
#[command(after_help = ENVIRONMENT)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,

    /// What a line on stderr looks like.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Say nothing on stderr but errors.
    #[arg(short, long, global = true, help_heading = EVERYWHERE, conflicts_with = "verbose")]
    pub quiet: bool,

    /// Say step by step what is done.
    #[arg(short, long, global = true, help_heading = EVERYWHERE)]
    pub verbose: bool,

    /// When lines on stderr and help have colours.
    #[arg(long, global = true, help_heading = EVERYWHERE, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

impl Cli {
    /// How much is said on stderr.
    pub fn level(&self) -> LevelFilter {
        match (self.quiet, self.verbose) {
            (true, _) => LevelFilter::ERROR,
            (_, true) => LevelFilter::DEBUG,
            _ => LevelFilter::INFO,
        }
    }
}

impl Cli {
    /// With names apart that commas separate; spaces beside these are no part of them. One name alone is as it is.
    #[must_use]
    pub fn with_names_apart(mut self) -> Self {
        let options = match &mut self.command {
            Command::Run(arguments) => &mut arguments.options,
            Command::Ray(arguments) => &mut arguments.run.options,
            _ => return self,
        };
        let apart = |given: &String| match given.contains(',') {
            true => given.split(',').map(|name| name.trim().to_owned()).collect(),
            false => vec![given.clone()],
        };
        for names in [&mut options.input.keep, &mut options.input.align].into_iter().flatten() {
            *names = names.iter().flat_map(apart).collect();
        }
        self
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Encode texts and write a folder of parts.
    Run(Box<RunArguments>),
    /// Encode texts by workers on a Ray cluster: a part of the Python package.
    Ray(Box<RayArguments>),
    /// Encode what another program hands over on stdin. The Python package knows how to ask.
    #[command(hide = true)]
    Serve,
    /// Show what an output folder holds: schema, provenance, counts, a summary of every vector column.
    Inspect(InspectArguments),
    /// Hold an output folder against its manifest, and encode a sample of its rows again.
    Verify(VerifyArguments),
    /// Train probes on the columns of an output, and report what each layer knows of a label.
    #[cfg(feature = "probe")]
    Probe(Box<ProbeArguments>),
    /// Fetch a model from the Hugging Face hub into the local cache, for `--model ID`.
    Fetch(FetchArguments),
    /// Print the script with which a shell completes commands and options.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Write the manual pages.
    Man {
        /// The folder they go to, made if it does not exist.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// A TOML file with any of the options below; one given here wins over the file.
    pub pipeline: Option<PathBuf>,

    #[command(flatten)]
    pub options: Options,

    /// Say what would be done, and do nothing: rows, parts, bytes, tokens and time from a sample.
    #[arg(long)]
    pub dry_run: bool,

    /// Remove the parts of input files that are no longer there.
    #[arg(long)]
    pub prune: bool,

    /// Start afresh where the output folder holds parts of other settings or another model.
    #[arg(long)]
    pub overwrite: bool,

    /// When to show progress: bars on a terminal, a plain line every few seconds elsewhere.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: ProgressMode,

    /// Write the run's figures to this file as JSON.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,

    /// Write the run's figures to this file in the Prometheus text format.
    #[arg(long, value_name = "PATH")]
    pub metrics_file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct RayArguments {
    #[command(flatten)]
    pub run: RunArguments,

    #[command(flatten)]
    pub workers: Workers,
}

/// The workers of a run on a cluster.
#[derive(Debug, Clone, Args, Serialize)]
pub struct Workers {
    /// Workers, each with a model of its own [default: as many as the cluster has processors for].
    #[arg(long, value_name = "N", help_heading = "Workers", value_parser = value_parser!(u32).range(1..))]
    pub num_workers: Option<u32>,

    /// Processors of each worker.
    #[arg(long, value_name = "N", help_heading = "Workers", default_value_t = 1, value_parser = value_parser!(u32).range(1..))]
    pub num_cpus: u32,

    /// The cluster [default: the one that Ray knows of, or a new one on this machine].
    #[arg(long, value_name = "ADDRESS", help_heading = "Workers")]
    pub address: Option<String>,
}

#[derive(Debug, Args)]
pub struct InspectArguments {
    /// The output folder, or its address in a store.
    pub folder: PathBuf,

    /// Print it as JSON.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub storage: Storage,
}

#[derive(Debug, Args)]
pub struct VerifyArguments {
    /// The output folder, or its address in a store.
    pub folder: PathBuf,

    /// How many rows are encoded again and compared.
    #[arg(long, value_name = "N", default_value_t = 16)]
    pub sample: usize,

    /// The model to encode the sample with [default: where it was at the last run].
    #[arg(long, value_name = "DIR|ID")]
    pub model: Option<PathBuf>,

    /// The input files [default: where they were at the last run].
    #[arg(long, value_name = "PATH", num_args = 1..)]
    pub input: Option<Vec<String>>,

    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,

    #[command(flatten)]
    pub storage: Storage,
}

#[cfg(feature = "probe")]
#[derive(Debug, Args)]
pub struct ProbeArguments {
    /// The output folder, or a TOML file with any of the options below; one given here wins over the file.
    #[arg(value_name = "DIR|PIPELINE")]
    pub what: Option<PathBuf>,

    #[command(flatten)]
    pub options: ProbeOptions,

    /// When to show progress: bars on a terminal, a plain line every few seconds elsewhere.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: ProgressMode,

    /// Print the report as JSON.
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct FetchArguments {
    /// The model, as NAME or ORG/NAME, and @REVISION (a branch, a tag, a commit) if not main.
    #[arg(value_name = "ID")]
    pub model: ModelId,

    /// When to show progress: bars on a terminal, a plain line every few seconds elsewhere.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: ProgressMode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// Bars where stderr is a terminal, plain lines elsewhere.
    Auto,
    /// Bars.
    Always,
    /// Nothing.
    Never,
}
