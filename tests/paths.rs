//! Where input files lie: links, hidden names, tables of others, columns in paths, and the output itself.

use arrow::array::{Array, AsArray, Int64Array};
use arrow::datatypes::{DataType, Date32Type, Int64Type};
use std::sync::Arc;

use crate::faulty::stderr;
use crate::support::tables::{column, names, table};
use crate::support::{Sandbox, read_output, texts, write_table};

/// Runs a command that must fail with this code; returns what it said.
fn fails(sandbox: &Sandbox, code: i32, arguments: &str) -> String {
    let output = sandbox.strata(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments}: {}", stderr(&output));
    stderr(&output)
}

fn run(inputs: &str, output: &str) -> String {
    format!("run --input {inputs} --model tiny-bert --layers 0 --output {output}")
}

/// Writes a file of one text, below folders that are made.
fn put(sandbox: &Sandbox, name: &str, text: &str) {
    let path = sandbox.path(name);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    write_table(&path, &texts([text]));
}

fn texts_of(sandbox: &Sandbox, output: &str) -> Vec<String> {
    let output = read_output(&sandbox.path(output));
    let mut texts: Vec<String> =
        column(&output, "text").as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect();
    texts.sort();
    texts
}

#[test]
fn a_link_that_leads_nowhere_is_named_in_folders_and_patterns() {
    for (name, target) in
        [("data/b.parquet", "/nowhere/b.parquet"), ("data/deep/c.csv", "gone.csv"), ("data/more", "gone")]
    {
        let sandbox = Sandbox::new();
        put(&sandbox, "data/a.parquet", "cat");
        fs_err::create_dir_all(sandbox.path(name).parent().unwrap()).unwrap();
        sandbox.link(name, target.as_ref());
        for inputs in ["data", "data/**/*", "."] {
            let said = fails(&sandbox, 66, &run(inputs, "../out"));
            assert!(said.contains(name) && said.contains(target), "{inputs}: {said}");
        }
        // What is no data file may lead nowhere.
        fs_err::remove_file(sandbox.path(name)).unwrap();
        sandbox.link("data/README.md", "gone.md".as_ref());
        sandbox.succeed(&run("data", "out"));
    }
}

#[test]
fn a_link_that_leads_to_a_file_or_folder_is_followed() {
    let sandbox = Sandbox::new();
    put(&sandbox, "store/ab12/b.parquet", "dog");
    put(&sandbox, "store/cd/e.parquet", "cat");
    fs_err::create_dir(sandbox.path("data")).unwrap();
    sandbox.link("data/b.parquet", "../store/ab12/b.parquet".as_ref());
    sandbox.link("data/more", "../store/cd".as_ref());
    sandbox.succeed(&run("data", "out"));
    assert_eq!(texts_of(&sandbox, "out"), ["cat", "dog"]);
}

#[test]
fn a_part_of_a_hidden_file_is_seen_by_readers_of_the_folder() {
    let sandbox = Sandbox::new();
    for name in ["_x.parquet", ".y.parquet"] {
        put(&sandbox, name, "cat");
        let output = format!("out{name}");
        sandbox.succeed(&run(name, &output));
        let parts = sandbox.parts(&output);
        assert!(parts.keys().all(|part| !part.starts_with(['_', '.'])), "{:?}", parts.keys());
        // A part is an input like any other.
        sandbox.succeed(&format!("{} --keep text", run(&output, &format!("again{name}"))));
        assert_eq!(texts_of(&sandbox, &format!("again{name}")), ["cat"]);
    }
    put(&sandbox, "data/_hidden.parquet", "cat");
    let said = fails(&sandbox, 66, &run("data/_*.parquet", "out"));
    assert!(said.contains("begin with `_` or `.`"), "{said}");
}

#[test]
fn an_input_that_reaches_the_output_is_refused_before_and_after_it_is_there() {
    let sandbox = Sandbox::new();
    put(&sandbox, "data/a.parquet", "cat");
    let here = sandbox.path("").to_str().unwrap().trim_end_matches('/').to_owned();
    let inputs =
        ["data", "data/", "data/**/*.parquet", "data/*", "data/v*/*/*.parquet data/a.parquet", "./data/**/*"];
    let absolute = [format!("{here}/data/**/*.parquet"), format!("{here}/data")];
    let inputs: Vec<String> = inputs.iter().map(|&input| input.to_owned()).chain(absolute).collect();
    for input in inputs.iter().chain([&"data/vectors/data/*.parquet".to_owned()]) {
        let said = fails(&sandbox, 2, &run(input, "data/vectors"));
        assert!(said.contains("lies inside the input"), "{input}: {said}");
    }
    // Where it does not reach, it may stand inside.
    sandbox.succeed(&run("data/*.parquet", "data/vectors"));
    for input in &inputs {
        fails(&sandbox, 2, &run(input, "data/vectors"));
        fails(&sandbox, 2, &run(input, &format!("{here}/data/vectors")));
    }
    sandbox.link("link", "data/vectors".as_ref());
    for (input, output) in
        [("data/**/*.parquet", "link"), ("link", "data/vectors"), ("link/*", "data/vectors")]
    {
        fails(&sandbox, 2, &run(input, output));
    }
    sandbox.link("elsewhere", "data".as_ref());
    fails(&sandbox, 2, &run("elsewhere/**/*.parquet", "data/vectors"));
    fails(&sandbox, 2, &run("data/vectors/data/a-00000.parquet", "data/vectors"));
    sandbox.succeed(&run("data/*.parquet", "data/vectors"));
}

#[test]
fn folders_whose_log_says_which_files_count_are_refused_with_the_reason() {
    for (log, format) in [
        ("t/_delta_log/00000000000000000000.json", "Delta Lake"),
        ("t/metadata/v1.metadata.json", "Iceberg"),
        ("t/metadata/00002-8d2c.metadata.json", "Iceberg"),
        ("t/.hoodie/hoodie.properties", "Hudi"),
    ] {
        let sandbox = Sandbox::new();
        put(&sandbox, "t/data/day=1/0.parquet", "deleted");
        fs_err::create_dir_all(sandbox.path(log).parent().unwrap()).unwrap();
        sandbox.write(log, "{}");
        for inputs in
            ["t", "t/data", "t/data/day=1", "t/**/*.parquet", "t/data/*/*.parquet", "*", "t/data/day=1/*"]
        {
            // Outside of what the patterns reach.
            let said = fails(&sandbox, 2, &run(inputs, "../out"));
            assert!(said.contains(format), "{inputs}: {said}");
        }
        // A file that is named is meant.
        sandbox.succeed(&run("t/data/day=1/0.parquet", "out"));
    }
    let sandbox = Sandbox::new();
    put(&sandbox, "plain/metadata/notes.parquet", "cat");
    sandbox.write("plain/metadata/dataset.metadata.json", "{}");
    sandbox.succeed(&run("plain", "out"));
}

#[test]
fn columns_in_paths_stand_beside_the_others_with_the_types_of_their_values() {
    for extension in ["parquet", "arrow", "csv", "jsonl"] {
        let sandbox = Sandbox::new();
        for (day, n, place, text) in [
            ("2024-01-31", "7", "a%2Fb%20c", "one"),
            ("2024-02-01", "-12", "é", "two"),
            ("__HIVE_DEFAULT_PARTITION__", "__HIVE_DEFAULT_PARTITION__", "007", "three"),
        ] {
            put(&sandbox, &format!("h/day={day}/n={n}/place={place}/code=0{n}/0.{extension}"), text);
        }
        sandbox.succeed(&run("h", "out"));
        let output = read_output(&sandbox.path("out"));
        assert_eq!(names(&output)[..5], ["text", "code", "day", "n", "place"]);
        let row = |text: &str| {
            let texts = column(&output, "text").as_string::<i32>();
            texts.iter().position(|found| found == Some(text)).unwrap()
        };
        let (day, n) = (column(&output, "day"), column(&output, "n"));
        let place = column(&output, "place").as_string::<i32>();
        assert_eq!((day.data_type(), n.data_type()), (&DataType::Date32, &DataType::Int64));
        assert_eq!(column(&output, "code").data_type(), &DataType::Utf8, "a zero in front is part of it");
        assert_eq!(day.as_primitive::<Date32Type>().value(row("one")), 19_753);
        assert_eq!(n.as_primitive::<Int64Type>().value(row("two")), -12);
        assert!(day.is_null(row("three")) && n.is_null(row("three")));
        assert_eq!([row("one"), row("two"), row("three")].map(|row| place.value(row)), ["a/b c", "é", "007"]);

        sandbox.succeed(&format!("{} --keep place --schema place=LargeUtf8", run("h", "kept")));
        assert_eq!(names(&read_output(&sandbox.path("kept")))[..2], ["place", "n_tokens"]);
        sandbox.succeed(&format!("{} --keep none", run("h", "none")));
        sandbox.succeed(&run("h/day=*/**/*.*", "pattern"));
        assert_eq!(names(&read_output(&sandbox.path("pattern")))[..5], ["text", "code", "day", "n", "place"]);
    }
}

#[test]
fn a_value_of_a_path_that_changes_the_type_of_the_others_is_told_when_it_comes() {
    let sandbox = Sandbox::new();
    put(&sandbox, "h/k=1/0.parquet", "one");
    sandbox.succeed(&run("h", "out"));
    put(&sandbox, "h/k=2/0.parquet", "two");
    sandbox.succeed(&run("h", "out"));
    put(&sandbox, "h/k=x/0.parquet", "three");
    let said = fails(&sandbox, 78, &run("h", "out"));
    assert!(said.contains("settings.types.k was \"Int64\", is now \"Utf8\""), "{said}");
    sandbox.succeed(&format!("{} --overwrite", run("h", "out")));
}

#[test]
fn a_column_of_the_path_that_is_in_the_file_too_must_say_the_same() {
    let sandbox = Sandbox::new();
    fs_err::create_dir_all(sandbox.path("h/k=7")).unwrap();
    let ids = |last: i64| {
        Arc::new(Int64Array::from_iter_values((0..1500).map(|row| if row < 1499 { 7 } else { last })))
    };
    let rows = |last| {
        let words = texts(vec!["cat"; 1500]);
        table([("text", words.column(0).clone()), ("k", ids(last))])
    };
    write_table(&sandbox.path("h/k=7/0.parquet"), &rows(7));
    sandbox.succeed(&run("h", "out"));
    assert_eq!(names(&read_output(&sandbox.path("out")))[..2], ["text", "k"]);
    write_table(&sandbox.path("h/k=7/0.parquet"), &rows(8));
    let said = fails(&sandbox, 65, &run("h", "out"));
    assert!(said.contains("h/k=7/0.parquet, row 1499, column `k`") && said.contains("the path"), "{said}");
}
