//! The program that is called computes nothing: it looks, and becomes another where something is to be computed.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use crate::faulty::{command, sandbox, stderr, visible};
use crate::support::{Sandbox, texts, write_table};

/// What does not compute starts in a few milliseconds: libtorch takes a third of a second.
#[cfg(target_os = "linux")]
#[test]
fn the_program_that_is_called_does_not_load_libtorch() {
    let libraries = libraries(env!("CARGO_BIN_EXE_strata").as_ref());
    assert!(libraries.contains("libc.so") && !libraries.contains("torch"), "{libraries}");
}

/// The libraries a program loads when it starts, as `ldd` lists them.
pub fn libraries(program: &Path) -> String {
    let listed = Command::new("ldd").env_clear().arg(program).output().unwrap();
    String::from_utf8(listed.stdout).unwrap()
}

#[test]
fn alone_it_inspects_and_finds_a_run_finished_and_says_what_is_missing_where_it_is_not() {
    let sandbox = sandbox();
    sandbox.succeed(&command("out"));
    let program = sandbox.path("strata");
    fs_err::copy(env!("CARGO_BIN_EXE_strata"), &program).unwrap();
    let run = |arguments: &str| -> Output {
        let mut command = Command::new(&program);
        command.args(arguments.split(' ')).current_dir(sandbox.path("")).env_clear().output().unwrap()
    };
    let before = visible(&sandbox.path("out"));
    let finished = run(&command("out"));
    assert!(finished.status.success(), "{}", stderr(&finished));
    assert!(run("inspect out").status.success());
    write_table(&sandbox.path("in/d.csv"), &texts(["cat"]));
    for arguments in [command("out"), command("new"), "verify out".to_owned()] {
        let refused = run(&arguments);
        assert_eq!(refused.status.code(), Some(78), "{arguments}");
        let said = stderr(&refused);
        assert!(said.contains("strata-libtorch") && said.contains("make install"), "{said}");
    }
    assert_eq!(visible(&sandbox.path("out")), before);
    assert!(!sandbox.path("new").exists());
}

#[test]
fn the_other_program_is_refused_if_it_is_of_another_build() {
    let other = Command::new(env!("CARGO_BIN_EXE_strata-libtorch"))
        .args(["verify", "out"])
        .env("STRATA_FRONT", "0.0.1 abcdef")
        .output()
        .unwrap();
    assert_eq!(other.status.code(), Some(78));
    assert!(stderr(&other).contains("0.0.1 abcdef"), "{}", stderr(&other));
}

#[test]
fn a_refused_run_over_a_finished_output_leaves_it_as_it_was() {
    let mut sandbox = sandbox();
    sandbox.succeed(&command("out"));
    let before = visible(&sandbox.path("out"));
    write_table(&sandbox.path("in/b.csv"), &texts(["other", "texts"]));
    fs_err::remove_file(sandbox.path("in/c.jsonl")).unwrap();
    sandbox.set("STRATA_CPU", "8086");
    for arguments in [command("out"), format!("{} --prune", command("out"))] {
        let refused = sandbox.strata(&arguments).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
        assert_eq!(visible(&sandbox.path("out")), before);
    }
}

#[test]
fn what_can_be_read_once_is_read_by_the_program_that_needs_it() {
    let sandbox = Sandbox::new();
    let piped = |arguments: &str, input: &str| {
        let mut child =
            sandbox.strata(arguments).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{arguments}: {}", stderr(&output));
    };
    let run = "run --input - --input-format jsonl --model tiny-bert --output out --report report.json";
    for (rows, input) in [(1, "{\"text\": \"cat\"}\n"), (2, "{\"text\": \"dog\"}\n{\"text\": \"cat\"}\n")] {
        piped(run, input);
        assert_eq!(sandbox.report("report.json")["rows"], rows);
    }
    sandbox.write("in.jsonl", "{\"text\": \"cat\"}\n");
    let pipeline =
        "[input]\npaths = [\"in.jsonl\"]\n[model]\npath = \"tiny-bert\"\n[output]\npath = \"vectors\"\n";
    for _ in 0..2 {
        piped("run /dev/stdin", pipeline);
    }
}
