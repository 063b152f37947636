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
///
/// # Errors
/// A word is cut before that, each piece of which would get a space.
pub(crate) fn separate_given_words(tokenizer: &mut Tokenizer) -> Result<(), String> {
    let separate = |pre_tokenizer: &mut PreTokenizerWrapper| {
        if let PreTokenizerWrapper::ByteLevel(bytes) = pre_tokenizer {
            bytes.add_prefix_space = true;
        }
    };
    let mut pre_tokenizer = tokenizer.get_pre_tokenizer().cloned();
    match &mut pre_tokenizer {
        Some(PreTokenizerWrapper::Sequence(steps)) => {
            let makes_bytes = |step: &PreTokenizerWrapper| matches!(step, PreTokenizerWrapper::ByteLevel(_));
            // White space alone divides no word.
            let cuts = |step: &&PreTokenizerWrapper| !matches!(step, PreTokenizerWrapper::WhitespaceSplit(_));
            if steps.as_ref().iter().filter(cuts).skip(1).any(makes_bytes) {
                return Err("its tokenizer cuts texts before it makes bytes of them, so that it knows no given words: let it or \
                            white space divide the texts (--words tokenizer, --words whitespace)"
                    .to_owned());
            }
            steps.as_mut().iter_mut().for_each(separate);
        }
        Some(one) => separate(one),
        None => {}
    }
    tokenizer.with_pre_tokenizer(pre_tokenizer);
    Ok(())
}

#[cfg(test)]
mod tests {
    use tokenizers::models::bpe::BPE;
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;
    use tokenizers::pre_tokenizers::digits::Digits;
    use tokenizers::pre_tokenizers::sequence::Sequence;

    use super::*;

    #[test]
    fn given_words_are_known_by_a_space_or_refused() {
        let bytes = || PreTokenizerWrapper::from(ByteLevel::new(false, true, true));
        let mut tokenizer = Tokenizer::new(BPE::default());
        tokenizer.with_pre_tokenizer(Some(bytes()));
        separate_given_words(&mut tokenizer).unwrap();
        let Some(PreTokenizerWrapper::ByteLevel(step)) = tokenizer.get_pre_tokenizer() else { panic!() };
        assert!(step.add_prefix_space);
        // Each piece that digits divide would get a space of its own.
        tokenizer.with_pre_tokenizer(Some(Sequence::new(vec![Digits::new(true).into(), bytes()])));
        assert!(separate_given_words(&mut tokenizer).unwrap_err().contains("--words"));
    }
}
