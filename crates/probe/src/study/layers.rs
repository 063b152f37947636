//! What is seen of several columns together.

use crate::Error;
use crate::design::{Draw, generator, shuffle};
use crate::fit::{Matrix, mix};
use crate::output::{Output, VectorColumn};
use crate::report::{Cka, LayerWeight, MixReport, Notes, OtherCka};
use crate::score::{Centred, Resampled, cka};
use crate::settings::Settings;
use crate::study::column::{Scores, Seeded, read};
use crate::study::rows::Subject;

/// Rows from which it is told how alike columns are.
const CKA_ROWS: usize = 10_000;
/// Bytes of all columns of their sample.
const CKA_BYTES: usize = 512 << 20;
/// Bytes of the layers that a probe of all of them learns from.
const MIX_BYTES: usize = 1 << 30;

/// How alike the columns of an output are to each other, and to those of others.
///
/// # Errors
/// A part cannot be read.
pub fn alike(
    own: (&Output, &[VectorColumn]),
    others: &[(&'static str, &Output, &[VectorColumn])],
    kept: &[u32],
    seed: u64,
) -> Result<Cka, Error> {
    let all = others.iter().flat_map(|(_, _, columns)| *columns).chain(own.1);
    let values: usize = all.map(|column| column.width).sum();
    let mut rows = kept.to_vec();
    shuffle(&mut rows, &mut generator(seed, Draw::Sample));
    rows.truncate(CKA_ROWS.min(CKA_BYTES / (4 * values.max(1))));
    rows.sort_unstable();
    let spaces = |output: &Output, columns: &[VectorColumn]| -> Result<Vec<Centred>, Error> {
        columns.iter().map(|column| sample(output, column, &rows)).collect()
    };
    let names = |columns: &[VectorColumn]| columns.iter().map(|column| column.name.clone()).collect();
    let table =
        |a: &[Centred], b: &[Centred]| a.iter().map(|a| b.iter().map(|b| cka(a, b)).collect()).collect();
    let of_own = spaces(own.0, own.1)?;
    let of_others = others.iter().map(|(output, place, columns)| {
        let values = table(&of_own, &spaces(place, columns)?);
        Ok(OtherCka { output, columns: names(columns), values })
    });
    Ok(Cka {
        rows: rows.len(),
        columns: names(own.1),
        own: table(&of_own, &of_own),
        others: of_others.collect::<Result<_, Error>>()?,
    })
}

/// The vectors of some rows, which are in order.
fn sample(output: &Output, column: &VectorColumn, rows: &[u32]) -> Result<Centred, Error> {
    let mut sample = Vec::with_capacity(rows.len() * column.width);
    let mut next = 0;
    output.each_vector(column, |row, values| {
        if let Some(values) = values.filter(|_| rows.get(next).is_some_and(|&wanted| wanted as usize == row))
        {
            sample.extend_from_slice(values);
            next += 1;
        }
    })?;
    Ok(Centred::new(sample, column.width))
}

/// Trains a probe of all layers of each pooling that has several, on the first seed's split, with the median of the
/// penalties that were best for each.
///
/// # Errors
/// A part cannot be read.
pub fn mixes(
    output: &Output,
    columns: &[(&VectorColumn, f64)],
    subject: &Subject,
    seeded: &Seeded,
    settings: &Settings,
    notes: &mut Notes,
) -> Result<Vec<MixReport>, Error> {
    let mut series: Vec<&str> =
        columns.iter().filter(|(c, _)| c.layer.is_some()).map(|(c, _)| c.series.as_str()).collect();
    series.sort_unstable();
    series.dedup();
    let mut reports = Vec::new();
    for series in series {
        let layers: Vec<(&VectorColumn, f64)> =
            columns.iter().filter(|(c, _)| c.layer.is_some() && c.series == series).copied().collect();
        let width = layers[0].0.width;
        if layers.len() < 2 || layers.iter().any(|(column, _)| column.width != width) {
            continue;
        }
        let mut strengths: Vec<f64> = layers.iter().map(|(_, l2)| *l2).collect();
        strengths.sort_by(f64::total_cmp);
        let l2 = strengths[strengths.len() / 2];
        // Rows at the beginning of a side are of groups in a random order.
        let most = (MIX_BYTES / (4 * width * layers.len())).max(2);
        let first = |side: &std::ops::Range<usize>, most: usize| side.start..side.end.min(side.start + most);
        let train = first(&seeded.split.train, most - most / 5);
        let test = first(&seeded.split.test, most / 5);
        let mut matrices: Vec<Matrix> = Vec::with_capacity(layers.len());
        for (column, _) in &layers {
            let rows = read(output, column, subject, &seeded.split)?;
            matrices.push(rows.only(&[train.clone(), test.clone()]).standardize(0..train.len()));
        }
        let targets = subject.labels.targets().arranged(&seeded.split).standardized(&train);
        let targets = targets.only(&[train.clone(), test.clone()]);
        let asked = train.len()..train.len() + test.len();
        let mixed = mix(&matrices, &targets, 0..train.len(), asked.clone(), l2);
        if !mixed.converged {
            notes.say(format!("the probe of all layers together ({series}) did not converge"));
        }
        let mut score = Resampled::default();
        let scores = Scores { targets: &targets, rows: asked, resampling: &seeded.resampling };
        scores.add(&mixed.predictions, &mut score, &mut Resampled::default());
        let weights = layers.iter().zip(&mixed.weights);
        reports.push(MixReport {
            series: series.to_owned(),
            weights: weights
                .filter_map(|((column, _), &weight)| Some(LayerWeight { layer: column.layer?, weight }))
                .collect(),
            score: score.estimate(settings.seed),
            rows: train.len(),
            converged: mixed.converged,
        });
    }
    Ok(reports)
}
