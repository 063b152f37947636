//! Which rows of an output are probed, and what is known of them beside their vectors.

use crate::Error;
use crate::design::{Part, Stated};
use crate::output::{Keys, Labels, Output, VectorColumn};
use crate::report::{LeftOut, Notes};
use crate::settings::Settings;

/// Rows that have a label, a vector in every column, and whatever else is asked for.
pub struct Subject {
    /// Their numbers in the output.
    pub kept: Vec<u32>,
    /// Their labels.
    pub labels: Truth,
    /// Who belongs together, by number.
    pub groups: Vec<u32>,
    /// What that is.
    pub grouped_by: String,
    /// What type each is of, by number.
    pub types: Option<Vec<u32>>,
    /// What that is.
    pub typed_by: Option<String>,
    /// The split that somebody else decided.
    pub stated: Option<Stated>,
    /// Which rows are not among them.
    pub left_out: Vec<LeftOut>,
}

/// Labels of rows that all have one.
pub enum Truth {
    Classes { of: Vec<u32>, names: Vec<String> },
    Numbers(Vec<f64>),
}

/// Columns beside the vectors, for all rows of the output.
pub struct Beside {
    labels: Labels,
    groups: Vec<Option<u32>>,
    grouped_by: String,
    types: Option<Vec<u32>>,
    typed_by: Option<String>,
    stated: Option<(Vec<Option<Part>>, String)>,
    /// Texts by number, to see whether any is on both sides.
    texts: Option<Vec<Option<u32>>>,
}

impl Beside {
    /// Reads what is known of the rows of an output.
    ///
    /// # Errors
    /// A column is not there, or not what it should be.
    pub fn read(output: &Output, settings: &Settings) -> Result<Self, Error> {
        let labels = Labels::read(output, &settings.label, settings.task)?;
        let (groups, grouped_by) = match &settings.group {
            Some(column) => (Keys::read(output, column, "--group")?.of, column.clone()),
            None if output.has_pieces() => {
                (output.input_rows()?.into_iter().map(Some).collect(), "input row".to_owned())
            }
            None => ((0..output.rows as u32).map(Some).collect(), "row".to_owned()),
        };
        let own = ["word", "token"]
            .iter()
            .find(|name| output.has_pieces() && output.columns.iter().any(|c| c == *name));
        let typed_by = settings.types.clone().or_else(|| own.map(|name| (*name).to_owned()));
        let types = match &typed_by {
            None => None,
            Some(column) => {
                let Keys { of, names } = Keys::read(output, column, "--types")?;
                // What has no type is one of its own.
                Some(of.into_iter().map(|of| of.unwrap_or(names.len() as u32)).collect())
            }
        };
        let stated = match &settings.split {
            None => None,
            Some(column) => Some((stated_parts(output, column)?, column.clone())),
        };
        let texts = match output.texts().filter(|_| !output.has_pieces()) {
            Some(text) => Some(Keys::read(output, text, "--text")?.of),
            None => None,
        };
        Ok(Self { labels, groups, grouped_by, types, typed_by, stated, texts })
    }

    /// Whether anything but its vectors speaks against a row.
    pub fn is_usable(&self, row: usize) -> bool {
        self.labels.is_there(row)
            && self.groups[row].is_some()
            && self.stated.as_ref().is_none_or(|(parts, _)| parts[row].is_some())
    }

    /// The rows that are probed: those of which every column has a vector, `is_whole`.
    ///
    /// # Errors
    /// Nothing can be learned of them.
    pub fn choose(self, is_whole: &[bool], settings: &Settings, notes: &mut Notes) -> Result<Subject, Error> {
        let Self { labels, groups, grouped_by, types, typed_by, stated, texts } = self;
        let mut left_out = LeftOutRows { kept: (0..groups.len() as u32).collect(), reasons: Vec::new() };
        let label = &settings.label;
        left_out.retain(|row| labels.is_there(row), format!("`{label}` is null, infinite or not a number"));
        left_out.retain(|row| groups[row].is_some(), format!("`{grouped_by}` is null"));
        if let Some((parts, column)) = &stated {
            left_out.retain(|row| parts[row].is_some(), format!("`{column}` is null"));
        }
        left_out.retain(
            |row| is_whole[row],
            "a vector is null or has values that are infinite or not a number".to_owned(),
        );
        if let (Some((parts, column)), true) =
            (&stated, settings.group.is_some() || grouped_by == "input row")
        {
            let side = |row: usize| parts[row].unwrap_or(Part::Train);
            for (kept, others) in [(Part::Train, "training"), (Part::Development, "development")] {
                let count = groups.iter().flatten().max().map_or(0, |&group| group as usize + 1);
                let mut has = vec![false; count];
                for &row in left_out.kept.iter().filter(|&&row| side(row as usize) == kept) {
                    groups[row as usize].iter().for_each(|&group| has[group as usize] = true);
                }
                left_out.retain(
                    |row| side(row) <= kept || groups[row].is_none_or(|group| !has[group as usize]),
                    format!("`{column}` has them after {others}, and others of their `{grouped_by}` in it"),
                );
            }
        }
        let labels = left_out.of_labels(labels, settings)?;
        let LeftOutRows { kept, reasons: left_out } = left_out;
        let at = |row: &u32| *row as usize;
        let groups: Vec<u32> = kept.iter().filter_map(|row| groups[at(row)]).collect();
        let stated = stated.map(|(parts, _)| {
            let parts: Vec<Part> = kept.iter().filter_map(|row| parts[at(row)]).collect();
            Stated { has_development: parts.contains(&Part::Development), parts }
        });
        if let Some(texts) = texts.filter(|_| settings.group.is_none()) {
            let texts: Vec<Option<u32>> = kept.iter().map(|row| texts[at(row)]).collect();
            let mut times = std::collections::HashMap::new();
            texts.iter().flatten().for_each(|text| *times.entry(*text).or_insert(0_usize) += 1);
            let repeated = texts.iter().flatten().filter(|text| times[text] > 1).count();
            if repeated > 0 {
                notes.say(format!(
                    "{repeated} rows have a text that others have too, so that texts of the test may have been learned: \
                     --group with the column of the texts keeps equal ones together"
                ));
            }
        }
        Ok(Subject {
            types: types.map(|types| kept.iter().map(|row| types[at(row)]).collect()),
            kept,
            labels,
            groups,
            grouped_by,
            typed_by,
            stated,
            left_out,
        })
    }
}

struct LeftOutRows {
    kept: Vec<u32>,
    reasons: Vec<LeftOut>,
}

impl LeftOutRows {
    fn retain(&mut self, is_kept: impl Fn(usize) -> bool, why: String) {
        let before = self.kept.len();
        self.kept.retain(|&row| is_kept(row as usize));
        if self.kept.len() < before {
            self.reasons.push(LeftOut { rows: before - self.kept.len(), why });
        }
    }

    fn of_labels(&mut self, labels: Labels, settings: &Settings) -> Result<Truth, Error> {
        let label = &settings.label;
        match labels {
            Labels::Numbers(of) => {
                let numbers: Vec<f64> = self.kept.iter().filter_map(|&row| of[row as usize]).collect();
                if numbers.windows(2).all(|pair| pair[0] == pair[1]) {
                    let what = match self.kept.len() {
                        0 => format!("no row has a number `{label}` and a vector"),
                        rows => format!("`{label}` is the same number in all {rows} rows"),
                    };
                    return Err(nothing_to_learn(&what));
                }
                Ok(Truth::Numbers(numbers))
            }
            Labels::Classes { of, names } => {
                let mut counts = vec![0_usize; names.len()];
                self.kept
                    .iter()
                    .filter_map(|&row| of[row as usize])
                    .for_each(|class| counts[class as usize] += 1);
                let is_large = |class: u32| counts[class as usize] >= settings.min_rows;
                let small: Vec<String> = (0..names.len())
                    .filter(|&class| counts[class] > 0 && !is_large(class as u32))
                    .map(|class| format!("{} ({})", names[class], counts[class]))
                    .collect();
                if !small.is_empty() {
                    let shown = small.iter().take(10).map(String::as_str).collect::<Vec<_>>().join(", ");
                    let more = if small.len() > 10 {
                        format!(" and {} more", small.len() - 10)
                    } else {
                        String::new()
                    };
                    self.retain(
                        |row| of[row].is_some_and(is_large),
                        format!("their class has fewer than {} rows: {shown}{more}", settings.min_rows),
                    );
                }
                let left: Vec<u32> = (0..names.len() as u32)
                    .filter(|&class| is_large(class) && counts[class as usize] > 0)
                    .collect();
                if left.len() < 2 {
                    let what = match left.first() {
                        Some(&class) => {
                            format!("`{label}` is {} in all {} rows", names[class as usize], self.kept.len())
                        }
                        None if small.is_empty() => format!("no row has a `{label}` and a vector"),
                        None => format!("no class of `{label}` has {} rows or more", settings.min_rows),
                    };
                    return Err(nothing_to_learn(&what));
                }
                let mut places = vec![0; names.len()];
                left.iter().enumerate().for_each(|(place, &class)| places[class as usize] = place as u32);
                let of =
                    self.kept.iter().filter_map(|&row| of[row as usize]).map(|class| places[class as usize]);
                let names = left.iter().map(|&class| names[class as usize].clone());
                Ok(Truth::Classes { of: of.collect(), names: names.collect() })
            }
        }
    }
}

fn nothing_to_learn(what: &str) -> Error {
    Error::bad_data(
        format!("there is nothing to learn: {what}"),
        "name a column of labels that differ with --label; --min-rows says how few rows of a class are too few",
    )
}

/// The sides that a column names.
fn stated_parts(output: &Output, column: &str) -> Result<Vec<Option<Part>>, Error> {
    let Keys { of, names } = Keys::read(output, column, "--split")?;
    let part = |name: &String| match name.to_lowercase().as_str() {
        "train" | "training" => Ok(Part::Train),
        "dev" | "development" | "valid" | "validation" | "val" => Ok(Part::Development),
        "test" | "testing" => Ok(Part::Test),
        _ => Err(Error::usage(
            format!("column `{column}` says `{name}`, expected train, dev (or validation) or test"),
            "name a column of those with --split, or leave it out",
        )),
    };
    let parts: Vec<Part> = names.iter().map(part).collect::<Result<_, _>>()?;
    for (needed, name) in [(Part::Train, "train"), (Part::Test, "test")] {
        if !parts.contains(&needed) {
            return Err(Error::usage(
                format!("column `{column}` has no row that is `{name}`"),
                "name a column of train, dev (or validation) and test with --split, or leave it out",
            ));
        }
    }
    Ok(of.into_iter().map(|of| of.map(|name| parts[name as usize])).collect())
}

/// Marks rows without a vector, or with one that cannot be computed with, as not whole.
///
/// # Errors
/// A part cannot be read.
pub fn find_whole(output: &Output, column: &VectorColumn, is_whole: &mut [bool]) -> Result<(), Error> {
    output.each_vector(column, |row, values| {
        is_whole[row] &= values.is_some_and(|values| values.iter().all(|value| value.is_finite()));
    })
}
