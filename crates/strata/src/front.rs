//! What libtorch has a part in is done by the program beside this one that has it, in this one's place: to register its
//! operators takes libtorch a third of a second, and on a processor many models need none of them.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process;

use anyhow::Context;
use strata_featurize::{ErrorKind, Refusal, STDIO, Settings, uses_libtorch};
use strata_io::{SUCCESS_FILE, is_address};

use crate::beside::{self, PROGRAM};
use crate::commands::report::Report;
use crate::commands::{self, LOOKS, Unfinished};
use crate::options::Options;
use crate::options::cli::{Command, RunArguments};
use crate::signals::Signals;
use crate::{enter, fulfil};

/// How OpenMP's threads wait for each other. Unless told they spin, which takes the processor from whoever has work.
const WAITING: (&str, &str) = ("OMP_WAIT_POLICY", "passive");
/// What tells the program which of its kind it stands in for, and this one.
const FRONT: &str = "STRATA_FRONT";
const THIS: &str =
    concat!(env!("CARGO_PKG_VERSION"), " ", env!("STRATA_COMMIT"), " of sources ", env!("STRATA_SOURCES"));

/// As [`main`](crate::main), for a program beside which there may be one with libtorch.
pub fn front(arguments: impl IntoIterator<Item = OsString>) {
    let other = beside::find();
    enter(arguments, |command, arguments| {
        let other = other.filter(|_| is_for_libtorch(&command));
        let Some(other) = other else { return fulfil(command, None) };
        match &command {
            Command::Run(run) if may_be_finished(run) => look(run, || become_program(other, arguments)),
            _ => become_program(other, arguments),
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

/// Whether libtorch has a part in what a command asks for, or may have: what can be read only once, or lies in a store,
/// is left to the program that has it.
fn is_for_libtorch(command: &Command) -> bool {
    match command {
        Command::Run(run) => options_ahead(run).is_none_or(has_part),
        Command::Verify(verify) if is_address(&verify.folder) => true,
        Command::Verify(verify) => {
            verify.sample > 0 && commands::remembered_options(verify).ok().flatten().is_some_and(has_part)
        }
        // Which model is wanted stands on stdin.
        Command::Serve => true,
        _ => false,
    }
}

/// In doubt not: what is wrong with options is told here.
fn has_part(options: Options) -> bool {
    let in_store = options.model.path.as_deref().is_some_and(|model| is_address(model.as_ref()));
    in_store || Settings::try_from(options).is_ok_and(uses_libtorch)
}

/// The options of a run before it begins; none where the pipeline can be read only once.
fn options_ahead(arguments: &RunArguments) -> Option<Options> {
    match &arguments.pipeline {
        Some(path) if path.exists() && !path.is_file() => None,
        Some(path) => Some(arguments.options.over_file(path).unwrap_or_default()),
        None => Some(arguments.options.clone()),
    }
}

/// Whether a run might find everything done, and may be looked at twice: its output is a folder of this machine that
/// says it is whole, and nothing that it reads is a stream.
fn may_be_finished(arguments: &RunArguments) -> bool {
    let RunArguments { dry_run, prune, overwrite, .. } = arguments;
    let Some(options) = options_ahead(arguments) else { return false };
    let reads_stdin = options.input.paths.iter().flatten().any(|input| input == STDIO);
    let is_marked = |output: &Path| !is_address(output) && output.join(SUCCESS_FILE).exists();
    let changes = *dry_run || *prune || *overwrite || reads_stdin;
    !changes && options.output.path.is_some_and(|output| is_marked(output.as_ref()))
}

/// Finds a run finished, for which libtorch is not needed, or does `otherwise`.
fn look(run: &RunArguments, otherwise: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    match commands::run(run, &LOOKS, None, &Signals::listen()?, &mut Report::begin()) {
        Err(error) if error.is::<Unfinished>() => otherwise(),
        done => done,
    }
}

fn refuse_other(front: &OsStr) -> Refusal {
    let message = format!("strata is {}, and {PROGRAM} beside it is {THIS}", front.to_string_lossy());
    Refusal::new(ErrorKind::Configuration, message)
        .hint("build or install both together: `make build`, `make install`")
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
