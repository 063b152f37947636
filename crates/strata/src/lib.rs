//! The program as a library, for those that carry it: the command line, and the options of a run.

mod commands;
mod console;
mod options;
mod panics;
mod signals;

use std::ffi::OsString;
use std::io::Write;

use clap::Parser;

use options::Options;
use options::cli::{Cli, Command};
use strata_featurize::{Refusal, Settings};

/// The settings that options mean, which are said in JSON by the tables and keys of a pipeline file.
///
/// # Errors
/// An option has a value that it cannot have; options do not go together.
pub fn settings(options: &str) -> Result<Settings, Refusal> {
    let options: Options =
        serde_json::from_str(options).map_err(|error| Refusal::usage(error.to_string()))?;
    Settings::try_from(options)
}

/// Does what a command line asks for, the program's name first, and ends the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    panics::keep_quiet();
    console::color::choose(arguments.iter().cloned());
    let cli = Cli::parse_from(arguments);
    console::start_log(cli.log_format, cli.level());
    let result = panics::caught(|| match cli.command {
        Command::Run(arguments) => commands::run(&arguments),
        Command::Inspect(arguments) => commands::inspect(&arguments),
        Command::Verify(arguments) => commands::verify(&arguments),
        Command::Fetch(arguments) => commands::fetch(&arguments),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man { folder } => commands::man(&folder),
    });
    let code = result.map_or_else(|error| console::failure::explain(&error), |()| 0);
    let _ = std::io::stdout().flush();
    // All is written and closed. An ordinary exit would take libtorch's operators apart one by one,
    // nearly a tenth of a second.
    signal_hook::low_level::exit(code.into());
}
