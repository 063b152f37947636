//! The report's files, and the pipeline file that asks for them.

use std::process::Command;
use std::time::Duration;

use polars::prelude::{ParquetReader, SerReader};
use serde_json::{Value, json};

use super::with_vectors;
use crate::faulty::{send, start};
use crate::support::{Sandbox, assert_refused, assert_strata};

const FILES: [&str; 12] = [
    "cka.png",
    "cka.svg",
    "code.png",
    "code.svg",
    "confusion.png",
    "confusion.svg",
    "layers.png",
    "layers.svg",
    "report.html",
    "report.json",
    "report.md",
    "report.parquet",
];

fn files(sandbox: &Sandbox, folder: &str) -> Vec<String> {
    let entries = fs_err::read_dir(sandbox.path(folder)).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn read(sandbox: &Sandbox, name: &str) -> String {
    fs_err::read_to_string(sandbox.path(name)).unwrap()
}

#[test]
fn a_report_is_text_json_parquet_markdown_html_and_pictures_of_the_same_figures() {
    let sandbox = with_vectors(120, |_| json!({}));
    assert_strata!(sandbox, "probe vectors --label kind --group document --seeds 2 --resamples 40 --output report --progress never", @r"
    success: true
    exit_code: 0
    ----- stdout -----
    kind by linear probes of vectors
    120 rows, split by document into 80 to learn from, 15 for development, 25 for the test; 2 seeds
      column        accuracy            95 %  macro-F1  kbit  0.600 to 1
      layer_0_mean     1.000  1.000 to 1.000     1.000  0.01  ████████████████████████  best
      layer_1_mean     1.000  1.000 to 1.000     1.000  0.04  ████████████████████████
      layer_2_mean     1.000  1.000 to 1.000     1.000  0.04  ████████████████████████
      layer_3_mean     1.000  1.000 to 1.000     1.000  0.03  ████████████████████████
      layer_4_mean     1.000  1.000 to 1.000     1.000  0.03  ████████████████████████
    the most frequent class: 0.600 (0.400 to 0.767)
    all layers together, mean, learned from 80 rows of the first seed: 1.000 (1.000 to 1.000) (weights 0: 0.882, 1: 0.026, 2: 0.049, 3: 0.014, 4: 0.029)

    ----- stderr -----
    note: the test of seed 0 has 5 groups (`document`), which is few for an interval
    note: the test of seed 1 has 5 groups (`document`), which is few for an interval
    the report is in report
    ");
    assert_eq!(files(&sandbox, "report"), FILES);
    let json: Value = serde_json::from_str(&read(&sandbox, "report/report.json")).unwrap();
    let columns = json["columns"].as_array().unwrap();
    assert_eq!(json["provenance"]["vectors"]["fingerprint"]["settings"]["unit"], "row");

    let file = fs_err::File::open(sandbox.path("report/report.parquet")).unwrap().into_file();
    let table = ParquetReader::new(file).finish().unwrap();
    assert_eq!(table.height(), columns.len());
    let scores: Vec<f64> = table.column("score").unwrap().f64().unwrap().into_no_null_iter().collect();
    let expected: Vec<f64> =
        columns.iter().map(|column| column["score"]["value"].as_f64().unwrap()).collect();
    assert_eq!(scores, expected);
    let bytes = fs_err::read(sandbox.path("report/report.parquet")).unwrap();
    assert!(bytes.windows(12).any(|window| window == b"strata.probe"), "the provenance is in the file");

    let (markdown, page) = (read(&sandbox, "report/report.md"), read(&sandbox, "report/report.html"));
    for column in columns {
        let score = format!("{:.3}", column["score"]["value"].as_f64().unwrap());
        assert!(markdown.contains(&score) && page.contains(&score), "{score}");
    }
    for file in ["layers.svg", "code.svg", "confusion.svg", "cka.svg"] {
        assert!(markdown.contains(&format!("]({file})")), "{file}");
    }
    // Nothing of the page is elsewhere.
    assert_eq!(page.matches("<svg").count(), 4);
    assert!(
        !page.contains("http://")
            || page.matches("http://").count() == page.matches("http://www.w3.org").count()
    );
    assert!(!page.contains("<script") && !page.contains("<link") && !page.contains("src="));
    for name in FILES.iter().filter(|name| name.ends_with(".png")) {
        let bytes = fs_err::read(sandbox.path("report").join(name)).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n\x1a\n") && bytes.len() > 2000, "{name}");
    }
}

#[test]
fn a_report_takes_the_place_of_an_earlier_one_and_of_nothing_else() {
    let sandbox = with_vectors(80, |_| json!({}));
    let ask = |label: &str| {
        sandbox.succeed(&format!("probe vectors --label {label} --seeds 1 --resamples 5 --output a/report"))
    };
    ask("length");
    assert!(!files(&sandbox, "a/report").contains(&"confusion.svg".to_owned()));
    ask("kind");
    assert_eq!(files(&sandbox, "a/report"), FILES);
    assert_eq!(files(&sandbox, "a"), ["report"]);
    fs_err::create_dir(sandbox.path("mine")).unwrap();
    sandbox.write("mine/thesis.tex", "do not lose me");
    // Other programs have a report.json, too; and somebody may have put something beside ours.
    sandbox.write("mine/report.json", "{\"tests\": 3}");
    fs_err::create_dir(sandbox.path("theirs")).unwrap();
    sandbox.write("theirs/report.json", "{\"tests\": 3}");
    sandbox.write("a/report/notes.txt", "mine");
    for folder in ["theirs", "a/report", "."] {
        let before = sandbox.tree();
        let ended =
            sandbox.strata(&format!("probe vectors --label kind --output {folder}")).output().unwrap();
        assert_eq!(ended.status.code(), Some(78), "{folder}: {}", String::from_utf8_lossy(&ended.stderr));
        assert_eq!(sandbox.tree(), before);
    }
    assert_refused!(sandbox, "probe vectors --label kind --output mine", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: mine holds something else than a report
    hint: name a new folder with --output, or one of an earlier report, which is replaced
    ");
}

#[test]
fn names_with_markup_are_text_in_every_file() {
    let name = "<b>&\"x\"|*y*_</b>";
    let sandbox = with_vectors(80, |row| json!({"odd": if row % 2 == 0 { name } else { "plain" }}));
    sandbox.succeed("probe vectors --label odd --seeds 1 --resamples 5 --output report");
    let page = read(&sandbox, "report/report.html");
    assert!(!page.contains("<b>") && page.contains("&lt;b&gt;&amp;"), "{page}");
    let picture = read(&sandbox, "report/confusion.svg");
    assert!(!picture.contains("<b>"), "{picture}");
    // Nothing that XML cannot say stops a report.
    let sandbox =
        with_vectors(80, |row| json!({"odd": if row % 2 == 0 { "a\u{1b}[1m\u{b}" } else { "\u{ffff}" }}));
    sandbox.succeed("probe vectors --label odd --seeds 1 --resamples 5 --output report");
}

#[test]
fn a_pipeline_file_asks_as_the_command_line_does() {
    let sandbox = with_vectors(80, |_| json!({}));
    sandbox.write(
        "probe.toml",
        "[probe]\nvectors = \"vectors\"\nlabel = \"kind\"\ncolumns = [\"layer_1_mean\"]\nseeds = 1\nresamples = 5\noutput = \"report\"\n",
    );
    sandbox.succeed("probe probe.toml");
    let json: Value = serde_json::from_str(&read(&sandbox, "report/report.json")).unwrap();
    assert_eq!(
        (json["best"].clone(), json["question"]["label"].clone()),
        (json!("layer_1_mean"), json!("kind"))
    );
    sandbox.succeed("probe probe.toml --label length --output other");
    let json: Value = serde_json::from_str(&read(&sandbox, "other/report.json")).unwrap();
    assert_eq!(json["question"]["label"], "length");
    sandbox.write("bad.toml", "[probe]\nlable = \"kind\"\n");
    assert_refused!(sandbox, "probe bad.toml", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: bad.toml: `probe.lable` is not an option
    hint: did you mean `probe.label`? `strata probe --help` lists all options
    ");
}

#[test]
fn a_signal_ends_a_probe_and_leaves_nothing_behind() {
    let sandbox = with_vectors(400, |_| json!({}));
    let probe =
        start(&mut sandbox.strata("probe vectors --label kind --seeds 200 --resamples 2000 --output report"));
    std::thread::sleep(Duration::from_millis(700));
    send(&probe, "INT");
    let ended = probe.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(130), "{stderr}");
    assert!(stderr.contains("interrupted by SIGINT; nothing was written"), "{stderr}");
    assert!(!sandbox.path("report").exists());
    let left: Vec<String> =
        files(&sandbox, ".").into_iter().filter(|name| name.starts_with(".strata")).collect();
    assert_eq!(left, Vec::<String>::new());
}

/// Skips, and says so, where there is no browser.
#[test]
#[expect(clippy::print_stdout, reason = "whoever reads the log of a test should see that it was skipped")]
fn a_browser_shows_the_page_by_day_and_by_night() {
    let browsers = ["chromium", "chromium-browser", "google-chrome"];
    let is_there = |name: &&str| {
        Command::new(name).arg("--version").output().is_ok_and(|output| output.status.success())
    };
    let Some(browser) = browsers.into_iter().find(is_there) else {
        println!("skipped: there is no Chromium on this machine");
        return;
    };
    let sandbox = with_vectors(80, |_| json!({}));
    sandbox.succeed("probe vectors --label kind --seeds 1 --resamples 5 --output report");
    let page = format!("file://{}", sandbox.path("report/report.html").display());
    let show = |more: &[&str]| {
        let mut command = Command::new(browser);
        command.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
        ]);
        command.args([
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-quic",
        ]);
        command.arg(format!("--user-data-dir={}", sandbox.path("browser").display()));
        command.args(["--window-size=1000,2400", "--enable-logging=stderr"]).args(more).arg(&page);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        output
    };
    let shown = show(&["--dump-dom"]);
    let dom = String::from_utf8_lossy(&shown.stdout);
    let json: Value = serde_json::from_str(&read(&sandbox, "report/report.json")).unwrap();
    let best = json["best"].as_str().unwrap();
    assert!(dom.contains(&format!("<code>{best}</code>")) && dom.matches("<svg").count() == 4, "{dom}");
    let log = String::from_utf8_lossy(&shown.stderr).into_owned();
    assert!(!log.contains("CONSOLE"), "{log}");
    let picture = |name: &str, more: &str| {
        let place = sandbox.path(name);
        show(&[&format!("--screenshot={}", place.display()), more]);
        fs_err::read(place).unwrap()
    };
    let day = picture("day.png", "--blink-settings=preferredColorScheme=1");
    let night = picture("night.png", "--blink-settings=preferredColorScheme=0");
    assert!(day.len() > 20_000 && night.len() > 20_000 && day != night);
}
