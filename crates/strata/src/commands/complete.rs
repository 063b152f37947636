//! `strata completions` and `strata man`: what shells and manuals say of the options.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::console::print_result;
use crate::options::cli::Cli;

/// Prints the script with which a shell completes the command line.
///
/// # Errors
/// stdout cannot be written.
pub fn completions(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "strata", &mut script);
    print_result(&String::from_utf8(script)?)
}

/// Writes a page for the program and one for each command into a folder, which is made if there is none.
///
/// # Errors
/// The folder cannot be written.
pub fn man(folder: &Path) -> anyhow::Result<()> {
    fs_err::create_dir_all(folder)?;
    Ok(clap_mangen::generate_to(Cli::command(), folder)?)
}
