//! What needs no model, in a program that never loads libtorch: to register its operators takes libtorch a third of
//! a second. Everything else is done by the program beside this one that has it, in this one's place.
//!
//! The linker leaves libtorch out of a program from whose `main` nothing that computes can be reached. So whatever
//! computes comes to [`commands::run`] from outside. In doubt nothing is touched here: the other program decides.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use strata_featurize::{ErrorKind, Refusal};

use crate::commands::report::Report;
use crate::commands::{self, LOOKS, Unfinished};
use crate::options::cli::Command;
use crate::signals::Signals;
use crate::{enter, fulfil};

/// The program that computes.
const PROGRAM: &str = "strata-libtorch";
/// Where it is, from the folder of this one: beside it where both were built, or where it was installed.
const PLACES: [&str; 2] = ["", "../lib/strata"];
/// How OpenMP's threads wait for each other. Unless told they spin, which takes the processor from whoever has work.
const WAITING: (&str, &str) = ("OMP_WAIT_POLICY", "passive");
/// What tells the program which of its kind it stands in for, and this one.
const FRONT: &str = "STRATA_FRONT";
const THIS: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("STRATA_COMMIT"));

/// As [`main`](crate::main), for a program beside which the other one is.
pub fn front(arguments: impl IntoIterator<Item = OsString>) {
    enter(arguments, |command, arguments| match command {
        Command::Inspect(arguments) => commands::inspect(&arguments),
        Command::Fetch(arguments) => commands::fetch(&arguments),
        Command::Completions { shell } => commands::completions(shell),
        Command::Man { folder } => commands::man(&folder),
        Command::Run(run) if commands::may_be_finished(&run) => {
            let result = commands::run(&run, &LOOKS, None, &Signals::listen()?, &mut Report::begin());
            match result {
                Err(error) if error.is::<Unfinished>() => become_program(arguments),
                done => done,
            }
        }
        _ => become_program(arguments),
    });
}

/// As [`main`](crate::main), for the program that [`front`] becomes.
pub fn behind(arguments: impl IntoIterator<Item = OsString>) {
    enter(arguments, |command, _| {
        env::var_os(FRONT).filter(|front| front != THIS).map_or(Ok(()), |front| Err(refuse_other(&front)))?;
        fulfil(command, None)
    });
}

fn refuse_other(front: &OsStr) -> Refusal {
    let message = format!("strata is {}, and {PROGRAM} beside it is {THIS}", front.to_string_lossy());
    Refusal::new(ErrorKind::Configuration, message)
        .hint("build or install both together: `make build`, `make install`")
}

/// Goes on as the program that computes, with the same arguments. Returns only if that cannot be.
fn become_program(arguments: &[OsString]) -> anyhow::Result<()> {
    let here = env::current_exe().and_then(fs_err::canonicalize);
    let here = here.context("strata does not find out where it is")?;
    let folder = here.parent().unwrap_or(Path::new("."));
    let places = PLACES.map(|place| folder.join(place).join(PROGRAM));
    let program = places.iter().find(|place| place.exists()).ok_or_else(|| missing(&places))?;
    let mut command = std::process::Command::new(program);
    if let [own_name, arguments @ ..] = arguments {
        command.arg0(own_name).args(arguments);
    }
    let (waiting, passively) = WAITING;
    command.env(waiting, env::var_os(waiting).unwrap_or_else(|| passively.into())).env(FRONT, THIS);
    Err(command.exec()).with_context(|| format!("{} cannot be started", program.display()))
}

fn missing(places: &[PathBuf]) -> Refusal {
    let places: Vec<String> = places.iter().map(|place| place.display().to_string()).collect();
    Refusal::new(
        ErrorKind::Configuration,
        format!("expected the program that computes, {PROGRAM}, and found neither {}", places.join(" nor ")),
    )
    .hint("strata and strata-libtorch belong together: `make install` puts both in their places")
}
