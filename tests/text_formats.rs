//! CSV and JSON Lines files whose types and dialect the user states.

use std::process::Command;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::DataType;

use crate::support::tables::{column, names};
use crate::support::{Sandbox, read_output, vectors};

fn strings<'a>(table: &'a RecordBatch, name: &str) -> Vec<Option<&'a str>> {
    column(table, name).as_string::<i32>().iter().collect()
}

/// The command line of a run over `input`, and what follows.
fn run(input: &str, options: &str) -> String {
    format!("run --input {input} --model tiny-bert --output out --report report.json {options}")
}

#[test]
fn zip_codes_stay_text_into_the_output_and_through_resume() {
    for (name, content) in [
        ("in.csv", "zip,text\n01067,cat\n10115,dog\n"),
        ("in.jsonl", "{\"zip\":\"01067\",\"text\":\"cat\"}\n{\"zip\":10115,\"text\":\"dog\"}\n"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, content);
        let command = run(name, "--schema zip=Utf8");
        sandbox.succeed(&command);
        let output = read_output(&sandbox.path("out"));
        assert_eq!(strings(&output, "zip"), [Some("01067"), Some("10115")], "{name}");
        let stated = String::from_utf8(sandbox.succeed("inspect out").stdout).unwrap();
        assert!(stated.contains("settings.schema.zip: Utf8"), "{stated}");
        let before = sandbox.parts("out");
        sandbox.succeed(&command);
        let report = sandbox.report("report.json");
        assert_eq!((&report["parts_written"], &report["parts_kept"]), (&0.into(), &1.into()));
        assert_eq!(sandbox.parts("out"), before);
        let verified = sandbox.succeed("verify out --sample 2 --json").stdout;
        let verified: serde_json::Value = serde_json::from_slice(&verified).unwrap();
        assert_eq!(verified["sample"]["rows"], 2, "{verified}");
    }
}

#[test]
fn the_same_table_in_every_dialect_gives_the_same_vectors() {
    let sandbox = Sandbox::new();
    let mut expected = None;
    for (name, content, options) in [
        ("a.csv", "n,text\n1,The cat\n2,\"a, dog\"\n", ""),
        ("b.csv", "n;text\n1;The cat\n2;a, dog\n", "--csv-delimiter ;"),
        ("c.csv", "1,The cat\n2,'a, dog'\n", "--csv-header no --csv-quote ' --text column_2"),
        ("d.csv", "n\ttext\n1\tThe cat\n2\ta, dog\n", "--csv-delimiter tab"),
        ("e.tsv", "n,text\n1,The cat\n2,\"a, dog\"\n", "--csv-delimiter ,"),
        ("f.tsv", "1\tThe cat\n2\ta, dog\n", "--csv-header no --csv-quote none --text column_2"),
    ] {
        sandbox.write(name, content);
        let packed = Command::new("gzip").arg("-kf").arg(sandbox.path(name)).status().unwrap();
        assert!(packed.success());
        for input in [name.to_owned(), format!("{name}.gz")] {
            sandbox.succeed(&run(&input, &format!("{options} --keep none --overwrite --prune")));
            let found = vectors(&read_output(&sandbox.path("out")), "layer_4_mean");
            assert_eq!(found.len(), 2);
            assert_eq!(&found, expected.get_or_insert(found.clone()), "{input}");
        }
    }
}

#[test]
fn stray_quotes_are_part_of_the_text() {
    let sandbox = Sandbox::new();
    sandbox.write("in.tsv", "1\t\"cat\n0\tthe 6\" dog\n0\t\"\"\n");
    sandbox.succeed(&run("in.tsv", "--csv-header no --csv-quote none --text column_2"));
    let output = read_output(&sandbox.path("out"));
    assert_eq!(names(&output)[..2], ["column_1", "column_2"]);
    assert_eq!(strings(&output, "column_2"), [Some("\"cat"), Some("the 6\" dog"), Some("\"\"")]);
}

#[test]
fn rows_are_counted_again_where_they_are_read_otherwise() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "text,n\ncat,1\n\"dog,2\nrun\",3\n");
    let runs = [
        ("", "text", vec![Some("cat"), Some("dog,2\nrun")]),
        ("--csv-header no --text column_1", "column_1", vec![Some("text"), Some("cat"), Some("dog,2\nrun")]),
        ("--csv-quote none", "text", vec![Some("cat"), Some("\"dog"), Some("run\"")]),
    ];
    for (options, name, expected) in runs {
        sandbox.succeed(&run("in.csv", &format!("{options} --overwrite")));
        assert_eq!(strings(&read_output(&sandbox.path("out")), name), expected, "{options}");
    }
}

#[test]
fn an_output_of_one_dialect_is_not_taken_for_that_of_another() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "text\ncat\n");
    sandbox.succeed(&run("in.csv", ""));
    // Said, but nothing new.
    sandbox.succeed(&run("in.csv", "--csv-header yes --csv-quote \""));
    for options in ["--schema text=Utf8View", "--csv-delimiter ;", "--csv-quote none"] {
        let refused = sandbox.strata(&run("in.csv", options)).output().unwrap();
        assert_eq!(refused.status.code(), Some(78), "{options}");
    }
}

#[test]
fn a_pipeline_file_states_types_and_dialect_as_the_options_do() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "01067|cat|1\n10115|dog|2\n");
    sandbox.succeed(&run(
        "in.csv",
        "--csv-header no --csv-delimiter | --csv-quote none --text column_2 --schema column_3=Float32 column_1=Utf8",
    ));
    let expected = sandbox.parts("out");
    let paths = "paths = \"in.csv\"\ntext = \"column_2\"\ncsv_delimiter = \"|\"\ncsv_quote = \"none\"\n";
    let rest = "[model]\npath = \"tiny-bert\"\n[output]\npath = \"out\"\n";
    for said in [
        "csv_header = false\n[input.schema]\ncolumn_1 = \"Utf8\"\ncolumn_3 = \"Float32\"\n",
        "csv_header = \"no\"\nschema = { column_3 = \"Float32\", column_1 = \"Utf8\" }\n",
        "csv_header = \"no\"\nschema = [\"column_1=Utf8\", \"column_3=Float32\"]\n",
    ] {
        fs_err::remove_dir_all(sandbox.path("out")).unwrap();
        sandbox.write("job.toml", format!("[input]\n{paths}{said}{rest}"));
        sandbox.succeed("run job.toml");
        assert_eq!(sandbox.parts("out"), expected, "{said}");
    }
    // The command line wins.
    let error = sandbox.strata("run job.toml --schema column_3=Int8").output().unwrap();
    let said = String::from_utf8_lossy(&error.stderr).into_owned();
    assert!(said.contains("settings.schema"), "{said}");
}

#[test]
fn words_and_spans_may_begin_beyond_the_rows_that_types_are_inferred_from() {
    let sandbox = Sandbox::new();
    let words = format!("{}{}", "{\"words\":[]}\n".repeat(1001), "{\"words\":[\"cat\",\"dog\"]}\n");
    sandbox.write("words.jsonl", words);
    let spans = format!(
        "{}{}",
        "{\"text\":\"cat\"}\n".repeat(1001),
        "{\"text\":\"the dog\",\"spans\":[{\"start\":4,\"end\":7,\"label\":\"noun\"}]}\n"
    );
    sandbox.write("spans.jsonl", spans);
    for (input, options, item, expected) in [
        ("words.jsonl", "--unit word --words words --schema words=List(Utf8)", "word", &["cat", "dog"][..]),
        (
            "spans.jsonl",
            "--unit span --spans spans --schema spans=List(Struct(\"start\":Int64,\"end\":Int64,\"label\":Utf8))",
            "span",
            &["dog"],
        ),
    ] {
        sandbox.succeed(&run(input, &format!("{options} --overwrite --prune")));
        let output = read_output(&sandbox.path("out"));
        let found: Vec<_> = strings(&output, item).into_iter().flatten().collect();
        assert_eq!(found, expected);
        assert_eq!(column(&output, "row").len(), expected.len());
    }
    assert_eq!(column(&read_output(&sandbox.path("out")), "label").data_type(), &DataType::Utf8);
}

#[test]
fn columns_are_what_all_rows_say_and_parts_agree() {
    let sandbox = Sandbox::new();
    let rows = "{\"text\":\"the cat\",\"n\":1}\n".repeat(1100);
    sandbox.write("in.jsonl", format!("{rows}{{\"text\":\"dog\",\"n\":1.5,\"late\":\"x\"}}\n"));
    sandbox.succeed(&run("in.jsonl", "--rows-per-part 500"));
    let output = read_output(&sandbox.path("out"));
    assert_eq!(column(&output, "n").data_type(), &DataType::Float64);
    assert_eq!(strings(&output, "late")[1099..], [None, Some("x")]);
    assert_eq!(sandbox.parts("out").len(), 3);
}

#[test]
fn a_rerun_finds_a_key_that_one_file_lacks_as_before() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("in")).unwrap();
    sandbox.write("in/a.jsonl", "{\"text\":\"the cat\",\"title\":\"x\"}\n");
    sandbox.write("in/b.jsonl", "{\"text\":\"the dog\"}\n");
    // What is noted of a file counts once it is older than what a clock can tell apart.
    std::thread::sleep(Duration::from_millis(2500));
    let arguments = "run --input in --model tiny-bert --output out";
    sandbox.succeed(arguments);
    let first = read_output(&sandbox.path("out"));
    sandbox.succeed(arguments);
    sandbox.succeed(arguments);
    assert_eq!(read_output(&sandbox.path("out")), first);
    assert_eq!(strings(&first, "title"), [Some("x"), None]);
}

#[test]
fn a_value_that_does_not_survive_ends_the_run_before_any_output() {
    let sandbox = Sandbox::new();
    let rows = "{\"text\":\"the cat\",\"n\":1}\n".repeat(1100);
    sandbox.write("in.jsonl", format!("{rows}{{\"text\":\"dog\",\"n\":\"007\"}}\n"));
    sandbox.write("in.csv", "text,n\ncat,1\n\"dog\n");
    for (input, said) in [
        ("in.jsonl", &["in.jsonl", "row 1100 (line 1101)", "`n`", "\"007\"", "--schema 'n=Utf8'"][..]),
        ("in.csv", &["in.csv, row 1 (line 3)", "never closed"]),
    ] {
        let refused = sandbox.strata(&run(input, "")).output().unwrap();
        let stderr = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(65), "{stderr}");
        assert!(said.iter().all(|part| stderr.contains(part)), "{stderr}");
        assert!(!sandbox.path("out").exists());
    }
    // What the hint says works, and a column that is not kept does not matter.
    sandbox.succeed(&run("in.jsonl", "--schema n=Utf8"));
    assert_eq!(strings(&read_output(&sandbox.path("out")), "n")[1099..], [Some("1"), Some("007")]);
    sandbox.succeed(&run("in.jsonl", "--keep text --overwrite"));
}

#[test]
fn values_of_any_kind_are_json_text_in_the_output() {
    let sandbox = Sandbox::new();
    sandbox.write(
        "in.jsonl",
        "{\"text\":\"cat\",\"v\":{\"a\":1}}\n{\"text\":\"dog\",\"v\":[\"x\",null]}\n{\"text\":\"a\"}\n",
    );
    sandbox.write("in.csv", "text,v\ncat,\"{\"\"a\"\":1}\"\ndog,\"[\"\"x\"\",null]\"\na,\n");
    for input in ["in.jsonl", "in.csv"] {
        sandbox.succeed(&run(input, "--schema v=Json --overwrite --prune"));
        let output = read_output(&sandbox.path("out"));
        assert_eq!(strings(&output, "v"), [Some("{\"a\":1}"), Some("[\"x\",null]"), None], "{input}");
    }
}

#[test]
fn the_text_may_be_a_field_of_a_struct_in_every_format() {
    let sandbox = Sandbox::new();
    let structs = |texts: [Option<&str>; 3]| -> arrow::array::ArrayRef {
        let field = std::sync::Arc::new(arrow::datatypes::Field::new("text", DataType::Utf8, true));
        let texts: arrow::array::ArrayRef =
            std::sync::Arc::new(arrow::array::StringArray::from(texts.to_vec()));
        std::sync::Arc::new(arrow::array::StructArray::from(vec![(field, texts)]))
    };
    let table = crate::support::tables::table([("data", structs([Some("the cat"), None, Some("dog")]))]);
    for name in ["in.parquet", "in.arrow"] {
        crate::support::write_table(&sandbox.path(name), &table);
    }
    sandbox.write("in.json", "[{\"data\":{\"text\":\"the cat\",\"v\":1}},{\"data\":null},{\"data\":{\"text\":\"dog\",\"v\":\"x\"}}]");
    sandbox.write("plain.csv", "text\nthe cat\n\ndog\n");
    sandbox.succeed(&run("plain.csv", "--keep none"));
    let expected = vectors(&read_output(&sandbox.path("out")), "layer_4_mean");
    for input in ["in.parquet", "in.arrow", "in.json"] {
        sandbox.succeed(&run(input, "--text data.text --keep data.text --overwrite --prune"));
        let output = read_output(&sandbox.path("out"));
        assert_eq!(vectors(&output, "layer_4_mean"), expected, "{input}");
        assert_eq!(strings(&output, "data.text"), [Some("the cat"), None, Some("dog")]);
    }
    let refused = sandbox.strata(&run("in.parquet", "--text data.body")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
}

#[test]
fn lines_of_text_and_files_of_any_name_are_read_as_they_are_said_to_be() {
    let sandbox = Sandbox::new();
    ["data", "logs"].iter().for_each(|folder| fs_err::create_dir(sandbox.path(folder)).unwrap());
    sandbox.write("data/a.txt", "the cat\n\n007\n");
    let refused = sandbox.strata(&run("data", "")).output().unwrap();
    assert_eq!(refused.status.code(), Some(66), "in a folder, they are notes");
    sandbox.succeed(&run("data/*.txt", ""));
    sandbox.succeed(&run("data", "--input-format txt --overwrite"));
    assert_eq!(strings(&read_output(&sandbox.path("out")), "text"), [Some("the cat"), Some(""), Some("007")]);
    sandbox.write("logs/b.log", b"caf\xe9;1\n".as_slice());
    for input in ["logs", "logs/*.log", "logs/b.log"] {
        sandbox.succeed(&run(
            input,
            "--input-format csv --encoding latin1 --csv-delimiter ; --csv-header no --text column_1 --overwrite --prune",
        ));
        assert_eq!(strings(&read_output(&sandbox.path("out")), "column_1"), [Some("café")], "{input}");
    }
    let stated = String::from_utf8(sandbox.succeed("inspect out").stdout).unwrap();
    assert!(stated.contains("settings.encoding: windows-1252"), "{stated}");
    // It is said in the pipeline file as on the command line.
    sandbox.write(
        "job.toml",
        "[input]\npaths = \"logs\"\ntext = \"column_1\"\nformat = \"csv\"\nencoding = \"latin1\"\ncsv_header = false\n\
         csv_delimiter = \";\"\n[model]\npath = \"tiny-bert\"\n[output]\npath = \"out\"\n",
    );
    sandbox.succeed("run job.toml --report report.json");
    assert_eq!(sandbox.report("report.json")["parts_kept"], 1);
}

#[test]
fn escaped_quotes_are_text() {
    let sandbox = Sandbox::new();
    sandbox.write("in.csv", "id,text\n1,\"say \\\"hi\\\" now\"\n");
    let refused = sandbox.strata(&run("in.csv", "")).output().unwrap();
    assert_eq!(refused.status.code(), Some(65));
    sandbox.succeed(&run("in.csv", "--csv-escape \\"));
    assert_eq!(strings(&read_output(&sandbox.path("out")), "text"), [Some("say \"hi\" now")]);
}

#[test]
fn types_are_about_text_formats_alone() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.write("more.csv", "text\n7\n");
    sandbox.succeed(&run("in.parquet more.csv", "--schema text=Utf8"));
    assert_eq!(strings(&read_output(&sandbox.path("out")), "text"), [Some("cat"), Some("7")]);
}

#[test]
fn texts_to_encode_are_not_read_as_json() {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", "{\"text\": \"the cat\"}\n{\"text\": \"a \\ud83d\"}\n");
    let refused = sandbox
        .strata("run --input in.jsonl --model tiny-bert --output out --schema text=Json")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("`text` is encoded"), "{said}");
}
