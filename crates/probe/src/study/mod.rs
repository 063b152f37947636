//! From an output and a question to a report.

mod baselines;
mod column;
#[cfg(test)]
mod cover;
mod layers;
mod rows;

use std::path::Path;

use crate::Error;
use crate::design::{Resampling, Split, Universe};
use crate::output::{Keys, Labels, Output, VectorColumn};
use crate::report::{Class, Code, ColumnReport, Notes, OutputProvenance, Provenance, Question, Report, Rows};
use crate::settings::{Settings, Task};
use crate::watch::{Watch, check};
use column::{Depth, Found, Seeded};
use rows::{Beside, Subject, Truth};

/// Few groups make an interval that is too narrow.
const FEW_GROUPS: usize = 20;
/// A split that leaves less to learn from is said.
const FEW_LEARNED: f64 = 0.55;

/// Finds out what each column of an output knows of a label.
///
/// # Errors
/// There is no such output or column; nothing can be learned of the labels; outputs are not of the same rows; the
/// watch says that it is enough.
pub fn probe(settings: &Settings, watch: &dyn Watch) -> Result<Report, Error> {
    let mut notes = Notes::default();
    let output = Output::open(&settings.vectors)?;
    let columns = output.chosen(&settings.columns)?;
    let beside = Beside::read(&output, settings)?;
    let control = settings
        .control
        .as_deref()
        .map(|folder| other(folder, "--control", &output, settings, &mut notes))
        .transpose()?;
    let compare = settings
        .compare
        .as_deref()
        .map(|folder| other(folder, COMPARE, &output, settings, &mut notes))
        .transpose()?;
    let of_control = match &control {
        Some(control) => same_columns(control, &columns, &mut notes)?,
        None => Vec::new(),
    };

    let mut is_whole: Vec<bool> = (0..output.rows).map(|row| beside.is_usable(row)).collect();
    for (output, columns) in [(Some(&output), &columns), (control.as_ref(), &of_control)] {
        for (output, column) in columns.iter().filter_map(|column| Some((output?, column))) {
            rows::find_whole(output, column, &mut is_whole)?;
            check(watch)?;
        }
    }
    let subject = beside.choose(&is_whole, settings, &mut notes)?;
    let seeds = seeds(&subject, settings, &mut notes)?;

    let probes = column::probes(&subject, seeds.len(), Depth::All) * columns.len()
        + column::probes(&subject, seeds.len(), Depth::Score) * of_control.len();
    watch.begin(probes as u64);
    let study =
        |output, column, depth| column::study(output, column, &subject, &seeds, settings, depth, watch);
    let found =
        columns.iter().map(|column| study(&output, column, Depth::All)).collect::<Result<Vec<_>, _>>()?;
    let mut of_control_found = Vec::new();
    for column in &of_control {
        if let Some(control) = &control {
            of_control_found.push((column.name.clone(), study(control, column, Depth::Score)?));
        }
    }
    watch.end();

    let best = (1..found.len()).fold(0, |best, index| {
        // A score that is no number is not the best.
        if found[index].development() > found[best].development() || found[best].development().is_nan() {
            index
        } else {
            best
        }
    });
    for (column, found) in columns.iter().zip(&found).filter(|(_, found)| !found.converged) {
        let steps = found.iterations.iter().max().copied().unwrap_or_default();
        notes.say(format!(
            "a probe of {} did not converge in {steps} steps: its score is not quite that of the best probe",
            column.name
        ));
    }
    let strengths: Vec<(&VectorColumn, f64)> =
        columns.iter().zip(&found).filter_map(|(column, found)| Some((column, *found.l2.first()?))).collect();
    let mixes = layers::mixes(&output, &strengths, &subject, &seeds[0], settings, &mut notes)?;
    let of_compare = compare.as_ref().map(|compare| compare.chosen(&[])).transpose()?.unwrap_or_default();
    let mut is_compared = is_whole;
    for column in &of_compare {
        if let Some(compare) = &compare {
            rows::find_whole(compare, column, &mut is_compared)?;
        }
    }
    let compared: Vec<u32> = subject.kept.iter().copied().filter(|&row| is_compared[row as usize]).collect();
    let others = [("control", control.as_ref(), &of_control), ("compare", compare.as_ref(), &of_compare)];
    let others: Vec<(&'static str, &Output, &[VectorColumn])> = others
        .into_iter()
        .filter_map(|(name, output, columns)| Some((name, output?, columns.as_slice())))
        .collect();
    let cka = layers::alike((&output, &columns), &others, &compared, settings.seed)?;

    let origin = |output: &Output| OutputProvenance {
        folder: output.folder.display().to_string(),
        fingerprint: output.provenance.clone(),
    };
    Ok(Report {
        strata: env!("CARGO_PKG_VERSION").to_owned(),
        question: question(&subject, settings, &seeds),
        rows: row_counts(&output, &subject, &seeds),
        baselines: baselines::baselines(&subject, &seeds, settings.seed),
        best: columns[best].name.clone(),
        confusion: Some(found[best].confusion.clone()).filter(|counts| !counts.is_empty()),
        columns: columns
            .iter()
            .zip(&found)
            .map(|(column, found)| {
                let control = of_control_found.iter().find(|(name, _)| *name == column.name);
                column_report(column, found, control.map(|(_, found)| found), &subject, &seeds, settings)
            })
            .collect(),
        mixes,
        cka,
        notes: notes.into_inner(),
        provenance: Provenance {
            vectors: origin(&output),
            control: control.as_ref().map(origin),
            compare: compare.as_ref().map(origin),
        },
    })
}

/// The option that names an output whose layers are compared.
const COMPARE: &str = "--compare";

/// Another output of the same rows.
///
/// # Errors
/// There is none in the folder, or one of other rows.
fn other(
    folder: &Path,
    option: &str,
    output: &Output,
    settings: &Settings,
    notes: &mut Notes,
) -> Result<Output, Error> {
    let other = Output::open(folder)?;
    let refuse = |what: String| {
        Error::bad_data(
            format!("{} and {} are not of the same rows: {what}", output.folder.display(), folder.display()),
            format!("{option} wants an output of the same input and unit, from another model"),
        )
    };
    if other.rows != output.rows {
        return Err(refuse(format!("one has {}, the other {}", output.rows, other.rows)));
    }
    let has_label = other.columns.contains(&settings.label);
    if other.made_of != output.made_of {
        if !has_label {
            return Err(refuse(format!(
                "they are of other input files, and `{}` was not kept, by which rows could be compared",
                settings.label
            )));
        }
        match output.texts().filter(|text| other.texts() == Some(*text)) {
            Some(text) => {
                let (own, others) = (Keys::read(output, text, option)?, Keys::read(&other, text, option)?);
                match own.first_other_than(&others) {
                    // Another model may well have been given other forms of the same texts.
                    Some(row) if option == COMPARE => notes.say(format!(
                        "`{text}` of row {row} is not the same in {} and {}: their layers are compared row by row all the same",
                        output.folder.display(),
                        folder.display()
                    )),
                    Some(row) => return Err(refuse(format!("`{text}` of row {row} differs"))),
                    None => {}
                }
            }
            None => notes.say(format!(
                "{} and {} are of other input files, and their texts were not kept: that they are of the same rows is \
                 known by `{}` alone",
                output.folder.display(),
                folder.display(),
                settings.label
            )),
        }
    }
    if has_label {
        let of = |output: &Output| Labels::read(output, &settings.label, settings.task);
        let differs = match (of(output)?, of(&other)?) {
            (Labels::Classes { of, names }, Labels::Classes { of: others, names: of_others }) => {
                Keys { of, names }.first_other_than(&Keys { of: others, names: of_others })
            }
            (Labels::Numbers(a), Labels::Numbers(b)) => a.iter().zip(&b).position(|(a, b)| a != b),
            _ => Some(0),
        };
        if let Some(row) = differs {
            return Err(refuse(format!("`{}` of row {row} differs", settings.label)));
        }
    }
    Ok(other)
}

/// The columns of the control output that have names of the output's.
///
/// # Errors
/// There are none.
fn same_columns(
    control: &Output,
    columns: &[VectorColumn],
    notes: &mut Notes,
) -> Result<Vec<VectorColumn>, Error> {
    let same: Vec<VectorColumn> = columns
        .iter()
        .filter_map(|own| control.vectors.iter().find(|c| c.name == own.name).cloned())
        .collect();
    if same.is_empty() {
        return Err(Error::usage(
            format!("{} has none of the columns that are probed", control.folder.display()),
            "make it with the same --layers and --pooling",
        ));
    }
    let missing: Vec<&str> =
        columns.iter().map(|c| c.name.as_str()).filter(|name| same.iter().all(|s| s.name != *name)).collect();
    if !missing.is_empty() {
        notes.say(format!("{} has no {}", control.folder.display(), missing.join(", ")));
    }
    Ok(same)
}

/// A split of the rows for each seed.
///
/// # Errors
/// There are too few groups.
fn seeds(subject: &Subject, settings: &Settings, notes: &mut Notes) -> Result<Vec<Seeded>, Error> {
    let mut splits = Vec::new();
    for seed in (0..settings.seeds.max(1) as u64).map(|index| settings.seed.wrapping_add(index)) {
        let split = Split::draw(&subject.groups, subject.stated.as_ref(), seed).ok_or_else(|| {
            Error::bad_data(
                format!(
                    "{} rows cannot be divided into training, development and test: they are of too few `{}`, or a side is empty",
                    subject.kept.len(),
                    subject.grouped_by
                ),
                "at least three groups are needed: name a finer --group or another --split, or make vectors of more rows",
            )
        })?;
        if let Truth::Classes { of, names } = &subject.labels {
            let arranged = split.arrange(of);
            let seen = |rows: std::ops::Range<usize>| {
                let mut seen = vec![false; names.len()];
                arranged[rows].iter().for_each(|&class| seen[class as usize] = true);
                seen
            };
            let (learned, asked) = (seen(split.train.clone()), seen(split.development.start..split.test.end));
            if learned.iter().filter(|seen| **seen).count() < 2 {
                return Err(Error::bad_data(
                    format!("the rows that seed {seed} learns from are all of one class"),
                    "name a finer --group, another --seed, or make vectors of more rows",
                ));
            }
            let unknown: Vec<&str> = (0..names.len())
                .filter(|&class| asked[class] && !learned[class])
                .map(|class| names[class].as_str())
                .collect();
            if !unknown.is_empty() {
                notes.say(format!(
                    "with seed {seed} development or test have classes that no row to learn from has: {}",
                    unknown.join(", ")
                ));
            }
        }
        let share = split.train.len() as f64 / subject.kept.len() as f64;
        if subject.stated.is_none() && share < FEW_LEARNED {
            notes.say(format!(
                "with seed {seed} only {} of {} rows are learned from, as groups (`{}`) are large",
                split.train.len(),
                subject.kept.len(),
                subject.grouped_by
            ));
        }
        splits.push((seed, split));
    }
    let asked = |split: &Split| split.arrange(&subject.groups)[split.test.clone()].to_vec();
    let universe =
        Universe::new(splits.iter().flat_map(|(_, split)| asked(split)), settings.seed, settings.resamples);
    let mut seeds = Vec::new();
    for (seed, split) in splits {
        let resampling = Resampling::new(&universe, &asked(&split));
        if resampling.groups() < FEW_GROUPS {
            notes.say(format!(
                "the test of seed {seed} has {} groups (`{}`), which is few for an interval",
                resampling.groups(),
                subject.grouped_by
            ));
        }
        seeds.push(Seeded { seed, split, resampling });
    }
    Ok(seeds)
}

fn question(subject: &Subject, settings: &Settings, seeds: &[Seeded]) -> Question {
    let (task, score, second) = match subject.labels {
        Truth::Classes { .. } => (Task::Classes, "accuracy", "macro-F1"),
        Truth::Numbers(_) => (Task::Numbers, "R²", "Spearman's ρ"),
    };
    Question {
        label: settings.label.clone(),
        task,
        probe: settings.probe,
        grouped_by: subject.grouped_by.clone(),
        typed_by: subject.typed_by.clone(),
        split: settings.split.clone(),
        seeds: seeds.iter().map(|seeded| seeded.seed).collect(),
        resamples: settings.resamples,
        score,
        second,
    }
}

fn row_counts(output: &Output, subject: &Subject, seeds: &[Seeded]) -> Rows {
    let classes = match &subject.labels {
        Truth::Numbers(_) => Vec::new(),
        Truth::Classes { of, names } => {
            let mut counts = vec![0; names.len()];
            of.iter().for_each(|&class| counts[class as usize] += 1);
            names.iter().zip(counts).map(|(name, rows)| Class { name: name.clone(), rows }).collect()
        }
    };
    let mut groups = subject.groups.clone();
    groups.sort_unstable();
    groups.dedup();
    Rows {
        all: output.rows,
        probed: subject.kept.len(),
        left_out: subject.left_out.clone(),
        groups: groups.len(),
        splits: seeds
            .iter()
            .map(|Seeded { split, .. }| [split.train.len(), split.development.len(), split.test.len()])
            .collect(),
        classes,
    }
}

fn column_report(
    column: &VectorColumn,
    found: &Found,
    control: Option<&Found>,
    subject: &Subject,
    seeds: &[Seeded],
    settings: &Settings,
) -> ColumnReport {
    let seed = settings.seed;
    let has_control_task = subject.types.is_some();
    let code = match &subject.labels {
        Truth::Numbers(_) => None,
        Truth::Classes { names, .. } => {
            let bits = &found.bits;
            let learned: usize = seeds.iter().map(|seeded| seeded.split.train.len()).sum();
            Some(Code {
                bits: bits.iter().sum::<f64>() / bits.len() as f64,
                shortest: bits.iter().copied().fold(f64::INFINITY, f64::min),
                longest: bits.iter().copied().fold(0.0, f64::max),
                uniform: learned as f64 / seeds.len() as f64 * (names.len() as f64).log2(),
            })
        }
    };
    ColumnReport {
        column: column.name.clone(),
        layer: column.layer,
        series: column.series.clone(),
        width: column.width,
        score: found.score.estimate(seed),
        second: found.second.estimate(seed),
        development: found.development(),
        control: control.map(|found| found.score.estimate(seed)),
        control_task: has_control_task.then(|| found.control_task.estimate(seed)),
        selectivity: has_control_task.then(|| found.score.minus(&found.control_task).estimate(seed)),
        code,
        l2: found.l2.clone(),
        iterations: found.iterations.clone(),
        converged: found.converged,
    }
}

impl Found {
    /// The mean score on the development rows.
    fn development(&self) -> f64 {
        self.development.iter().sum::<f64>() / self.development.len() as f64
    }
}
