//! What is to be found in vectors.

use polars::prelude::DataType;
use serde_json::Value;

use super::{Keys, Output};
use crate::Error;
use crate::settings::Task;

/// More classes than this are numbers, names, or a mistake.
const MOST_CLASSES: usize = 1000;

/// The label of each row; none where it is null.
pub enum Labels {
    /// Classes by their places in `names`.
    Classes { of: Vec<Option<u32>>, names: Vec<String> },
    /// Numbers. What is infinite or not a number is none.
    Numbers(Vec<Option<f64>>),
}

impl Labels {
    /// The labels of a column: numbers if they have fractions, else classes, unless `task` says something else.
    ///
    /// # Errors
    /// There is no such column, or none of labels; a part cannot be read.
    pub fn read(output: &Output, column: &str, task: Option<Task>) -> Result<Self, Error> {
        output.expect_column(column, "--label")?;
        let dtype = output.parts_of(column).next().transpose()?.map(|(_, _, values)| values.dtype().clone());
        let dtype = dtype.unwrap_or(DataType::Null);
        let is_float = matches!(
            dtype,
            DataType::Float16 | DataType::Float32 | DataType::Float64 | DataType::Decimal(..)
        );
        let is_number = dtype.is_primitive_numeric() || dtype.is_decimal();
        match task {
            Some(Task::Numbers) if !is_number => Err(Error::usage(
                format!("column `{column}` holds {dtype}, expected numbers"),
                "leave --task numbers out, or name a column of numbers with --label",
            )),
            Some(Task::Numbers) => Self::numbers(output, column),
            Some(Task::Classes) if !is_float => Self::classes(output, column),
            None if !is_float => Self::classes(output, column),
            // Whole numbers beside nulls are often kept as floats.
            _ => {
                let numbers = Self::numbers(output, column)?;
                let Self::Numbers(of) = &numbers else { return Ok(numbers) };
                let is_whole = of.iter().flatten().all(|number| number.fract() == 0.0);
                if task.is_none() && !is_whole {
                    return Ok(numbers);
                }
                // Zero has a sign of its own, which makes no other class.
                let keys = Keys::of(of.iter().map(|number| number.map(|number| (number + 0.0).to_string())));
                if task.is_none() && keys.names.len() > MOST_CLASSES {
                    return Ok(numbers);
                }
                Self::of_keys(output, column, keys)
            }
        }
    }

    fn numbers(output: &Output, column: &str) -> Result<Self, Error> {
        let mut of = Vec::with_capacity(output.rows);
        for part in output.parts_of(column) {
            let values = part?.2.cast(&DataType::Float64)?.take_materialized_series();
            of.extend(values.f64()?.iter().map(|value| value.filter(|value| value.is_finite())));
        }
        Ok(Self::Numbers(of))
    }

    fn classes(output: &Output, column: &str) -> Result<Self, Error> {
        Self::of_keys(output, column, Keys::read(output, column, "--label")?)
    }

    fn of_keys(output: &Output, column: &str, keys: Keys) -> Result<Self, Error> {
        let Keys { of, names } = keys;
        if names.len() > MOST_CLASSES {
            return Err(Error::usage(
                format!(
                    "column `{column}` has {} different values, expected at most {MOST_CLASSES} classes",
                    names.len()
                ),
                "say --task numbers if they are that, or name a column of classes with --label",
            ));
        }
        // Numbers by their size, other names by the alphabet.
        let mut order: Vec<u32> = (0..names.len() as u32).collect();
        let number = |name: &str| name.parse::<i64>().ok();
        order.sort_by(|&a, &b| {
            let (a, b) = (&names[a as usize], &names[b as usize]);
            (number(a).is_none(), number(a), a).cmp(&(number(b).is_none(), number(b), b))
        });
        let mut places = vec![0; names.len()];
        order.iter().enumerate().for_each(|(place, &name)| places[name as usize] = place as u32);
        let stated = stated_names(output, column)?;
        // Where classes have names, a number without one, such as -1, is no label.
        let name = |index: usize| match &stated {
            Some(stated) if names[index].parse::<i64>().is_ok() => {
                stated.get(names[index].parse::<usize>().ok()?).cloned()
            }
            _ => Some(names[index].clone()),
        };
        let is_label = |of: &u32| name(*of as usize).is_some();
        Ok(Self::Classes {
            of: of.into_iter().map(|of| of.filter(is_label).map(|name| places[name as usize])).collect(),
            names: order.iter().map(|&index| name(index as usize).unwrap_or_default()).collect(),
        })
    }

    /// Whether a row has one.
    pub fn is_there(&self, row: usize) -> bool {
        match self {
            Self::Classes { of, .. } => of[row].is_some(),
            Self::Numbers(of) => of[row].is_some(),
        }
    }
}

/// The names of an output's classes, if its files have them.
///
/// # Errors
/// Its files call the classes differently.
fn stated_names(output: &Output, column: &str) -> Result<Option<Vec<String>>, Error> {
    let mut stated: Vec<Option<Vec<String>>> = Vec::new();
    for text in output.metadata("huggingface")? {
        let names = text.and_then(|text| class_names(&text, column));
        if !stated.contains(&names) {
            stated.push(names);
        }
    }
    match stated.as_slice() {
        [] => Ok(None),
        [one] => Ok(one.clone()),
        [one, other, ..] => {
            let shown = |names: &Option<Vec<String>>| match names {
                Some(names) => names.join(", "),
                None => "nothing".to_owned(),
            };
            Err(Error::bad_data(
                format!(
                    "input files call the classes of `{column}` differently: {}; {}",
                    shown(one),
                    shown(other)
                ),
                "make the labels of all files the same, or text, and run strata again",
            ))
        }
    }
}

/// The names of a column's classes, which `datasets` writes into its files: the place of each is its number.
fn class_names(huggingface: &str, column: &str) -> Option<Vec<String>> {
    let stated: Value = serde_json::from_str(huggingface).ok()?;
    let feature = stated.get("info")?.get("features")?.get(column)?;
    // Labels of words are classes in a list.
    let of_list = feature.get("feature").or_else(|| feature.as_array()?.first());
    let names = of_list.unwrap_or(feature).get("names")?.as_array()?;
    names.iter().map(|name| Some(name.as_str()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_classes_are_those_of_datasets() {
        let stated = |feature: &str| format!("{{\"info\": {{\"features\": {{\"tag\": {feature}}}}}}}");
        let label = r#"{"names": ["O", "B-PER"], "_type": "ClassLabel"}"#;
        for feature in
            [label.to_owned(), format!(r#"{{"feature": {label}, "_type": "List"}}"#), format!("[{label}]")]
        {
            assert_eq!(class_names(&stated(&feature), "tag").unwrap(), ["O", "B-PER"]);
        }
        assert!(class_names(&stated(r#"{"dtype": "int64", "_type": "Value"}"#), "tag").is_none());
        assert!(class_names(&stated(label), "other").is_none() && class_names("no JSON", "tag").is_none());
    }
}
