//! What is found in one column of vectors.

use std::ops::Range;

use burn::tensor::FloatDType;

use crate::Error;
use crate::design::{Resampling, Split, control_labels};
use crate::fit::{Lesson, Material, Predictions, Rows, Targets, Trained};
use crate::output::{Output, VectorColumn};
use crate::score::{Resampled, accuracy, confusion, macro_f1, order, r_squared, spearman};
use crate::settings::{Probe, Settings};
use crate::study::rows::{Subject, Truth};
use crate::watch::{Watch, check};

/// Shares of the rows that are learned from, at whose ends the online code learns again.
const PORTIONS: [f64; 11] = [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5, 1.0];

/// One seed's split of the rows.
pub struct Seeded {
    pub seed: u64,
    pub split: Split,
    pub resampling: Resampling,
}

/// What was found in a column.
#[derive(Default)]
pub struct Found {
    pub score: Resampled,
    pub second: Resampled,
    pub control_task: Resampled,
    /// Scores on the development rows.
    pub development: Vec<f64>,
    pub bits: Vec<f64>,
    pub l2: Vec<f64>,
    pub iterations: Vec<usize>,
    pub converged: bool,
    /// Over all seeds.
    pub confusion: Vec<Vec<u64>>,
}

/// How much is asked about a column.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    All,
    /// The score alone.
    Score,
}

/// The number of probes that [`study`] trains.
pub fn probes(subject: &Subject, seeds: usize, depth: Depth) -> usize {
    let targets = subject.labels.targets();
    let control = usize::from(subject.types.is_some());
    let portions = if matches!(targets, Targets::Classes { .. }) { PORTIONS.len() - 1 } else { 0 };
    let more = if depth == Depth::All { control + portions } else { 0 };
    seeds * (targets.strengths().len() + 1 + more)
}

/// Trains and asks probes of a column for each seed.
///
/// # Errors
/// A part cannot be read; the watch says that it is enough.
pub fn study(
    output: &Output,
    column: &VectorColumn,
    subject: &Subject,
    seeds: &[Seeded],
    settings: &Settings,
    depth: Depth,
    watch: &dyn Watch,
) -> Result<Found, Error> {
    let mut found = Found { converged: true, ..Found::default() };
    let step = || {
        watch.advance(1, &column.name);
        check(watch)
    };
    for Seeded { seed, split, resampling } in seeds {
        let targets = subject.labels.targets().arranged(split).standardized(&split.train);
        let rows = read(output, column, subject, split)?;
        let material = Material::new(rows, split.train.clone(), settings.probe, &targets);
        let lesson = Lesson {
            material: &material,
            targets: &targets,
            train: split.train.clone(),
            probe: settings.probe,
            seed: *seed,
        };
        let mut strengths = targets.strengths().len() as u64;
        let trained = lesson.choose(split.development.clone(), || {
            strengths -= 1;
            step()
        })?;
        // Those that were not tried, and the last.
        watch.advance(strengths + 1, &column.name);
        let said = lesson.predict(&trained, split.test.clone());
        let scores = Scores { targets: &targets, rows: split.test.clone(), resampling };
        scores.add(&said, &mut found.score, &mut found.second);
        found.development.push(plain_score(
            &targets,
            split.development.clone(),
            &lesson.predict(&trained, split.development.clone()),
        ));
        found.l2.push(trained.l2);
        found.iterations.push(trained.iterations);
        found.converged &= trained.converged;
        if let (Targets::Classes { of, count }, Predictions::Classes(said)) = (&targets, &said) {
            add_counts(&mut found.confusion, confusion(&of[split.test.clone()], said, *count));
        }
        if depth == Depth::Score {
            continue;
        }
        if let Some(types) = &subject.types {
            let control = targets.control(&split.arrange(types), *seed);
            let lesson = Lesson { targets: &control, train: split.train.clone(), ..lesson };
            let trained = lesson.fit(trained.l2, split.train.clone(), None, FloatDType::F32);
            let said = lesson.predict(&trained, split.test.clone());
            let scores = Scores { targets: &control, rows: split.test.clone(), resampling };
            scores.add(&said, &mut found.control_task, &mut Resampled::default());
            step()?;
        }
        if let Targets::Classes { count, .. } = &targets {
            found.bits.push(online_code(&lesson, &trained, *count, step)?);
        }
    }
    Ok(found)
}

/// The bits of an online code: each portion of the rows is said with a probe that has learned those before it, the
/// first with none.
fn online_code(
    lesson: &Lesson,
    trained: &Trained,
    classes: usize,
    mut step: impl FnMut() -> Result<(), Error>,
) -> Result<f64, Error> {
    let rows = lesson.train.len();
    let ends: Vec<usize> =
        PORTIONS.iter().map(|share| ((share * rows as f64).ceil() as usize).min(rows)).collect();
    let mut bits = ends[0] as f64 * (classes as f64).log2();
    let mut last: Option<Trained> = None;
    for pair in ends.windows(2) {
        let (learned, next) = (pair[0], pair[1]);
        // A hidden layer that has settled into few rows does not leave them.
        let start = last.as_ref().filter(|_| lesson.probe == Probe::Linear);
        let of_few = lesson.fit(trained.l2, 0..learned, start, FloatDType::F32);
        bits += lesson.bits(&of_few, learned..next, learned);
        last = Some(of_few);
        step()?;
    }
    Ok(bits)
}

/// The vectors of a column, in the order of a split.
///
/// # Errors
/// A part cannot be read.
pub fn read(output: &Output, column: &VectorColumn, subject: &Subject, split: &Split) -> Result<Rows, Error> {
    let places = split.places();
    let mut rows = Rows::new(subject.kept.len(), column.width);
    let mut next = 0;
    output.each_vector(column, |row, values| {
        if let Some(values) =
            values.filter(|_| subject.kept.get(next).is_some_and(|&kept| kept as usize == row))
        {
            rows.row_mut(places[next] as usize).copy_from_slice(values);
            next += 1;
        }
    })?;
    if next == subject.kept.len() {
        Ok(rows)
    } else {
        Err(Error::Bug(format!(
            "{} has vectors of {next} rows, expected {}",
            column.name,
            subject.kept.len()
        )))
    }
}

/// Rows that were asked.
pub struct Scores<'a> {
    pub targets: &'a Targets,
    pub rows: Range<usize>,
    pub resampling: &'a Resampling,
}

impl Scores<'_> {
    /// Adds a seed's scores.
    pub fn add(&self, said: &Predictions, score: &mut Resampled, second: &mut Resampled) {
        let add = |to: &mut Resampled, of: &(dyn Fn(&[u32]) -> f64 + Sync)| {
            // Of a test that is too large for all layers at once, the first rows are asked.
            let of = |weights: &[u32]| of(&weights[..self.rows.len()]);
            to.push(self.resampling.score(of), self.resampling.scores(of));
        };
        match (self.targets, said) {
            (Targets::Classes { of, count }, Predictions::Classes(said)) => {
                let of = &of[self.rows.clone()];
                add(score, &|weights| accuracy(of, said, weights));
                add(second, &|weights| macro_f1(of, said, weights, *count));
            }
            (Targets::Numbers(of), Predictions::Numbers(said)) => {
                let of = &of[self.rows.clone()];
                let orders = [order(of), order(said)];
                add(score, &|weights| r_squared(of, said, weights));
                add(second, &|weights| spearman(of, said, [&orders[0], &orders[1]], weights));
            }
            _ => {}
        }
    }
}

fn plain_score(targets: &Targets, rows: Range<usize>, said: &Predictions) -> f64 {
    let weights = vec![1; rows.len()];
    match (targets, said) {
        (Targets::Classes { of, .. }, Predictions::Classes(said)) => accuracy(&of[rows], said, &weights),
        (Targets::Numbers(of), Predictions::Numbers(said)) => r_squared(&of[rows], said, &weights),
        _ => f64::NAN,
    }
}

fn add_counts(sums: &mut Vec<Vec<u64>>, counts: Vec<Vec<u64>>) {
    if sums.is_empty() {
        *sums = counts;
        return;
    }
    for (sums, counts) in sums.iter_mut().zip(counts) {
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
    }
}

impl Truth {
    /// What probes are to say, in the order of the rows.
    pub fn targets(&self) -> Targets {
        match self {
            Self::Classes { of, names } => Targets::Classes { of: of.clone(), count: names.len() },
            Self::Numbers(of) => Targets::Numbers(of.clone()),
        }
    }
}

impl Targets {
    /// The same in the order of a split.
    pub fn arranged(&self, split: &Split) -> Self {
        match self {
            Self::Classes { of, count } => Self::Classes { of: split.arrange(of), count: *count },
            Self::Numbers(of) => Self::Numbers(split.arrange(of)),
        }
    }

    /// Targets that say nothing.
    fn control(&self, types: &[u32], seed: u64) -> Self {
        match self {
            Self::Classes { of, count } => {
                Self::Classes { of: control_labels(of, types, seed), count: *count }
            }
            Self::Numbers(of) => Self::Numbers(control_labels(of, types, seed)),
        }
    }
}
