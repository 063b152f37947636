//! What is said of CSV and JSON Lines files and cannot hold.

use crate::support::{Sandbox, assert_refused, run};

/// A sandbox with a file of each text format.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "zip,text\n01067,cat\n");
    sandbox.write("in.jsonl", "{\"zip\":\"01067\",\"text\":\"cat\"}\n");
    sandbox
}

fn over(input: &str, options: &str) -> String {
    format!("run --input {input} --model tiny-bert --output out {options}")
}

#[test]
fn a_type_of_a_column_that_is_none() {
    let sandbox = sandbox();
    assert_refused!(sandbox, &over("in.csv", "--schema zip"), @"");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=string"), @"");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=Utf8 zip=Int64"), @"");
    sandbox.write("job.toml", "[input.schema]\nzip = 7\n");
    assert_refused!(sandbox, &over("in.csv", "job.toml"), @"");
}

#[test]
fn a_type_of_a_column_that_the_file_lacks() {
    assert_refused!(sandbox(), &over("in.csv", "--schema zpi=Utf8"), @"");
}

#[test]
fn a_type_that_the_format_does_not_have() {
    let sandbox = sandbox();
    assert_refused!(sandbox, &over("in.csv", "--schema zip=List(Utf8)"), @"");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=LargeUtf8"), @"");
    assert_refused!(sandbox, &over("in.jsonl", "--schema zip=Dictionary(Int32,Utf8)"), @"");
}

#[test]
fn a_type_that_is_not_what_is_encoded() {
    assert_refused!(sandbox(), &over("in.csv", "--schema text=Int64"), @"");
}

#[test]
fn a_value_that_is_not_of_its_type() {
    let sandbox = sandbox();
    sandbox.write("in.csv", "text,n\ncat,one\n");
    let said = sandbox.strata(&over("in.csv", "--schema n=Int64")).output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(65), "{stderr}");
    for part in ["in.csv, rows 0..1", "'one' as type 'Int64'", "with --schema"] {
        assert!(stderr.contains(part), "no `{part}` in {stderr}");
    }
}

#[test]
fn characters_that_cannot_divide_fields() {
    let sandbox = sandbox();
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ::"), @"");
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ¦"), @"");
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ; --csv-quote ;"), @"");
    assert_refused!(sandbox, &over("in.csv", "--csv-quote off"), @"");
    assert_refused!(sandbox, &over("in.csv", "--csv-header maybe"), @"");
}

#[test]
fn options_about_formats_that_no_input_has() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--schema text=Utf8"), @"");
    assert_refused!(sandbox, &run("--csv-header yes"), @"");
    sandbox.write("in.jsonl", "{\"text\":\"cat\"}\n");
    assert_refused!(sandbox, &over("in.parquet in.jsonl", "--csv-delimiter ; --schema text=Utf8"), @"");
}
