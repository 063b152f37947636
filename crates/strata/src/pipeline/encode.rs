//! Stage three: encodings to vectors, in batches of equal length, back in input order.

use strata_bert::{Encoding, Extractor, batch};

use crate::pipeline::tokenize::Tokenized;
use crate::progress::Progress;
use crate::report::Counts;
use crate::signals::Signals;
use crate::window::Window;

/// A window with its vectors.
pub struct Encoded {
    pub window: Window,
    /// Tokens of each row's text; 0 where it is null.
    pub n_tokens: Vec<u32>,
    pub truncated: Vec<bool>,
    /// The vectors of each column, row-major; zeros where a row has none.
    pub columns: Vec<EncodedColumn>,
    pub counts: Counts,
}

/// The vectors of one column over a window's rows.
pub struct EncodedColumn {
    pub values: Vec<f32>,
    /// Whether a row has a vector.
    pub valid: Vec<bool>,
}

/// What the stage works with.
pub struct Encoder<'a> {
    pub extractor: &'a Extractor,
    pub max_batch_tokens: usize,
    pub progress: &'a Progress,
    pub signals: &'a Signals,
}

impl Encoder<'_> {
    /// Encodes the texts of a window.
    ///
    /// # Errors
    /// The model fails, or a signal has come.
    pub fn encode(&self, tokenized: Tokenized) -> anyhow::Result<Encoded> {
        let Tokenized { window, encodings } = tokenized;
        let texts: Vec<(usize, &Encoding)> = encodings
            .iter()
            .enumerate()
            .filter_map(|(row, encoding)| Some((row, encoding.as_ref()?)))
            .collect();
        let lengths: Vec<usize> = texts.iter().map(|(_, encoding)| encoding.len()).collect();
        let mut columns = self.empty_columns(encodings.len());
        let mut counts = counts(&encodings);

        for batch in batch::plan(&lengths, self.max_batch_tokens) {
            self.signals.check()?;
            let members: Vec<(usize, &Encoding)> = batch.rows.iter().map(|&index| texts[index]).collect();
            let inputs: Vec<&Encoding> = members.iter().map(|&(_, encoding)| encoding).collect();
            let vectors = self.extractor.extract(&inputs)?;
            self.scatter(&vectors, &members, &mut columns);
            counts.padded_tokens += (batch.rows.len() * batch.seq_len) as u64;
            self.progress
                .advance(members.len() as u64, inputs.iter().map(|encoding| encoding.len() as u64).sum());
        }
        self.progress.advance(counts.nulls, 0);

        let of_text =
            |count: fn(&Encoding) -> u32| encodings.iter().map(move |e| e.as_ref().map_or(0, count));
        Ok(Encoded {
            n_tokens: of_text(|encoding| encoding.len() as u32).collect(),
            truncated: of_text(|encoding| encoding.truncated.into())
                .map(|truncated| truncated != 0)
                .collect(),
            window,
            columns,
            counts,
        })
    }

    fn empty_columns(&self, rows: usize) -> Vec<EncodedColumn> {
        let empty =
            |width: usize| EncodedColumn { values: vec![0.0; rows * width], valid: vec![false; rows] };
        self.extractor.features().columns().iter().map(|column| empty(column.width())).collect()
    }

    /// Puts the rows of a batch, `[members.len(), features.width()]`, at their places.
    fn scatter(&self, vectors: &[f32], members: &[(usize, &Encoding)], columns: &mut [EncodedColumn]) {
        let features = self.extractor.features();
        for (vector, &(row, encoding)) in vectors.chunks_exact(features.width()).zip(members) {
            let mut rest = vector;
            for (column, target) in features.columns().iter().zip(columns.iter_mut()) {
                let (values, after) = rest.split_at(column.width());
                rest = after;
                if encoding.has_ordinary_tokens() || !features.needs_ordinary_tokens(column) {
                    target.valid[row] = true;
                    target.values[row * column.width()..][..column.width()].copy_from_slice(values);
                }
            }
        }
    }
}

fn counts(encodings: &[Option<Encoding>]) -> Counts {
    let texts = || encodings.iter().flatten();
    Counts {
        rows: encodings.len() as u64,
        nulls: (encodings.len() - texts().count()) as u64,
        truncated: texts().filter(|encoding| encoding.truncated).count() as u64,
        tokens: texts().map(|encoding| encoding.len() as u64).sum(),
        padded_tokens: 0,
    }
}
