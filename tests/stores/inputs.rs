//! Files in stores, read as those of a folder are.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, BinaryArray, StringArray};

use super::noise;
use super::proxy::{Fate, Proxy};
use super::server::{Bucket, at_port, port, sandbox};
use crate::faulty::{start, stderr};
use crate::support::tables::{column, names, table};
use crate::support::{Sandbox, read_output, texts, vectors, write_table};

const TEXTS: [Option<&str>; 5] =
    [Some("The cat sat."), None, Some(""), Some("hello 😀 world"), Some("one, two\nthree")];

/// A table of as many rows, told apart by their texts.
fn numbered(rows: usize) -> Vec<String> {
    (0..rows).map(|row| format!("row {row} {}", "of many ".repeat(row % 7))).collect()
}

/// Encodes an input, which must give what the local file `like` gives.
fn assert_same_rows(sandbox: &Sandbox, input: &str, like: &str, options: &str) {
    let rest = format!("--model tiny-bert --layers 0,-1 {options}");
    sandbox.succeed(&format!("run --input {input} --output there {rest}"));
    sandbox.succeed(&format!("run --input {like} --output here {rest}"));
    let (there, here) = (read_output(&sandbox.path("there")), read_output(&sandbox.path("here")));
    assert_eq!(names(&there), names(&here), "{input}");
    assert_eq!(column(&there, "text"), column(&here, "text"), "{input}");
    for name in ["layer_0_mean", "layer_4_mean"] {
        assert_eq!(vectors(&there, name), vectors(&here, name), "{input}");
    }
    for folder in ["there", "here"] {
        fs_err::remove_dir_all(sandbox.path(folder)).unwrap();
    }
}

#[test]
fn every_format_reads_as_from_a_folder() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    for extension in ["parquet", "arrow", "arrows", "csv", "jsonl"] {
        let name = format!("in.{extension}");
        write_table(&sandbox.path(&name), &texts(TEXTS));
        bucket.put(&name, &fs_err::read(sandbox.path(&name)).unwrap());
        assert_same_rows(&sandbox, &bucket.address(&name), &name, "");
    }
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(&mut fs_err::File::open(sandbox.path("in.csv")).unwrap(), &mut gzip).unwrap();
    bucket.put("in.csv.gz", &gzip.finish().unwrap());
    assert_same_rows(&sandbox, &bucket.address("in.csv.gz"), "in.csv", "");
}

#[test]
fn many_blocks_and_row_groups_read_in_order() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    let values = numbered(3000);
    let other: ArrayRef =
        Arc::new(StringArray::from_iter_values(values.iter().map(|value| value.repeat(300))));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(&values));
    let wide = table([("other", other), ("text", text)]);
    let mut file = Vec::new();
    let properties = parquet::file::properties::WriterProperties::builder()
        .set_max_row_group_row_count(Some(500))
        .set_compression(parquet::basic::Compression::UNCOMPRESSED)
        .set_dictionary_enabled(false)
        .build();
    let mut writer =
        parquet::arrow::ArrowWriter::try_new(&mut file, wide.schema(), Some(properties)).unwrap();
    writer.write(&wide).unwrap();
    writer.close().unwrap();
    assert!(file.len() > 24 << 20, "the file has only {} bytes", file.len());
    sandbox.write("wide.parquet", &file);
    bucket.put("wide.parquet", &file);
    let address = bucket.address("wide.parquet");
    assert_same_rows(&sandbox, &address, "wide.parquet", "--rows-per-part 700 --keep other,text");
    // A text format, of many blocks as well.
    write_table(&sandbox.path("wide.csv"), &wide);
    bucket.put("wide.csv", &fs_err::read(sandbox.path("wide.csv")).unwrap());
    assert_same_rows(&sandbox, &bucket.address("wide.csv"), "wide.csv", "--keep text");
}

#[test]
fn of_a_parquet_file_only_the_columns_are_fetched_that_are_needed() {
    let bucket = Bucket::new();
    let local = Sandbox::new();
    let noise = noise(6 << 20);
    let noise: ArrayRef = Arc::new(BinaryArray::from_iter_values([&noise[..], &noise[1..]]));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(["a cat", "a dog"]));
    write_table(&local.path("in.parquet"), &table([("noise", noise), ("text", text)]));
    bucket.put("in.parquet", &fs_err::read(local.path("in.parquet")).unwrap());
    // Whoever asks for more than a tenth of the file is cut off.
    let proxy = Proxy::start(port(), |_| Fate::CutAnswer(1 << 20));
    let sandbox = at_port(local, proxy.port);
    let input = bucket.address("in.parquet");
    let rest = "--model tiny-bert --keep text --storage-option retry_timeout=2";
    sandbox.succeed(&format!("run --input {input} --output out {rest}"));
    assert_eq!(read_output(&sandbox.path("out")).num_rows(), 2);
}

#[test]
fn folders_and_patterns_lead_to_what_they_would_lead_to_here() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    fs_err::create_dir_all(sandbox.path("in/day=2/_hidden")).unwrap();
    fs_err::create_dir_all(sandbox.path("in/day=1")).unwrap();
    for (name, value) in [
        ("day=1/a.parquet", "first"),
        ("day=2/b.parquet", "second"),
        ("day=2/c [1].parquet", "third"),
        ("day=2/.d.parquet", "hidden"),
        ("day=2/_hidden/e.parquet", "hidden too"),
    ] {
        write_table(&sandbox.path("in").join(name), &texts([value]));
    }
    sandbox.write("in/_SUCCESS", "");
    sandbox.write("in/notes.txt", "notes");
    sandbox.write("in/about.json", "{}");
    for name in ["day=1/a.parquet", "day=2/b.parquet", "day=2/c%20%5B1%5D.parquet", "day=2/.d.parquet"] {
        let local = name.replace("%20", " ").replace("%5B", "[").replace("%5D", "]");
        bucket.put(&format!("in/{name}"), &fs_err::read(sandbox.path("in").join(local)).unwrap());
    }
    bucket.put("in/day=2/_hidden/e.parquet", b"");
    bucket.put("in/_SUCCESS", b"");
    bucket.put("in/notes.txt", b"notes");
    bucket.put("in/about.json", b"{}");
    // As consoles mark a folder.
    bucket.put("in/", b"");
    for input in ["in", "in/", "in/d*", "in/**/*.parquet", "in/day=[12]/*", "in/day=2", "in/day=2/b.parquet"]
    {
        assert_same_rows(&sandbox, &bucket.address(input), input, "");
    }
    let whole = bucket.address("in");
    sandbox.succeed(&format!("run --input {whole} --output out --model tiny-bert"));
    let output = read_output(&sandbox.path("out"));
    assert_eq!(column(&output, "day").as_primitive::<arrow::datatypes::Int64Type>().values(), &[1, 2, 2]);
}

#[test]
fn a_web_server_gives_files_by_their_addresses() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    write_table(&sandbox.path("in.parquet"), &texts(TEXTS));
    bucket.put("a%20folder/in.parquet", &fs_err::read(sandbox.path("in.parquet")).unwrap());
    let address = format!("http://127.0.0.1:{}/{}", port(), bucket.name);
    assert_same_rows(&sandbox, &format!("{address}/a%20folder/in.parquet"), "in.parquet", "");
    let refused = |input: &str, words: &str| {
        let run =
            sandbox.strata(&format!("run --input {input} --output out --model tiny-bert")).output().unwrap();
        let message = stderr(&run);
        assert!(run.status.code() == Some(2) && message.contains(words), "{input}: {message}");
    };
    refused(&format!("{address}/*.parquet"), "a server does not say what files it has");
    refused(&format!("{address}/in.parquet?signature=secret"), "a query or a fragment are not supported");
}

#[test]
fn a_file_that_changes_is_encoded_again_and_one_that_does_not_is_not() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    let put = |value: &str| {
        write_table(&sandbox.path("in.parquet"), &texts([value]));
        bucket.put("in.parquet", &fs_err::read(sandbox.path("in.parquet")).unwrap());
    };
    let command = format!(
        "run --input {} --output out --model tiny-bert --report report.json",
        bucket.address("in.parquet")
    );
    let made = || {
        sandbox.succeed(&command);
        sandbox.report("report.json")["parts_written"].as_u64().unwrap()
    };
    put("before");
    assert_eq!((made(), made()), (1, 0));
    put("after");
    assert_eq!((made(), made()), (1, 0));
    assert_eq!(column(&read_output(&sandbox.path("out")), "text").as_string::<i32>().value(0), "after");
    // What a store calls the file stands where a hash would.
    let manifest: serde_json::Value =
        serde_json::from_slice(&fs_err::read(sandbox.path("out/_strata/manifest.json")).unwrap()).unwrap();
    let record = &manifest["inputs"]["in.parquet"];
    assert!(record["etag"].is_string() && record["blake3"].is_null(), "{record}");
}

#[test]
fn a_model_may_lie_in_a_store() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    sandbox.write("in.csv", "text\nthe cat\n");
    bucket.put_folder("models/tiny", &sandbox.path("tiny-bert"));
    bucket.put("models/tiny/onnx/model.onnx", b"of another program");
    let command = format!("run --input in.csv --output out --model {}", bucket.address("models/tiny"));
    sandbox.succeed(&command);
    sandbox.succeed("run --input in.csv --output here --model tiny-bert");
    assert_eq!(sandbox.parts("out"), sandbox.parts("here"));
    let kept = || -> Vec<_> {
        let kept = fs_err::read_dir(sandbox.path("hf/strata")).unwrap();
        kept.map(|entry| entry.unwrap().path()).collect()
    };
    assert!(kept().len() == 1 && !kept()[0].join("onnx").exists(), "{:?}", kept());
    // Fetched once, and known to whoever looks later.
    sandbox.succeed(&command);
    sandbox.succeed("verify out");
    assert_eq!(kept().len(), 1);
    let refused =
        sandbox.strata(&format!("run --input in.csv --output o --model {}", bucket.address("no"))).output();
    assert_eq!(refused.unwrap().status.code(), Some(66));
}

/// A path of a request.
fn encoded(key: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    key.bytes().map(byte).collect()
}

#[test]
fn keys_that_other_readers_stumble_over() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    let keys = [
        "in/2022-11-26T13:51:14.934709+00:00.parquet",
        "in/at=%3A/data.parquet",
        "in/trip data/yellow (1).parquet",
        "in/which?.parquet",
        "in/a=b&c;d@e!f'g,h~.parquet",
        "in/naïve 猫.parquet",
        "in/[x].parquet",
    ];
    for key in keys {
        write_table(&sandbox.path("in.parquet"), &texts([key]));
        bucket.put(&encoded(key), &fs_err::read(sandbox.path("in.parquet")).unwrap());
    }
    let output = |arguments: &[&str]| {
        let mut command =
            sandbox.strata("run --output out --model tiny-bert --keep text --overwrite --prune --input");
        let run = command.args(arguments).output().unwrap();
        assert!(run.status.success(), "{arguments:?}: {}", stderr(&run));
        let output = read_output(&sandbox.path("out"));
        let mut found: Vec<String> =
            column(&output, "text").as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect();
        found.sort();
        found
    };
    let mut all = keys.map(str::to_owned);
    all.sort();
    for key in keys {
        assert_eq!(output(&[&bucket.address(key)]), [key], "by its address");
    }
    assert_eq!(output(&[&bucket.address("in")]), all);
    assert_eq!(output(&[&bucket.address("in/*/*.parquet")]), [keys[1], keys[2]]);
    assert_eq!(output(&[&bucket.address("in/at=%3A/*.parquet")]), [keys[1]]);
    // What marks a folder is no file: with a slash or without, by Hadoop, and of a folder named like a file.
    for mark in ["in/trip%20data/", "in", "in/part_%24folder%24", "in/set.parquet/", "in/set.parquet"] {
        bucket.put(mark, b"");
    }
    write_table(&sandbox.path("in.parquet"), &texts(["in/set.parquet/0.parquet"]));
    bucket.put("in/set.parquet/0.parquet", &fs_err::read(sandbox.path("in.parquet")).unwrap());
    let mut more: Vec<&str> = all.iter().map(String::as_str).chain(["in/set.parquet/0.parquet"]).collect();
    more.sort_unstable();
    assert_eq!(output(&[&bucket.address("in")]), more);
    assert_eq!(output(&[&bucket.address("in/set.parquet")]), ["in/set.parquet/0.parquet"]);
    // The whole bucket.
    assert_eq!(output(&[&bucket.address("")]), more);
    assert_eq!(output(&[bucket.address("").trim_end_matches('/')]), more);
}

#[test]
fn more_files_than_a_list_has_on_one_page_are_all_there() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    for number in 0..1050 {
        bucket.put(&format!("in/{number:04}.txt"), format!("text {number}\n").as_bytes());
    }
    let input = bucket.address("in/*.txt");
    sandbox.succeed(&format!("run --input {input} --output out --model tiny-bert --rows-per-part 100"));
    assert_eq!(read_output(&sandbox.path("out")).num_rows(), 1050);
}

#[test]
fn local_runs_have_no_threads_that_talk_to_stores() {
    let (sandbox, bucket) = (sandbox(), Bucket::new());
    let lines: String = (0..4000).map(|number| format!("the cat sat on the dog {number}\n")).collect();
    sandbox.write("in.txt", &lines);
    bucket.put("in.txt", lines.as_bytes());
    let has_threads = |input: &str| {
        let command =
            format!("run --input {input} --input-format txt --output out --model tiny-bert --overwrite");
        let mut run = start(&mut sandbox.strata(&command));
        let mut found = false;
        while run.try_wait().unwrap().is_none() {
            let tasks = fs_err::read_dir(format!("/proc/{}/task", run.id())).into_iter().flatten().flatten();
            let names = tasks.filter_map(|task| fs_err::read_to_string(task.path().join("comm")).ok());
            found |= names.into_iter().any(|name| name.starts_with("strata-store"));
        }
        assert!(run.wait().unwrap().success());
        found
    };
    assert!(!has_threads("in.txt"));
    assert!(has_threads(&bucket.address("in.txt")));
}
