//! `strata probe`: what is found, what is refused, and the files that say it.

mod files;
mod questions;
mod refusals;

use serde_json::{Value, json};

use crate::support::Sandbox;

const NOUNS: [&str; 6] = ["cat", "dog", "bird", "fish", "tree", "house"];
const VERBS: [&str; 4] = ["sees", "likes", "was", "runs"];

/// Sentences of three words with a document, a class that their noun decides, and whatever `more` adds, drawn from a
/// seed.
pub fn sentences(rows: usize, more: impl Fn(usize) -> Value) -> String {
    let mut state = 11_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut lines = String::new();
    for row in 0..rows {
        let (noun, verb) = (next(NOUNS.len()), next(VERBS.len()));
        let text = format!("the {} {}", NOUNS[noun], VERBS[verb]);
        let mut line = json!({
            "text": text,
            "kind": if noun < 4 { "animal" } else { "thing" },
            "length": text.len() as f64 / 2.0,
            "document": format!("d{}", row / 5),
        });
        if let (Value::Object(line), Value::Object(more)) = (&mut line, more(row)) {
            line.extend(more);
        }
        lines += &format!("{line}\n");
    }
    lines
}

/// A sandbox with vectors of all layers of such sentences, in `vectors`.
pub fn with_vectors(rows: usize, more: impl Fn(usize) -> Value) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.write("in.jsonl", sentences(rows, more));
    sandbox
        .succeed("run --input in.jsonl --model tiny-bert --layers all --rows-per-part 90 --output vectors");
    sandbox
}

/// What a probe that must succeed prints as JSON.
pub fn report(sandbox: &Sandbox, options: &str) -> Value {
    let output = sandbox.succeed(&format!("probe vectors {options} --json --progress never"));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A figure of a column.
pub fn figure(report: &Value, column: &str, name: &str) -> f64 {
    let columns = report["columns"].as_array().unwrap();
    let column = columns.iter().find(|found| found["column"] == column).unwrap();
    let found = &column[name];
    found["value"].as_f64().or(found.as_f64()).unwrap_or_else(|| panic!("no {name}: {column}"))
}
