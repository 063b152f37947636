//! The same command again: what is whole stays, what is missing or damaged is made again, and the
//! result is the same, byte for byte.

use std::collections::BTreeMap;

use crate::support::{Sandbox, read_output, run, texts, vectors, write_table};

const COMMAND: &str = "run --input in --model tiny-bert --output out --rows-per-part 2 --report report.json";

/// A finished run over five rows, in three parts.
fn finished() -> (Sandbox, BTreeMap<String, Vec<u8>>) {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("in")).unwrap();
    write_table(&sandbox.path("in/b.parquet"), &texts(["cat", "the dog", "", "hello world", "run"]));
    sandbox.succeed(COMMAND);
    let parts = sandbox.parts("out");
    assert_eq!(parts.keys().collect::<Vec<_>>(), ["b-00000.parquet", "b-00001.parquet", "b-00002.parquet"]);
    (sandbox, parts)
}

/// Runs the command again, which must make so many parts and keep so many.
fn run_again(sandbox: &Sandbox, written: u64, kept: u64) {
    sandbox.succeed(COMMAND);
    let report = sandbox.report("report.json");
    assert_eq!(
        (report["parts_written"].as_u64(), report["parts_kept"].as_u64()),
        (Some(written), Some(kept))
    );
    assert!(sandbox.path("out/_SUCCESS").exists());
}

#[test]
fn a_run_with_nothing_to_do_succeeds_and_touches_no_part() {
    let (sandbox, parts) = finished();
    let written = || fs_err::metadata(sandbox.path("out/data/b-00000.parquet")).unwrap().modified().unwrap();
    let before = written();
    run_again(&sandbox, 0, 3);
    assert_eq!((sandbox.parts("out"), written()), (parts, before));
}

#[test]
fn a_part_that_was_deleted_is_made_again() {
    let (sandbox, parts) = finished();
    fs_err::remove_file(sandbox.path("out/data/b-00001.parquet")).unwrap();
    run_again(&sandbox, 1, 2);
    assert_eq!(sandbox.parts("out"), parts);
}

#[test]
fn a_part_whose_bytes_have_changed_is_made_again() {
    let (sandbox, parts) = finished();
    let mut bytes = parts["b-00002.parquet"].clone();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    sandbox.write("out/data/b-00002.parquet", &bytes);
    run_again(&sandbox, 1, 2);
    assert_eq!(sandbox.parts("out"), parts);
}

#[test]
fn a_part_that_was_cut_short_is_made_again() {
    let (sandbox, parts) = finished();
    sandbox.write("out/data/b-00000.parquet", &parts["b-00000.parquet"][..100]);
    run_again(&sandbox, 1, 2);
    assert_eq!(sandbox.parts("out"), parts);
}

#[test]
fn a_marker_that_was_removed_comes_back_without_encoding() {
    let (sandbox, parts) = finished();
    fs_err::remove_file(sandbox.path("out/_SUCCESS")).unwrap();
    run_again(&sandbox, 0, 3);
    assert_eq!(sandbox.parts("out"), parts);
}

#[test]
fn what_a_dead_run_left_is_swept_away() {
    let (sandbox, parts) = finished();
    sandbox.write("out/_strata/.b-00001.parquet.123.partial", "half a part");
    sandbox.write("out/data/b-00009.parquet", &parts["b-00000.parquet"]);
    run_again(&sandbox, 0, 3);
    assert_eq!(sandbox.parts("out"), parts);
    assert!(!sandbox.path("out/_strata/.b-00001.parquet.123.partial").exists());
}

#[test]
fn a_file_that_was_added_is_all_that_is_encoded() {
    let (sandbox, parts) = finished();
    // It sorts before what is there: the parts of the others keep their names.
    write_table(&sandbox.path("in/a.parquet"), &texts(["world", "token", "sat"]));
    run_again(&sandbox, 2, 3);
    assert_eq!(sandbox.report("report.json")["rows"], 3);
    let now = sandbox.parts("out");
    assert_eq!(now.len(), 5);
    assert!(parts.iter().all(|(name, bytes)| now.get(name) == Some(bytes)));
}

#[test]
fn a_file_that_has_changed_is_encoded_again_and_the_others_are_not() {
    let (sandbox, parts) = finished();
    write_table(&sandbox.path("in/a.parquet"), &texts(["world"]));
    run_again(&sandbox, 1, 3);
    write_table(&sandbox.path("in/a.parquet"), &texts(["token", "sat"]));
    run_again(&sandbox, 1, 3);
    let output = read_output(&sandbox.path("out"));
    let fresh = Sandbox::with_texts(["token", "sat"]);
    fresh.succeed("run --input in.parquet --model tiny-bert --output out");
    let expected = vectors(&read_output(&fresh.path("out")), "layer_4_mean");
    assert_eq!(vectors(&output, "layer_4_mean")[..2], expected);
    assert!(parts.iter().all(|(name, bytes)| sandbox.parts("out").get(name) == Some(bytes)));
}

#[test]
fn the_parts_of_a_file_that_is_gone_stay_and_are_told() {
    let (sandbox, parts) = finished();
    write_table(&sandbox.path("in/a.parquet"), &texts(["world"]));
    run_again(&sandbox, 1, 3);
    fs_err::remove_file(sandbox.path("in/a.parquet")).unwrap();
    let stderr = sandbox.succeed(COMMAND).stderr;
    assert!(String::from_utf8_lossy(&stderr).contains("`a.parquet` is no longer among the inputs"));
    assert_eq!(sandbox.parts("out").len(), parts.len() + 1);
}

#[test]
fn parts_of_another_size_replace_the_old_ones() {
    let (sandbox, parts) = finished();
    sandbox.succeed("run --input in --model tiny-bert --output out --rows-per-part 5");
    assert_eq!(sandbox.parts("out").len(), 1);
    assert_eq!(read_output(&sandbox.path("out")).num_rows(), 5);
    run_again(&sandbox, 3, 0);
    assert_eq!(sandbox.parts("out"), parts);
}

#[test]
fn a_record_that_cannot_be_understood_may_go_with_all_there_is() {
    let sandbox = Sandbox::with_texts([Some("cat"), Some("dog")]);
    let command = run("--rows-per-part 1");
    sandbox.succeed(&command);
    sandbox.write("out/_strata/parts/in-00000.parquet.json", "{");
    let refused = sandbox.strata(&command).output().unwrap();
    assert_eq!(refused.status.code(), Some(78), "{}", String::from_utf8_lossy(&refused.stderr));
    sandbox.succeed(&format!("{command} --overwrite"));
    assert_eq!(read_output(&sandbox.path("out")).num_rows(), 2);
    sandbox.succeed("verify out");
}

fn stderr_of(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_that_takes_the_place_of_one_that_is_gone_takes_all_of_it() {
    let (sandbox, _) = finished();
    fs_err::remove_file(sandbox.path("in/b.parquet")).unwrap();
    write_table(&sandbox.path("in/b.csv"), &texts(["world", "token"]));
    run_again(&sandbox, 1, 0);
    assert_eq!(sandbox.parts("out").keys().collect::<Vec<_>>(), ["b-00000.parquet"]);
    sandbox.succeed("verify out");
}

#[test]
fn the_rows_of_a_file_that_was_emptied_go() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("in")).unwrap();
    write_table(&sandbox.path("in/a.csv"), &texts(["cat", "the dog"]));
    write_table(&sandbox.path("in/b.csv"), &texts(["hello"]));
    sandbox.succeed(COMMAND);
    sandbox.write("in/a.csv", "");
    let told = stderr_of(&sandbox.succeed(COMMAND));
    assert!(!told.contains("no longer among"), "{told}");
    assert_eq!(sandbox.parts("out").keys().collect::<Vec<_>>(), ["b-00000.parquet"]);
    sandbox.succeed("verify out");
    write_table(&sandbox.path("in/a.csv"), &texts(["cat", "the dog"]));
    run_again(&sandbox, 1, 1);
    sandbox.succeed("verify out");
}

#[test]
fn parts_of_a_file_that_is_gone_are_not_mixed_with_those_of_other_columns() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("in")).unwrap();
    sandbox.write("in/a.csv", "text,v\ncat,1\n");
    sandbox.succeed(COMMAND);
    fs_err::remove_file(sandbox.path("in/a.csv")).unwrap();
    sandbox.write("in/b.csv", "text,v\ndog,one\n");
    let before = sandbox.parts("out");
    for command in [format!("{COMMAND} --dry-run"), COMMAND.to_owned()] {
        let refused = sandbox.strata(&command).output().unwrap();
        let said = stderr_of(&refused);
        assert_eq!(refused.status.code(), Some(65), "{command}: {said}");
        assert!(
            said.contains("column `v` is Int64 in the parts of `a.csv`") && said.contains("Utf8"),
            "{said}"
        );
    }
    assert_eq!(sandbox.parts("out"), before);
    sandbox.succeed(&format!("{COMMAND} --prune"));
    sandbox.succeed("verify out");
    assert_eq!(sandbox.parts("out").keys().collect::<Vec<_>>(), ["b-00000.parquet"]);
}

#[test]
fn a_run_whose_parts_are_removed_meanwhile_does_not_say_that_all_is_well() {
    let sandbox = Sandbox::new();
    let rows: String = (0..200).map(|row| format!("the cat {row}\n")).collect();
    sandbox.write("in.txt", rows);
    let command = "run --input in.txt --model tiny-bert --output out --rows-per-part 1";
    let mut child = sandbox.strata(command).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let first = sandbox.path("out/data/in-00000.parquet");
    // Its record is written before the next part comes.
    while !sandbox.path("out/data/in-00001.parquet").exists() || fs_err::remove_file(&first).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "the run is at work");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(75), "{}", stderr_of(&ended));
    assert!(stderr_of(&ended).contains("in-00000.parquet"), "{}", stderr_of(&ended));
    sandbox.succeed(command);
    assert!(sandbox.path("out/_SUCCESS").exists());
}
