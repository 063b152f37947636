//! What came of windows, in whatever order they were encoded, back to documents and their items.

use crate::request::Reduction;
use crate::request::columns::Column;
use crate::request::features::Features;
use crate::text::document::{Document, Item};
use crate::{Encoding, Unit};

/// The vectors of one column.
#[derive(Debug, Clone, PartialEq)]
pub struct VectorColumn {
    /// Row-major, `[rows, column.width()]`; zeros where a row has no vector.
    pub values: Vec<f32>,
    /// Whether a row has a vector.
    pub valid: Vec<bool>,
}

/// The output rows of some documents, filled window by window.
///
/// A document is one row; a missing one is a row without vectors. Where tokens, words or spans are
/// asked for, each [`Item`] is a row, and a missing document has none.
pub struct Assembly<'a> {
    features: &'a Features,
    documents: Vec<Option<&'a Document>>,
    /// The first row of each document.
    rows: Vec<usize>,
    /// What lies in each window of each document, if items are asked for.
    pieces: Vec<Vec<Vec<Piece>>>,
    columns: Vec<VectorColumn>,
}

/// A segment of an item.
struct Piece {
    item: usize,
    segment: usize,
}

impl<'a> Assembly<'a> {
    /// Rows without vectors yet.
    pub fn new(features: &'a Features, documents: impl IntoIterator<Item = Option<&'a Document>>) -> Self {
        let documents: Vec<_> = documents.into_iter().collect();
        let of_items = features.unit != Unit::Row;
        let mut rows = Vec::with_capacity(documents.len());
        let mut count = 0;
        for document in &documents {
            rows.push(count);
            count += features.unit.rows_of(*document);
        }
        let column = |column: &Column| VectorColumn {
            values: vec![0.0; count * column.width()],
            valid: vec![false; count],
        };
        let pieces =
            if of_items { documents.iter().map(|document| pieces(*document)).collect() } else { Vec::new() };
        let columns = features.columns().iter().map(column).collect();
        let mut assembly = Self { features, documents, rows, pieces, columns };
        assembly.start_items();
        assembly
    }

    /// Largest and smallest values start beyond every other; only where values will come.
    fn start_items(&mut self) {
        let hidden = self.features.hidden_size;
        for (column, target) in self.features.columns().iter().zip(&mut self.columns) {
            let starts: Vec<f32> = column.pooling.reductions().iter().map(|how| how.start()).collect();
            if self.pieces.is_empty() || starts.iter().all(|&start| start == 0.0) {
                continue;
            }
            let items = self.documents.iter().flatten().flat_map(|document| &document.items);
            for (item, vector) in items.zip(target.values.chunks_exact_mut(column.width())) {
                if item.has_vector() {
                    let parts = vector.chunks_exact_mut(hidden).zip(starts.iter().cycle());
                    parts.for_each(|(part, &start)| part.fill(start));
                }
            }
        }
    }

    /// Takes what [`Extractor::extract`](crate::Extractor::extract) gave for a window of a document.
    pub fn add(&mut self, document: usize, window: usize, values: &[f32]) {
        let Some(of) = self.documents[document] else { return };
        if self.features.unit == Unit::Row {
            self.add_to_row(of, self.rows[document], window, values);
        } else {
            self.add_to_items(of, document, window, values);
        }
    }

    /// A row is the mean over its windows, weighted by their tokens.
    fn add_to_row(&mut self, document: &Document, row: usize, window: usize, values: &[f32]) {
        let share = match document.windows.as_slice() {
            [_] => 1.0,
            windows => {
                let tokens = |window: &Encoding| match self.features.count_special_tokens {
                    true => window.len(),
                    false => window.ordinary_tokens(),
                };
                tokens(&windows[window]) as f32 / windows.iter().map(tokens).sum::<usize>() as f32
            }
        };
        let mut rest = values;
        for (column, target) in self.features.columns().iter().zip(&mut self.columns) {
            let values;
            (values, rest) = rest.split_at(column.width());
            if !self.features.needs_ordinary_tokens(column) || document.has_ordinary_tokens() {
                target.valid[row] = true;
                let target = &mut target.values[row * column.width()..][..column.width()];
                target.iter_mut().zip(values).for_each(|(target, value)| *target += share * value);
            }
        }
    }

    fn add_to_items(&mut self, document: &Document, index: usize, window: usize, values: &[f32]) {
        let hidden = self.features.hidden_size;
        let planes = values.len() / document.windows[window].len() / hidden;
        for (column, target) in self.features.columns().iter().zip(&mut self.columns) {
            let reductions = column.pooling.reductions();
            let shown = self.features.planes_of(column);
            let parts = shown.iter().flat_map(|&plane| reductions.iter().map(move |how| (plane, *how)));
            for (part, (plane, reduction)) in parts.enumerate() {
                let state = |token: usize| &values[(token * planes + plane) * hidden..][..hidden];
                for piece in &self.pieces[index][window] {
                    let (item, row) = (&document.items[piece.item], self.rows[index] + piece.item);
                    target.valid[row] = true;
                    let target = &mut target.values[row * column.width() + part * hidden..][..hidden];
                    reduce(reduction, item, piece.segment, state, target);
                }
            }
        }
    }

    /// The columns, in the order of [`Features::columns`].
    pub fn finish(self) -> Vec<VectorColumn> {
        let Self { features, mut columns, .. } = self;
        if features.normalize {
            for (column, vectors) in features.columns().iter().zip(&mut columns) {
                if let Some(len) = column.vector_len() {
                    vectors.values.chunks_exact_mut(len).for_each(normalize);
                }
            }
        }
        columns
    }
}

fn pieces(document: Option<&Document>) -> Vec<Vec<Piece>> {
    let Some(document) = document else { return Vec::new() };
    let mut of_window: Vec<Vec<Piece>> = document.windows.iter().map(|_| Vec::new()).collect();
    for (number, item) in document.items.iter().enumerate() {
        for (segment, place) in item.segments.iter().enumerate() {
            of_window[place.window].push(Piece { item: number, segment });
        }
    }
    of_window
}

/// Takes the tokens of one segment of an item into its vector.
fn reduce<'a>(
    reduction: Reduction,
    item: &Item,
    segment: usize,
    state: impl Fn(usize) -> &'a [f32],
    target: &mut [f32],
) {
    let tokens = item.segments[segment].tokens.clone();
    match reduction {
        Reduction::First if segment == 0 => target.copy_from_slice(state(tokens.start)),
        Reduction::Last if segment + 1 == item.segments.len() => {
            target.copy_from_slice(state(tokens.end - 1))
        }
        Reduction::First | Reduction::Last => {}
        Reduction::Mean => {
            let share = 1.0 / item.segments.iter().map(|segment| segment.tokens.len()).sum::<usize>() as f32;
            fold(tokens.map(state), target, |target, value| *target += share * value);
        }
        // What is no number stays none, and nothing is beyond it.
        Reduction::Max => fold(tokens.map(state), target, |target, value| {
            if value.is_nan() || value > *target {
                *target = value;
            }
        }),
        Reduction::Min => fold(tokens.map(state), target, |target, value| {
            if value.is_nan() || value < *target {
                *target = value;
            }
        }),
    }
}

fn fold<'a>(states: impl Iterator<Item = &'a [f32]>, target: &mut [f32], take: impl Fn(&mut f32, f32)) {
    for state in states {
        target.iter_mut().zip(state).for_each(|(target, &value)| take(target, value));
    }
}

fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|&value| f64::from(value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
}
