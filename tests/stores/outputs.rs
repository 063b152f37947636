//! Outputs in stores: the same parts as in a folder, whatever happens on the way.

use std::process::{Child, Command};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{ArrayRef, BinaryArray, StringArray};

use super::noise;
use super::proxy::{Fate, Proxy};
use super::server::{Bucket, at_port, port, sandbox};
use crate::faulty::{self, send, start, stderr, wait_until};
use crate::support::tables::table;
use crate::support::{Sandbox, read_output, set_up, texts, write_table};

/// The command of [`faulty::command`], which writes to a bucket.
fn command(bucket: &Bucket, output: &str) -> String {
    faulty::command(&bucket.address(output))
}

/// A sandbox with inputs and what they give in a folder, and a bucket.
fn job() -> (Sandbox, Bucket) {
    let sandbox = at_port(faulty::sandbox(), port());
    sandbox.succeed(&faulty::command("clean"));
    (sandbox, Bucket::new())
}

/// The output in a bucket is that of a folder, with nothing beside it.
fn assert_is_clean(sandbox: &Sandbox, bucket: &Bucket, output: &str) {
    assert_eq!(bucket.parts(output), sandbox.parts("clean"));
    let keys = bucket.keys(&format!("{output}/"));
    let others: Vec<&str> =
        keys.iter().filter(|key| !key.contains("/data/")).map(|key| &key[output.len()..]).collect();
    let locks = |key: &&str| !key.starts_with("/_strata/lock");
    let others: Vec<&str> = others.into_iter().filter(locks).collect();
    assert_eq!(others, ["/_SUCCESS", "/_strata/manifest.json", "/_strata/notes.json"]);
    assert_eq!(bucket.unfinished_uploads(), 0);
    let verified = sandbox.succeed(&format!("verify {}", bucket.address(output)));
    assert!(String::from_utf8(verified.stdout).unwrap().contains("as the manifest says"));
}

#[test]
fn an_output_in_a_store_has_the_parts_of_one_in_a_folder() {
    let (sandbox, bucket) = job();
    let command = format!("{} --report report.json", command(&bucket, "out"));
    sandbox.succeed(&command);
    assert_eq!(sandbox.report("report.json")["parts_written"], 8);
    assert_is_clean(&sandbox, &bucket, "out");
    // Nothing is left to do, and nothing is read again to know it.
    sandbox.succeed(&command);
    assert_eq!(sandbox.report("report.json")["parts_written"], 0);
    let address = bucket.address("out");
    let inspected = String::from_utf8(sandbox.succeed(&format!("inspect {address}/")).stdout).unwrap();
    assert!(inspected.contains("(whole)") && inspected.contains("25 rows in 8 parts"), "{inspected}");
    assert!(!sandbox.path("s3:").exists());
}

#[test]
fn other_readers_open_the_parts_as_a_folder_of_the_store() {
    let (sandbox, bucket) = job();
    sandbox.succeed(&command(&bucket, "out"));
    let script = "\
import sys, polars, pyarrow.dataset, pyarrow.fs
bucket, port = sys.argv[1:]
options = {'aws_endpoint_url': f'http://127.0.0.1:{port}', 'aws_access_key_id': 'k', 'aws_secret_access_key': 's',
           'aws_region': 'us-east-1', 'aws_allow_http': 'true'}
frame = polars.read_parquet(f's3://{bucket}/out/data/*.parquet', storage_options=options)
s3 = pyarrow.fs.S3FileSystem(access_key='k', secret_key='s', scheme='http', endpoint_override=f'127.0.0.1:{port}')
data = pyarrow.dataset.dataset(f'{bucket}/out/data', filesystem=s3).to_table()
print(frame.height, data.num_rows, frame['layer_4_mean'].dtype)";
    let mut python = Command::new(set_up(".venv-readers/bin/python"));
    let run = python.args(["-c", script, &bucket.name, &port().to_string()]).output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&run.stdout).trim(),
        "25 25 Array(Float32, shape=(20,))",
        "{}",
        stderr(&run)
    );
}

#[test]
fn a_later_run_makes_what_is_new_and_nothing_is_left_of_what_was() {
    let (sandbox, bucket) = job();
    sandbox.succeed(&command(&bucket, "out"));
    write_table(&sandbox.path("in/a.parquet"), &texts(["quite", "another", "file"]));
    write_table(&sandbox.path("in/d.parquet"), &texts(["a new file"]));
    fs_err::remove_file(sandbox.path("in/b.csv")).unwrap();
    fs_err::remove_dir_all(sandbox.path("clean")).unwrap();
    sandbox.succeed(&faulty::command("clean"));
    sandbox.succeed(&format!("{} --prune", command(&bucket, "out")));
    assert_is_clean(&sandbox, &bucket, "out");
    // Other settings are refused until they are consented to.
    let other = format!("{} --dtype float16", command(&bucket, "out"));
    let refused = sandbox.strata(&other).output().unwrap();
    assert_eq!(refused.status.code(), Some(78), "{}", stderr(&refused));
    fs_err::remove_dir_all(sandbox.path("clean")).unwrap();
    sandbox.succeed(&format!("{} --dtype float16", faulty::command("clean")));
    sandbox.succeed(&format!("{other} --overwrite"));
    assert_is_clean(&sandbox, &bucket, "out");
}

#[test]
fn a_part_that_is_gone_or_damaged_is_made_again() {
    let (sandbox, bucket) = job();
    sandbox.succeed(&command(&bucket, "out"));
    let keys = bucket.keys("out/data/");
    bucket.remove(&keys[0]);
    let mut damaged = bucket.get(&keys[1]).unwrap();
    damaged[40] ^= 1;
    bucket.put(&keys[1], &damaged);
    let verified = sandbox.strata(&format!("verify {}", bucket.address("out"))).output().unwrap();
    let found = String::from_utf8(verified.stdout).unwrap();
    assert!(found.contains("is missing") && found.contains("its hash is"), "{found}");
    sandbox.succeed(&command(&bucket, "out"));
    assert_is_clean(&sandbox, &bucket, "out");
}

#[test]
fn what_marks_a_folder_is_no_file_of_an_output() {
    let (sandbox, bucket) = job();
    // As consoles make them: before there is anything, and one where everything is.
    let marks = ["out/", "out/data/", "out/_strata/", "out/_strata/parts/", "out/_strata/uploads/"];
    marks.iter().for_each(|mark| bucket.put(mark, b""));
    sandbox.succeed(&command(&bucket, "out"));
    sandbox.succeed(&format!("{} --overwrite", command(&bucket, "out")));
    let verified = sandbox.succeed(&format!("verify {}", bucket.address("out")));
    assert!(String::from_utf8(verified.stdout).unwrap().contains("as the manifest says"));
    marks.iter().for_each(|mark| bucket.remove(mark));
    assert_is_clean(&sandbox, &bucket, "out");
}

/// Runs so many shards of a command at once, all of which must succeed.
fn run_shards(sandbox: &Sandbox, command: &str, count: usize) {
    let shard = |index| start(&mut sandbox.strata(&format!("{command} --shard {index}/{count}")));
    let runs: Vec<_> = (0..count).map(shard).collect();
    for run in runs {
        let ended = run.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", stderr(&ended));
    }
}

#[test]
fn shards_share_an_output_in_a_store() {
    let (sandbox, bucket) = job();
    run_shards(&sandbox, &command(&bucket, "out"), 3);
    assert_is_clean(&sandbox, &bucket, "out");
}

#[test]
fn what_others_have_put_there_is_not_touched() {
    let (sandbox, bucket) = job();
    bucket.put("out/thesis.tex", b"years of work");
    let refused = sandbox.strata(&format!("{} --overwrite", command(&bucket, "out"))).output().unwrap();
    assert_eq!(refused.status.code(), Some(78), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("thesis.tex"));
    assert_eq!(bucket.keys(""), ["out/thesis.tex"]);
}

#[test]
fn a_second_run_is_refused_while_the_first_is_alive() {
    let (sandbox, bucket) = job();
    // All that the first asks takes its time.
    let slow = Proxy::start(port(), |_| Fate::Late(Duration::from_millis(150)));
    let slow = at_port(faulty::sandbox(), slow.port);
    let first = start(&mut slow.strata(&command(&bucket, "out")));
    wait_until(|| bucket.get("out/_strata/lock").is_some());
    let second = sandbox.strata(&command(&bucket, "out")).output().unwrap();
    assert_eq!(second.status.code(), Some(75), "{}", stderr(&second));
    assert!(stderr(&second).contains(" is in use by process "), "{}", stderr(&second));
    let ended = first.wait_with_output().unwrap();
    assert!(ended.status.success(), "{}", stderr(&ended));
    assert_is_clean(&sandbox, &bucket, "out");
}

/// Stops a process on a slow connection. A sign of life that is on its way comes before anyone else looks.
fn put_to_sleep(run: &Child) {
    send(run, "STOP");
    std::thread::sleep(Duration::from_millis(500));
}

#[test]
fn a_run_that_slept_beyond_its_lease_damages_nothing() {
    let (sandbox, bucket) = job();
    let slow = Proxy::start(port(), |_| Fate::Late(Duration::from_millis(100)));
    let slow = at_port(faulty::sandbox(), slow.port);
    let asleep = start(&mut slow.strata(&command(&bucket, "out")));
    // Some parts are there, and it may be about to write any next thing.
    wait_until(|| bucket.keys("out/data/").len() >= 2);
    put_to_sleep(&asleep);
    let since = Instant::now();
    let other = sandbox.strata(&command(&bucket, "out")).output().unwrap();
    assert!(other.status.success(), "{}", stderr(&other));
    assert!(since.elapsed() > Duration::from_secs(19), "it was taken for dead after {:?}", since.elapsed());
    assert!(stderr(&other).contains("waiting up to 20 s"), "{}", stderr(&other));
    assert_is_clean(&sandbox, &bucket, "out");
    send(&asleep, "CONT");
    let woken = asleep.wait_with_output().unwrap();
    assert_eq!(woken.status.code(), Some(75), "{}", stderr(&woken));
    assert!(stderr(&woken).contains("ran out: another run may write to it now"), "{}", stderr(&woken));
    assert_is_clean(&sandbox, &bucket, "out");
}

/// Inputs whose one part is several pieces of an upload.
fn large() -> Sandbox {
    let sandbox = sandbox();
    let noise = noise(20 << 20);
    let noise: ArrayRef = Arc::new(BinaryArray::from_iter_values([&noise[..]]));
    let text: ArrayRef = Arc::new(StringArray::from_iter_values(["a cat"]));
    write_table(&sandbox.path("in.parquet"), &table([("noise", noise), ("text", text)]));
    sandbox
}

#[test]
fn a_large_part_is_uploaded_in_pieces_of_which_a_dead_run_leaves_none() {
    let (sandbox, bucket) = (large(), Bucket::new());
    let command = format!("run --input in.parquet --model tiny-bert --output {}", bucket.address("out"));
    // Some way into the pieces, the connection is lost for good.
    let slow = Proxy::start(port(), |_| Fate::Late(Duration::from_millis(5)));
    let slow = at_port(large(), slow.port);
    let mut run = start(&mut slow.strata(&command));
    wait_until(|| bucket.unfinished_uploads() == 1);
    send(&run, "KILL");
    run.wait().unwrap();
    assert_eq!(bucket.unfinished_uploads(), 1);
    assert!(bucket.keys("out/data/").is_empty());
    sandbox.succeed(&command);
    assert_eq!(bucket.unfinished_uploads(), 0);
    sandbox.succeed("run --input in.parquet --model tiny-bert --output clean");
    assert_eq!(bucket.parts("out"), sandbox.parts("clean"));
    assert!(bucket.keys("out/_strata/uploads").is_empty());
}

#[test]
fn a_shard_that_slept_while_a_whole_run_took_over_damages_nothing() {
    let (sandbox, bucket) = job();
    let slow = Proxy::start(port(), |_| Fate::Late(Duration::from_millis(100)));
    let slow = at_port(faulty::sandbox(), slow.port);
    let shard = format!("{} --shard 0/2", command(&bucket, "out"));
    let asleep = start(&mut slow.strata(&shard));
    wait_until(|| !bucket.keys("out/data/").is_empty());
    put_to_sleep(&asleep);
    // Whoever starts over has other parts: the shard's would be beside them.
    let other = format!("{} --dtype float16 --overwrite", command(&bucket, "out"));
    let run = sandbox.strata(&other).output().unwrap();
    assert!(run.status.success(), "{}", stderr(&run));
    send(&asleep, "CONT");
    let woken = asleep.wait_with_output().unwrap();
    assert_eq!(woken.status.code(), Some(75), "{}", stderr(&woken));
    fs_err::remove_dir_all(sandbox.path("clean")).unwrap();
    sandbox.succeed(&format!("{} --dtype float16", faulty::command("clean")));
    assert_is_clean(&sandbox, &bucket, "out");
    // And nobody has to wait for it any more.
    let since = Instant::now();
    sandbox.succeed(&other);
    assert!(since.elapsed() < Duration::from_secs(15), "{:?}", since.elapsed());
}

#[test]
fn shards_that_start_over_leave_nothing_of_what_was() {
    let (sandbox, bucket) = job();
    sandbox.succeed(&command(&bucket, "out"));
    fs_err::remove_dir_all(sandbox.path("clean")).unwrap();
    sandbox.succeed(&format!("{} --dtype float16", faulty::command("clean")));
    run_shards(&sandbox, &format!("{} --dtype float16 --overwrite", command(&bucket, "out")), 2);
    assert_is_clean(&sandbox, &bucket, "out");
}

#[test]
fn times_in_lists_may_be_finer_than_those_of_one_file() {
    let (_, bucket) = job();
    let proxy = Proxy::start(port(), |_| Fate::Milliseconds);
    let sandbox = at_port(faulty::sandbox(), proxy.port);
    bucket.put_folder("in", &sandbox.path("in"));
    let command = format!(
        "run --input {} --output {} --model tiny-bert --rows-per-part 4 --report report.json --verbose",
        bucket.address("in"),
        bucket.address("out")
    );
    sandbox.succeed(&command);
    sandbox.succeed(&command);
    assert_eq!(sandbox.report("report.json")["parts_written"], 0);
}

#[test]
fn input_and_output_may_both_lie_in_a_store() {
    let (sandbox, bucket) = job();
    bucket.put_folder("in", &sandbox.path("in"));
    let command = format!(
        "run --input {} --output {} --model tiny-bert --layers 0,-1 --rows-per-part 4 --threads 1 --device flex",
        bucket.address("in"),
        bucket.address("out")
    );
    sandbox.succeed(&command);
    bucket.copy_to("out", &sandbox.path("copy"));
    let (there, here) = (read_output(&sandbox.path("copy")), read_output(&sandbox.path("clean")));
    assert_eq!(there.columns(), here.columns());
    let verified = sandbox.succeed(&format!("verify {}", bucket.address("out")));
    assert!(String::from_utf8(verified.stdout).unwrap().contains("16 rows encoded again"));
    // The next run would read what this one has written.
    let within =
        format!("run --input {} --output {} --model tiny-bert", bucket.address(""), bucket.address("o"));
    let refused = sandbox.strata(&within).output().unwrap();
    assert!(stderr(&refused).contains("lies inside the input"), "{}", stderr(&refused));
}
