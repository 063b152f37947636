//! The documents say what the options are, and nothing that the program would not understand.

use std::fmt::Write;
use std::path::PathBuf;

use clap::{Arg, CommandFactory, Parser};
use strata_featurize::Settings;

use crate::options::Options;
use crate::options::cli::{self, Cli};

/// Set, it makes `docs/options.md` anew.
const UPDATE: &str = "UPDATE_DOCS";

const INTRODUCTION: &str = "\
# Options

<!-- Made from the options themselves by `UPDATE_DOCS=1 cargo test --release --workspace --exclude strata-python --lib`. -->

`strata COMMAND --help` says the same. An option with a key may also stand in a pipeline file, which is the argument of
`strata run`: `--layers 0,6` there is `layers = [0, 6]` in the table `[features]`. The command line wins over the file. Paths
are relative to the folder you start in.
";

fn repository() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_document_of_the_options_is_made_from_them() {
    let path = repository().join("docs/options.md");
    let made = document();
    if std::env::var_os(UPDATE).is_some() {
        fs_err::write(&path, &made).unwrap();
    }
    let written = fs_err::read_to_string(&path).unwrap();
    assert!(written == made, "docs/options.md is out of date: {UPDATE}=1 writes it");
}

fn document() -> String {
    let (mut out, command) = (INTRODUCTION.to_owned(), Cli::command());
    let of_run: Vec<&Arg> = command.find_subcommand("run").unwrap().get_arguments().collect();
    for subcommand in command.get_subcommands().filter(|subcommand| !subcommand.is_hide_set()) {
        let (name, about) = (subcommand.get_name(), subcommand.get_about().unwrap());
        write!(out, "\n## strata {name}\n\n{}.\n", in_a_cell(&about.to_string())).unwrap();
        let arguments: Vec<&Arg> = subcommand.get_arguments().collect();
        if name != "run" && of_run.iter().all(|argument| arguments.contains(argument)) {
            let own = arguments.into_iter().filter(|argument| !of_run.contains(argument));
            out += "\nAll that `strata run` takes, and:\n";
            describe(&mut out, "###", &own.collect::<Vec<_>>());
        } else {
            describe(&mut out, "###", &arguments);
        }
    }
    describe(&mut out, "##", &command.get_arguments().collect::<Vec<_>>());
    let environment = command.get_after_help().unwrap().to_string();
    let variables = environment.strip_prefix("Environment:\n").unwrap();
    write!(out, "\n## Environment\n\n```\n{variables}\n```\n").unwrap();
    out
}

/// A table of options for each heading, in the order of the help.
fn describe(out: &mut String, level: &str, arguments: &[&Arg]) {
    let mut headings: Vec<Option<&str>> = Vec::new();
    for argument in arguments {
        if !headings.contains(&argument.get_help_heading()) {
            headings.push(argument.get_help_heading());
        }
    }
    for heading in headings {
        if let Some(heading) = heading {
            write!(out, "\n{level} {heading}\n").unwrap();
        }
        let arguments: Vec<&&Arg> =
            arguments.iter().filter(|argument| argument.get_help_heading() == heading).collect();
        let is_key = |id: &str| id.contains('.');
        let has_keys = arguments.iter().any(|argument| is_key(argument.get_id().as_str()));
        let (title, line) = if has_keys { (" key in a file |", "---|") } else { ("", "") };
        write!(out, "\n| option |{title} meaning | default |\n|---|{line}---|---|\n").unwrap();
        for argument in arguments {
            let (meaning, default) = meaning(argument);
            let key = match argument.get_id().as_str() {
                id if is_key(id) => format!(" `{id}` |"),
                _ if has_keys => " |".to_owned(),
                _ => String::new(),
            };
            writeln!(out, "| `{}` |{key} {meaning} | {default} |", in_a_cell(&usage(argument))).unwrap();
        }
    }
}

/// What is typed.
fn usage(argument: &Arg) -> String {
    let takes_value = argument.get_action().takes_values() && argument.get_num_args() != Some(0.into());
    let value = match argument.get_value_names() {
        Some([name]) if takes_value => name.to_string(),
        _ => String::new(),
    };
    let several = argument.get_num_args().is_some_and(|range| range.max_values() > 1);
    let value = if several { value + "..." } else { value };
    let Some(long) = argument.get_long() else { return value };
    let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
    format!("{short}--{long} {value}").trim_end().to_owned()
}

/// What it means, and what holds where it is not given.
fn meaning(argument: &Arg) -> (String, String) {
    let help = argument.get_long_help().or(argument.get_help()).unwrap().to_string();
    let help = in_a_cell(help.trim_end_matches('.'));
    let (help, stated) = match help.strip_suffix(']').and_then(|help| help.rsplit_once(" [default: ")) {
        Some((help, default)) => (help.to_owned(), default.to_owned()),
        None => (help, String::new()),
    };
    let mut values = argument.get_default_values().iter().map(|value| value.to_string_lossy().into_owned());
    let default = values.next_back().unwrap_or(stated);
    // A switch is there or not.
    let is_switch = argument.get_long().is_some_and(|long| usage(argument).ends_with(long));
    let choices = argument.get_possible_values().into_iter().filter(|_| !is_switch);
    let choices: Vec<String> = choices
        .map(|choice| match choice.get_help() {
            Some(help) => format!("<br>`{}`: {}", choice.get_name(), in_a_cell(&help.to_string())),
            None => format!(" `{}`", choice.get_name()),
        })
        .collect();
    let begin = if choices.first().is_some_and(|choice| choice.starts_with(' ')) { "<br>One of" } else { "" };
    (help + begin + &choices.join(if begin.is_empty() { "" } else { "," }), default)
}

/// In one line, and free of what would end a cell or vanish from it.
fn in_a_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('\\', "\\\\").replace('|', "\\|")
}

/// The blocks of code in the documents: their language, and what stands in them.
fn blocks() -> Vec<(String, String)> {
    let folder = fs_err::read_dir(repository().join("docs")).unwrap();
    let documents = folder.map(|entry| entry.unwrap().path()).chain([repository().join("README.md")]);
    let documents = documents.filter(|path| path.extension().is_some_and(|extension| extension == "md"));
    let mut blocks = Vec::new();
    for document in documents {
        let text = fs_err::read_to_string(document).unwrap();
        for (place, piece) in text.split("```").enumerate() {
            if place % 2 == 1 {
                let (language, code) = piece.split_once('\n').unwrap();
                blocks.push((language.to_owned(), code.to_owned()));
            } else {
                let code = piece.lines().filter_map(|line| line.strip_prefix("    "));
                blocks.push((String::new(), code.collect::<Vec<_>>().join("\n")));
            }
        }
    }
    blocks
}

#[test]
fn every_command_in_the_documents_is_understood() {
    let (mut parsed, numbers) = (0, ["_ARRAY_TASK_ID", "_ARRAY_TASK_COUNT", "_CPUS_PER_TASK"]);
    for (_, block) in blocks() {
        let block =
            numbers.iter().zip(["1", "16", "8"]).fold(block.replace("\\\n", " "), |block, (name, number)| {
                block.replace(&format!("$SLURM{name}"), number)
            });
        for line in block.lines() {
            let Some(words) = shlex::split(line) else { continue };
            let Some(start) = words.iter().position(|word| word == "strata" || word.ends_with("/strata"))
            else {
                continue;
            };
            if words.get(start + 1).is_none_or(|word| Cli::command().find_subcommand(word).is_none()) {
                continue;
            }
            let words = words[start..].iter().take_while(|word| *word != "|");
            let cli = Cli::try_parse_from(words).unwrap_or_else(|error| panic!("{line}\n{error}"));
            if let cli::Command::Run(run) = cli.command
                && run.pipeline.is_none()
            {
                Settings::try_from(run.options).unwrap_or_else(|error| panic!("{line}\n{error}"));
            }
            parsed += 1;
        }
    }
    assert!(parsed > 10, "only {parsed} commands were found");
}

#[test]
fn every_pipeline_in_the_documents_is_accepted() {
    let pipelines: Vec<String> =
        blocks().into_iter().filter(|(language, _)| language == "toml").map(|(_, code)| code).collect();
    assert!(pipelines.len() > 1, "only {} pipelines were found", pipelines.len());
    for pipeline in pipelines {
        let file = tempfile::Builder::new().suffix(".toml").tempfile().unwrap();
        fs_err::write(&file, &pipeline).unwrap();
        if pipeline.contains("[probe]") {
            #[cfg(feature = "probe")]
            crate::options::probe::ProbeOptions::default()
                .with(Some(file.path()))
                .and_then(|options| Ok(strata_probe::Settings::try_from(options.probe)?))
                .unwrap_or_else(|error| panic!("{error}\n{pipeline}"));
            continue;
        }
        let options = Options::default().over_file(file.path());
        options
            .and_then(|options| Ok(Settings::try_from(options)?))
            .unwrap_or_else(|error| panic!("{error}\n{pipeline}"));
    }
}
