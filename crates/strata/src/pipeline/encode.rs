//! Stage three: token ids to vectors, in full batches by length, back in input order.

use strata_bert::{Assembly, Document, Encoding, Extractor, Unit, VectorColumn, batch};

use crate::pipeline::tokenize::Tokenized;
use crate::progress::Progress;
use crate::report::Counts;
use crate::signals::Signals;
use crate::window::Window;

/// A window with its vectors.
pub struct Encoded {
    pub window: Window,
    /// One entry per row; none where the text is null.
    pub documents: Vec<Option<Document>>,
    pub columns: Vec<VectorColumn>,
    pub counts: Counts,
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
    pub fn encode(&self, tokenized: Tokenized) -> anyhow::Result<[Encoded; 1]> {
        let Tokenized { window, documents } = tokenized;
        let mut counts = counts(self.extractor.features().unit(), &documents);
        let columns = self.vectors(&documents, &mut counts)?;
        let unseen = documents
            .iter()
            .filter(|document| document.as_ref().is_none_or(|document| document.windows.is_empty()));
        self.progress.advance(unseen.count() as u64, 0);
        Ok([Encoded { window, documents, columns, counts }])
    }

    fn vectors(
        &self,
        documents: &[Option<Document>],
        counts: &mut Counts,
    ) -> anyhow::Result<Vec<VectorColumn>> {
        let mut assembly = Assembly::new(self.extractor.features(), documents.iter().map(Option::as_ref));
        let texts =
            documents.iter().enumerate().filter_map(|(row, document)| Some((row, document.as_ref()?)));
        let windows: Vec<(usize, usize, &Encoding)> = texts
            .flat_map(|(row, document)| {
                document.windows.iter().enumerate().map(move |(index, window)| (row, index, window))
            })
            .collect();
        let lengths: Vec<usize> = windows.iter().map(|(_, _, window)| window.len()).collect();
        for batch in batch::plan(&lengths, self.max_batch_tokens) {
            self.signals.check()?;
            let members = || batch.rows.iter().map(|&member| windows[member]);
            let inputs: Vec<&Encoding> = members().map(|(_, _, window)| window).collect();
            let values = self.extractor.extract(&inputs)?;
            let mut rest = values.as_slice();
            for (row, index, window) in members() {
                let (own, others) = rest.split_at(self.extractor.values_of(window));
                assembly.add(row, index, own);
                rest = others;
            }
            counts.padded_tokens += batch.tokens as u64;
            // A text is done with its first window: the others are few.
            let rows = members().filter(|(_, index, _)| *index == 0).count();
            self.progress.advance(rows as u64, batch.tokens as u64);
        }
        Ok(assembly.finish())
    }
}

fn counts(unit: Unit, documents: &[Option<Document>]) -> Counts {
    let texts = || documents.iter().flatten();
    Counts {
        rows: documents.len() as u64,
        output_rows: documents.iter().map(|document| unit.rows_of(document.as_ref()) as u64).sum(),
        nulls: (documents.len() - texts().count()) as u64,
        truncated: texts().filter(|document| document.truncated).count() as u64,
        tokens: texts().map(|document| document.encoded_tokens() as u64).sum(),
        padded_tokens: 0,
    }
}
