//! What is said of addresses that lead nowhere, of stores that refuse, and to whom: never a secret.

use super::proxy::{Fate, Proxy};
use super::server::{Bucket, at_port, port, request, sandbox};
use crate::faulty::stderr;
use crate::support::{Sandbox, assert_strata, texts, write_table};

#[test]
fn what_is_not_there_is_said_as_of_folders() {
    let (mut sandbox, bucket) = (sandbox(), Bucket::new());
    bucket.put("in/a.bin", b"");
    bucket.put("table/_delta_log/00000.json", b"{}");
    bucket.put("table/part=1/a.parquet", b"");
    sandbox.set("BUCKET", "");
    let run = |input: &str| {
        let output = sandbox
            .strata(&format!("run --input {} --output out --model tiny-bert", bucket.address(input)))
            .output()
            .unwrap();
        (output.status.code().unwrap(), stderr(&output).replace(&bucket.name, "BUCKET"))
    };
    let says = |input: &str, code: i32, words: &str| {
        let (found, message) = run(input);
        assert!(found == code && message.contains(words), "{input}: {found}\n{message}");
    };
    says("in", 66, "expected data files at `s3://BUCKET/in`, found nothing");
    says("in/*.parquet", 66, "expected data files at `s3://BUCKET/in/*.parquet`, found no match");
    says("no.parquet", 66, "found nothing");
    says("in/a.bin", 2, "unknown extension");
    for input in ["table", "table/part=1", "table/*/*.parquet"] {
        says(input, 2, "s3://BUCKET/table is a table of Delta Lake");
    }
    says("a//b.parquet", 2, "without empty names");
}

#[test]
fn addresses_of_no_store_are_refused_before_anything_is_asked() {
    let sandbox = Sandbox::new();
    assert_strata!(sandbox, "run --input ftp://host/a.parquet --output out --model tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot use ftp://host/a.parquet: ftp:// is no store that strata knows
    hint: known are s3://, gs://, az://, http://, https:// and hf://datasets/; a folder of that name is ./…
    ");
    assert_strata!(sandbox, "run --input s3://bucket/a.parquet --storage-option aws_regoin=x --output out --model tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot use s3://bucket/a.parquet: no store has an option `aws_regoin`
    hint: name it as the object_store crate does, such as aws_region, google_service_account, azure_storage_account_name, allow_http or retry_timeout
    ");
    assert_strata!(sandbox, "run --input hf://models/a/b --output out --model tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot use hf://models/a/b: it names no dataset of the hub
    hint: write it as hf://datasets/OWNER/NAME/path, or with a revision as hf://datasets/OWNER/NAME@REVISION/path
    ");
    assert_strata!(sandbox, "inspect https://host/vectors", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot use https://host/vectors: an output cannot lie there
    hint: name a folder, or an address of s3://, gs:// or az://
    ");
    sandbox.write("in.csv", "text\na\n");
    assert_strata!(sandbox, "run --input in.csv --output https://host/vectors --model tiny-bert", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: cannot use https://host/vectors: an output cannot lie there
    hint: name a folder, or an address of s3://, gs:// or az://
    ");
}

#[test]
fn a_store_that_cannot_be_reached_ends_the_run_with_its_address() {
    let sandbox = at_port(Sandbox::new(), 9);
    let command =
        "run --input s3://bucket/a.parquet --output out --model tiny-bert --storage-option retry_timeout=1";
    let run = sandbox.strata(command).output().unwrap();
    let message = stderr(&run);
    assert_eq!(run.status.code(), Some(74), "{message}");
    assert!(
        message.contains("s3://bucket/a.parquet") && message.contains("run the same command again"),
        "{message}"
    );
}

#[test]
fn nobody_is_told_a_secret() {
    let (mut sandbox, bucket) = (sandbox(), Bucket::new());
    sandbox.set("AWS_SECRET_ACCESS_KEY", "");
    sandbox.set("AWS_ACCESS_KEY_ID", "");
    write_table(&sandbox.path("in.parquet"), &texts(["the cat"]));
    bucket.put("in.parquet", &fs_err::read(sandbox.path("in.parquet")).unwrap());
    sandbox.write(
        "job.toml",
        format!(
            "[input]\npaths = \"{}\"\n[model]\npath = \"tiny-bert\"\n[output]\npath = \"out\"\n\
             [storage]\naws_access_key_id = \"the-key-of-nobody\"\naws_secret_access_key = \"the-secret-of-nobody\"\n",
            bucket.address("in.parquet")
        ),
    );
    let run = sandbox.succeed("run job.toml --verbose --report report.json --metrics-file metrics.prom");
    let refused = sandbox.strata("run job.toml --output s3://no-such-bucket/x --verbose").output().unwrap();
    assert!(!refused.status.success());
    let mut said = [stderr(&run), stderr(&refused), String::from_utf8(run.stdout).unwrap()].concat();
    for file in ["report.json", "metrics.prom", "out/_strata/notes.json", "out/_strata/manifest.json"] {
        said += &fs_err::read_to_string(sandbox.path(file)).unwrap();
    }
    for part in sandbox.parts("out").values() {
        said += &String::from_utf8_lossy(part);
    }
    assert!(!said.contains("of-nobody"), "{said}");
    // Nor where it is written wrongly.
    for wrong in ["aws_secret_access_key = of-nobody/+x", "aws_secret_access_key = [\"of-nobody\"]"] {
        sandbox.write("wrong.toml", format!("[input]\npaths = \"in.parquet\"\n[storage]\n{wrong}\n"));
        let refused = sandbox.strata("run wrong.toml").output().unwrap();
        assert!(
            refused.status.code() == Some(78) && !stderr(&refused).contains("of-nobody"),
            "{}",
            stderr(&refused)
        );
        assert!(stderr(&refused).contains("line 4"), "{}", stderr(&refused));
    }
    let refused = sandbox.strata("run job.toml --storage-option the-secret-of-nobody").output().unwrap();
    assert!(
        refused.status.code() == Some(2) && !stderr(&refused).contains("of-nobody"),
        "{}",
        stderr(&refused)
    );
    // What was not remembered must be said again.
    let verify = "verify out --storage-option aws_access_key_id=k --storage-option aws_secret_access_key=s";
    assert!(String::from_utf8(sandbox.succeed(verify).stdout).unwrap().contains("encoded again"));
}

#[test]
fn a_key_that_is_not_a_buckets_is_said_to_be_denied() {
    let proxy = Proxy::start(port(), |_| Fate::Busy(403));
    let sandbox = at_port(Sandbox::new(), proxy.port);
    let run =
        sandbox.strata("run --input s3://bucket/a.parquet --output out --model tiny-bert").output().unwrap();
    let message = stderr(&run);
    assert_eq!(run.status.code(), Some(74), "{message}");
    assert!(message.contains("AWS_ACCESS_KEY_ID"), "{message}");
    assert_eq!(request("GET", "/", &[]).0, 200);
}
