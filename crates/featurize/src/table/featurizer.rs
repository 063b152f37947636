//! Tables of text to tables of vectors, without any file.

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::datatypes::{Schema, SchemaRef};
use strata_bert::{Encoder, TextInput, VectorColumn};

use crate::Error;
use crate::table::assemble::{Computed, assemble};
use crate::table::columns::{Columns, Wanted};
use crate::table::documents::{documents, of_texts};

/// What a table is called in messages.
const TABLE: &str = "the table";

/// Texts whose tokens are in memory at a time.
const TEXTS_AT_ONCE: usize = 4096;

/// Turns tables of text into tables of vectors.
///
/// ```
/// use std::sync::Arc;
///
/// use arrow::array::{ArrayRef, RecordBatch, StringArray};
/// use strata_bert::{Checkpoint, Encoder};
/// use strata_featurize::{TableFeaturizer, Wanted};
///
/// # fn main() -> Result<(), strata_featurize::Error> {
/// # let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-bert");
/// let encoder = Encoder::builder(&Checkpoint::open(folder.as_ref())?).build()?;
/// let featurizer = TableFeaturizer::new(encoder, Wanted::default());
/// let texts: ArrayRef = Arc::new(StringArray::from(vec!["a text", "another, longer text"]));
/// let table = RecordBatch::try_from_iter([("text", texts)])?;
/// let vectors = featurizer.featurize(&table, 0)?;
/// assert_eq!(vectors.num_rows(), 2);
/// assert!(vectors.schema().fields().iter().any(|field| field.name().ends_with("_mean")));
/// # Ok(())
/// # }
/// ```
pub struct TableFeaturizer {
    encoder: Encoder,
    wanted: Wanted,
}

impl TableFeaturizer {
    /// Turns the texts of `wanted` into what `encoder` makes of them.
    pub fn new(encoder: Encoder, wanted: Wanted) -> Self {
        Self { encoder, wanted }
    }

    /// What turns texts into vectors.
    pub fn encoder(&self) -> &Encoder {
        &self.encoder
    }

    /// The schema of the tables that come of tables with the schema `input`.
    ///
    /// # Errors
    /// `input` has no such columns, or such that the output cannot hold.
    pub fn schema(&self, input: &Schema) -> Result<SchemaRef, Error> {
        Ok(self.columns(input)?.schema)
    }

    /// The kept columns of `table` and the vectors of its texts: a row for each of its rows, or for each
    /// token, word or span of them, which says the row it is of, counted from `first_row`.
    ///
    /// # Errors
    /// The table has no such columns; a text cannot be encoded, or its vector not be stored; the device
    /// has no memory for a single text, or fails.
    pub fn featurize(&self, table: &RecordBatch, first_row: u64) -> Result<RecordBatch, Error> {
        self.featurize_while(table, first_row, |_, _| Ok(()))
    }

    /// As [`TableFeaturizer::featurize`]; `seen` is told of each batch as by [`Encoder::vectors`], and its error
    /// ends the work.
    ///
    /// # Errors
    /// As [`TableFeaturizer::featurize`]; whatever `seen` returns.
    pub fn featurize_while<E: From<Error> + From<strata_bert::Error>>(
        &self,
        table: &RecordBatch,
        first_row: u64,
        seen: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<RecordBatch, E> {
        let columns = self.columns(table.schema_ref())?;
        let read = columns.project(table).map_err(Error::from)?;
        let subjects = [columns.subjects(&read).map_err(Error::from)?];
        let place = |row| format!("{TABLE}, row {}", first_row + row as u64);
        let (tokenizer, refuse_overflow) = (self.encoder.tokenizer(), self.wanted.refuse_overflow);
        let documents = self.encoder.install(|| documents(tokenizer, refuse_overflow, &subjects, place))?;
        let vectors = self.encoder.vectors(&documents, seen)?;
        let computed =
            Computed { batches: &[read], subjects: &subjects, first_row, documents: &documents, vectors };
        let mut pieces = Vec::new();
        assemble(&columns, self.encoder.features(), computed, |piece| {
            pieces.push(piece.clone());
            Ok(())
        })?;
        Ok(concat_batches(&columns.schema, &pieces).map_err(Error::from)?)
    }

    /// The vectors of texts without a table around them: for each of the encoder's columns the values of all texts,
    /// end to end, and not a number where a text has no vector in it. `seen` is as for
    /// [`TableFeaturizer::featurize_while`].
    ///
    /// # Errors
    /// A text cannot be encoded; the device has no memory for a single one, or fails; whatever `seen` returns.
    pub fn values_while<E: From<Error> + From<strata_bert::Error>>(
        &self,
        texts: &[TextInput<'_>],
        mut seen: impl FnMut(usize, usize) -> Result<(), E>,
    ) -> Result<Vec<Vec<f32>>, E> {
        let (tokenizer, refuse_overflow) = (self.encoder.tokenizer(), self.wanted.refuse_overflow);
        let mut all: Vec<Vec<f32>> = vec![Vec::new(); self.encoder.features().columns().len()];
        for (chunk, texts) in texts.chunks(TEXTS_AT_ONCE).enumerate() {
            let place = |index| format!("the text in place {}", chunk * TEXTS_AT_ONCE + index);
            let documents = self.encoder.install(|| of_texts(tokenizer, refuse_overflow, texts, place))?;
            let documents: Vec<_> = documents.into_iter().map(Some).collect();
            let columns = self.encoder.vectors(&documents, &mut seen)?;
            for (all, VectorColumn { mut values, valid }) in all.iter_mut().zip(columns) {
                let width = values.len() / valid.len().max(1);
                for (row, _) in valid.iter().enumerate().filter(|(_, is_valid)| !**is_valid) {
                    values[row * width..][..width].fill(f32::NAN);
                }
                // The first values of many are those of all of few.
                if all.is_empty() { *all = values } else { all.extend(values) }
            }
        }
        Ok(all)
    }

    fn columns(&self, input: &Schema) -> Result<Columns, Error> {
        Columns::of_schema(TABLE, input, &self.wanted, self.encoder.features())
    }
}
