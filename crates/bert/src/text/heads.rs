//! Beginnings of long texts: how far one must read to know what the model sees of a text that is cut at its end.

use tokenizers::Tokenizer;
use tokenizers::normalizers::NormalizerWrapper;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;

/// Whether a tokenizer divides every text at its spaces, so that what stands before one is tokenized the same whatever
/// stands after it.
pub(crate) fn decide(tokenizer: &Tokenizer) -> bool {
    let has_space = |text: &str| text.contains(char::is_whitespace);
    tokenizer.get_normalizer().is_none_or(keeps_spaces)
        && tokenizer.get_pre_tokenizer().is_some_and(divides_at_spaces)
        && !tokenizer.get_added_tokens_decoder().values().any(|token| has_space(&token.content))
}

/// Whether what it makes of a piece of text does not depend on what stands after a space.
fn keeps_spaces(normalizer: &NormalizerWrapper) -> bool {
    match normalizer {
        NormalizerWrapper::BertNormalizer(_)
        | NormalizerWrapper::StripNormalizer(_)
        | NormalizerWrapper::StripAccents(_)
        | NormalizerWrapper::NFC(_)
        | NormalizerWrapper::NFD(_)
        | NormalizerWrapper::NFKC(_)
        | NormalizerWrapper::NFKD(_)
        | NormalizerWrapper::Lowercase(_)
        | NormalizerWrapper::Nmt(_)
        | NormalizerWrapper::Precompiled(_) => true,
        NormalizerWrapper::Sequence(steps) => steps.as_ref().iter().all(keeps_spaces),
        // What it replaces it does not show, but in JSON.
        NormalizerWrapper::Replace(replace) => {
            let pattern = serde_json::to_value(replace).ok().and_then(|json| json.get("pattern").cloned());
            let text = |kind: &str| pattern.as_ref().and_then(|pattern| pattern.get(kind)?.as_str());
            text("String").is_some_and(|text| !text.contains(char::is_whitespace))
                || text("Regex").is_some_and(|text| [r"\s{2,}|[\n\r\t]", " {2,}"].contains(&text))
        }
        NormalizerWrapper::Prepend(_) | NormalizerWrapper::ByteLevel(_) => false,
    }
}

fn divides_at_spaces(pre_tokenizer: &PreTokenizerWrapper) -> bool {
    match pre_tokenizer {
        PreTokenizerWrapper::BertPreTokenizer(_)
        | PreTokenizerWrapper::Whitespace(_)
        | PreTokenizerWrapper::WhitespaceSplit(_) => true,
        PreTokenizerWrapper::ByteLevel(bytes) => bytes.use_regex,
        PreTokenizerWrapper::Metaspace(spaces) => spaces.get_split(),
        // The first that divides at them must still find them.
        PreTokenizerWrapper::Sequence(steps) => {
            let harmless = |step: &&PreTokenizerWrapper| {
                matches!(step, PreTokenizerWrapper::Punctuation(_) | PreTokenizerWrapper::Digits(_))
            };
            steps.as_ref().iter().find(|step| !harmless(step)).is_some_and(divides_at_spaces)
        }
        _ => false,
    }
}

/// The beginning of a longer text, up to a space after a word and before byte `end`. `None` if the text is not longer,
/// or has no such place.
pub(crate) fn whole_words(text: &str, end: usize) -> Option<&str> {
    let head = text.get(..text.floor_char_boundary(end)).filter(|head| head.len() < text.len())?;
    let after_a_word = |&(place, _): &(usize, &str)| !head[..place].ends_with(char::is_whitespace);
    head.rmatch_indices(' ').find(after_a_word).map(|(place, _)| &head[..place])
}
