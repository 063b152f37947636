//! Options in a TOML file.

use std::path::Path;

use anyhow::Context;
use clap::CommandFactory;
use serde::Serialize;
use serde::de::DeserializeOwned;
use strata_featurize::Refusal;
use toml::{Table, Value};

use crate::options::Options;
use crate::options::cli::Cli;

impl Options {
    /// These options, and where they say nothing those of a TOML file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key that is no option.
    pub fn over_file(&self, path: &Path) -> anyhow::Result<Self> {
        over_file(&self.clone().without_what_is_taken_back(), "run", path)
    }
}

/// The options of a command, and where they say nothing those of a TOML file.
///
/// # Errors
/// The file cannot be read, is not TOML, or has a key that is no option.
pub fn over_file<T: Serialize + DeserializeOwned>(own: &T, command: &str, path: &Path) -> anyhow::Result<T> {
    let text = fs_err::read_to_string(path)
        .map_err(|error| Refusal::configuration(error.to_string()).hint("give the path of a TOML file"))?;
    over_text(own, command, &text, path)
}

fn over_text<T: Serialize + DeserializeOwned>(
    own: &T,
    command: &str,
    text: &str,
    path: &Path,
) -> anyhow::Result<T> {
    let invalid = |error: toml::de::Error| {
        // The place in the file would show what stands there, which may be a store's secret.
        let before = error.span().and_then(|span| text.get(..span.end)).unwrap_or(text);
        let said = match text.contains("storage") {
            true => format!("line {}: {}", before.lines().count().max(1), error.message()),
            false => error.to_string().trim_end().to_owned(),
        };
        Refusal::configuration(format!("{} cannot be used:\n{said}", path.display()))
    };
    let mut table: Table = toml::from_str(text).map_err(invalid)?;
    refuse_unknown_keys(&table, command, path)?;
    // Checked by itself first: only then do messages show the place in the file.
    toml::from_str::<T>(text).map_err(invalid)?;
    merge(&mut table, Table::try_from(own).context("options do not serialize")?);
    Ok(Table::try_into(table)?)
}

/// Lays `winner` over `table`, key by key.
fn merge(table: &mut Table, winner: Table) {
    for (key, value) in winner {
        match (table.get_mut(&key), value) {
            (Some(Value::Table(inner)), Value::Table(over)) => merge(inner, over),
            (_, value) => {
                table.insert(key, value);
            }
        }
    }
}

fn refuse_unknown_keys(table: &Table, command: &str, path: &Path) -> Result<(), Refusal> {
    let known = known_keys(command);
    for (section, value) in table {
        let keys: Vec<String> = match value {
            Value::Table(inner) => inner.keys().map(|key| format!("{section}.{key}")).collect(),
            _ => vec![section.clone()],
        };
        let empty_section =
            keys.is_empty() && known.iter().any(|key| key.starts_with(&format!("{section}.")));
        // What stores can be told is known to them.
        let is_known =
            |key: &String| known.contains(key) || (command == "run" && key.starts_with("storage."));
        let unknown = keys.into_iter().find(|key| !is_known(key));
        if let Some(key) = unknown
            .or((!empty_section && value.as_table().is_some_and(Table::is_empty)).then(|| section.clone()))
        {
            let nearest = known.iter().max_by(|a, b| similarity(a, &key).total_cmp(&similarity(b, &key)));
            let refusal = Refusal::configuration(format!("{}: `{key}` is not an option", path.display()));
            return Err(match nearest {
                Some(nearest) => refusal
                    .hint(format!("did you mean `{nearest}`? `strata {command} --help` lists all options")),
                None => refusal,
            });
        }
    }
    Ok(())
}

/// Every key a TOML file may have: the ids of the command's options that have a dotted one.
fn known_keys(command: &str) -> Vec<String> {
    let cli = Cli::command();
    let arguments = cli.find_subcommand(command).into_iter().flat_map(|command| command.get_arguments());
    let ids = arguments.map(|argument| argument.get_id().to_string());
    ids.filter(|id| id.contains('.')).collect()
}

fn similarity(known: &str, key: &str) -> f64 {
    strsim::jaro_winkler(known, key).max(strsim::jaro_winkler(known.rsplit('.').next().unwrap_or(known), key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::cli::Command;
    use clap::Parser;
    use proptest::prelude::*;
    use strata_featurize::{Keep, Settings};

    const PIPELINE: &str = "[input]\npaths = [\"a\"]\n[model]\npath = \"m\"\n[features]\nlayers = [0, -1]\n\
        pooling = \"mean\"\n[output]\npath = \"o\"\nrows_per_part = 7\n";

    fn settings(text: &str) -> anyhow::Result<Settings> {
        over_text(&Options::default(), "run", text, Path::new("job.toml"))
            .and_then(|options| Ok(Settings::try_from(options)?))
    }

    proptest! {
        #[test]
        fn any_text_as_a_pipeline_is_read_or_refused(text in "(\\PC|\n){0,200}") {
            let _ = settings(&text);
        }

        #[test]
        fn a_pipeline_with_a_piece_replaced_is_read_or_refused(
            place in 0.0..1.0_f64,
            piece in "[0-9a-z\"=.,\\[\\]{} -]{0,9}",
        ) {
            let start = (PIPELINE.len() as f64 * place) as usize;
            let end = PIPELINE.len().min(start + piece.len());
            let _ = settings(&[&PIPELINE[..start], &piece, &PIPELINE[end..]].concat());
        }
    }

    #[test]
    fn a_name_in_a_list_may_hold_a_comma() {
        let keep =
            |keep: &str| settings(&PIPELINE.replace("[model]", &format!("{keep}\n[model]"))).unwrap().keep;
        assert_eq!(keep("keep = [\"a,b\"]"), Keep::Columns(vec!["a,b".to_owned()]));
        assert_eq!(keep("keep = \"a, b\""), Keep::Columns(vec!["a".to_owned(), "b".to_owned()]));
    }

    #[test]
    fn what_a_file_switches_on_the_command_line_switches_off() {
        let own = |arguments: &[&str]| {
            let line = ["strata", "run"].iter().chain(arguments);
            let Command::Run(run) = Cli::try_parse_from(line).unwrap().command else {
                panic!("another command")
            };
            let text = PIPELINE.replace("[output]", "normalize = true\n[output]");
            let own = run.options.without_what_is_taken_back();
            let options = over_text(&own, "run", &text, Path::new("job.toml")).unwrap();
            Settings::try_from(options).unwrap().features.normalize
        };
        assert!(own(&[]) && own(&["--no-normalize", "--normalize"]));
        assert!(!own(&["--no-normalize"]) && !own(&["--normalize", "--no-normalize"]));
    }

    #[test]
    fn a_pipeline_says_what_the_command_line_would() {
        let settings = settings(PIPELINE).unwrap();
        assert_eq!(
            (settings.features.layers.to_string().as_str(), settings.rows_per_part),
            ("0,-1", Some(7))
        );
    }
}
