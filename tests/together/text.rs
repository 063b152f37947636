//! Text files, of which none says the types of its columns or all keys of its objects.

use super::*;

/// A folder `data` of these files.
fn folder(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    files.iter().for_each(|(name, content)| sandbox.write(&format!("data/{name}"), content));
    sandbox
}

/// The column `k` of the output: its type and its values as they are shown.
fn k(sandbox: &Sandbox) -> (String, Vec<String>) {
    let output = read_output(&sandbox.path("out"));
    let k = column(&output, "k");
    let values = (0..k.len()).map(|row| array_value_to_string(k, row).unwrap());
    (k.data_type().to_string(), values.collect())
}

#[test]
fn a_column_has_the_type_that_holds_its_values_in_all_files() {
    for (extension, one, other, data_type, values) in [
        ("csv", "12345", "01067", "Utf8", ["12345", "01067"]),
        ("csv", "7", "1.50", "Float64", ["7.0", "1.5"]),
        ("csv", "9007199254740993", "1.5", "Utf8", ["9007199254740993", "1.5"]),
        ("csv", "1", "18446744073709551615", "UInt64", ["1", "18446744073709551615"]),
        ("csv", "2024-01-31", "2024-01-31 10:30:00", "Utf8", ["2024-01-31", "2024-01-31 10:30:00"]),
        (
            "csv",
            "2024-01-31 10:30:00",
            "2024-01-31T10:30:00.000001",
            "Timestamp(µs)",
            ["2024-01-31T10:30:00", "2024-01-31T10:30:00.000001"],
        ),
        ("jsonl", "1", "1.5", "Float64", ["1.0", "1.5"]),
        ("jsonl", "[]", "[1.5]", "List(Float64)", ["[]", "[1.5]"]),
        ("jsonl", "{}", "{\"a\":1}", "Struct(\"a\": Int64)", ["{a: }", "{a: 1}"]),
        (
            "jsonl",
            "{\"a\":[{\"b\":1}]}",
            "{\"a\":[{\"c\":\"x\"}],\"d\":null}",
            "Struct(\"a\": List(Struct(\"b\": Int64, \"c\": Utf8)), \"d\": Utf8)",
            ["{a: [{b: 1, c: }], d: }", "{a: [{b: , c: x}], d: }"],
        ),
    ] {
        let file = |value: &str| match extension {
            "csv" => format!("text,k\ncat,{value}\n"),
            _ => format!("{{\"text\":\"cat\",\"k\":{value}}}\n"),
        };
        let names = [format!("0.{extension}"), format!("1.{extension}")];
        let sandbox = folder(&[(&names[0], &file(one)), (&names[1], &file(other))]);
        sandbox.succeed(RUN);
        let (found, shown) = k(&sandbox);
        assert_eq!((found.as_str(), shown), (data_type, values.map(str::to_owned).to_vec()), "{one} {other}");
    }
}

#[test]
fn values_that_no_type_holds_in_all_files_are_refused_before_the_output_exists() {
    let json = |value: &str| format!("{{\"text\":\"cat\",\"k\":{value}}}\n");
    for (one, other, keep) in
        [("9007199254740993", "1.5", "k=Utf8"), ("1", "\"x\"", "k=Utf8"), ("[1]", "{}", "k=Json")]
    {
        let sandbox = folder(&[("0.jsonl", &json(one)), ("1.jsonl", &json(other))]);
        let output = sandbox.strata(RUN).output().unwrap();
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(65), "{said}");
        for part in ["column `k`", "data/0.jsonl", "data/1.jsonl", keep] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(!sandbox.path("out").exists());
        sandbox.succeed(&format!("{RUN} --schema {keep}"));
        let expected = [one, other].map(|value| match keep {
            "k=Utf8" => value.trim_matches('"').to_owned(),
            _ => value.to_owned(),
        });
        assert_eq!(k(&sandbox).1, expected);
    }
}

#[test]
fn a_key_that_one_json_file_lacks_is_null_in_it() {
    let sandbox = folder(&[
        ("0.jsonl", "{\"text\":\"cat\",\"m\":{\"x\":1}}\n"),
        ("1.jsonl", "[{\"text\":\"dog\",\"k\":7,\"m\":{\"y\":\"z\"}}]"),
    ]);
    write_table(&sandbox.path("data/2.parquet"), &beside(ints(vec![Some(9)], &DataType::Int8)));
    let refused = sandbox.strata(RUN).output().unwrap();
    assert_eq!(refused.status.code(), Some(65), "a Parquet file has the columns it has");
    assert!(stderr(&refused).contains("only one of them has m"), "{}", stderr(&refused));
    sandbox.succeed(&format!("{RUN} --keep k"));
    assert_eq!(k(&sandbox), ("Int64".to_owned(), ["", "7", "9"].map(str::to_owned).to_vec()));

    fs_err::remove_file(sandbox.path("data/2.parquet")).unwrap();
    sandbox.succeed(&format!("{RUN} --keep k,m.x --overwrite --prune"));
    assert_eq!(k(&sandbox).1, ["", "7"]);
    let output = read_output(&sandbox.path("out"));
    assert_eq!(column(&output, "m.x").as_ref(), &Int64Array::from(vec![Some(1), None]) as &dyn Array);
    // What is encoded must be there.
    sandbox.write("data/3.jsonl", "{\"body\":\"cat\",\"k\":1}\n");
    let refused = sandbox.strata(&format!("{RUN} --keep text,k")).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("data/3.jsonl has no column `text`"), "{}", stderr(&refused));
}

#[test]
fn a_column_that_one_csv_file_lacks_is_refused_by_name() {
    let sandbox = folder(&[("0.csv", "text,k\ncat,1\n"), ("1.csv", "text\ndog\n")]);
    let refused = sandbox.strata(RUN).output().unwrap();
    assert_eq!(refused.status.code(), Some(65));
    for part in ["data/0.csv and data/1.csv", "only one of them has k (Int64)"] {
        assert!(stderr(&refused).contains(part), "{part}: {}", stderr(&refused));
    }
}

#[test]
fn a_key_that_comes_with_another_file_is_told_when_it_comes() {
    let sandbox = folder(&[("0.jsonl", "{\"text\":\"cat\"}\n")]);
    sandbox.succeed(RUN);
    sandbox.write("data/1.jsonl", "{\"text\":\"dog\",\"k\":\"x\"}\n");
    let output = sandbox.strata(RUN).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(stderr(&output).contains("settings.types.k"), "{}", stderr(&output));
}

#[test]
fn files_that_hold_nothing_decide_nothing() {
    for (empty, other, content) in [
        ("0.jsonl", "1.jsonl", "{\"text\":\"cat\",\"k\":7}\n"),
        ("0.csv", "1.csv", "text,k\ncat,7\n"),
        ("0.json", "1.csv", "text,k\ncat,7\n"),
    ] {
        for nothing in ["", "\n"] {
            let sandbox = folder(&[(empty, nothing), (other, content)]);
            sandbox.succeed(&format!("{RUN} --schema k=Int16"));
            assert_eq!(k(&sandbox), ("Int16".to_owned(), vec!["7".to_owned()]));
            // A file that is filled later is one that comes then.
            sandbox.write(
                &format!("data/{empty}"),
                if empty.ends_with("csv") { content } else { "{\"text\":\"a\",\"k\":1}" },
            );
            sandbox.succeed(&format!("{RUN} --schema k=Int16"));
            assert_eq!(k(&sandbox).1.len(), 2);
        }
    }
}
