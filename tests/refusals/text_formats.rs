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
    assert_refused!(sandbox, &over("in.csv", "--schema zip"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'zip' for '--schema <COLUMN=TYPE>...': `zip` is no type of a column; expected COLUMN=TYPE, such as zip=Utf8

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=string"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'zip=string' for '--schema <COLUMN=TYPE>...': `string` of column `zip` is not a type; expected one such as Utf8, Int64, Float64, Boolean, Date32, Timestamp(ms), List(Utf8) or Json

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=Utf8 zip=Int64"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --schema: column `zip` has two types, expected one
    ");
    sandbox.write("job.toml", "[input.schema]\nzip = 7\n");
    assert_refused!(sandbox, &over("in.csv", "job.toml"), @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: job.toml cannot be used:
    TOML parse error at line 1, column 1
      |
    1 | [input.schema]
      | ^^^^^^^^^^^^^^
    expected a table such as zip = "Utf8"
    "#);
}

#[test]
fn a_type_of_a_column_that_the_file_lacks() {
    assert_refused!(sandbox(), &over("in.csv", "--schema zpi=Utf8"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: expected a column `zpi` in in.csv, found zip, text
    hint: name a column that the file has
    ");
}

#[test]
fn a_type_that_the_format_does_not_have() {
    let sandbox = sandbox();
    assert_refused!(sandbox, &over("in.csv", "--schema zip=List(Utf8)"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `zip` of in.csv cannot be read as List(Utf8)
      cause: a field of CSV holds one value
    hint: give it another type with --schema, such as Utf8
    ");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=Binary"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `zip` of in.csv cannot be read as Binary
      cause: no text stands for a value of this type
    hint: give it another type with --schema, such as Utf8
    ");
    assert_refused!(sandbox, &over("in.jsonl", "--schema zip=Dictionary(Int32,Utf8)"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `zip` of in.jsonl cannot be read as Dictionary(Int32, Utf8)
      cause: no JSON value stands for a value of this type
    hint: give it another type with --schema, such as Utf8
    ");
}

#[test]
fn fields_that_something_else_divides() {
    assert_refused!(sandbox(), &over("in.csv", "--csv-delimiter ;"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: in.csv has no column `text`
    hint: name another with --text; it has zip,text (Utf8); --csv-delimiter says what stands between its fields
    ");
    let sandbox = sandbox();
    sandbox.write("in.csv", "text;n\ncat, dog, run;1\n");
    assert_refused!(sandbox, &over("in.csv", ""), @r"
    success: false
    exit_code: 65
    ----- stdout -----

    ----- stderr -----
    error: cannot read in.csv, row 0 (line 2)
      cause: expected 1 field, found 3
    hint: the file may be incomplete, or written in another way than --csv-delimiter, --csv-quote and --csv-escape say
    ");
}

#[test]
fn a_type_that_is_not_what_is_encoded() {
    assert_refused!(sandbox(), &over("in.csv", "--schema text=Int64"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `text` of in.csv is Int64, expected text
    hint: name another with --text; the file has zip (Utf8), text (Int64)
    ");
}

#[test]
fn a_value_that_is_not_of_its_type() {
    let sandbox = sandbox();
    sandbox.write("in.csv", "text,n\ncat,one\n");
    let said = sandbox.strata(&over("in.csv", "--schema n=Int64")).output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(65), "{stderr}");
    for part in
        ["in.csv", "row 0 (line 2)", "expected Int64 in column `n`", "found `one`", "--schema 'n=Utf8'"]
    {
        assert!(stderr.contains(part), "no `{part}` in {stderr}");
    }
}

#[test]
fn characters_that_cannot_divide_fields() {
    let sandbox = sandbox();
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ::"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value '::' for '--csv-delimiter <C>': `::` cannot be used; expected one ASCII character, or `tab`

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ¦"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value '¦' for '--csv-delimiter <C>': `¦` cannot be used; expected one ASCII character, or `tab`

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ; --csv-quote ;"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-quote: `;` is what stands between fields
    hint: give another, or say --csv-quote none
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-escape ,"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-escape: `,` is what stands between fields
    hint: give another, or say --csv-escape none
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-quote off"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'off' for '--csv-quote <C>': `off` cannot be used; expected one ASCII character, or `none`

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-header maybe"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'maybe' for '--csv-header <WHETHER>'
      [possible values: yes, no]

    For more information, try '--help'.
    ");
}

#[test]
fn formats_and_encodings_that_there_are_not() {
    let sandbox = sandbox();
    assert_refused!(sandbox, &over("in.csv", "--input-format xml"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'xml' for '--input-format <FORMAT>'
      [possible values: parquet, arrow, csv, tsv, jsonl, json, txt]

    For more information, try '--help'.
    ");
    assert_refused!(sandbox, &over("in.csv", "--encoding klingon"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: invalid value 'klingon' for '--encoding <NAME>': `klingon` is no encoding; expected one such as utf-8, latin1, windows-1251, shift_jis or utf-16

    For more information, try '--help'.
    ");
}

#[test]
fn a_type_that_no_value_of_a_column_could_have() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--schema text=List(Int8)"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `text` of in.parquet cannot be read as List(Int8)
      cause: its values are Utf8
    hint: give it another type with --schema, such as Utf8
    ");
}

#[test]
fn options_about_formats_that_no_input_has() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--encoding latin1"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --encoding is given, but no input is a CSV, TSV, JSON or text file
    hint: leave it out; other formats say such things themselves
    ");
    assert_refused!(sandbox, &run("--csv-header yes"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-header is given, but no input is a CSV or TSV file
    hint: leave it out; other formats say such things themselves
    ");
    sandbox.write("more.jsonl", "{\"text\":\"cat\"}\n");
    assert_refused!(sandbox, &over("in.parquet more.jsonl", "--csv-delimiter ; --schema text=Utf8"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-delimiter is given, but no input is a CSV or TSV file
    hint: leave it out; other formats say such things themselves
    ");
}
