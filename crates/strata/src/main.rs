//! `strata` turns a column of text into columns of BERT layer vectors.

mod cli;
mod columns;
mod console;
mod failure;
mod inspect;
mod job;
mod options;
mod output;
mod panics;
mod pipeline;
mod plan;
mod progress;
mod report;
mod run;
mod settings;
mod signals;
mod stages;
mod window;

use std::process::ExitCode;

use clap::Parser;

use cli::{Cli, Command};

fn main() -> ExitCode {
    panics::keep_quiet();
    let command = Cli::parse().command;
    let result = panics::caught(|| match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Inspect { folder } => inspect::inspect(&folder),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failure::explain(&error),
    }
}
