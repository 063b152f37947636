//! What `strata run` does, from a program: the texts of a file to an output folder.
//!
//! `cargo run --release --workspace --example folder -- FILE COLUMN MODEL_FOLDER OUTPUT_FOLDER`
#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use strata_featurize::{Consent, Error, Job, Outcome, Settings, Watch, run};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, column, model, output] = arguments.as_slice() else {
        return Err("expected a file, a column, the folder of a model and that of the output".into());
    };
    let outcome = featurize(file, column, model, output)?;
    println!("{} parts made, {} kept", outcome.done.parts, outcome.parts_kept);
    Ok(())
}

fn featurize(file: &str, column: &str, model: &str, output: &str) -> Result<Outcome, Error> {
    let mut settings = Settings::new(vec![file.to_owned()], column, model, output)?;
    settings.features.layers = "0,-1".parse()?;
    let job = Job::prepare(settings)?;
    let mut outcome = Outcome::default();
    run(&job, Consent::default(), Value::Null, &Progress::default(), &mut outcome)?;
    Ok(outcome)
}

/// Prints how many rows are encoded.
#[derive(Default)]
struct Progress(AtomicU64);

impl Watch for Progress {
    fn advance(&self, rows: u64, _tokens: u64) {
        println!("{} rows", self.0.fetch_add(rows, Ordering::Relaxed) + rows);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_made_once_and_kept_then() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs_err::write(place("texts.csv"), "id,text\n1,The cat sat.\n2,\n").unwrap();
        let model = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/fixtures/tiny-bert");
        let made = || {
            let outcome = featurize(&place("texts.csv"), "text", model, &place("out")).unwrap();
            (outcome.done.parts, outcome.parts_kept, outcome.is_whole)
        };
        assert_eq!(made(), (1, 0, true));
        assert_eq!(made(), (0, 1, true));
    }
}
