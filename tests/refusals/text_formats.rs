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
    error: --schema: `zip` is no type of a column; expected COLUMN=TYPE, such as zip=Utf8
    ");
    assert_refused!(sandbox, &over("in.csv", "--schema zip=string"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --schema: `string` of column `zip` is not a type; expected one such as Utf8, Int64, Float64, Boolean, Date32, Timestamp(ms) or List(Utf8)
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
    assert_refused!(sandbox, &over("in.csv", "--schema zip=LargeUtf8"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `zip` of in.csv cannot be read as LargeUtf8
      cause: Parser error: Unsupported data type LargeUtf8
    hint: give it another type with --schema, such as Utf8
    ");
    assert_refused!(sandbox, &over("in.jsonl", "--schema zip=Dictionary(Int32,Utf8)"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: column `zip` of in.jsonl cannot be read as Dictionary(Int32, Utf8)
      cause: Not yet implemented: Support for Dictionary(Int32, Utf8) in JSON reader
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
    error: cannot read in.csv
      cause: Csv error: Encountered unequal lengths between records on CSV file. Expected 1 records, found 3 records at line 2
    hint: the file may be incomplete, or written in another way than --csv-delimiter and --csv-quote say
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
    hint: name another with --text; the file has zip (Int64), text (Int64)
    ");
}

#[test]
fn a_value_that_is_not_of_its_type() {
    let sandbox = sandbox();
    sandbox.write("in.csv", "text,n\ncat,one\n");
    let said = sandbox.strata(&over("in.csv", "--schema n=Int64")).output().unwrap();
    let stderr = String::from_utf8_lossy(&said.stderr);
    assert_eq!(said.status.code(), Some(65), "{stderr}");
    for part in ["in.csv, rows 0..1", "'one' as type 'Int64'", "stated with --schema"] {
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
    error: --csv-delimiter: `::` cannot be used; expected one ASCII character, or `tab`
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ¦"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-delimiter: `¦` cannot be used; expected one ASCII character, or `tab`
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-delimiter ; --csv-quote ;"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-quote: `;` is what stands between fields
    hint: give another, or say --csv-quote none
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-quote off"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-quote: `off` cannot be used; expected one ASCII character, or `none`
    ");
    assert_refused!(sandbox, &over("in.csv", "--csv-header maybe"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --csv-header: `maybe` is not a choice; expected yes or no
    ");
}

#[test]
fn options_about_formats_that_no_input_has() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--schema text=Utf8"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: --schema is given, but no input is a CSV, TSV or JSON Lines file
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
