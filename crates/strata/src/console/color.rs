//! Colours: of our own lines, and of help and usage errors.

use std::ffi::OsString;
use std::io;

use anstream::{AutoStream, ColorChoice};
use clap::ValueEnum;

/// From now on, colours are as `--color` has it among these arguments. They are not parsed yet: what clap
/// says of them has colours, too.
pub fn choose(arguments: impl IntoIterator<Item = OsString>) {
    match asked(arguments) {
        Some(clap::ColorChoice::Always) => ColorChoice::Always.write_global(),
        Some(clap::ColorChoice::Never) => ColorChoice::Never.write_global(),
        // As the terminal, NO_COLOR and their like have it.
        Some(clap::ColorChoice::Auto) | None => {}
    }
}

/// Whether lines on stderr have colours.
pub fn on_stderr() -> bool {
    AutoStream::choice(&io::stderr()) != ColorChoice::Never
}

fn asked(arguments: impl IntoIterator<Item = OsString>) -> Option<clap::ColorChoice> {
    let mut arguments = arguments.into_iter().map(|argument| argument.to_string_lossy().into_owned());
    while let Some(argument) = arguments.next() {
        let value = match argument.strip_prefix("--color") {
            Some("") => arguments.next()?,
            Some(value) => value.strip_prefix('=').unwrap_or_default().to_owned(),
            None => continue,
        };
        // Whether it may be this is for clap to say.
        return clap::ColorChoice::from_str(&value, false).ok();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_colour_is_found_among_arguments_that_nobody_has_parsed() {
        let asked = |arguments: &str| asked(arguments.split(' ').map(OsString::from));
        assert_eq!(asked("strata run --color always --nonsense"), Some(clap::ColorChoice::Always));
        assert_eq!(asked("strata --color=never"), Some(clap::ColorChoice::Never));
        assert_eq!(asked("strata --color"), None);
        assert_eq!(asked("strata --color loud"), None);
        assert_eq!(asked("strata run --text color"), None);
    }
}
