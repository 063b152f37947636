//! The program that is called has no libtorch: it computes what that has no part in, and becomes another for the rest.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

use crate::faulty::{assert_sound, command_of, sandbox, send, start, stderr, visible};
use crate::support::{Sandbox, texts, write_table};

/// The program with libtorch, which `make build` puts beside the other.
pub fn program_with_libtorch() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_strata")).with_file_name("strata-libtorch");
    assert!(program.exists(), "expected {}: `make build` makes it", program.display());
    program
}

/// The libraries a program loads when it starts, as `ldd` lists them.
pub fn libraries(program: &Path) -> String {
    let listed = Command::new("ldd").env_clear().arg(program).output().unwrap();
    String::from_utf8(listed.stdout).unwrap()
}

/// To register its operators takes libtorch a third of a second.
#[cfg(target_os = "linux")]
#[test]
fn the_program_that_is_called_does_not_load_libtorch() {
    let own = libraries(env!("CARGO_BIN_EXE_strata").as_ref());
    assert!(own.contains("libc.so") && !own.contains("torch"), "{own}");
    let others = libraries(&program_with_libtorch());
    assert!(others.contains("libtorch_cpu.so"), "{others}");
}

/// A sandbox with models that kernels compute and that libtorch has a part in, and the program in it; beside it, if
/// that is wanted, another that only ends with 99.
fn apart(with_other: bool) -> (Sandbox, impl Fn(&Sandbox, &str) -> Output) {
    let sandbox = sandbox();
    sandbox.write_plain_model("plain", 32);
    // As int8 wants it.
    sandbox.write_plain_model("wide", 64);
    fs_err::create_dir(sandbox.path("bin")).unwrap();
    fs_err::copy(env!("CARGO_BIN_EXE_strata"), sandbox.path("bin/strata")).unwrap();
    if with_other {
        sandbox.write("bin/strata-libtorch", "#!/bin/sh\nexit 99\n");
        let path = sandbox.path("bin/strata-libtorch");
        fs_err::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let run = |sandbox: &Sandbox, arguments: &str| -> Output {
        let mut command = Command::new(sandbox.path("bin/strata"));
        command.args(arguments.split(' ')).current_dir(sandbox.path("")).env_clear().output().unwrap()
    };
    (sandbox, run)
}

fn plain(output: &str) -> String {
    random("plain", output)
}

fn random(model: &str, output: &str) -> String {
    format!("{} --random-weights 1", command_of(model, output))
}

#[test]
fn it_computes_what_kernels_do_and_becomes_the_other_for_the_rest() {
    let (sandbox, run) = apart(true);
    let code = |arguments: &str| run(&sandbox, arguments).status.code();
    for arguments in [plain("plain-out"), plain("plain-out"), "verify plain-out".to_owned()] {
        assert_eq!(code(&arguments), Some(0), "{arguments}");
    }
    assert_eq!(code(&plain("plain-out").replace("--progress", "--dry-run --progress")), Some(0));
    let streamed = run(&sandbox, "run --input in --model plain --random-weights 1 --output -");
    assert!(streamed.status.success() && streamed.stdout.starts_with(&[0xff; 4]), "{}", stderr(&streamed));

    let libtorchs = [
        command_of("tiny-bert", "out"),
        format!("{} --attentions", plain("out")),
        format!("{} --device cuda", plain("out")),
        format!("{} --device cuda:1 --dry-run", plain("out")),
        "serve".to_owned(),
    ];
    for arguments in libtorchs {
        assert_eq!(code(&arguments), Some(99), "{arguments}");
    }
    assert_eq!(code(&format!("{} --device flex", command_of("tiny-bert", "flex-out"))), Some(0));
    assert_eq!(code("verify flex-out"), Some(0));
    // What is wrong is said by whoever is called.
    assert_eq!(code(&command_of("nothing", "out")), Some(78));
    assert!(!sandbox.path("out").exists());
}

#[test]
fn it_finds_a_run_of_the_other_finished_by_itself() {
    let (sandbox, run) = apart(true);
    let command = command_of("tiny-bert", "out");
    sandbox.succeed(&command);
    let before = visible(&sandbox.path("out"));
    let finished = run(&sandbox, &command);
    assert!(finished.status.success(), "{}", stderr(&finished));
    assert!(run(&sandbox, "inspect out").status.success());
    write_table(&sandbox.path("in/d.csv"), &texts(["cat"]));
    for arguments in [command, "verify out".to_owned()] {
        assert_eq!(run(&sandbox, &arguments).status.code(), Some(99), "{arguments}");
    }
    assert_eq!(visible(&sandbox.path("out")), before);
}

#[test]
fn a_run_that_has_become_the_other_is_interrupted_and_killed_as_any() {
    let sandbox = sandbox();
    let begun = Instant::now();
    sandbox.succeed(&command_of("tiny-bert", "clean"));
    let (whole, clean) = (begun.elapsed(), visible(&sandbox.path("clean")));
    for (tenth, signal) in (1..=10).zip(["TERM", "KILL"].into_iter().cycle()) {
        let mut run = start(&mut sandbox.strata(&command_of("tiny-bert", "out")));
        std::thread::sleep(whole * tenth / 10);
        if run.try_wait().unwrap().is_none() {
            send(&run, signal);
        }
        let ended = run.wait_with_output().unwrap();
        let in_order = [None, Some(0), Some(143)].contains(&ended.status.code());
        assert!(in_order, "{signal} at {tenth}: {}", stderr(&ended));
        assert_sound(&sandbox.path("out"), &clean);
    }
    sandbox.succeed(&command_of("tiny-bert", "out"));
    assert_eq!(visible(&sandbox.path("out")), clean);
}

/// The other has such models where a pipeline can be read only once.
#[test]
fn both_programs_give_the_same_bytes_of_what_libtorch_has_no_part_in() {
    let (sandbox, run) = apart(false);
    let mut computes = vec!["float32"];
    computes.extend(["bfloat16", "int8"].into_iter().filter(|compute| {
        let tried = run(&sandbox, &format!("{} --compute {compute} --dry-run", random("wide", "none")));
        let (is_done, said) = (tried.status.success(), stderr(&tried));
        assert!(is_done || said.contains(&format!("this processor has no {compute} instructions")), "{said}");
        is_done
    }));
    for compute in computes {
        let [one, other] = ["own", "others"].map(|name| format!("{compute}-{name}"));
        let own = run(&sandbox, &format!("{} --compute {compute}", random("wide", &one)));
        assert!(own.status.success(), "{}", stderr(&own));
        let others = Command::new(program_with_libtorch())
            .args(format!("{} --compute {compute}", random("wide", &other)).split(' '))
            .current_dir(sandbox.path(""))
            .output()
            .unwrap();
        assert!(others.status.success(), "{}", stderr(&others));
        assert_eq!(visible(&sandbox.path(&one)), visible(&sandbox.path(&other)), "{compute}");
    }
}

#[test]
fn alone_it_computes_everything_says_so_and_mixes_nothing() {
    let (sandbox, run) = apart(false);
    let alone = run(&sandbox, &command_of("tiny-bert", "out"));
    let said = stderr(&alone);
    assert!(alone.status.success() && said.contains("strata-libtorch is not beside"), "{said}");
    assert!(run(&sandbox, "verify out").status.success());
    let refused = sandbox.strata(&command_of("tiny-bert", "out")).output().unwrap();
    let said = stderr(&refused);
    assert!(refused.status.code() == Some(78) && said.contains("libtorch was null, is now"), "{said}");
    sandbox.succeed(&command_of("tiny-bert", "others-out"));
    let refused = run(&sandbox, &command_of("tiny-bert", "others-out"));
    assert!(stderr(&refused).contains("have libtorch go on with it"), "{}", stderr(&refused));
    let silent = run(&sandbox, &plain("plain-out"));
    assert!(silent.status.success() && !stderr(&silent).contains("libtorch"), "{}", stderr(&silent));
    let refused = run(&sandbox, &format!("{} --device cuda", plain("cuda-out")));
    assert!(stderr(&refused).contains("without libtorch"), "{}", stderr(&refused));
    assert!(!sandbox.path("cuda-out").exists());
}

/// 0.3.0 and whatever came before named the libtorch of the program also where it had no part in the values.
#[test]
fn what_names_a_libtorch_that_has_no_part_in_it_is_taken_over() {
    let (sandbox, run) = apart(true);
    assert!(run(&sandbox, &plain("out")).status.success());
    let manifest = sandbox.path("out/_strata/manifest.json");
    let mut value: serde_json::Value = serde_json::from_slice(&fs_err::read(&manifest).unwrap()).unwrap();
    assert!(value["fingerprint"].get("libtorch").is_none(), "{value}");
    for libtorch in ["2.9.0".into(), serde_json::Value::Null] {
        value["fingerprint"]["libtorch"] = libtorch;
        fs_err::write(&manifest, value.to_string()).unwrap();
        let again = run(&sandbox, &format!("{} --report r.json", plain("out")));
        assert!(again.status.success(), "{}", stderr(&again));
        let report = sandbox.report("r.json");
        assert_eq!((&report["parts_kept"], &report["parts_written"]), (&8.into(), &0.into()));
        let now: serde_json::Value = serde_json::from_slice(&fs_err::read(&manifest).unwrap()).unwrap();
        assert!(now["fingerprint"].get("libtorch").is_none(), "{now}");
        assert!(run(&sandbox, "verify out").status.success());
    }
}

#[test]
fn the_other_program_is_refused_if_it_is_of_another_build() {
    let other = Command::new(program_with_libtorch())
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
    let command = command_of("tiny-bert", "out");
    sandbox.succeed(&command);
    let before = visible(&sandbox.path("out"));
    write_table(&sandbox.path("in/b.csv"), &texts(["other", "texts"]));
    fs_err::remove_file(sandbox.path("in/c.jsonl")).unwrap();
    sandbox.set("STRATA_CPU", "8086");
    for arguments in [command.clone(), format!("{command} --prune")] {
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
