//! What stands beside given words goes with each of them.

use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListBuilder, Int32Builder, LargeListBuilder, ListBuilder,
    StringBuilder, StringDictionaryBuilder, UInt64Array,
};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Metadata, UInt64Type};
use serde_json::json;

use crate::support::tables::{column, names, schema_of_output, table};
use crate::support::{Sandbox, assert_refused, read_output, write_table};

const RUN: &str = "--model tiny-bert --unit word --words words --align tag --output out";

/// Lists of words and of tags, as JSON Lines.
fn sandbox(rows: &[serde_json::Value]) -> Sandbox {
    let sandbox = Sandbox::new();
    let lines: Vec<String> = rows.iter().map(|row| format!("{row}\n")).collect();
    sandbox.write("in.jsonl", lines.concat());
    sandbox
}

/// What stands beside each word: its input row, its place there, itself, its tag.
fn rows(sandbox: &Sandbox) -> Vec<(u64, Option<String>, Option<String>)> {
    let output = read_output(&sandbox.path("out"));
    let text = |name: &str| cast(column(&output, name), &DataType::Utf8).unwrap();
    let (row, word, tag) =
        (column(&output, "row").as_primitive::<UInt64Type>().clone(), text("word"), text("tag"));
    let at = |array: &ArrayRef, index: usize| {
        array.is_valid(index).then(|| array.as_string::<i32>().value(index).to_owned())
    };
    (0..output.num_rows()).map(|index| (row.value(index), at(&word, index), at(&tag, index))).collect()
}

#[test]
fn each_word_has_what_stands_at_its_place_whatever_parts_and_batches_it_falls_into() {
    let word = |row: usize, place: usize| ["cat", "dog", "the", "bird"][(row * 3 + place) % 4].to_owned();
    // Rows of none to five words; some are null, and have labels all the same.
    let length = |row: usize| row * 7 % 6;
    let all: Vec<serde_json::Value> = (0..200)
        .map(|row| {
            let tags: Vec<_> = (0..length(row)).map(|p| (p % 4 != 3).then(|| format!("{row}.{p}"))).collect();
            let words: Vec<String> = (0..length(row)).map(|place| word(row, place)).collect();
            if row % 11 == 5 {
                json!({"words": null, "tag": tags})
            } else {
                json!({"words": words, "tag": tags})
            }
        })
        .collect();
    let sandbox = sandbox(&all);
    let mut expected = Vec::new();
    for row in (0..200).filter(|row| row % 11 != 5) {
        for place in 0..length(row) {
            let tag = (place % 4 != 3).then(|| format!("{row}.{place}"));
            expected.push((row as u64, Some(word(row, place)), tag));
        }
    }
    for parts in ["", "--rows-per-part 7", "--rows-per-part 1"] {
        sandbox.succeed(&format!("run --input in.jsonl {RUN} --overwrite {parts}"));
        assert_eq!(rows(&sandbox), expected, "{parts}");
    }
    sandbox.succeed("verify out --sample 100");
}

#[test]
fn a_word_that_the_model_cannot_see_keeps_its_tag_and_missing_words_keep_their_place() {
    let words: Vec<Option<&str>> = (0..80).map(|place| (place != 2).then_some("cat")).collect();
    let tags: Vec<i32> = (0..80).collect();
    let sandbox = sandbox(&[json!({"words": words, "tag": tags})]);
    sandbox.succeed(&format!("run --input in.jsonl {RUN}"));
    let output = read_output(&sandbox.path("out"));
    let found = column(&output, "tag");
    assert_eq!((found.data_type(), output.num_rows()), (&DataType::Int64, 80));
    assert_eq!(rows(&sandbox)[79].2.as_deref(), Some("79"));
    assert_eq!(rows(&sandbox)[2], (0, None, Some("2".to_owned())));
    // More than 48 tokens are not seen.
    assert!(column(&output, "layer_4_mean").is_null(79) && column(&output, "layer_4_mean").is_valid(3));
}

#[test]
fn lists_of_every_kind_are_aligned_and_several_at_once() {
    let mut words = LargeListBuilder::new(StringBuilder::new());
    let mut tags = ListBuilder::new(StringDictionaryBuilder::<Int32Type>::new());
    let mut heads = FixedSizeListBuilder::new(Int32Builder::new(), 2);
    for row in 0..3 {
        for place in 0..2 {
            words.values().append_value("dog");
            tags.values().append_value(["NOUN", "VERB"][(row + place) % 2]);
            heads.values().append_value((row * 2 + place) as i32);
        }
        words.append(true);
        tags.append(true);
        heads.append(true);
    }
    let ids: ArrayRef = Arc::new(UInt64Array::from(vec![7, 8, 9]));
    let columns: [(&str, ArrayRef); 4] = [
        ("words", Arc::new(words.finish())),
        ("tag", Arc::new(tags.finish())),
        ("head", Arc::new(heads.finish())),
        ("id", ids),
    ];
    for file in ["in.parquet", "in.arrow"] {
        for format in ["parquet", "arrow"] {
            let sandbox = Sandbox::new();
            write_table(&sandbox.path(file), &table(columns.clone()));
            sandbox.succeed(&format!("run --input {file} {RUN} --align head --keep id --format {format}"));
            let output = read_output(&sandbox.path("out"));
            let before: Vec<String> = names(&output).into_iter().take(8).collect();
            assert_eq!(before, ["row", "id", "word_index", "word", "start", "end", "tag", "head"]);
            let tag = cast(column(&output, "tag"), &DataType::Utf8).unwrap();
            let tags: Vec<_> = tag.as_string::<i32>().iter().flatten().collect();
            assert_eq!(tags, ["NOUN", "VERB", "VERB", "NOUN", "NOUN", "VERB"], "{file} {format}");
            let heads = column(&output, "head").as_primitive::<Int32Type>();
            assert_eq!(heads.values().to_vec(), (0..6).collect::<Vec<_>>());
        }
    }
}

#[test]
fn names_of_classes_in_lists_become_those_of_the_words() {
    let mut words = ListBuilder::new(StringBuilder::new());
    let mut tags = ListBuilder::new(Int32Builder::new());
    words.append_value([Some("cat"), Some("dog")]);
    tags.append_value([Some(1), Some(0)]);
    let plain = table([("words", Arc::new(words.finish()) as ArrayRef), ("tag", Arc::new(tags.finish()))]);
    let label = json!({"names": ["NOUN", "VERB"], "_type": "ClassLabel"});
    let features = json!({"info": {"features": {
        "words": {"feature": {"dtype": "string", "_type": "Value"}, "_type": "List"},
        "tag": {"feature": label, "_type": "List"},
    }}});
    let metadata = Metadata::from_iter([("huggingface".to_owned(), features.to_string())]);
    let schema = plain.schema().as_ref().clone().with_metadata(metadata);
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &plain.with_schema(schema.into()).unwrap());
    sandbox.succeed(&format!("run --input in.parquet {RUN}"));
    let schema = schema_of_output(&sandbox.path("out"));
    let stated: serde_json::Value = serde_json::from_str(&schema.metadata()["huggingface"]).unwrap();
    assert_eq!(stated["info"]["features"], json!({"tag": label}));
}

#[test]
fn lists_of_another_length_and_what_does_not_go_together_are_refused() {
    let good = json!({"words": ["cat", "dog"], "tag": ["N", "N"], "other": 1});
    for bad in [json!(["N"]), json!(["N", "N", "N"]), json!(null), json!([])] {
        let sandbox = sandbox(&[good.clone(), good.clone(), json!({"words": ["cat", "dog"], "tag": bad})]);
        let ended = sandbox.strata(&format!("run --input in.jsonl {RUN}")).output().unwrap();
        let stderr = String::from_utf8_lossy(&ended.stderr);
        assert_eq!(ended.status.code(), Some(65), "{stderr}");
        let count = bad.as_array().map_or(0, Vec::len);
        assert!(stderr.contains(&format!("row 2: `tag` has {count} values for 2 words")), "{stderr}");
    }
    let sandbox = sandbox(&[good]);
    assert_refused!(sandbox, "run --input in.jsonl --model tiny-bert --unit word --words words --align nothing --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.jsonl has no column `nothing`
    hint: name another with --align; it has other, tag, words (List(Utf8))
    ");
    assert_refused!(sandbox, "run --input in.jsonl --model tiny-bert --unit word --words words --align other --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `other` of in.jsonl is Int64, expected lists with a value for each word
    hint: name another with --align; the file has other (Int64), tag, words (List(Utf8))
    ");
    assert_refused!(sandbox, "run --input in.jsonl --model tiny-bert --unit word --text other --align tag --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --align goes with a column of --words alone
    hint: its lists have a value for each word of that column's lists
    ");
    assert_refused!(sandbox, "run --input in.jsonl --model tiny-bert --text other --align tag --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --align does not go with --unit row: it names what stands beside given words
    ");
    assert_refused!(sandbox, "run --input in.jsonl --model tiny-bert --unit word --words words --align tag --keep tag --output out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.jsonl already has a column `tag`, which strata would write
    hint: leave it out with --keep, or rename it in the input
    ");
}
