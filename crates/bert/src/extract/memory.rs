//! Going on where a device's memory does not suffice for a batch.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::{Encoding, Error};

/// How many tokens a device has turned out to have memory for.
pub(crate) struct MemoryLimit {
    tokens: AtomicUsize,
    /// What a token takes, where nobody tells that there is no memory for it.
    token_bytes: Option<usize>,
}

type Compute<'a> = dyn Fn(&[&Encoding]) -> Result<Vec<f32>, Error> + 'a;

impl MemoryLimit {
    /// Of a device that tells when it has no memory, unless `token_bytes` are to be asked for beforehand.
    pub(crate) fn new(token_bytes: Option<usize>) -> Self {
        Self { tokens: AtomicUsize::new(usize::MAX), token_bytes }
    }

    /// The rows that `compute` gives for the batch, or for its halves one after the other where the
    /// whole is beyond the limit. Running out of memory lowers the limit. As many batches may be computed `side_by_side`.
    ///
    /// # Errors
    /// Those of `compute`; out of memory only for a row by itself.
    pub(crate) fn extract(
        &self,
        batch: &[&Encoding],
        side_by_side: usize,
        compute: &Compute,
    ) -> Result<Vec<f32>, Error> {
        let tokens = batch.iter().map(|encoding| encoding.len()).sum::<usize>();
        if batch.len() < 2 || tokens <= self.tokens.load(Ordering::Relaxed) {
            match self.reserve(tokens * side_by_side).and_then(|()| compute(batch)) {
                Err(Error::OutOfMemory(reason)) if batch.len() > 1 => {
                    let limit = self.tokens.fetch_min(tokens / 2, Ordering::Relaxed).min(tokens / 2);
                    tracing::warn!(
                        "no device memory for {tokens} tokens at once, going on with {limit}: {reason}"
                    );
                }
                result => return result,
            }
        }
        let (first, second) = batch.split_at(batch.len() / 2);
        let mut rows = self.extract(first, side_by_side, compute)?;
        rows.extend(self.extract(second, side_by_side, compute)?);
        Ok(rows)
    }

    /// burn-flex ends the process where libtorch fails with an error that can be told and gone on from, so the
    /// processor is asked beforehand.
    fn reserve(&self, tokens: usize) -> Result<(), Error> {
        let Some(bytes) = self.token_bytes.map(|bytes| bytes * tokens) else { return Ok(()) };
        let mut memory: Vec<u8> = Vec::new();
        let reserved = memory.try_reserve_exact(bytes);
        // What nobody looks at need not be reserved at all, says the compiler.
        std::hint::black_box(&memory);
        reserved.map_err(|error| Error::OutOfMemory(format!("can't allocate {bytes} bytes: {error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;

    fn encoding(len: u32) -> Encoding {
        Encoding {
            input_ids: (0..len).collect(),
            token_type_ids: vec![0; len as usize],
            special_tokens_mask: vec![false; len as usize],
        }
    }

    /// Gives each row its length, on a device with memory for `room` tokens. Returns the rows
    /// and the sizes of the batches that were tried.
    fn on_device_with(
        limit: &MemoryLimit,
        room: usize,
        batch: &[&Encoding],
    ) -> (Result<Vec<f32>, Error>, Vec<usize>) {
        let tried = RefCell::new(Vec::new());
        let rows = limit.extract(batch, 1, &|batch| {
            tried.borrow_mut().push(batch.len());
            if batch.iter().map(|encoding| encoding.len()).sum::<usize>() > room {
                return Err(Error::OutOfMemory("the fake is full".to_owned()));
            }
            Ok(batch.iter().map(|encoding| encoding.len() as f32).collect())
        });
        (rows, tried.into_inner())
    }

    #[test]
    fn a_batch_too_large_is_halved_until_it_fits_and_keeps_its_order() {
        let encodings: Vec<Encoding> = (1..=8).map(encoding).collect();
        let batch: Vec<&Encoding> = encodings.iter().collect();
        let limit = MemoryLimit::new(None);
        let expected: Vec<f32> = (1..=8u8).map(f32::from).collect();

        let (rows, tried) = on_device_with(&limit, 20, &batch);
        assert_eq!(rows.unwrap(), expected);
        assert_eq!(tried[0], 8);

        // The next batch does not run into the wall again.
        let (rows, tried) = on_device_with(&limit, 20, &batch);
        assert_eq!(rows.unwrap(), expected);
        assert!(!tried.contains(&8), "{tried:?}");
    }

    #[test]
    fn a_row_that_does_not_fit_by_itself_is_an_error() {
        let row = encoding(30);
        let (rows, tried) = on_device_with(&MemoryLimit::new(None), 20, &[&row, &row]);
        assert!(matches!(rows, Err(Error::OutOfMemory(_))));
        assert_eq!(tried, [2, 1]);
    }
}
