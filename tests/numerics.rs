//! Values are those that were recorded: whoever changes them raises `numerics` of `strata-bert`.

use std::path::PathBuf;

use arrow::array::RecordBatch;
use serde_json::Value;

use crate::support::tables::{column, names, part_paths, read_part};
use crate::support::{Sandbox, fixture, vectors};

/// The variable that has the values recorded anew.
const RECORD: &str = "STRATA_RECORD_NUMERICS";

/// How far the last digits may be off, which are the machine's own; of values beyond 1, that share.
const TOLERANCE: f32 = 1e-5;

/// Names, models and options that together use every part of the computation.
const CASES: [(&str, &str, &str); 19] = [
    ("poolings", "tiny-bert", "--layers all --pooling cls,mean,max,min,mean_max,last,pooler"),
    ("stack", "tiny-bert", "--layers 1,-1 --combine stack --normalize --special-tokens exclude"),
    ("windows", "tiny-bert", "--combine mean --layers 1,-1 --overflow window --max-length 8 --stride 2"),
    ("attentions", "tiny-bert", "--attentions"),
    ("tokens", "tiny-bert", "--unit token --layers 0,-1"),
    ("words", "tiny-bert", "--unit word --pooling first,last,mean,max,first_last"),
    ("spans", "tiny-bert", "--unit span --spans spans --pooling endpoints,mean"),
    ("pairs", "tiny-bert", "--text-pair pair"),
    ("random", "tiny-bert", "--random-weights 7 --layers all --pooling mean,pooler"),
    ("roberta", "tiny-roberta", "--layers 0,-1"),
    ("distilbert", "tiny-distilbert", "--layers 0,-1"),
    ("electra", "tiny-electra", "--layers 0,-1"),
    ("mpnet", "tiny-mpnet", "--layers 0,-1"),
    ("albert", "tiny-albert", "--layers 0,-1"),
    ("modernbert", "tiny-modernbert", "--layers 0,-1"),
    ("deberta", "tiny-deberta-v2", "--layers 0,-1"),
    ("nomic", "tiny-nomic_bert", "--layers 0,-1"),
    ("plain", "plain", "--random-weights 7 --layers all --pooling cls,mean,max,min,mean_max,last,pooler"),
    ("plain-tokens", "plain", "--random-weights 7 --unit token --layers 0,-1"),
];

const TEXTS: &str = r#"{"text": "The cat sat on the dog.", "pair": "hello world", "spans": [{"start": 4, "end": 7}, {"start": 0, "end": 23}]}
{"text": "", "pair": "cat", "spans": []}
{"text": "hello world hello world hello world", "pair": "", "spans": [{"start": 6, "end": 17}]}
{"text": "token", "pair": "the dog", "spans": [{"start": 0, "end": 5}]}
"#;

#[test]
fn values_are_those_that_were_recorded_for_these_numerics() {
    let mut changed = Vec::new();
    for (case, model, options) in CASES {
        let sandbox = Sandbox::new();
        sandbox.write("in.jsonl", TEXTS);
        sandbox.write_plain_model("plain", 32);
        let folder = if model == "plain" { sandbox.path(model) } else { fixture(model) };
        sandbox.succeed(&format!(
            "run --input in.jsonl --model {} --output out --keep none {options}",
            folder.display()
        ));
        let part = part_paths(&sandbox.path("out")).remove(0);
        let recorded = place(&sandbox, case);
        if std::env::var_os(RECORD).is_some() {
            fs_err::create_dir_all(recorded.parent().unwrap()).unwrap();
            fs_err::copy(&part, &recorded).unwrap();
        }
        let advice = format!("record the values of these numerics: {RECORD}=1 cargo test … numerics");
        assert!(recorded.exists(), "{} does not exist: {advice}", recorded.display());
        let (then, now) = (read_part(&recorded), read_part(&part));
        assert_eq!(names(&then), names(&now), "{case}");
        let differ = names(&now).into_iter().filter(|name| !is_same(&then, &now, name));
        changed.extend(differ.map(|name| format!("{case}: {name}")));
    }
    assert!(
        changed.is_empty(),
        "values have changed; if they should, raise `numerics` in crates/bert/src/lib.rs:\n{}",
        changed.join("\n")
    );
}

/// Where the values of a case are recorded, by the numerics that the output states.
fn place(sandbox: &Sandbox, case: &str) -> PathBuf {
    let manifest = fs_err::read(sandbox.path("out/_strata/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let numerics = manifest["fingerprint"]["numerics"].as_u64().unwrap();
    fixture("numerics").join(numerics.to_string()).join(format!("{case}.parquet"))
}

fn is_same(then: &RecordBatch, now: &RecordBatch, name: &str) -> bool {
    if !strata_io::is_vector(column(now, name).data_type()) {
        return column(then, name) == column(now, name);
    }
    let is_close = |(then, now): (&f32, &f32)| (then - now).abs() <= TOLERANCE * then.abs().max(1.0);
    let (then, now) = (vectors(then, name), vectors(now, name));
    then.len() == now.len()
        && then.iter().zip(&now).all(|rows| match rows {
            (Some(then), Some(now)) => then.len() == now.len() && then.iter().zip(now).all(is_close),
            (then, now) => then == now,
        })
}
