//! What cron and its owner rely on: an installed program, figures for machines, a plan beforehand.

use serde_json::Value;

use crate::faulty::{command, command_of, sandbox, stderr, visible};
use crate::support::{Sandbox, repository, texts, write_table};

#[test]
fn an_installed_program_runs_from_its_own_folder_and_without_an_environment() {
    let sandbox = sandbox();
    let prefix = sandbox.path("prefix");
    let installed = std::process::Command::new(repository().join("scripts/install.sh"))
        .args([env!("CARGO_BIN_EXE_strata").as_ref(), libtorch().as_os_str(), prefix.as_os_str()])
        .output()
        .unwrap();
    assert!(installed.status.success(), "{}", stderr(&installed));
    let program = prefix.join("bin/strata");
    let libraries = crate::front::libraries(&prefix.join("lib/strata/strata-libtorch"));
    let own = fs_err::canonicalize(prefix.join("lib/strata")).unwrap();
    for line in libraries.lines().filter(|line| line.contains("torch") || line.contains("libc10")) {
        let path = line.split("=> ").nth(1).unwrap().split(" (").next().unwrap();
        assert!(fs_err::canonicalize(path).unwrap().starts_with(&own), "{line}");
    }
    assert!(libraries.contains("libtorch_cpu.so") && !libraries.contains("not found"), "{libraries}");
    let page = fs_err::read_to_string(prefix.join("share/man/man1/strata-run.1")).unwrap();
    assert!(page.contains("rows\\-per\\-part"), "{page}");
    for script in [
        "bash-completion/completions/strata",
        "zsh/site-functions/_strata",
        "fish/vendor_completions.d/strata.fish",
    ] {
        let script = fs_err::read_to_string(prefix.join("share").join(script)).unwrap();
        assert!(script.contains("rows-per-part"), "{script}");
    }
    for arguments in [command("out"), command_of("tiny-bert", "others-out")] {
        let run = std::process::Command::new(&program)
            .env_clear()
            .args(arguments.split(' '))
            .current_dir(sandbox.path(""))
            .output();
        let run = run.unwrap();
        assert!(run.status.success() && !stderr(&run).contains("libtorch"), "{}", stderr(&run));
    }
}

/// The libtorch that the program under test was built with.
fn libtorch() -> std::path::PathBuf {
    std::env::var_os("LIBTORCH").map_or_else(|| repository().join(".libtorch"), Into::into)
}

#[test]
fn metrics_are_replaced_at_each_run_and_remember_the_last_success() {
    let sandbox = sandbox();
    let arguments = format!("{} --metrics-file strata.prom", command("out"));
    let metric = |name: &str| -> f64 {
        let text = fs_err::read_to_string(sandbox.path("strata.prom")).unwrap();
        let line = text
            .lines()
            .find(|line| line.starts_with(&format!("{name} ")))
            .unwrap_or_else(|| panic!("{text}"));
        line.rsplit(' ').next().unwrap().parse().unwrap()
    };
    sandbox.succeed(&arguments);
    assert_eq!((metric("strata_rows"), metric("strata_exit_code")), (25.0, 0.0));
    let success = metric("strata_last_success_timestamp_seconds");
    sandbox.write("in/d.parquet", "damaged");
    assert_eq!(sandbox.strata(&arguments).output().unwrap().status.code(), Some(65));
    assert_eq!((metric("strata_rows"), metric("strata_exit_code")), (0.0, 65.0));
    assert_eq!(metric("strata_last_success_timestamp_seconds"), success);
    assert!(metric("strata_last_run_timestamp_seconds") > success);
}

#[test]
fn a_report_says_how_a_run_ended_even_if_it_was_refused() {
    let sandbox = sandbox();
    sandbox.succeed(&format!("{} --report r.json", command("out")));
    let report = sandbox.report("r.json");
    assert_eq!((&report["outcome"], &report["exit_code"]), (&"success".into(), &0.into()));
    assert_eq!(report["fingerprint"]["settings"]["layers"], serde_json::json!([0, 4]));
    assert_eq!(report["options"]["output"]["path"], "out");
    assert!(report["stages"]["encode"]["busy_seconds"].as_f64().unwrap() > 0.0);
    let refused =
        sandbox.strata(&format!("{} --text nothing --report r.json", command("out"))).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    let report = sandbox.report("r.json");
    assert_eq!(report["exit_code"], 2);
    assert!(report["outcome"].as_str().unwrap().contains("no column `nothing`"), "{report}");
}

#[test]
fn a_log_in_json_is_an_object_per_line() {
    let sandbox = sandbox();
    let runs = [command("out"), format!("{} --pooling cls", command("out"))];
    let said: Vec<Vec<Value>> = runs
        .iter()
        .map(|arguments| {
            let output = sandbox.strata(&format!("--log-format json {arguments}")).output().unwrap();
            stderr(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
        })
        .collect();
    assert!(said[0].iter().all(|line| line["level"] == "INFO" && line["timestamp"].is_string()));
    let refusal = said[1].last().unwrap();
    assert_eq!((&refusal["level"], &refusal["exit_code"]), (&"ERROR".into(), &78.into()));
    assert!(refusal["hint"].as_str().unwrap().contains("--overwrite"), "{refusal}");
}

#[test]
fn a_dry_run_counts_what_is_there_and_touches_nothing() {
    let sandbox = sandbox();
    let dry = format!("{} --dry-run", command("out"));
    let before = sandbox.tree();
    let said = String::from_utf8(sandbox.succeed(&dry).stdout).unwrap();
    assert!(said.contains("8 parts of 3 files, 0 already there, 8 to make"), "{said}");
    assert!(said.contains("rows to encode  25") && said.contains("tokens/s in the sample"), "{said}");
    assert_eq!(sandbox.tree(), before);
    sandbox.succeed(&command("out"));
    fs_err::remove_file(sandbox.path("out/data/a-00001.parquet")).unwrap();
    let before = sandbox.tree();
    let said = String::from_utf8(sandbox.succeed(&dry).stdout).unwrap();
    assert!(said.contains("7 already there, 1 to make") && said.contains("rows to encode  4"), "{said}");
    assert_eq!(sandbox.tree(), before);
    let refused = sandbox.strata(&format!("{dry} --pooling cls")).output().unwrap();
    assert_eq!(refused.status.code(), Some(78));
}

#[test]
fn pruning_removes_the_parts_of_files_that_are_gone_and_no_others() {
    let sandbox = sandbox();
    sandbox.succeed(&command("out"));
    fs_err::remove_file(sandbox.path("in/b.csv")).unwrap();
    sandbox.write("out/data/mine.parquet", "not strata's");
    sandbox.succeed(&format!("{} --prune", command("out")));
    fs_err::remove_file(sandbox.path("out/data/mine.parquet")).unwrap();
    assert_eq!(visible(&sandbox.path("out")), crate::faulty::clean_run(&sandbox));
}

#[test]
fn a_file_of_another_name_but_the_same_part_names_is_encoded() {
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("a.csv"), &texts(["cat", "dog"]));
    sandbox.succeed("run --input a.csv --model tiny-bert --output out");
    write_table(&sandbox.path("a.jsonl"), &texts(["hello", "world"]));
    sandbox.succeed("run --input a.jsonl --model tiny-bert --output out");
    sandbox.succeed("run --input a.jsonl --model tiny-bert --output fresh");
    assert_eq!(sandbox.parts("out"), sandbox.parts("fresh"));
}

#[test]
fn an_output_without_its_manifest_is_started_afresh_only_on_request() {
    let sandbox = sandbox();
    sandbox.succeed(&command("out"));
    let clean = visible(&sandbox.path("out"));
    for damage in [None, Some("{\"format_version\": 99}"), Some("{")] {
        match damage {
            None => fs_err::remove_file(sandbox.path("out/_strata/manifest.json")).unwrap(),
            Some(text) => sandbox.write("out/_strata/manifest.json", text),
        }
        assert_eq!(sandbox.strata(&command("out")).output().unwrap().status.code(), Some(78), "{damage:?}");
        sandbox.succeed(&format!("{} --overwrite", command("out")));
        assert_eq!(visible(&sandbox.path("out")), clean, "{damage:?}");
    }
}

#[test]
fn a_report_goes_where_a_link_leads_and_into_what_is_no_file() {
    let sandbox = sandbox();
    fs_err::create_dir(sandbox.path("reports")).unwrap();
    sandbox.write("reports/real.json", "before");
    sandbox.link("r.json", std::path::Path::new("reports/real.json"));
    sandbox.succeed(&format!("{} --report r.json", command("out")));
    assert!(sandbox.path("r.json").is_symlink());
    assert_eq!(sandbox.report("reports/real.json")["exit_code"], 0);

    // A descriptor is written to, be it a pipe or a file that has more to say.
    sandbox.link("said", std::path::Path::new("/dev/stderr"));
    let run = format!("{} --report said", command("out"));
    let to_pipe = String::from_utf8(sandbox.succeed(&run).stderr).unwrap();
    let log = fs_err::File::create(sandbox.path("log")).unwrap();
    assert!(
        sandbox
            .strata(&run)
            .stderr(std::process::Stdio::from(log.into_parts().0))
            .status()
            .unwrap()
            .success()
    );
    let to_file = fs_err::read_to_string(sandbox.path("log")).unwrap();
    for said in [to_pipe, to_file] {
        assert!(said.contains("\"exit_code\": 0") && said.contains("already there"), "{said}");
    }
    assert!(sandbox.path("said").is_symlink());

    // Nobody reads: no run waits for that.
    assert!(std::process::Command::new("mkfifo").arg(sandbox.path("pipe")).status().unwrap().success());
    let refused = sandbox.strata(&format!("{} --report pipe", command("out"))).output().unwrap();
    assert_eq!(refused.status.code(), Some(74), "{}", String::from_utf8_lossy(&refused.stderr));
}

#[test]
fn a_report_in_memory_is_replaced_as_any_file() {
    let (sandbox, shared) = (sandbox(), tempfile::tempdir_in("/dev/shm").unwrap());
    let path = shared.path().join("r.json");
    for _ in 0..2 {
        sandbox.succeed(&format!("{} --report {}", command("out"), path.display()));
    }
    serde_json::from_slice::<serde_json::Value>(&fs_err::read(&path).unwrap()).unwrap();
}
