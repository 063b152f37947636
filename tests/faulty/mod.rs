//! The program on a file system that misbehaves where a test wants it to: the real binary, with a shim
//! between it and the C library. A job small enough to be run hundreds of times.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use strata_io::{Manifest, OutputFolder, PartFile, blake3_file};

use crate::support::{Sandbox, repository, texts, write_table};

/// What happens at a step.
#[derive(Debug, Clone, Copy)]
pub enum Fault {
    /// The process dies; of a write, half is done.
    Kill,
    /// SIGTERM comes.
    Term,
    /// The call fails with this `errno`.
    Error(i32),
    /// From this call on, all fail with this `errno`.
    Errors(i32),
    /// The call waits until the file `gate` of the sandbox is gone.
    Wait,
}

/// A step of a run: its call and the file, named relative to the output.
pub type Step = (String, String);

/// A command that writes to `output`, over three files of several formats and eight parts; without libtorch, whose start
/// would take most of its time.
pub fn command(output: &str) -> String {
    format!("{} --device flex", command_of("tiny-bert", output))
}

/// The same, of another model, where it would be computed by itself.
pub fn command_of(model: &str, output: &str) -> String {
    format!(
        "run --input in --model {model} --output {output} --layers 0,-1 --rows-per-part 4 --threads 1 --progress never"
    )
}

/// A sandbox with the inputs of [`command`].
pub fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    fs_err::create_dir(sandbox.path("in")).unwrap();
    for (name, rows) in [("a.parquet", 13), ("b.csv", 5), ("c.jsonl", 7)] {
        let values: Vec<String> =
            (0..rows).map(|row| format!("the cat {}", "sat ".repeat(row % 5))).collect();
        write_table(&sandbox.path("in").join(name), &texts(values.iter().map(String::as_str)));
    }
    sandbox
}

/// The visible files of an output that nothing disturbed.
pub fn clean_run(sandbox: &Sandbox) -> BTreeMap<String, Vec<u8>> {
    sandbox.succeed(&command("clean"));
    visible(&sandbox.path("clean"))
}

/// The files of an output that count, by their path in it, with their bytes: all parts, the manifest and
/// the marker.
pub fn visible(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let output = OutputFolder::new(folder);
    let named = |path: &Path| {
        let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
        Some((name, fs_err::read(path).ok()?))
    };
    let parts = listing(&output.data());
    let others = [output.manifest(), output.marker()];
    parts.iter().chain(&others).filter_map(|path| named(path)).collect()
}

/// The paths of what is in a folder, if it is there.
fn listing(folder: &Path) -> Vec<PathBuf> {
    fs_err::read_dir(folder)
        .map_or_else(|_| Vec::new(), |entries| entries.map(|e| e.unwrap().path()).collect())
}

/// Temporary files in an output, and what is beside the marker but no folder of its own.
pub fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let is_temporary = |path: &PathBuf| path.to_str().unwrap().ends_with(".partial");
    let is_unknown =
        |path: &PathBuf| !["data", "_strata", "_SUCCESS"].map(|name| folder.join(name)).contains(path);
    let temporary = listing(&folder.join("_strata")).into_iter().filter(is_temporary);
    temporary.chain(listing(folder).into_iter().filter(is_unknown)).collect()
}

/// Whatever has happened: every visible part reads to its end, the manifest is understood and speaks
/// the truth, and the marker stands only on a whole output.
pub fn assert_sound(folder: &Path, clean: &BTreeMap<String, Vec<u8>>) {
    if !folder.exists() {
        return;
    }
    let files = visible(folder);
    for name in files.keys().filter(|name| name.starts_with("data/")) {
        let part = PartFile::open(&folder.join(name)).unwrap();
        let columns: Vec<String> = part.schema.fields().iter().map(|field| field.name().clone()).collect();
        part.read(&columns, 0..part.rows).unwrap().for_each(|batch| drop(batch.unwrap()));
    }
    assert_true_to_its_word(folder);
    if files.contains_key("_SUCCESS") {
        assert_eq!(&files, clean);
    }
}

/// Every part that the manifest of an output names has the bytes that it should have.
pub fn assert_true_to_its_word(folder: &Path) {
    let output = OutputFolder::new(folder);
    let manifest = Manifest::load(&output).unwrap();
    for (name, record) in manifest.iter().flat_map(|manifest| &manifest.parts) {
        assert_eq!(blake3_file(&output.find_part(name)).unwrap(), record.blake3, "{name}");
    }
}

/// The same command again must give what an undisturbed run gives, byte for byte, and leave nothing
/// else behind.
pub fn assert_resumes(sandbox: &Sandbox, output: &str, clean: &BTreeMap<String, Vec<u8>>) {
    sandbox.succeed(&command(output));
    let files = visible(&sandbox.path(output));
    assert_eq!(files.keys().collect::<Vec<_>>(), clean.keys().collect::<Vec<_>>());
    assert_eq!(&files, clean);
    let records = listing(&sandbox.path(output).join("_strata/parts"));
    let left = [leftovers(&sandbox.path(output)), records].concat();
    assert!(left.is_empty(), "{left:?}");
}

impl Sandbox {
    /// A command that meets `fault` at a step of what it does below `output`.
    pub fn faulty(&self, arguments: &str, output: &str, step: usize, fault: Fault) -> Command {
        let (kind, errno) = match fault {
            Fault::Kill => ("kill", 0),
            Fault::Term => ("term", 0),
            Fault::Error(errno) => ("error", errno),
            Fault::Errors(errno) => ("errors", errno),
            Fault::Wait => ("wait", 0),
        };
        let mut command = self.strata(arguments);
        command.env("LD_PRELOAD", shim()).env("FAULT_FOLDER", output).env("FAULT_GATE", self.path("gate"));
        command
            .env("FAULT_AT", step.to_string())
            .env("FAULT_KIND", kind)
            .env("FAULT_ERRNO", errno.to_string());
        command
    }

    /// The steps of an undisturbed run of a command that writes to `output`.
    pub fn steps(&self, arguments: &str, output: &str) -> Vec<Step> {
        let log = self.path(&format!("{output}.steps"));
        let mut command = self.strata(arguments);
        command.env("LD_PRELOAD", shim()).env("FAULT_FOLDER", output).env("FAULT_LOG", &log);
        let run = command.output().unwrap();
        assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
        let parse = |line: &str| {
            let mut words = line.splitn(3, ' ').skip(1);
            let (call, path) = (words.next().unwrap(), words.next().unwrap());
            let name = path.rsplit_once(output).unwrap().1.trim_start_matches('/');
            (call.to_owned(), name.to_owned())
        };
        fs_err::read_to_string(log).unwrap().lines().map(parse).collect()
    }
}

/// Starts a command without waiting for it.
pub fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Sends a signal, by its name.
pub fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").arg(format!("-{signal}")).arg(child.id().to_string()).status().unwrap();
    assert!(sent.success());
}

/// How often the run is killed; `make torture` asks for more.
pub fn kills() -> usize {
    std::env::var("STRATA_TEST_KILLS")
        .ok()
        .map_or(50, |text| text.parse().expect("STRATA_TEST_KILLS is a number"))
}

/// Kills a process that has not ended by itself.
pub fn kill_if_alive(run: &mut Child) {
    if run.try_wait().unwrap().is_none() {
        send(run, "KILL");
    }
}

/// From 0 to 1, different in every run.
pub fn random() -> f64 {
    RandomState::new().hash_one(0) as f64 / u64::MAX as f64
}

/// Waits until `what` holds; fails after a minute.
pub fn wait_until(what: impl Fn() -> bool) {
    let start = Instant::now();
    while !what() {
        assert!(start.elapsed() < Duration::from_secs(60), "waited in vain");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What a command said on stderr.
pub fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Does something for every item, on two threads.
pub fn side_by_side<T: Sync>(items: &[T], action: impl Fn(&T) + Sync) {
    std::thread::scope(|scope| {
        for half in 0..2 {
            let action = &action;
            scope.spawn(move || items.iter().skip(half).step_by(2).for_each(action));
        }
    });
}

/// The compiled shim.
fn shim() -> &'static Path {
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    SHIM.get_or_init(|| {
        let library = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("shim-{}.so", std::process::id()));
        let source = repository().join("tests/faulty/shim.c");
        let mut compiler = Command::new("cc");
        let built =
            compiler.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").status();
        assert!(built.is_ok_and(|status| status.success()), "cc cannot build tests/faulty/shim.c");
        library
    })
}
