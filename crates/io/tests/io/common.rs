//! Columns of several text files have the types that they would have in one.

use arrow::datatypes::Field;
use arrow::util::display::array_value_to_string;
use proptest::prelude::*;
use strata_io::{Input, ReadOptions, common_field};
use tempfile::TempDir;

use crate::support::{read, source};

const CSV: [&str; 26] = [
    "",
    "1",
    "-2",
    "0",
    "-0",
    "007",
    "1.5",
    "1.50",
    "1e3",
    "9007199254740993",
    "9007199254740992",
    "18446744073709551615",
    "-9223372036854775808",
    "123456789012345678901234567890",
    "true",
    "FALSE",
    "x",
    "2024-02-29",
    "2024-02-30",
    "2024-02-29 10:30:00",
    "2024-02-29T10:30:00.5",
    "2024-02-29 10:30:00.123456",
    "2024-02-29 10:30:00.123456789",
    "9999-12-31 23:59:59.5",
    "2024-02-29 10:30:00Z",
    "2024-02-29 10:30:00.25+00:00",
];

const JSON: [&str; 24] = [
    "null",
    "1",
    "-1",
    "1.5",
    "-0",
    "1e3",
    "9007199254740993",
    "18446744073709551615",
    "18446744073709549568",
    "true",
    "\"x\"",
    "[]",
    "[null]",
    "[1]",
    "[1.5]",
    "[[]]",
    "[[true]]",
    "{}",
    "{\"a\":1}",
    "{\"a\":null}",
    "{\"b\":\"x\"}",
    "{\"a\":1.5,\"c\":[]}",
    "{\"c\":[{}]}",
    "{\"c\":[{\"d\":1}]}",
];

/// The type of the column `k` of the files together and its values as they are shown; none where there is no
/// such type.
fn together(name: &str, files: &[String]) -> Option<(String, Vec<String>)> {
    let folder = TempDir::new().unwrap();
    let open = |(place, content): (usize, &String)| {
        let path = folder.path().join(format!("{place}.{name}"));
        fs_err::write(&path, content).unwrap();
        Input::open(source(&path), &ReadOptions::default()).ok()
    };
    let mut inputs = files.iter().enumerate().map(open).collect::<Option<Vec<Input>>>()?;
    for input in &mut inputs {
        if input.field("k").is_none() {
            assert!(input.may_lack_columns());
            input.add_nulls("k");
        }
    }
    let found = inputs.iter().map(|input| input.found_field("k").unwrap());
    let common: Field = found.map(Some).reduce(|one, other| common_field(&one?, &other?))??;
    let mut values = Vec::new();
    for input in &mut inputs {
        input.retype_field(&common).unwrap();
        let rows = input.count_rows().unwrap();
        let batch = read(input, &["k"], 0..rows).unwrap();
        let column = batch.column(0);
        assert!(batch.schema().field(0).metadata().keys().all(|key| !key.starts_with("strata")));
        values.extend((0..column.len()).map(|row| array_value_to_string(column, row).unwrap()));
    }
    Some((common.data_type().to_string(), values))
}

fn csv(values: &[&str]) -> String {
    values.iter().fold("n,k\n".to_owned(), |file, value| file + "1," + value + "\n")
}

fn json(values: &[&str]) -> String {
    values.iter().fold(String::new(), |file, value| file + "{\"k\":" + value + "}\n{\"n\":1}\n")
}

/// An object without keys is kept as its text, and is no text for that.
#[test]
fn a_key_of_text_in_one_file_and_of_objects_without_keys_in_another_has_no_type() {
    for (text, object) in [("\"x\"", "{}"), ("[\"x\"]", "[{}]"), ("{\"a\":\"x\"}", "{\"a\":{}}")] {
        assert_eq!(together("jsonl", &[json(&[text]), json(&[object])]), None, "{text} and {object}");
        assert_eq!(together("jsonl", &[json(&[object]), json(&[text])]), None, "{object} and {text}");
    }
    let nothing = together("jsonl", &[json(&["{}"]), json(&["null"])]);
    assert_eq!(nothing.map(|(_, values)| values), Some(["{}", "", "", ""].map(str::to_owned).to_vec()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn a_column_of_several_csv_files_has_the_type_and_the_values_it_has_in_one(
        files in prop::collection::vec(prop::collection::vec(prop::sample::select(&CSV[..]), 0..3), 1..4),
    ) {
        let separate: Vec<String> = files.iter().map(|values| csv(values)).collect();
        prop_assert_eq!(together("csv", &separate), together("csv", &[csv(&files.concat())]));
    }

    #[test]
    fn a_key_of_several_json_files_has_the_type_and_the_values_it_has_in_one(
        files in prop::collection::vec(prop::collection::vec(prop::sample::select(&JSON[..]), 0..3), 1..4),
    ) {
        let separate: Vec<String> = files.iter().map(|values| json(values)).collect();
        prop_assert_eq!(together("jsonl", &separate), together("jsonl", &[json(&files.concat())]));
    }
}
