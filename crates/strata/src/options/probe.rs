//! The options of a probe, as the command line and a TOML file state them.

use std::path::{Path, PathBuf};

use clap::{Args, value_parser};
use serde::{Deserialize, Serialize};
use strata_featurize::Refusal;
use strata_probe::{Probe, Settings, Task};

use crate::options::choice::choice;
use crate::options::pipeline_file::over_file;
use crate::options::values;

/// Every option; absent where the user says nothing.
#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
pub struct ProbeOptions {
    #[command(flatten)]
    pub probe: ProbeKeys,
}

#[derive(Debug, Clone, Default, Args, Serialize, Deserialize)]
#[serde(default)]
#[command(next_help_heading = "Question")]
pub struct ProbeKeys {
    /// The output of `strata run` whose columns are probed; a folder given before the options is the same.
    #[arg(id = "probe.vectors", long = "vectors", value_name = "DIR")]
    pub vectors: Option<PathBuf>,
    /// The column of labels, which --keep or --align carried through.
    #[arg(id = "probe.label", long = "label", value_name = "COLUMN")]
    pub label: Option<String>,
    /// What the labels are [default: numbers if they have fractions, else classes].
    #[arg(id = "probe.task", long = "task", value_name = "TASK", value_parser = choice::<Task>())]
    pub task: Option<Task>,
    /// The column whose equal values are on one side of every split, such as the document [default: the row; of tokens,
    /// words and spans the input row].
    #[arg(id = "probe.group", long = "group", value_name = "COLUMN")]
    pub group: Option<String>,
    /// The column that says train, dev or test [default: a fifth of the groups is for the test, a tenth for development].
    #[arg(id = "probe.split", long = "split", value_name = "COLUMN")]
    pub split: Option<String>,
    /// The column whose equal values share a label of the control task, and have a most frequent label [default: the word
    /// or token].
    #[arg(id = "probe.types", long = "types", value_name = "COLUMN")]
    pub types: Option<String>,
    /// The columns of vectors, separated by commas [default: all but those of attention].
    #[arg(id = "probe.columns", long = "columns", value_name = "COLUMNS", value_delimiter = ',')]
    #[serde(deserialize_with = "values::list_or_text")]
    pub columns: Option<Vec<String>>,
    /// An output of the same rows from random weights (--random-weights), which is probed in the same way.
    #[arg(id = "probe.control", long = "control", value_name = "DIR")]
    pub control: Option<PathBuf>,
    /// An output of the same rows from another model, with whose layers these are compared.
    #[arg(id = "probe.compare", long = "compare", value_name = "DIR")]
    pub compare: Option<PathBuf>,
    /// What is trained: a linear map, or one with a hidden layer of 64 units before it [default: linear].
    #[arg(id = "probe.probe", long = "probe", value_name = "PROBE", value_parser = choice::<Probe>())]
    pub probe: Option<Probe>,
    /// The first seed of splits, control labels and resamples [default: 0].
    #[arg(id = "probe.seed", long = "seed", value_name = "N", value_parser = values::whole_number::<u64>())]
    pub seed: Option<u64>,
    /// How many seeds [default: 3].
    #[arg(id = "probe.seeds", long = "seeds", value_name = "N", value_parser = value_parser!(u16).range(1..=1000))]
    pub seeds: Option<u16>,
    /// Resamples of each interval [default: 1000].
    #[arg(id = "probe.resamples", long = "resamples", value_name = "N", value_parser = value_parser!(u32).range(1..=1_000_000))]
    pub resamples: Option<u32>,
    /// Classes with fewer rows are left out [default: 10].
    #[arg(id = "probe.min_rows", long = "min-rows", value_name = "N", value_parser = values::whole_number::<usize>())]
    pub min_rows: Option<usize>,
    /// The folder of the report, made if it does not exist [default: it is only printed].
    #[arg(id = "probe.output", long = "output", value_name = "DIR")]
    pub output: Option<PathBuf>,
}

impl ProbeOptions {
    /// These options for the output in a folder, or over those of a pipeline file.
    ///
    /// # Errors
    /// The file cannot be read, is not TOML, or has a key that is no option; another folder is named beside this one.
    pub fn with(mut self, what: Option<&Path>) -> anyhow::Result<Self> {
        match what {
            Some(file) if file.extension().is_some_and(|extension| extension == "toml") => {
                over_file(&self, "probe", file)
            }
            Some(folder) => match self.probe.vectors.replace(folder.to_owned()) {
                Some(other) if other != folder => {
                    let found =
                        format!("two outputs are named: {} and {}", folder.display(), other.display());
                    let hint = "name one; --control and --compare take others of the same rows";
                    Err(Refusal::usage(found).hint(hint).into())
                }
                _ => Ok(self),
            },
            None => Ok(self),
        }
    }
}

impl TryFrom<ProbeKeys> for Settings {
    type Error = Refusal;

    // Taken apart without `..`, so that an option nobody reads does not compile.
    fn try_from(keys: ProbeKeys) -> Result<Self, Refusal> {
        let ProbeKeys {
            vectors,
            label,
            task,
            group,
            split,
            types,
            columns,
            control,
            compare,
            probe,
            seed,
            seeds,
            resamples,
            min_rows,
            output: _,
        } = keys;
        let missing = |what: &str, hint: &str| Refusal::usage(format!("{what} is missing")).hint(hint);
        let vectors = vectors.ok_or_else(|| {
            missing(
                "the output to probe",
                "name the folder that `strata run` wrote, or `probe.vectors` in the file",
            )
        })?;
        let label = label
            .ok_or_else(|| missing("--label", "give the column of labels, or `probe.label` in the file"))?;
        let default = Self::new(vectors, label);
        Ok(Self {
            task,
            group,
            split,
            types,
            columns: columns.unwrap_or_default(),
            control,
            compare,
            probe: probe.unwrap_or_default(),
            seed: seed.unwrap_or(default.seed),
            seeds: seeds.map_or(default.seeds, usize::from),
            resamples: resamples.map_or(default.resamples, |resamples| resamples as usize),
            min_rows: min_rows.unwrap_or(default.min_rows),
            ..default
        })
    }
}
