//! Output folders that may not be written to.

use strata_io::{OutputFolder, OutputLock};

use crate::faulty::stderr;
use crate::support::{Sandbox, assert_refused, run, texts, write_table};

#[test]
fn an_output_folder_among_the_inputs() {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("data")).unwrap();
    write_table(&sandbox.path("data/in.parquet"), &texts(["cat"]));
    assert_refused!(sandbox, "run --input data --model tiny-bert --output data/out", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: the output data/out lies inside the input folder data
    hint: write to a folder outside the input
    ");
}

#[test]
fn an_address_of_no_store() {
    let sandbox = Sandbox::with_texts(["cat"]);
    for arguments in [
        "run --input in.parquet --model tiny-bert --output ftp://host/vectors",
        "run --input nfs://host/a.parquet --model tiny-bert --output out",
        "run --input in.parquet --model https://huggingface.co/bert-base-uncased --output out",
        "inspect dbfs:///vectors",
        "verify hdfs://host/vectors",
    ] {
        let refused = sandbox.strata(arguments).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{arguments}");
        assert!(stderr(&refused).contains("cannot use "), "{}", stderr(&refused));
    }
    sandbox.succeed("run --input in.parquet --model tiny-bert --output ./s3://bucket/vectors");
    assert!(sandbox.path("s3:/bucket/vectors/_SUCCESS").exists());
}

#[test]
fn an_output_folder_that_cannot_be_made() {
    let sandbox = Sandbox::with_texts(["cat"]);
    // Below a regular file: not even the superuser can make a folder there.
    assert_refused!(sandbox, "run --input in.parquet --model tiny-bert --output in.parquet/out", @r"
    success: false
    exit_code: 74
    ----- stdout -----

    ----- stderr -----
    error: failed to create directory `in.parquet/out/_strata`: Not a directory (os error 20)
    ");
}

#[test]
fn an_output_folder_with_files_of_others() {
    let sandbox = Sandbox::with_texts(["cat"]);
    fs_err::create_dir(sandbox.path("out")).unwrap();
    sandbox.write("out/thesis.parquet", "years of work");
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: out is not empty and has no manifest: it holds `thesis.parquet`
    hint: give an empty folder, or one that strata wrote
    ");
}

#[test]
fn an_output_folder_in_use() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.succeed(&run(""));
    let _held = OutputLock::acquire(&OutputFolder::new(sandbox.path("out")), None).unwrap();
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 75
    ----- stdout -----

    ----- stderr -----
    error: out is in use by process [PID] since [TIME]
    hint: wait for it to end, or write to another folder
    ");
}

#[test]
fn an_output_folder_of_other_settings_unless_it_may_be_overwritten() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.succeed(&run(""));
    assert_refused!(sandbox, &run("--pooling cls --normalize"), @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: out holds parts made otherwise: settings.normalize was false, is now true; settings.pooling was ["mean"], is now ["cls"]
    hint: write to another folder, or start afresh with --overwrite
    "#);
    sandbox.succeed(&run("--pooling cls --normalize --overwrite"));
    assert!(sandbox.path("out/_SUCCESS").exists());
}

#[test]
fn an_output_folder_whose_manifest_is_damaged() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.succeed(&run(""));
    sandbox.write("out/_strata/manifest.json", "{\"format_version\": 2");
    assert_refused!(sandbox, &run(""), @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: cannot understand out/_strata/manifest.json
      cause: EOF while parsing an object at line 1 column 20
    hint: write to another folder, or start afresh with --overwrite
    ");
}
