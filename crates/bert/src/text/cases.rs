//! Tokens of many small folders, of every class and with every oddity, against recorded answers of AutoTokenizer
//! (`tests/fixtures/make_tokenizer_cases.py` records them and notes the version).

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use crate::text::files::TokenizerFiles;
use crate::text::limits::Limits;
use crate::{Encoding, Error, Overflow, TextInput, TextTokenizer, TokenizerOptions};

#[derive(Deserialize)]
struct Recorded {
    positions: usize,
    types: usize,
    texts: Vec<String>,
    /// A text, and how often it comes.
    long: Vec<(String, usize)>,
    pairs: Vec<(String, String)>,
    /// Texts and places of those that are seen through windows, and how many tokens these share.
    windows: Vec<usize>,
    stride: usize,
    blobs: Vec<String>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    model_type: String,
    files: BTreeMap<String, usize>,
    /// Why transformers does not load it, or what is refused here by name.
    error: Option<String>,
    /// The side on which texts are cut.
    #[serde(default)]
    side: String,
    #[serde(default)]
    max_length: usize,
    #[serde(default)]
    dropout: bool,
    #[serde(default)]
    texts: Vec<Seen>,
    #[serde(default)]
    long: Vec<Seen>,
    #[serde(default)]
    pairs: Vec<Seen>,
    #[serde(default)]
    windows: Vec<Vec<Seen>>,
}

/// What the model is given of a text. Types that are all 0 are not written down.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Seen {
    ids: Vec<u32>,
    #[serde(default)]
    types: String,
    special: String,
}

impl Seen {
    fn of(encoding: &Encoding) -> Self {
        let types: String = encoding.token_type_ids.iter().map(u32::to_string).collect();
        Self {
            ids: encoding.input_ids.clone(),
            types: if types.contains(|kind| kind != '0') { types } else { String::new() },
            special: encoding
                .special_tokens_mask
                .iter()
                .map(|&special| if special { '1' } else { '0' })
                .collect(),
        }
    }
}

fn recorded() -> Recorded {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tokenizers/cases.json");
    serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap()
}

fn write_files(case: &Case, blobs: &[String], folder: &Path) {
    for (name, &blob) in &case.files {
        let text = &blobs[blob];
        let from_hex = |place: usize| u8::from_str_radix(&text[place..place + 2], 16).unwrap();
        let is_text = !name.ends_with(".model");
        let bytes = if is_text {
            text.clone().into_bytes()
        } else {
            (0..text.len()).step_by(2).map(from_hex).collect()
        };
        fs_err::write(folder.join(name), bytes).unwrap();
    }
}

/// Every window of every text.
fn encode(tokenizer: &TextTokenizer, inputs: &[TextInput]) -> Vec<Vec<Seen>> {
    let documents = tokenizer.encode(inputs).unwrap();
    documents.iter().map(|document| document.windows.iter().map(Seen::of).collect()).collect()
}

/// What differs from the recorded answers; the first of it.
fn difference(case: &Case, recorded: &Recorded) -> Result<(), String> {
    let folder = tempfile::tempdir().unwrap();
    write_files(case, &recorded.blobs, folder.path());
    let make = |options: TokenizerOptions| -> Result<TextTokenizer, Error> {
        let files = TokenizerFiles::find(folder.path(), &case.model_type)?;
        let (max_tokens, types) = (recorded.positions, recorded.types);
        let limits = Limits { max_tokens, positions: Some(max_tokens), tokens: 2000, types };
        TextTokenizer::make(&files, limits, &options)
    };
    let tokenizer = make(TokenizerOptions::default());
    match (&case.error, &tokenizer) {
        (Some(_), Err(_)) => return Ok(()),
        // What transformers finds only in a text, so do we.
        (Some(error), Ok(tokenizer)) => {
            let texts: Vec<TextInput> = recorded.texts.iter().map(|text| text.as_str().into()).collect();
            return match tokenizer.encode(&texts) {
                Err(_) => Ok(()),
                Ok(_) => Err(format!("is not refused, but should be: {error}")),
            };
        }
        (None, Err(error)) => return Err(format!("is refused: {error}")),
        (None, Ok(_)) => {}
    }
    let tokenizer = tokenizer.unwrap();
    if tokenizer.max_length() != case.max_length {
        return Err(format!("takes {} tokens, expected {}", tokenizer.max_length(), case.max_length));
    }
    let told = |word: &str| tokenizer.notes().iter().any(|note| note.contains(word));
    if told("by chance") != case.dropout || told("model_max_length") != (case.max_length < recorded.positions)
    {
        return Err(format!("notes {:?}", tokenizer.notes()));
    }
    let compare = |what: &str, found: Vec<Vec<Seen>>, expected: Vec<Vec<Seen>>| {
        // What has no token at all is not seen.
        let expected = expected.into_iter().map(|mut windows| {
            windows.retain(|seen| !seen.ids.is_empty());
            windows
        });
        match found.iter().zip(expected).enumerate().find(|(_, (found, expected))| *found != expected) {
            Some((index, (found, expected))) => {
                Err(format!("{what} {index}\n      found {found:?}\n   expected {expected:?}"))
            }
            None => Ok(()),
        }
    };
    let one = |seen: &[Seen]| seen.iter().map(|seen| vec![seen.clone()]).collect::<Vec<_>>();
    let texts: Vec<TextInput> = recorded.texts.iter().map(|text| text.as_str().into()).collect();
    compare("text", encode(&tokenizer, &texts), one(&case.texts))?;
    let long: Vec<String> = recorded.long.iter().map(|(text, times)| text.repeat(*times)).collect();
    let long: Vec<TextInput> = long.iter().map(|text| text.as_str().into()).collect();
    compare("long text", encode(&tokenizer, &long), one(&case.long))?;
    let pairs: Vec<TextInput> = recorded.pairs.iter().map(|(a, b)| TextInput::Pair(a, b)).collect();
    let of_pairs = make(TokenizerOptions { pairs: true, ..TokenizerOptions::default() });
    compare("pair", encode(&of_pairs.map_err(|error| error.to_string())?, &pairs), one(&case.pairs))?;
    if case.windows.is_empty() {
        return Ok(());
    }
    let overflow = Overflow::Window { stride: Some(recorded.stride) };
    let windows = make(TokenizerOptions { overflow, ..TokenizerOptions::default() });
    let seen: Vec<TextInput> = recorded.windows.iter().map(|&text| texts[text].clone()).collect();
    // From the first in the text to the last, wherever they are counted from.
    let mut expected = case.windows.clone();
    if case.side == "left" {
        expected.iter_mut().for_each(|windows| windows.reverse());
    }
    let found = encode(&windows.map_err(|error| error.to_string())?, &seen);
    compare("windows of text", found, expected)
}

#[test]
fn tokens_of_every_folder_are_those_of_autotokenizer() {
    let recorded = recorded();
    let differences: Vec<String> = recorded
        .cases
        .iter()
        .filter_map(|case| difference(case, &recorded).err().map(|error| format!("{}: {error}", case.name)))
        .collect();
    assert!(recorded.cases.len() > 100);
    assert!(
        differences.is_empty(),
        "{} of {}\n{}",
        differences.len(),
        recorded.cases.len(),
        differences.join("\n")
    );
}
