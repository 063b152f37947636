//! `-` as input and output: Arrow IPC streams on stdin and stdout.

use std::io::Cursor;
use std::process::{Output, Stdio};

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::ipc::reader::StreamReader;
use fs_err::File;

use crate::faulty::{send, start, stderr, wait_until};
use crate::support::{Sandbox, read_output, run, texts, write_table};

const TEXTS: [Option<&str>; 5] = [Some("the cat"), None, Some(""), Some("hello world"), Some("dog")];

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_texts(TEXTS);
    write_table(&sandbox.path("in.arrows"), &texts(TEXTS));
    sandbox
}

/// Runs a command whose stdin is the table of the sandbox as a stream.
fn piped(sandbox: &Sandbox, arguments: &str) -> Output {
    piped_from(sandbox, "in.arrows", arguments)
}

/// Runs a command whose stdin is a file.
fn piped_from(sandbox: &Sandbox, file: &str, arguments: &str) -> Output {
    let mut command = sandbox.strata(arguments);
    command.stdin(File::open(sandbox.path(file)).unwrap().into_file());
    command.stdout(Stdio::piped()).output().unwrap()
}

fn table(stream: &[u8]) -> RecordBatch {
    let reader = StreamReader::try_new(Cursor::new(stream), None).unwrap();
    let schema = reader.schema();
    assert!(schema.metadata()["strata"].contains("layer_convention"), "a stream says where it comes from");
    concat_batches(&schema, &reader.map(Result::unwrap).collect::<Vec<_>>()).unwrap()
}

#[test]
fn a_stream_in_and_a_stream_out_hold_what_files_do() {
    for unit in ["row", "token"] {
        let sandbox = sandbox();
        sandbox.succeed(&run(&format!("--unit {unit}")));
        let expected = read_output(&sandbox.path("out"));
        let before = sandbox.tree();
        for input in ["-", "in.parquet"] {
            let output = piped(
                &sandbox,
                &format!("run --input {input} --model tiny-bert --output - --unit {unit} --progress never"),
            );
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            assert_eq!(table(&output.stdout).columns(), expected.columns(), "{unit} from {input}");
        }
        assert_eq!(sandbox.tree(), before, "a stream leaves nothing behind");
    }
}

#[test]
fn stdin_goes_into_a_folder_and_the_same_rows_are_not_encoded_twice() {
    let sandbox = sandbox();
    let command = "run --input - --model tiny-bert --output out --report report.json";
    assert!(piped(&sandbox, command).status.success());
    assert_eq!(sandbox.parts("out").keys().collect::<Vec<_>>(), ["stdin-00000.parquet"]);
    assert!(piped(&sandbox, command).status.success());
    assert_eq!(sandbox.report("report.json")["parts_kept"], 1);
}

#[test]
fn what_is_about_a_folder_does_not_go_with_a_stream() {
    let sandbox = sandbox();
    for options in
        ["--dry-run", "--overwrite", "--prune", "--shard 0/2", "--rows-per-part 3", "--on-bad-file skip"]
    {
        let output = piped(&sandbox, &format!("run --input - --model tiny-bert --output - {options}"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("does not go with --output -"), "{stderr}");
        assert!(output.stdout.is_empty());
    }
    let several = piped(&sandbox, "run --input - in.parquet --model tiny-bert --output out");
    assert_eq!(several.status.code(), Some(2));
    let damaged = sandbox.strata("run --input - --model tiny-bert --output out");
    assert_eq!({ damaged }.stdin(Stdio::null()).output().unwrap().status.code(), Some(65));
}

#[test]
fn stdin_is_of_any_format_that_is_named() {
    let sandbox = sandbox();
    let rows = texts([Some("the cat"), None, Some("hello world"), Some("dog")]);
    write_table(&sandbox.path("some.parquet"), &rows);
    sandbox.succeed("run --input some.parquet --model tiny-bert --output out --keep none");
    let expected = read_output(&sandbox.path("out"));
    let content = "text\n\"the cat\"\n\n\"hello world\"\ndog\n";
    sandbox.write("in.csv", content);
    assert!(
        std::process::Command::new("gzip").arg("-k").arg(sandbox.path("in.csv")).status().unwrap().success()
    );
    sandbox.write("in.jsonl", "{\"text\":\"the cat\"}\n{}\n{\"text\":\"hello world\"}\n{\"text\":\"dog\"}\n");
    sandbox.write(
        "in.json",
        "[{\"text\":\"the cat\"},{\"text\":null},\n{\"text\":\"hello world\"},{\"text\":\"dog\"}]",
    );
    for (file, format) in [
        ("in.csv", "csv"),
        ("in.csv.gz", "csv"),
        ("in.jsonl", "jsonl"),
        ("in.json", "json"),
        ("some.parquet", "parquet"),
    ] {
        let arguments =
            format!("run --input - --input-format {format} --model tiny-bert --output - --keep none");
        let output = piped_from(&sandbox, file, &arguments);
        assert!(output.status.success(), "{file} {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(table(&output.stdout).columns(), expected.columns(), "{file}");
    }
}

#[test]
fn stdin_is_called_stdin() {
    let sandbox = sandbox();
    sandbox.write("in.jsonl", "{\"text\":\"a\",\"n\":1}\n{\"text\":\"b\",\"n\":\"x\"}\n");
    sandbox.write("bad.jsonl", "{\"text\":\"a\"}\n{\"text\":nope}\n");
    for (file, options, code, said) in [
        ("in.jsonl", "", 65, "stdin is no Arrow IPC stream"),
        ("in.jsonl", "--input-format jsonl", 65, "column `n` of stdin, found \"x\" in row 1 (line 2)"),
        ("bad.jsonl", "--input-format jsonl", 65, "cannot read stdin, row 1 (line 2)"),
        ("in.jsonl", "--input-format parquet", 65, "cannot read stdin"),
        ("in.jsonl", "--input-format jsonl --text body --keep none", 2, "stdin has no column `body`"),
    ] {
        let output =
            piped_from(&sandbox, file, &format!("run --input - --model tiny-bert --output out {options}"));
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{stderr}");
        assert!(stderr.contains(said) && !stderr.contains("strata-"), "{stderr}");
    }
}

#[test]
fn a_signal_ends_a_run_that_waits_for_stdin() {
    let sandbox = sandbox();
    for output in ["out", "-"] {
        let mut command = sandbox.strata(&format!("run --input - --model tiny-bert --output {output}"));
        let mut run = start(command.stdin(Stdio::piped()));
        let silent = run.stdin.take();
        // It copies what it reads to a file.
        let files = format!("/proc/{}/fd", run.id());
        let is_copy = |entry: std::io::Result<std::fs::DirEntry>| {
            std::fs::read_link(entry.unwrap().path()).is_ok_and(|path| path.ends_with("stdin.arrows"))
        };
        wait_until(|| std::fs::read_dir(&files).unwrap().any(is_copy));
        send(&run, "TERM");
        let ended = run.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(143), "{}", stderr(&ended));
        drop(silent);
    }
}

#[test]
fn what_comes_from_stdin_is_kept_from_everybody_else() {
    use std::os::unix::fs::PermissionsExt;
    let sandbox = sandbox();
    let mut command = sandbox.strata("run --input - --model tiny-bert --output out");
    let mut run = start(command.stdin(Stdio::piped()));
    let silent = run.stdin.take();
    let copy = || {
        let files = std::fs::read_dir(format!("/proc/{}/fd", run.id())).unwrap();
        let mut paths = files.filter_map(|file| std::fs::read_link(file.unwrap().path()).ok());
        paths.find(|path| path.ends_with("stdin.arrows"))
    };
    wait_until(|| copy().is_some());
    let folder = copy().unwrap().parent().unwrap().to_owned();
    let mode = fs_err::metadata(folder).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700, "{mode:o}");
    send(&run, "TERM");
    run.wait().unwrap();
    drop(silent);
}

#[test]
fn the_bytes_of_a_stream_are_those_that_were_written() {
    let sandbox = sandbox();
    let output = sandbox.succeed("run --input in.parquet --model tiny-bert --output - --report r.json");
    assert_eq!(sandbox.report("r.json")["bytes_written"], output.stdout.len());
}

#[test]
fn a_pipe_that_is_named_is_told_from_nothing() {
    let sandbox = sandbox();
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("pipe.jsonl")).status().unwrap();
    assert!(made.success());
    let output = sandbox.strata("run --input pipe.jsonl --model tiny-bert --output out").output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(66), "{stderr}");
    assert!(stderr.contains("a pipe or a device"), "{stderr}");
}
