//! `strata` turns a column of text into columns of BERT layer vectors.

mod cli;
mod columns;
mod console;
mod dry_run;
mod failure;
mod hub;
mod inputs;
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
mod sentence;
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

use std::io::Write;

use clap::Parser;

use cli::{Cli, Command};

fn main() {
    panics::keep_quiet();
    let Cli { command, log_format } = Cli::parse();
    console::start_log(log_format);
    let result = panics::caught(|| match command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Inspect { folder } => inspect::inspect(&folder),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Fetch(arguments) => hub::fetch(&arguments),
    });
    let code = result.map_or_else(|error| failure::explain(&error), |()| 0);
    let _ = std::io::stdout().flush();
    // All is written and closed. An ordinary exit would take libtorch's operators apart one by one,
    // nearly a tenth of a second.
    signal_hook::low_level::exit(code.into());
}
