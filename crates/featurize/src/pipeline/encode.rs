//! Stage three: token ids to vectors, in full batches by length, back in input order.

use strata_bert::{Document, Extractor, Unit, VectorColumn};

use crate::Error;
use crate::pipeline::chunk::Chunk;
use crate::pipeline::counts::Counts;
use crate::pipeline::tokenize::Tokenized;
use crate::watch::{self, Watch};

/// A chunk with its vectors.
pub struct Encoded {
    pub chunk: Chunk,
    /// One entry per row; none where the text is null.
    pub documents: Vec<Option<Document>>,
    pub columns: Vec<VectorColumn>,
    pub counts: Counts,
}

/// Encodes the texts of a chunk, `batch_tokens` at a time.
///
/// # Errors
/// The model fails, or the work is cancelled.
pub fn encode(
    extractor: &Extractor,
    batch_tokens: usize,
    watch: &dyn Watch,
    tokenized: Tokenized,
) -> Result<[Encoded; 1], Error> {
    let Tokenized { chunk, documents } = tokenized;
    let mut counts = counts(extractor.features().unit(), &documents);
    let unseen = |document: &&Option<Document>| document.as_ref().is_none_or(|d| d.windows.is_empty());
    watch.advance(documents.iter().filter(unseen).count() as u64, 0);
    watch::check(watch)?;
    counts.repeated_tokens = counts.tokens;
    let columns = extractor.vectors(&documents, batch_tokens, |rows, tokens| {
        counts.repeated_tokens -= tokens as u64;
        watch.advance(rows as u64, tokens as u64);
        watch::check(watch)
    })?;
    counts.without_vector = (0..counts.output_rows as usize)
        .filter(|&row| columns.iter().any(|column| !column.valid[row]))
        .count() as u64;
    Ok([Encoded { chunk, documents, columns, counts }])
}

fn counts(unit: Unit, documents: &[Option<Document>]) -> Counts {
    let texts = || documents.iter().flatten();
    Counts {
        rows: documents.len() as u64,
        without_vector: 0,
        output_rows: documents.iter().map(|document| unit.rows_of(document.as_ref()) as u64).sum(),
        nulls: (documents.len() - texts().count()) as u64,
        truncated: texts().filter(|document| document.truncated).count() as u64,
        repeated_tokens: 0,
        tokens: texts().map(|document| document.encoded_tokens() as u64).sum(),
    }
}
