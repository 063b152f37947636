//! What a run asks of a tokenizer beside its files.

use tokenizers::Tokenizer;
use tokenizers::normalizers::{Lowercase, NormalizerWrapper, Sequence};
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

/// Puts lower-casing before all else that is done to a text, if it is not done already: as
/// sentence-transformers does.
pub(crate) fn lower_case(tokenizer: &mut Tokenizer) -> Result<(), String> {
    let is_lower_case = |step: &NormalizerWrapper| matches!(step, NormalizerWrapper::Lowercase(_));
    let steps = match tokenizer.get_normalizer().cloned() {
        None => Vec::new(),
        Some(NormalizerWrapper::Sequence(steps)) => steps.as_ref().to_vec(),
        Some(one) => vec![one],
    };
    if steps.iter().any(is_lower_case) {
        return Ok(());
    }
    let first = NormalizerWrapper::Lowercase(Lowercase);
    let steps = std::iter::once(first).chain(steps).collect();
    tokenizer.with_normalizer(Some(Sequence::new(steps))).map(drop).map_err(|e| e.to_string())
}

/// Byte-level tokenizers know a word by the space before it, which given words lack.
pub(crate) fn separate_given_words(tokenizer: &mut Tokenizer) {
    let separate = |pre_tokenizer: &mut PreTokenizerWrapper| {
        if let PreTokenizerWrapper::ByteLevel(bytes) = pre_tokenizer {
            bytes.add_prefix_space = true;
        }
    };
    let mut pre_tokenizer = tokenizer.get_pre_tokenizer().cloned();
    match &mut pre_tokenizer {
        Some(PreTokenizerWrapper::Sequence(steps)) => steps.as_mut().iter_mut().for_each(separate),
        Some(one) => separate(one),
        None => {}
    }
    tokenizer.with_pre_tokenizer(pre_tokenizer);
}
