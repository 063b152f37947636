//! A folder to run `strata` in, and ways to write its inputs and to read its outputs.

pub mod hub;
pub mod models;
pub mod old_output;
pub mod reference;
pub mod tables;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub use tables::{read_output, texts, vectors, write_table};

/// What differs from run to run or from build to build: times and rates, sizes that follow the version of a
/// codec, who holds a lock, and libtorch's version.
pub const FILTERS: [(&str, &str); 7] = [
    (r"\d+\.\d seconds, [\d,]+ rows/s, [\d,]+ tokens/s", "[TIME], [RATE] rows/s, [RATE] tokens/s"),
    (r"\d+\.\d+ KiB", "[SIZE]"),
    (r"by process \d+ since [-\d:TZ+]+", "by process [PID] since [TIME]"),
    (r"[0-9a-f]{64}", "[HASH]"),
    (r"libtorch: \S+", "libtorch: [VERSION]"),
    (r"127\.0\.0\.1:\d+", "[HUB]"),
    // Norms and extremes: the last digits are the machine's own.
    (r"(-?\d+\.\d\d)\d\d\b", "$1.."),
];

/// Snapshots exit code, stdout and stderr of a command line.
macro_rules! assert_strata {
    ($sandbox:expr, $arguments:expr, @$snapshot:literal) => {
        insta::with_settings!({filters => $crate::support::FILTERS.to_vec()}, {
            insta_cmd::assert_cmd_snapshot!($sandbox.strata($arguments), @$snapshot)
        })
    };
}

/// Snapshots a command line that must leave every file and folder as it was.
macro_rules! assert_refused {
    ($sandbox:expr, $arguments:expr, @$snapshot:literal) => {
        let sandbox: &$crate::support::Sandbox = &$sandbox;
        let before = sandbox.tree();
        $crate::support::assert_strata!(sandbox, $arguments, @$snapshot);
        assert_eq!(sandbox.tree(), before, "a refused run must change nothing");
    };
}

pub(crate) use {assert_refused, assert_strata};

/// A fixture model, by name.
pub fn fixture(name: &str) -> PathBuf {
    repository().join("tests/fixtures").join(name)
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    fs_err::canonicalize(concat!(env!("CARGO_MANIFEST_DIR"), "/../..")).unwrap()
}

/// What `make setup` puts in place, by its path below the root.
pub fn set_up(path: &str) -> PathBuf {
    let found = repository().join(path);
    assert!(found.exists(), "{} does not exist: run `make setup`", found.display());
    found
}

/// The command line of a run over `in.parquet` with the model `tiny-bert`, and what follows.
pub fn run(options: &str) -> String {
    format!("run --input in.parquet --model tiny-bert --output out {options}")
}

/// A folder of its own for each test, in which `tiny-bert` is the fixture model. Commands run
/// inside, so that every path they are given and print is relative.
pub struct Sandbox {
    folder: TempDir,
    environment: BTreeMap<&'static str, String>,
}

impl Sandbox {
    pub fn new() -> Self {
        let folder = tempfile::Builder::new().prefix("strata-test-").tempdir().unwrap();
        let sandbox = Self { folder, environment: BTreeMap::new() };
        sandbox.link("tiny-bert", &fixture("tiny-bert"));
        sandbox
    }

    /// A sandbox whose `in.parquet` has a column `text` of these.
    pub fn with_texts<'a>(values: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> Self {
        let sandbox = Self::new();
        write_table(&sandbox.path("in.parquet"), &texts(values));
        sandbox
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn link(&self, name: &str, target: &Path) {
        fs_err::os::unix::fs::symlink(target, self.path(name)).unwrap();
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        fs_err::write(self.path(name), content).unwrap();
    }

    /// A command in this folder; arguments are separated by spaces.
    pub fn strata(&self, arguments: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strata"));
        command.args(arguments.split_whitespace()).current_dir(self.folder.path());
        command.env_clear().env("NO_COLOR", "1").env("COLUMNS", "100");
        // Nobody's own cache of models.
        command.env("HF_HOME", "hf").envs(&self.environment);
        command
    }

    /// Sets a variable for the commands to come; an empty one counts as unset.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        self.environment.insert(name, value.into());
    }

    /// Runs a command that must succeed.
    pub fn succeed(&self, arguments: &str) -> Output {
        let output = self.strata(arguments).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "strata {arguments}: {}\n{stderr}", output.status);
        output
    }

    /// Every path below this folder with the hash of its content, none for a folder. What locks
    /// leave behind does not count.
    pub fn tree(&self) -> BTreeMap<PathBuf, Option<String>> {
        let mut tree = BTreeMap::new();
        let mut folders = vec![self.folder.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in fs_err::read_dir(&folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path.clone());
                }
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                if !name.starts_with(".strata.") && !name.ends_with("lock") && !name.starts_with("lock.") {
                    tree.insert(path.clone(), strata_io::blake3_file(&path).ok());
                }
            }
        }
        tree
    }

    /// The parts of an output by name, with their bytes.
    pub fn parts(&self, output: &str) -> BTreeMap<String, Vec<u8>> {
        let paths = tables::part_paths(&self.path(output)).into_iter();
        let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
        paths.map(|path| (name(&path), fs_err::read(&path).unwrap())).collect()
    }

    /// The figures that a run wrote with `--report`.
    pub fn report(&self, name: &str) -> serde_json::Value {
        serde_json::from_slice(&fs_err::read(self.path(name)).unwrap()).unwrap()
    }
}
