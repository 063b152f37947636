//! Chunks: consecutive rows of one part, the unit of memory and of sorting by length.

use std::ops::Range;

use arrow::array::RecordBatch;
use strata_io::row_bytes;

use crate::table::subjects::Subjects;

/// Consecutive rows of one part.
pub struct Chunk {
    /// Index of the part among those that are to be made.
    pub part: usize,
    /// The place of the first row in the input file.
    pub first_row: u64,
    /// The rows as they were read, in slices.
    pub batches: Vec<RecordBatch>,
    /// What is encoded of each slice.
    pub subjects: Vec<Subjects>,
    /// Whether the part ends with this chunk.
    pub ends_part: bool,
}

impl Chunk {
    /// The number of rows.
    pub fn num_rows(&self) -> usize {
        self.batches.iter().map(RecordBatch::num_rows).sum()
    }

    /// The first `rows` rows, and the others.
    pub fn split_at(self, rows: usize) -> (Self, Self) {
        let Self { part, first_row, batches, subjects, ends_part } = self;
        let (mut first, mut second) = (empty(part, first_row), empty(part, first_row + rows as u64));
        let mut left = rows;
        for (batch, subjects) in batches.into_iter().zip(subjects) {
            let cut = left.min(batch.num_rows());
            left -= cut;
            for (half, rows) in [(&mut first, 0..cut), (&mut second, cut..batch.num_rows())] {
                if !rows.is_empty() {
                    half.batches.push(batch.slice(rows.start, rows.len()));
                    half.subjects.push(subjects.slice(rows));
                }
            }
        }
        (first, Self { ends_part, ..second })
    }
}

/// How large a chunk may grow.
#[derive(Debug, Clone, Copy)]
pub struct ChunkLimits {
    pub rows: usize,
    pub text_bytes: usize,
    /// Of all values that are read, texts among them.
    pub bytes: usize,
}

/// What the values of a chunk's rows may take; a row that has more is a chunk of its own.
const READ_BYTES: usize = 16 << 20;

impl ChunkLimits {
    /// Limits for rows of `row_bytes` bytes of vectors: several chunks are in flight at a time.
    pub fn for_rows_of(row_bytes: usize) -> Self {
        const VECTOR_BYTES: usize = 32 << 20;
        let rows = (VECTOR_BYTES / row_bytes.max(1)).clamp(1, 8192);
        Self { rows, text_bytes: READ_BYTES, bytes: READ_BYTES }
    }

    /// Limits for rows of which up to `most_items` tokens, words or spans are encoded at a time: as
    /// much text as has about that many tokens.
    pub fn for_items(most_items: usize) -> Self {
        const BYTES_PER_TOKEN: usize = 4;
        Self { rows: 8192, text_bytes: most_items * BYTES_PER_TOKEN, bytes: READ_BYTES }
    }
}

/// Cuts a stream of batches into chunks. Where a chunk ends depends only on the rows since the
/// part began, never on how a reader divides them into batches: a part must come out the same
/// whether it is read alone or after others.
pub struct Cutter<'a> {
    limits: ChunkLimits,
    parts: &'a [Range<u64>],
    part: usize,
    rows_left: u64,
    open: Chunk,
    text_bytes: usize,
    bytes: usize,
}

impl<'a> Cutter<'a> {
    /// A cutter for `parts`, row ranges that follow each other.
    pub fn new(limits: ChunkLimits, parts: &'a [Range<u64>]) -> Self {
        let open = empty(0, first_row(parts, 0));
        Self { limits, parts, part: 0, rows_left: length(parts, 0), open, text_bytes: 0, bytes: 0 }
    }

    /// The chunks that a batch completes, of which `subjects` are to be encoded.
    pub fn push(&mut self, batch: &RecordBatch, subjects: &Subjects) -> Vec<Chunk> {
        let mut complete = self.empty_parts();
        let row_bytes = row_bytes(batch);
        let mut first = 0;
        while first < batch.num_rows() {
            let mut end = first;
            while end < batch.num_rows() && !self.is_full(end - first) {
                self.text_bytes += subjects.bytes(end);
                self.bytes = self.bytes.saturating_add(row_bytes[end]);
                end += 1;
            }
            self.open.subjects.push(subjects.slice(first..end));
            self.open.batches.push(batch.slice(first, end - first));
            self.rows_left -= (end - first) as u64;
            first = end;
            if self.is_full(0) {
                complete.push(self.close());
                complete.extend(self.empty_parts());
            }
        }
        complete
    }

    /// Chunks of parts without rows that come next.
    pub fn empty_parts(&mut self) -> Vec<Chunk> {
        let mut chunks = Vec::new();
        while self.part < self.parts.len() && self.parts[self.part].is_empty() {
            chunks.push(self.close());
        }
        chunks
    }

    /// Whether the open chunk ends after `more` rows of the slice that is being cut.
    fn is_full(&self, more: usize) -> bool {
        let rows = self.open.num_rows() + more;
        self.rows_left == more as u64
            || rows >= self.limits.rows
            || (rows > 0 && (self.text_bytes >= self.limits.text_bytes || self.bytes >= self.limits.bytes))
    }

    fn close(&mut self) -> Chunk {
        let ends_part = self.rows_left == 0;
        let mut next_row = self.open.first_row + self.open.num_rows() as u64;
        if ends_part {
            self.part += 1;
            self.rows_left = length(self.parts, self.part);
            next_row = first_row(self.parts, self.part);
        }
        (self.text_bytes, self.bytes) = (0, 0);
        let chunk = std::mem::replace(&mut self.open, empty(self.part, next_row));
        Chunk { ends_part, ..chunk }
    }
}

fn empty(part: usize, first_row: u64) -> Chunk {
    Chunk { part, first_row, batches: Vec::new(), subjects: Vec::new(), ends_part: false }
}

fn first_row(parts: &[Range<u64>], part: usize) -> u64 {
    parts.get(part).map_or(0, |rows| rows.start)
}

fn length(parts: &[Range<u64>], part: usize) -> u64 {
    parts.get(part).map_or(0, |rows| rows.end - rows.start)
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{ArrayRef, StringArray};
    use proptest::prelude::*;
    use std::sync::Arc;
    use strata_bert::TextInput;
    use strata_io::Texts;

    fn batch(texts: &[String]) -> RecordBatch {
        let array: ArrayRef = Arc::new(StringArray::from_iter_values(texts));
        RecordBatch::try_from_iter([("text", array)]).unwrap()
    }

    /// Cuts `texts`, read in batches of `batch_rows`, into `(part, rows, ends_part)`.
    fn cut(
        texts: &[String],
        batch_rows: usize,
        parts: &[Range<u64>],
        limits: ChunkLimits,
    ) -> Vec<(usize, Vec<String>, bool)> {
        let mut cutter = Cutter::new(limits, parts);
        let mut chunks = cutter.empty_parts();
        for chunk in texts.chunks(batch_rows) {
            let batch = batch(chunk);
            let texts = Texts::try_new(batch.column(0)).unwrap();
            chunks.extend(cutter.push(&batch, &Subjects::Texts(texts)));
        }
        chunks.iter().map(|w| (w.part, rows(w), w.ends_part)).collect()
    }

    fn rows(chunk: &Chunk) -> Vec<String> {
        let text = |input: Option<TextInput>| match input {
            Some(TextInput::Text(text)) => text.to_owned(),
            other => panic!("{other:?}"),
        };
        let of_slice =
            |slice: &Subjects| (0..slice.len()).map(|row| text(slice.get(row))).collect::<Vec<_>>();
        chunk.subjects.iter().flat_map(of_slice).collect()
    }

    proptest! {
        #[test]
        fn chunks_depend_on_the_rows_not_on_the_batches(
            lengths in prop::collection::vec(0usize..50, 1..200),
            part_rows in 1u64..60,
            limits in (1usize..40, 1usize..400, 1usize..900),
            batch_rows in 1usize..70,
        ) {
            let texts: Vec<String> = lengths.iter().enumerate().map(|(i, &n)| format!("{i}{}", "x".repeat(n))).collect();
            let total = texts.len() as u64;
            let parts: Vec<Range<u64>> =
                (0..total.div_ceil(part_rows)).map(|i| i * part_rows..total.min((i + 1) * part_rows)).collect();
            let limits = ChunkLimits { rows: limits.0, text_bytes: limits.1, bytes: limits.2 };

            let chunks = cut(&texts, batch_rows, &parts, limits);
            prop_assert_eq!(&chunks, &cut(&texts, texts.len(), &parts, limits));
            prop_assert_eq!(chunks.iter().flat_map(|w| w.1.clone()).collect::<Vec<_>>(), texts.clone());
            prop_assert_eq!(chunks.iter().filter(|w| w.2).count(), parts.len());
            prop_assert!(chunks.iter().all(|w| w.1.len() <= limits.rows));

            // A part read alone is cut like the same part read after others.
            let alone = parts.last().unwrap();
            let last: Vec<_> = chunks.iter().filter(|w| w.0 == parts.len() - 1).map(|w| w.1.clone()).collect();
            let own: Vec<_> = cut(&texts[alone.start as usize..], batch_rows, std::slice::from_ref(alone), limits).into_iter().map(|w| w.1).collect();
            prop_assert_eq!(last, own);
        }
    }

    proptest! {
        #[test]
        fn a_chunk_that_is_split_is_the_same_rows_in_two(count in 1usize..40, batch_rows in 1usize..9, at in 0usize..40) {
            let texts: Vec<String> = (0..count).map(|row| row.to_string()).collect();
            let parts = vec![7..7 + count as u64; 1];
            let mut cutter = Cutter::new(ChunkLimits { rows: count, text_bytes: 1000, bytes: 9000 }, &parts);
            let mut chunks = Vec::new();
            for chunk in texts.chunks(batch_rows) {
                let batch = batch(chunk);
                chunks.extend(cutter.push(&batch, &Subjects::Texts(Texts::try_new(batch.column(0)).unwrap())));
            }
            let at = at.min(count);
            let (first, second) = chunks.remove(0).split_at(at);
            prop_assert_eq!(rows(&first), &texts[..at]);
            prop_assert_eq!(rows(&second), &texts[at..]);
            prop_assert_eq!((first.first_row, second.first_row), (7, 7 + at as u64));
            prop_assert_eq!((first.ends_part, second.ends_part), (false, true));
        }
    }

    #[test]
    fn a_part_without_rows_has_one_chunk() {
        let limits = ChunkLimits { rows: 4, text_bytes: 100, bytes: 100 };
        assert_eq!(cut(&[], 1, std::slice::from_ref(&(0..0)), limits), [(0, Vec::new(), true)]);
    }
}
