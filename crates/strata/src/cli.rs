//! What the user types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::options::Options;

/// Turn a column of text into columns of BERT layer vectors.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Encode texts and write a folder of parts.
    Run(Box<RunArguments>),
    /// Show what an output folder holds: schema, provenance, counts, a summary of every vector column.
    Inspect {
        /// The output folder.
        folder: PathBuf,
    },
}

#[derive(Debug, Args)]
pub struct RunArguments {
    /// A TOML file with any of the options below; one given here wins over the file.
    pub pipeline: Option<PathBuf>,

    #[command(flatten)]
    pub options: Options,

    /// Start afresh where the output folder holds parts of other settings or another model.
    #[arg(long)]
    pub overwrite: bool,

    /// When to show progress: bars on a terminal, a plain line every few seconds elsewhere.
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub progress: ProgressMode,

    /// Write the run's figures to this file as JSON.
    #[arg(long, value_name = "PATH")]
    pub report: Option<PathBuf>,
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
