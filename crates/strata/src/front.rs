//! What libtorch has a part in is done by the program beside this one that has it, in this one's place: to register its
//! operators takes libtorch a third of a second, and on a processor many models need none of them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::OnceLock;

use anyhow::Context;
use strata_bert::LIBTORCH_VERSION;
use strata_featurize::{ErrorKind, Refusal};

use crate::commands::report::Report;
use crate::commands::{self, LOOKS, Unfinished};
use crate::console::note;
use crate::options::cli::{Command, RunArguments};
use crate::signals::Signals;
use crate::{enter, fulfil};

/// The program with libtorch.
const PROGRAM: &str = "strata-libtorch";
/// Where it is, from the folder of this one: beside it where both were built, or where it was installed.
const PLACES: [&str; 2] = ["", "../lib/strata"];
/// How OpenMP's threads wait for each other. Unless told they spin, which takes the processor from whoever has work.
const WAITING: (&str, &str) = ("OMP_WAIT_POLICY", "passive");
/// What tells the program which of its kind it stands in for, and this one.
const FRONT: &str = "STRATA_FRONT";
const THIS: &str = concat!(env!("CARGO_PKG_VERSION"), " ", env!("STRATA_COMMIT"));

/// The program with libtorch, if there is one and this one may become it.
static BESIDE: OnceLock<PathBuf> = OnceLock::new();

/// As [`main`](crate::main), for a program beside which there may be one with libtorch.
pub fn front(arguments: impl IntoIterator<Item = OsString>) {
    if let Some(program) = beside() {
        // Nobody else sets it.
        let _ = BESIDE.set(program);
    }
    enter(arguments, |command, arguments| {
        let Some(program) = BESIDE.get() else {
            if LIBTORCH_VERSION.is_none() && uses_libtorch(&command) {
                note(format_args!(
                    "{PROGRAM} is not beside strata, which goes on without libtorch (`make build` and `make install` bring both)"
                ));
            }
            return fulfil(command, None);
        };
        if !uses_libtorch(&command) {
            return fulfil(command, None);
        }
        match &command {
            Command::Run(run) => look(run).unwrap_or_else(|| become_program(program, arguments)),
            _ => become_program(program, arguments),
        }
    });
}

/// As [`main`](crate::main), for the program that [`front`] becomes.
pub fn behind(arguments: impl IntoIterator<Item = OsString>) {
    enter(arguments, |command, _| {
        env::var_os(FRONT).filter(|front| front != THIS).map_or(Ok(()), |front| Err(refuse_other(&front)))?;
        fulfil(command, None)
    });
}

/// The version of the libtorch that this program or the one beside it has.
pub fn libtorch() -> Option<&'static str> {
    LIBTORCH_VERSION.or_else(|| BESIDE.get().and(option_env!("STRATA_LIBTORCH_BESIDE")))
}

/// Whether libtorch has a part in what a command asks for, or may have.
fn uses_libtorch(command: &Command) -> bool {
    match command {
        Command::Run(run) => commands::options_ahead(run).is_none_or(|options| options.uses_libtorch()),
        Command::Verify(verify) => commands::verify_uses_libtorch(verify),
        // Which model is wanted stands on stdin, which can be read once.
        Command::Serve => true,
        _ => false,
    }
}

/// Finds a run finished, for which libtorch is not needed. None if it may not be, or is not.
fn look(run: &RunArguments) -> Option<anyhow::Result<()>> {
    if !commands::may_be_finished(run) {
        return None;
    }
    let looked =
        Signals::listen().map_err(Into::into).and_then(|signals| commands::run(run, &LOOKS, None, &signals, &mut Report::begin()));
    match looked {
        Err(error) if error.is::<Unfinished>() => None,
        done => Some(done),
    }
}

fn refuse_other(front: &OsStr) -> Refusal {
    let message = format!("strata is {}, and {PROGRAM} beside it is {THIS}", front.to_string_lossy());
    Refusal::new(ErrorKind::Configuration, message)
        .hint("build or install both together: `make build`, `make install`")
}

fn beside() -> Option<PathBuf> {
    let here = env::current_exe().and_then(fs_err::canonicalize).ok()?;
    let folder = here.parent().unwrap_or(Path::new("."));
    PLACES.map(|place| folder.join(place).join(PROGRAM)).into_iter().find(|place| place.exists())
}

/// Goes on as the program with libtorch, with the same arguments. Returns only if that cannot be.
fn become_program(program: &Path, arguments: &[OsString]) -> anyhow::Result<()> {
    let mut command = process::Command::new(program);
    if let [own_name, arguments @ ..] = arguments {
        command.arg0(own_name).args(arguments);
    }
    let (waiting, passively) = WAITING;
    command.env(waiting, env::var_os(waiting).unwrap_or_else(|| passively.into())).env(FRONT, THIS);
    Err(command.exec()).with_context(|| format!("{} cannot be started", program.display()))
}
