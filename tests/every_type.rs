//! Columns of every type, carried from every format to both, as other readers see them.

use std::process::Command;

use crate::support::{Sandbox, repository, set_up};

#[test]
fn every_type_means_the_same_to_pyarrow_polars_and_duckdb_before_and_after() {
    let sandbox = Sandbox::new();
    let script = |step: &str| {
        let python = set_up(".venv-readers").join("bin/python");
        let script = repository().join("tests/readers/every_type.py");
        let output = Command::new(python).arg(script).arg(step).arg(sandbox.path("")).output().unwrap();
        assert!(output.status.success(), "{step}:\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    script("make");
    fs_err::create_dir(sandbox.path("out")).unwrap();
    let names: Vec<String> = fs_err::read_dir(sandbox.path("in"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let run = |input: &str, name: &str, format: &str| {
        sandbox.succeed(&format!(
            "run --input in/{input} --model tiny-bert --output out/{name}-{format} --format {format} --layers 0"
        ));
    };
    for name in &names {
        for format in ["parquet", "arrow"] {
            run(name, name, format);
        }
    }
    let said = script("check");
    let compared: usize = said.split_whitespace().next().unwrap().parse().unwrap();
    assert!(compared > 1000, "{said}");

    // The columns of a part are those of the file that it came of: another one with them may follow it.
    for name in &names {
        let other = format!("other-{name}");
        fs_err::rename(sandbox.path(&format!("in/{name}")), sandbox.path(&format!("in/{other}"))).unwrap();
        for format in ["parquet", "arrow"] {
            run(&other, name, format);
            assert_eq!(sandbox.parts(&format!("out/{name}-{format}")).len(), 2, "{name} {format}");
        }
    }
}
