//! Rows encoded again, each alone, and compared with what the parts hold.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float32Type, UInt32Type, UInt64Type};
use serde::Serialize;
use strata_bert::{Compute, Extractor};
use strata_io::{FloatType, Manifest, Notes, OutputFolder, PartFile, differences};

use super::Problem;
use crate::Error;
use crate::error::Refusal;
use crate::job::Job;
use crate::job::fingerprint::present;
use crate::job::input::JobInput;
use crate::plan::survey::Survey;
use crate::table::documents::documents;
use crate::table::on_null::OnNull;
use crate::table::rows;
use crate::watch::{self, Watch};

/// How far a value may be off: rows met others in their batches then, and are alone now.
const FLOAT32_TOLERANCE: f32 = 1e-4;
const FLOAT16_TOLERANCE: f32 = 2e-3;
/// The cosine that vectors computed in less than float32 keep to.
const REDUCED_COSINE: f64 = 0.999;

/// What became of the sample.
#[derive(Debug, Default, Serialize)]
pub struct Sample {
    /// Rows that were encoded again.
    pub rows: usize,
    /// The largest difference of a value.
    pub largest_difference: f32,
    /// Why rows were left out, if any were.
    pub left_out: Vec<String>,
}

/// Encodes `count` rows of the output in `folder` again, evenly over all parts; appends what is not as it
/// should be to `problems`.
///
/// # Errors
/// The model is not that of the output, or cannot be loaded; the work is cancelled.
pub fn sample(
    job: &Job,
    folder: &OutputFolder,
    manifest: &Manifest,
    count: usize,
    problems: &mut Vec<Problem>,
    watch: &dyn Watch,
) -> Result<Sample, Error> {
    let mut sample = Sample::default();
    let rows = spread(manifest, count);
    if rows.is_empty() {
        return Ok(sample);
    }
    let mut notes = Notes::load(folder);
    let survey = Survey::take(job, Some(manifest), &mut notes, watch)?;
    if let Some(reason) = refuse_another_model(manifest, &survey)? {
        sample.left_out.push(reason);
        return Ok(sample);
    }
    let extractor = job.extractor()?;
    let again = Again { job, extractor, reduced: job.settings.compute != Compute::Float32 };

    for (file, row) in rows {
        watch::check(watch)?;
        let record = &manifest.parts[file];
        let known = manifest.inputs.get(&record.input).map(|input| &input.content);
        // Whatever it is called now.
        let mut indices = 0..survey.names.len();
        let Some(index) = indices.find(|&index| known.is_some() && survey.content(index) == known) else {
            let reason = format!("`{}` is gone or has changed", record.input);
            if !sample.left_out.contains(&reason) {
                sample.left_out.push(reason);
            }
            continue;
        };
        // A part that cannot be read is a problem already told.
        let Ok(part) = PartFile::open_in(folder.store(), &folder.find_part(record.file_name(file))) else {
            continue;
        };
        let Ok(compared) = again.compare(&part, &job.inputs[index], record.rows[0], row) else {
            problems.push(Problem::new(file, format!("row {row} cannot be compared")));
            continue;
        };
        sample.rows += 1;
        sample.largest_difference = sample.largest_difference.max(compared.difference);
        if let Some(column) = compared.column {
            let text = match compared.difference {
                f32::INFINITY => format!("row {row}: `{column}` has other values that are not finite"),
                difference => format!("row {row}: `{column}` is off by {difference:.1e}"),
            };
            problems.push(Problem::new(file, text));
        }
    }
    Ok(sample)
}

/// Refuses a model that is not the output's. Types that follow from all inputs together may differ where
/// some of them are gone: that is returned as a reason not to encode anything.
fn refuse_another_model(manifest: &Manifest, survey: &Survey) -> Result<Option<String>, Refusal> {
    let differences = differences(&present(&manifest.fingerprint, &survey.fingerprint), &survey.fingerprint);
    if differences.is_empty() {
        return Ok(None);
    }
    let list: Vec<String> = differences.iter().map(ToString::to_string).collect();
    let list = list.join("; ");
    let all_there = manifest.inputs.keys().all(|input| survey.names.contains(input));
    if !all_there && differences.iter().all(|difference| difference.key.starts_with("settings.types.")) {
        return Ok(Some(list));
    }
    Err(Refusal::configuration(format!("a sample cannot be encoded again: {list}"))
        .hint("name the model that made the output with --model, or check the files alone with --sample 0"))
}

/// `count` rows evenly over all parts, as part and row of the part.
fn spread(manifest: &Manifest, count: usize) -> Vec<(&String, u64)> {
    let total: u64 = manifest.parts.values().map(|part| part.output_rows).sum();
    let count = (count as u64).min(total);
    let mut wanted = (0..count).map(|index| (2 * index + 1) * total / (2 * count)).peekable();
    let mut rows = Vec::new();
    let mut first = 0;
    for (file, part) in &manifest.parts {
        let end = first + part.output_rows;
        while let Some(row) = wanted.next_if(|&row| row < end) {
            rows.push((file, row - first));
        }
        first = end;
    }
    rows
}

struct Again<'a> {
    job: &'a Job,
    extractor: Extractor,
    /// Whether the vectors were computed in less than float32.
    reduced: bool,
}

/// One row, held against its text.
struct Compared {
    difference: f32,
    /// The first column that is off.
    column: Option<String>,
}

impl Again<'_> {
    /// Compares row `row` of a part whose first row is of row `first` of `input`.
    fn compare(&self, part: &PartFile, input: &JobInput, first: u64, row: u64) -> Result<Compared, Error> {
        let (input_row, index) = self.origin(part, first, row)?;
        let source = only(input.file.read(&input.columns.read, input_row..input_row + 1)?)?;
        let subjects = input.columns.subjects(&source)?;
        let place = |_| format!("row {input_row}");
        let documents = documents(&self.job.tokenizer, false, &[subjects], place)?;
        // Each window alone.
        let fresh = self.extractor.vectors(&documents, 1, |_, _| Ok::<_, Error>(()))?;
        let fresh_row = match index {
            None => 0,
            Some(index) => {
                let items = documents[0].as_ref().map_or(&[][..], |document| &document.items);
                items.iter().position(|item| item.index == index).ok_or_else(|| gone("the item"))?
            }
        };

        let columns = self.job.features.columns();
        let names: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
        let stored = only(part.read(&names, row..row + 1)?)?;
        let mut compared = Compared { difference: 0.0, column: None };
        for ((column, stored), fresh) in columns.iter().zip(stored.columns()).zip(&fresh) {
            let values = &fresh.values[fresh_row * column.width()..][..column.width()];
            let is_off = match fresh.valid[fresh_row] {
                true if stored.is_null(0) => true,
                true => self.is_off(&flat(stored)?, values, &mut compared.difference),
                false => !self.is_absent(stored)?,
            };
            if is_off {
                compared.column.get_or_insert_with(|| column.name.clone());
            }
        }
        Ok(compared)
    }

    /// The row of the input that a row of a part comes from, and the number of its item.
    fn origin(&self, part: &PartFile, first: u64, row: u64) -> Result<(u64, Option<u32>), Error> {
        let unit = self.job.features.unit();
        let Some(name) = rows::row_name(unit, self.job.settings.on_null) else {
            return Ok((first + row, None));
        };
        let names: Vec<String> = [name.to_owned()].into_iter().chain(rows::index_name(unit)).collect();
        let stated = only(part.read(&names, row..row + 1)?)?;
        let index = stated.columns().get(1).map(|index| index.as_primitive::<UInt32Type>().value(0));
        Ok((stated.column(0).as_primitive::<UInt64Type>().value(0), index))
    }

    /// Whether a stored vector is what stands for none.
    fn is_absent(&self, stored: &ArrayRef) -> Result<bool, Error> {
        Ok(match self.job.settings.on_null {
            OnNull::Null => stored.is_null(0),
            OnNull::Nan => stored.is_valid(0) && flat(stored)?.iter().all(|value| value.is_nan()),
            OnNull::Drop => false,
        })
    }

    fn is_off(&self, stored: &[f32], fresh: &[f32], largest: &mut f32) -> bool {
        let tolerance = match self.job.settings.dtype {
            FloatType::Float32 => FLOAT32_TOLERANCE,
            FloatType::Float16 => FLOAT16_TOLERANCE,
        };
        let (difference, close) = compare(stored, fresh, tolerance);
        *largest = largest.max(difference);
        let alike = || difference.is_finite() && cosine(stored, fresh) > REDUCED_COSINE;
        stored.len() != fresh.len() || !(close || self.reduced && alike())
    }
}

/// The largest difference of two values, and whether all are within the tolerance.
fn compare(stored: &[f32], fresh: &[f32], tolerance: f32) -> (f32, bool) {
    let (mut largest, mut close) = (0.0_f32, true);
    for (&stored, &fresh) in stored.iter().zip(fresh) {
        let difference = difference(stored, fresh);
        largest = largest.max(difference);
        close &= difference.is_finite() && difference <= tolerance * fresh.abs().max(1.0);
    }
    (largest, close)
}

/// How far two values are apart. What is not finite is as far as can be from all that is not the same.
fn difference(a: f32, b: f32) -> f32 {
    if a == b || a.is_nan() && b.is_nan() {
        return 0.0;
    }
    let difference = (a - b).abs();
    if difference.is_nan() { f32::INFINITY } else { difference }
}

/// Of the values that are finite.
fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| {
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.filter(|product| product.is_finite()).sum::<f64>()
    };
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths == 0.0 { f64::from(u8::from(dot(a, a) == dot(b, b))) } else { dot(a, b) / lengths }
}

fn gone(what: &str) -> Error {
    Refusal::bad_data(format!("{what} is gone")).into()
}

/// The one batch of a read of one row.
fn only(mut batches: strata_io::RecordBatches) -> Result<arrow::array::RecordBatch, Error> {
    Ok(batches.next().ok_or_else(|| gone("a row"))??)
}

/// The numbers of a vector column, however nested.
fn flat(array: &ArrayRef) -> Result<Vec<f32>, Error> {
    let mut values = array.clone();
    while let DataType::FixedSizeList(..) = values.data_type() {
        values = values.as_fixed_size_list().values().clone();
    }
    Ok(cast(&values, &DataType::Float32)?.as_primitive::<Float32Type>().values().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_equals_only_itself() {
        let (nan, inf) = (f32::NAN, f32::INFINITY);
        assert_eq!(compare(&[1.0, nan, inf, -inf], &[1.0, -nan, inf, -inf], 1e-4), (0.0, true));
        for (stored, fresh) in
            [(nan, 1.0), (1.0, nan), (1.0, inf), (inf, 1.0), (inf, -inf), (nan, inf), (inf, nan)]
        {
            for others in [[0.5; 2], [nan; 2]] {
                let found = compare(&[others[0], stored], &[others[1], fresh], 1e-4);
                assert_eq!(found, (inf, false), "{stored} {fresh}");
            }
        }
        assert_eq!(compare(&[0.25], &[0.5], 0.1), (0.25, false));
        assert_eq!(compare(&[100.25], &[100.5], 0.1), (0.25, true));
    }

    #[test]
    fn the_angle_is_that_of_finite_values() {
        assert_eq!(cosine(&[3.0, f32::NAN, 4.0], &[6.0, f32::NAN, 8.0]), 1.0);
        assert_eq!(cosine(&[f32::NAN], &[f32::NAN]), 1.0);
        assert_eq!(cosine(&[0.0], &[1.0]), 0.0);
    }
}
