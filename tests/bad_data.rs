//! Input that cannot be read to its end: the message names it, what was finished stays, and the run
//! goes on without it where that is asked for.

use serde_json::Value;
use strata_featurize::{Consent, Job, Outcome, Settings};

use crate::faulty::{Fault, command, leftovers, sandbox, start, stderr, wait_until};
use crate::support::{Sandbox, read_output, run, texts, vectors, write_table};

/// A Parquet file of several pages, damaged in the middle.
fn damage(sandbox: &Sandbox, name: &str) {
    let values: Vec<String> =
        (0..4000_u32).map(|row| format!("cat {:x}", row.wrapping_mul(2_654_435_761))).collect();
    write_table(&sandbox.path(name), &texts(values.iter().map(String::as_str)));
    let mut bytes = fs_err::read(sandbox.path(name)).unwrap();
    let middle = bytes.len() / 4;
    bytes[middle..middle + 2000].fill(0xff);
    sandbox.write(name, &bytes);
}

/// Runs a command that must fail with 65; returns what it said.
fn fails(sandbox: &Sandbox, arguments: &str) -> String {
    let output = sandbox.strata(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(65), "{}", stderr(&output));
    stderr(&output)
}

#[test]
fn a_damaged_page_is_told_with_file_and_rows_and_finished_parts_stay() {
    let sandbox = sandbox();
    damage(&sandbox, "in/b2.parquet");
    let said = fails(&sandbox, &command("out"));
    assert!(said.contains("in/b2.parquet, rows "), "{said}");
    assert!(sandbox.path("out/data/a-00003.parquet").exists());
    assert!(!sandbox.path("out/_SUCCESS").exists());
    assert!(leftovers(&sandbox.path("out")).is_empty());
}

#[test]
fn text_that_is_not_utf_8_is_told_with_its_file() {
    for (name, bytes) in [
        ("in.csv", b"text\ncat\n\xff\xfe\n".as_slice()),
        ("in.jsonl", b"{\"text\":\"cat\"}\n{\"text\":\"\xff\"}\n"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.write(name, bytes);
        let said = fails(&sandbox, &format!("run --input {name} --model tiny-bert --output out"));
        assert!(said.contains(name), "{said}");
    }
}

#[test]
fn bad_files_can_be_skipped_and_are_listed_until_they_are_mended() {
    let sandbox = sandbox();
    let whole = crate::faulty::clean_run(&sandbox);
    damage(&sandbox, "in/b2.parquet");
    let good = fs_err::read(sandbox.path("in/c.jsonl")).unwrap();
    sandbox.write("in/c.jsonl", b"{\"text\": \"cut");
    let arguments = format!("{} --on-bad-file skip --report r.json", command("out"));
    let said = fails(&sandbox, &arguments);
    assert!(said.contains("b2.parquet") && said.contains("c.jsonl"), "{said}");
    let skipped =
        |json: serde_json::Value| json["skipped"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(skipped(sandbox.report("r.json")), ["b2.parquet", "c.jsonl"]);
    assert_eq!(skipped(sandbox.report("out/_strata/manifest.json")), ["b2.parquet", "c.jsonl"]);
    for name in ["a-00003.parquet", "b-00001.parquet"] {
        assert_eq!(
            fs_err::read(sandbox.path("out/data").join(name)).unwrap(),
            whole[&format!("data/{name}")]
        );
    }
    assert!(!sandbox.path("out/_SUCCESS").exists());

    sandbox.write("in/c.jsonl", good);
    fs_err::remove_file(sandbox.path("in/b2.parquet")).unwrap();
    sandbox.succeed(&format!("{arguments} --prune"));
    assert!(sandbox.path("out/_SUCCESS").exists());
    let parts = sandbox.parts("out");
    let is_same = |(name, bytes): (&String, &Vec<u8>)| whole.get(&format!("data/{name}")) == Some(bytes);
    assert!(parts.iter().all(is_same), "{:?}", parts.keys());
}

#[test]
fn a_file_that_changes_while_it_is_read_makes_no_part() {
    let sandbox = sandbox();
    sandbox.write("gate", "");
    // Wide rows fill a window each, so that the reader is still at work when the first part begins.
    let long = "the cat sat ".repeat(1_500_000);
    write_table(&sandbox.path("in/a.parquet"), &texts([long.as_str(); 12]));
    let arguments = format!("{} --max-length 8", command("out"));
    let steps = sandbox.steps(&arguments.replace("--output out", "--output steps"), "steps");
    let begins =
        steps.iter().position(|(call, file)| call == "create" && file == "_strata/.a-00000.parquet.partial");
    let run = start(&mut sandbox.faulty(&arguments, "out", begins.unwrap() + 1, Fault::Wait));
    wait_until(|| sandbox.path("out/_strata/manifest.json").exists());
    std::thread::sleep(std::time::Duration::from_millis(300));
    write_table(&sandbox.path("in/a.parquet"), &texts(["other", "rows"]));
    fs_err::remove_file(sandbox.path("gate")).unwrap();
    let ended = run.wait_with_output().unwrap();
    let said = stderr(&ended);
    assert_eq!(ended.status.code(), Some(65), "{said}");
    assert!(said.contains("in/a.parquet changed while rows "), "{said}");
    sandbox.succeed(&arguments);
    assert_eq!(read_output(&sandbox.path("out")).num_rows(), 2 + 5 + 7);
}

/// Its rows are those of the file that was opened, its sum that of the file that is there later: both together would be
/// believed by the next run.
#[test]
fn a_file_that_changes_before_it_is_summed_makes_no_part_and_is_not_taken_for_what_it_was() {
    for name in ["a.parquet", "a.jsonl"] {
        let sandbox = Sandbox::new();
        let write = |rows: usize| match name {
            "a.parquet" => write_table(&sandbox.path(name), &texts(vec!["the cat"; rows])),
            _ => sandbox.write(name, "{\"text\":\"the cat\"}\n".repeat(rows)),
        };
        let place = |name: &str| sandbox.path(name).to_str().unwrap().to_owned();
        let settings = || Settings::new(vec![place(name)], "text", place("tiny-bert"), place("out")).unwrap();
        let made = |job: &Job| {
            let mut outcome = Outcome::default();
            strata_featurize::run(job, Consent::default(), Value::Null, &(), &mut outcome)?;
            Ok::<_, strata_featurize::Error>(outcome.done.counts.rows)
        };
        write(3);
        let job = Job::prepare(settings()).unwrap();
        write(5);
        let error = made(&job).unwrap_err().to_string();
        assert!(error.contains("changed while rows 0..3 were read"), "{error}");
        assert_eq!(made(&Job::prepare(settings()).unwrap()).unwrap(), 5);
    }
}

#[test]
fn a_text_of_50_megabytes_is_cut_like_any_other() {
    let long = "the cat sat ".repeat(50 * 1024 * 1024 / 12);
    let sandbox = Sandbox::with_texts(["cat", long.as_str(), &long[..1200]]);
    sandbox.succeed(&run("--report r.json"));
    let output = read_output(&sandbox.path("out"));
    let found = vectors(&output, "layer_4_mean");
    assert_eq!(found[1], found[2], "a text is what its first tokens make it");
    assert!(sandbox.report("r.json")["peak_memory_bytes"].as_u64().unwrap() < 2 << 30);
}

#[test]
fn a_cut_file_is_told_by_its_own_name_whatever_its_folder_is_called() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("x.csv.d")).unwrap();
    write_table(&sandbox.path("x.csv.d/cut.parquet"), &texts(["cat", "dog"]));
    let bytes = fs_err::read(sandbox.path("x.csv.d/cut.parquet")).unwrap();
    sandbox.write("x.csv.d/cut.parquet", &bytes[..bytes.len() / 2]);
    let said = fails(&sandbox, "run --input x.csv.d --model tiny-bert --output out");
    assert!(said.contains("x.csv.d/cut.parquet") && !said.contains("--csv-"), "{said}");
}
