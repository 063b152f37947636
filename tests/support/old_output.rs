//! What strata 0.3.0 wrote, recorded.

use serde_json::{Value, json};

use super::{Sandbox, fixture};

/// The texts of `output-0.3.0`.
const TEXTS: &str = r#"{"id": 1, "text": "The cat sat on the dog."}
{"id": 2, "text": null}
{"id": 3, "text": "hello world"}
{"id": 4, "text": ""}
{"id": 5, "text": "token"}
"#;

/// The command that made it, in a folder `output`.
pub fn command(output: &str) -> String {
    format!(
        "run --input in.jsonl --model tiny-bert --output {output} --layers 0,-1 --rows-per-part 2 --threads 1 --progress never"
    )
}

impl Sandbox {
    /// A sandbox with what [`command`] needs.
    pub fn of_old_output() -> Self {
        let sandbox = Self::new();
        sandbox.write("in.jsonl", TEXTS);
        sandbox
    }

    /// Writes the recorded output, with the notes and the lock that a run on this machine would have left.
    pub fn write_old_output(&self, output: &str) {
        fs_err::create_dir(self.path(output)).unwrap();
        for entry in fs_err::read_dir(fixture("output-0.3.0")).unwrap() {
            let path = entry.unwrap().path();
            fs_err::copy(&path, self.path(output).join(path.file_name().unwrap())).unwrap();
        }
        let options = json!({
            "input": {"paths": [self.path("in.jsonl")]},
            "model": {"path": self.path("tiny-bert")},
            "features": {"layers": "0,-1"},
            "output": {"path": self.path(output), "rows_per_part": 2},
            "run": {"threads": 1},
        });
        let notes = json!({"files": {}, "tables": {}, "memory": {"options": options}});
        self.write(&format!("{output}/.strata.notes.json"), notes.to_string());
        self.write(&format!("{output}/.strata.lock"), "");
    }

    /// Changes the manifest of an old output.
    pub fn change_old_manifest(&self, output: &str, change: impl FnOnce(&mut Value)) {
        let path = self.path(output).join("manifest.json");
        let mut manifest = serde_json::from_slice(&fs_err::read(&path).unwrap()).unwrap();
        change(&mut manifest);
        fs_err::write(path, manifest.to_string()).unwrap();
    }
}
