//! The program as a library, for those that carry it: the command line, and the options of a run.

mod beside;
mod cluster;
mod commands;
mod console;
mod front;
mod options;
mod panics;
mod signals;

use std::ffi::OsString;
use std::io::Write;
use std::panic::AssertUnwindSafe;

use clap::Parser;

pub use cluster::{Cluster, Order};
use commands::COMPUTES;
use commands::report::Report;
pub use front::{behind, front};
use options::Options;
pub use options::cli::Workers;
use options::cli::{Cli, Command, RayArguments};
use signals::Signals;
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

/// Does what a command line asks for, the program's name first, and ends the process. `ray` is asked where the
/// command is that.
pub fn main(arguments: impl IntoIterator<Item = OsString>, ray: Option<&dyn Cluster>) {
    enter(arguments, |command, _| fulfil(command, ray));
}

fn fulfil(command: Command, ray: Option<&dyn Cluster>) -> anyhow::Result<()> {
    match command {
        Command::Run(arguments) => {
            commands::run(&arguments, &COMPUTES, None, &Signals::listen()?, &mut Report::begin())
        }
        Command::Ray(arguments) => {
            let RayArguments { run, workers } = *arguments;
            let ray = ray.ok_or_else(no_cluster)?;
            commands::run(&run, &COMPUTES, Some((ray, &workers)), &Signals::listen()?, &mut Report::begin())
        }
        Command::Serve => commands::serve(),
        Command::Inspect(arguments) => commands::inspect(&arguments),
        Command::Verify(arguments) => commands::verify(&arguments),
        #[cfg(feature = "probe")]
        Command::Probe(arguments) => commands::probe(*arguments, &Signals::listen()?),
        Command::Fetch(arguments) => commands::fetch(&arguments),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man { folder } => commands::man(&folder),
    }
}

/// Has `work` do what a command line asks for, tells what came of it, and ends the process.
fn enter(
    arguments: impl IntoIterator<Item = OsString>,
    work: impl FnOnce(Command, &[OsString]) -> anyhow::Result<()>,
) {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    panics::keep_quiet();
    console::color::choose(arguments.iter().cloned());
    let cli = Cli::parse_from(&arguments).with_names_apart();
    console::start_log(cli.log_format, cli.level());
    // Nothing is used after a panic: the process ends.
    let result = panics::caught(AssertUnwindSafe(|| work(cli.command, &arguments)));
    let code = result.map_or_else(|error| console::failure::explain(&error), |()| 0);
    let _ = std::io::stdout().flush();
    // All is written and closed. An ordinary exit would take libtorch's operators apart one by one,
    // nearly a tenth of a second.
    signal_hook::low_level::exit(code.into());
}

/// Does what a command line of the command `ray` asks for, the program's name first, in a process that has signals
/// and a log of its own. Returns the figures of the run, as `--report` writes them.
///
/// # Errors
/// Those of the command.
pub fn run_by(arguments: impl IntoIterator<Item = OsString>, ray: &dyn Cluster) -> Result<String, Refusal> {
    let cli = Cli::try_parse_from(arguments)
        .map_err(|error| Refusal::usage(error.to_string().trim_end()))?
        .with_names_apart();
    console::start_log(cli.log_format, cli.level());
    let Command::Ray(arguments) = cli.command else {
        return Err(Refusal::usage("expected the command ray"));
    };
    let mut report = Report::begin();
    commands::run(
        &arguments.run,
        &COMPUTES,
        Some((ray, &arguments.workers)),
        &Signals::default(),
        &mut report,
    )
    .and_then(|()| Ok(serde_json::to_string(&report)?))
    .map_err(|error| console::failure::as_refusal(&error))
}

fn no_cluster() -> Refusal {
    Refusal::usage("strata ray belongs to the Python package of strata; this program was built without it")
        .hint("pip install . in a checkout of strata brings a strata that knows it")
}
