//! `strata` turns a column of text into columns of BERT layer vectors.

mod commands;
mod console;
mod options;
mod panics;
mod signals;

use std::io::Write;

use clap::Parser;

use options::cli::{Cli, Command};

fn main() {
    panics::keep_quiet();
    console::color::choose(std::env::args_os());
    let cli = Cli::parse();
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
