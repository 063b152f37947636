//! `strata` turns a column of text into columns of BERT layer vectors.

mod cli;
mod columns;
mod console;
mod dry_run;
mod failure;
mod hub;
mod inspect;
mod job;
mod metrics;
mod options;
mod output;
mod panics;
mod pipeline;
mod plan;
mod progress;
mod report;
mod rows;
mod run;
mod settings;
mod signals;
mod stages;
mod stdio;
mod subjects;
mod survey;
mod text_formats;
mod toml_values;
mod unit;
mod verify;
mod window;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    panics::keep_quiet();
    let Cli { command, log_format } = Cli::parse();
    console::start_log(log_format);
    let result = panics::caught(|| match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Inspect { folder } => inspect::inspect(&folder),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Fetch(arguments) => hub::fetch(&arguments),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::explain(&error),
    }
}
