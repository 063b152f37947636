//! What is found: planted truths, chance, classes and numbers, words, splits, other outputs.

use serde_json::{Value, json};

use super::{figure, report, sentences, with_vectors};
use crate::support::{Sandbox, fixture, read_output, vectors};

const LAYERS: [&str; 5] = ["layer_0_mean", "layer_1_mean", "layer_2_mean", "layer_3_mean", "layer_4_mean"];

#[test]
fn a_label_that_is_linear_in_one_layer_is_found_there_and_a_random_one_nowhere() {
    let texts = |row: usize| {
        // Texts that differ, so that vectors do.
        let word = |place: usize| {
            ["cat", "dog", "the", "a", "was", "bird", "tree"][(row * 31 + place * place * 7 + row / 7) % 7]
        };
        (0..3 + row % 9).map(word).collect::<Vec<_>>().join(" ")
    };
    let sandbox = Sandbox::new();
    let write = |label: &dyn Fn(usize) -> Value| {
        let line = |row: usize| {
            format!(
                "{}\n",
                json!({"text": texts(row), "label": label(row), "coin": row * 2_654_435_761 % 97 % 2, "score": label(row)})
            )
        };
        sandbox.write("in.jsonl", (0..700).map(line).collect::<String>());
    };
    write(&|row| json!(row as f64 + 0.5));
    sandbox.succeed("run --input in.jsonl --model tiny-bert --layers all --output first");
    let layer = vectors(&read_output(&sandbox.path("first")), "layer_3_mean");
    let along = |row: usize| {
        let values = layer[row].as_ref().unwrap();
        values
            .iter()
            .enumerate()
            .map(|(place, value)| f64::from(*value) * ((place * 7 % 5) as f64 - 2.0))
            .sum::<f64>()
    };
    let all: Vec<f64> = (0..700).map(along).collect();
    write(&|row| json!(all[row]));
    sandbox.succeed("run --input in.jsonl --model tiny-bert --layers all --output vectors");

    let found = report(&sandbox, "--label score");
    assert_eq!(found["best"], "layer_3_mean", "{found}");
    let own = figure(&found, "layer_3_mean", "score");
    assert!(own > 0.999, "{own}");
    for other in LAYERS.iter().filter(|layer| **layer != "layer_3_mean") {
        assert!(figure(&found, other, "score") < own - 0.005, "{other}: {found}");
    }
    assert_eq!((&found["question"]["task"], &found["question"]["score"]), (&json!("numbers"), &json!("R²")));
    assert!(figure(&found, "layer_3_mean", "second") > 0.999);

    let chance = report(&sandbox, "--label coin");
    for layer in LAYERS {
        let column = chance["columns"].as_array().unwrap().iter().find(|c| c["column"] == layer).unwrap();
        let (low, high) =
            (column["score"]["low"].as_f64().unwrap(), column["score"]["high"].as_f64().unwrap());
        let majority = chance["baselines"]["majority"]["high"].as_f64().unwrap();
        assert!(low < majority && low < 0.52 && high < 0.65, "{column}");
    }
}

#[test]
fn classes_numbers_and_names_are_told_by_their_types_unless_somebody_says_otherwise() {
    let sandbox = with_vectors(200, |row| json!({"number": row % 3, "ten": format!("{}", row % 12)}));
    let task = |options: &str| {
        report(&sandbox, &format!("{options} --seeds 1 --resamples 10"))["question"]["task"].clone()
    };
    assert_eq!((task("--label kind"), task("--label length")), (json!("classes"), json!("numbers")));
    assert_eq!(
        (task("--label number"), task("--label number --task numbers")),
        (json!("classes"), json!("numbers"))
    );
    let found = report(&sandbox, "--label ten --seeds 1 --resamples 10");
    let names: Vec<&str> = found["rows"]["classes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|class| class["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"]);
}

#[test]
fn what_a_sentence_says_is_known_to_its_layers_and_to_no_random_weights_less_often_than_chance() {
    let sandbox = with_vectors(300, |_| json!({}));
    sandbox.succeed("run --input in.jsonl --model tiny-bert --layers all --random-weights 3 --output random");
    let found = report(&sandbox, "--label kind --group document --control random --compare random");
    // The noun is there to be read.
    assert!(figure(&found, "layer_0_mean", "score") > 0.99, "{found}");
    let control = figure(&found, "layer_0_mean", "control");
    assert!((0.5..=1.0).contains(&control));
    assert_eq!(found["question"]["grouped_by"], "document");
    assert_eq!(found["rows"]["groups"], 60);
    let own = found["cka"]["own"].as_array().unwrap();
    for (place, row) in own.iter().enumerate() {
        assert!((row[place].as_f64().unwrap() - 1.0).abs() < 1e-6);
    }
    let others: Vec<&Value> =
        found["cka"]["others"].as_array().unwrap().iter().map(|o| &o["output"]).collect();
    assert_eq!(others, ["control", "compare"]);
    let weights = found["mixes"][0]["weights"].as_array().unwrap();
    let sum: f64 = weights.iter().map(|of| of["weight"].as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-9 && weights.len() == 5);
    // Bits of a code that learns are fewer than of one that knows the classes alone.
    let code = &found["columns"][0]["code"];
    assert!(code["bits"].as_f64().unwrap() < 0.6 * code["uniform"].as_f64().unwrap(), "{code}");
}

#[test]
fn words_are_probed_by_what_was_aligned_and_their_types_have_a_control_task() {
    let sandbox = Sandbox::new();
    let lines: String = sentences(260, |_| json!({}))
        .lines()
        .map(|line| {
            let row: Value = serde_json::from_str(line).unwrap();
            let words: Vec<&str> = row["text"].as_str().unwrap().split(' ').collect();
            format!(
                "{}\n",
                json!({"words": words, "tag": ["DET", "NOUN", "VERB"], "document": row["document"]})
            )
        })
        .collect();
    sandbox.write("in.jsonl", lines);
    sandbox.succeed(
        "run --input in.jsonl --model tiny-bert --layers 0,-1 --unit word --words words --align tag --keep document --output vectors",
    );
    let found = report(&sandbox, "--label tag --group document");
    assert!(figure(&found, "layer_0_mean", "score") > 0.999);
    assert_eq!(found["question"]["typed_by"], "word");
    let by_type = found["baselines"]["by_type"]["value"].as_f64().unwrap();
    assert_eq!(by_type, 1.0);
    let (task, selectivity) =
        (figure(&found, "layer_0_mean", "control_task"), figure(&found, "layer_0_mean", "selectivity"));
    let score = figure(&found, "layer_0_mean", "score");
    assert!((score - task - selectivity).abs() < 1e-9);
    // Without a group, words of a sentence are on one side.
    let found = report(&sandbox, "--label tag --seeds 1 --resamples 10");
    assert_eq!(
        (&found["question"]["grouped_by"], &found["rows"]["groups"]),
        (&json!("input row"), &json!(260))
    );
}

#[test]
fn classes_have_the_names_that_datasets_gives_them() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::Metadata;

    use crate::support::{tables::table, write_table};

    let sandbox = Sandbox::new();
    let texts: StringArray = (0..120).map(|row| Some(["the cat", "a tree was"][row % 2])).collect();
    let labels: Int64Array = (0..120).map(|row| Some(row % 2)).collect();
    let plain = table([("text", Arc::new(texts) as ArrayRef), ("label", Arc::new(labels))]);
    let label = json!({"names": ["neg", "pos"], "_type": "ClassLabel"});
    let features =
        json!({"info": {"features": {"text": {"dtype": "string", "_type": "Value"}, "label": label}}});
    let schema = plain
        .schema()
        .as_ref()
        .clone()
        .with_metadata(Metadata::from_iter([("huggingface".to_owned(), features.to_string())]));
    write_table(&sandbox.path("in.parquet"), &plain.with_schema(schema.into()).unwrap());
    sandbox.succeed("run --input in.parquet --model tiny-bert --output vectors");
    let found = report(&sandbox, "--label label --seeds 1 --resamples 10");
    assert_eq!(found["rows"]["classes"], json!([{"name": "neg", "rows": 60}, {"name": "pos", "rows": 60}]));
    // Both texts are on both sides.
    let notes = found["notes"].to_string();
    assert!(notes.contains("120 rows have a text that others have too"), "{notes}");
}

#[test]
fn a_number_without_a_name_is_no_label_and_files_that_name_classes_differently_are_refused() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Int64Array, StringArray};
    use arrow::datatypes::Metadata;

    use crate::support::{tables::table, write_table};

    let sandbox = Sandbox::new();
    let write = |file: &str, names: [&str; 2]| {
        let texts: StringArray =
            (0..90).map(|row| Some(["the cat", "a tree was", "a dog"][row % 3])).collect();
        let labels: Int64Array = (0..90).map(|row| Some(row % 3 - 1)).collect();
        let plain = table([("text", Arc::new(texts) as ArrayRef), ("label", Arc::new(labels))]);
        let label = json!({"names": names, "_type": "ClassLabel"});
        let features = json!({"info": {"features": {"label": label}}});
        let metadata = Metadata::from_iter([("huggingface".to_owned(), features.to_string())]);
        let schema = plain.schema().as_ref().clone().with_metadata(metadata);
        write_table(&sandbox.path(file), &plain.with_schema(schema.into()).unwrap());
    };
    write("one.parquet", ["neg", "pos"]);
    sandbox.succeed("run --input one.parquet --model tiny-bert --output vectors");
    let found = report(&sandbox, "--label label --seeds 1 --resamples 10");
    assert_eq!(found["rows"]["classes"], json!([{"name": "neg", "rows": 30}, {"name": "pos", "rows": 30}]));
    assert_eq!(found["rows"]["left_out"][0]["rows"], 30);
    write("two.parquet", ["pos", "neg"]);
    sandbox.succeed("run --input one.parquet two.parquet --model tiny-bert --output both");
    let ended = sandbox.strata("probe both --label label").output().unwrap();
    let stderr = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(65), "{stderr}");
    assert!(
        stderr.contains("input files call the classes of `label` differently: neg, pos; pos, neg"),
        "{stderr}"
    );
}

#[test]
fn whole_numbers_that_are_kept_as_floats_are_classes_and_what_is_no_number_is_no_class() {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, Float64Array, StringArray};

    use crate::support::{tables::table, write_table};

    let sandbox = Sandbox::new();
    let texts: StringArray = (0..90).map(|row| Some(["the cat", "a tree was"][row % 2])).collect();
    let labels: Float64Array =
        (0..90).map(|row| if row % 9 == 8 { None } else { Some((row % 2) as f64) }).collect();
    let odd: Float64Array = (0..90).map(|row| Some([0.5, 1.5, f64::NAN][row % 3])).collect();
    let plain =
        table([("text", Arc::new(texts) as ArrayRef), ("label", Arc::new(labels)), ("odd", Arc::new(odd))]);
    write_table(&sandbox.path("in.parquet"), &plain);
    sandbox.succeed("run --input in.parquet --model tiny-bert --output vectors");
    let found = report(&sandbox, "--label label --seeds 1 --resamples 10");
    assert_eq!(found["rows"]["classes"], json!([{"name": "0", "rows": 40}, {"name": "1", "rows": 40}]));
    let found = report(&sandbox, "--label odd --task classes --seeds 1 --resamples 10");
    assert_eq!(found["rows"]["classes"], json!([{"name": "0.5", "rows": 30}, {"name": "1.5", "rows": 30}]));
    assert_eq!(found["rows"]["left_out"][0]["rows"], 30);
}

#[test]
fn numbers_are_learned_whatever_their_unit() {
    let year = |row: usize| json!({"year": 2000.0 + row as f64 / 3.0, "small": 1e-7 * (row as f64 / 3.0), "seconds": 1e9 * row as f64 + 0.5});
    let sandbox = Sandbox::new();
    let lines: String = (0..240)
        .map(|row| {
            let text = ["cat", "dog", "bird", "tree"].repeat(1 + row / 24).join(" ");
            let mut line = json!({"text": text});
            line.as_object_mut().unwrap().extend(year(row / 24 * 24).as_object().unwrap().clone());
            format!("{line}\n")
        })
        .collect();
    sandbox.write("in.jsonl", lines);
    sandbox.succeed("run --input in.jsonl --model tiny-bert --layers 0,-1 --output vectors");
    for probe in ["linear", "mlp"] {
        for label in ["year", "small", "seconds"] {
            let found = report(
                &sandbox,
                &format!("--label {label} --task numbers --probe {probe} --seeds 1 --resamples 10"),
            );
            assert!(figure(&found, "layer_4_mean", "score") > 0.7, "{probe} {label}: {found}");
            assert!(found["mixes"][0]["score"]["value"].as_f64().unwrap() > 0.7, "{label}: {found}");
        }
    }
}

#[test]
fn a_split_that_somebody_decided_is_kept_and_groups_on_both_of_its_sides_leave_the_test() {
    let side = |row: usize| match row % 10 {
        0 | 1 => "test",
        2 => "validation",
        _ => "train",
    };
    let sandbox = with_vectors(300, |row| json!({"side": side(row), "group": format!("g{}", row / 2)}));
    let found = report(&sandbox, "--label kind --split side --seeds 2 --resamples 10");
    assert_eq!(found["rows"]["splits"], json!([[210, 30, 60], [210, 30, 60]]));
    // Rows 0 and 1 of ten are a group, 2 and 3 another: the latter is on two sides.
    let found = report(&sandbox, "--label kind --split side --group group --seeds 1 --resamples 10");
    let left = &found["rows"]["left_out"][0];
    assert_eq!(left["rows"], 30, "{left}");
    assert_eq!(left["why"], "`side` has them after training, and others of their `group` in it");
    // Development comes out of what is learned from, and is a tenth of that.
    let [train, development, test] = [0, 1, 2].map(|side| found["rows"]["splits"][0][side].as_u64().unwrap());
    assert_eq!((train + development, test), (210, 60));
    assert!((18..=30).contains(&development), "{found}");
}

#[test]
fn the_same_question_has_the_same_answer_with_any_number_of_threads_and_another_seed_another() {
    let mut sandbox = with_vectors(250, |_| json!({}));
    let ask = |sandbox: &Sandbox, options: &str| {
        report(sandbox, &format!("--label kind --group document --resamples 50 {options}"))
    };
    let one = ask(&sandbox, "");
    assert_eq!(one, ask(&sandbox, ""));
    sandbox.set("RAYON_NUM_THREADS", "1");
    assert_eq!(one, ask(&sandbox, ""));
    assert_ne!(one["rows"]["splits"], Value::Null);
    assert_ne!(one["columns"], ask(&sandbox, "--seed 9")["columns"]);
}

#[test]
fn arrow_parts_and_half_floats_are_read_as_well() {
    let sandbox = with_vectors(150, |_| json!({}));
    let plain = report(&sandbox, "--label kind --seeds 1 --resamples 10");
    for options in ["--format arrow", "--dtype float16", "--format arrow --dtype float16"] {
        fs_err::remove_dir_all(sandbox.path("vectors")).unwrap();
        sandbox.succeed(&format!(
            "run --input in.jsonl --model tiny-bert --layers all --output vectors {options}"
        ));
        let found = report(&sandbox, "--label kind --seeds 1 --resamples 10");
        for column in LAYERS {
            let (a, b) = (figure(&plain, column, "score"), figure(&found, column, "score"));
            assert!((a - b).abs() < 0.05, "{options}, {column}: {a} and {b}");
        }
    }
}

#[test]
fn a_hidden_layer_is_trained_where_it_is_asked_for() {
    let sandbox = with_vectors(160, |_| json!({}));
    for label in ["kind", "length"] {
        let found = report(
            &sandbox,
            &format!(
                "--label {label} --probe mlp --columns layer_0_mean,layer_4_mean --seeds 1 --resamples 20"
            ),
        );
        assert_eq!(found["columns"].as_array().unwrap().len(), 2);
        assert_eq!(found["question"]["probe"], "mlp");
        assert!(figure(&found, "layer_0_mean", "score") > 0.9, "{label}: {found}");
    }
}

#[test]
fn fixtures_other_than_the_smallest_model_are_probed_too() {
    let sandbox = Sandbox::new();
    sandbox.link("tiny-roberta", &fixture("tiny-roberta"));
    sandbox.write("in.jsonl", sentences(120, |_| json!({})));
    sandbox.succeed(
        "run --input in.jsonl --model tiny-roberta --layers 0,1,2 --pooling cls,mean --output vectors",
    );
    let found = report(&sandbox, "--label kind --seeds 1 --resamples 20");
    let series: Vec<&str> =
        found["mixes"].as_array().unwrap().iter().map(|mix| mix["series"].as_str().unwrap()).collect();
    assert_eq!(series, ["cls", "mean"]);
}

#[test]
fn a_zero_with_a_sign_is_the_same_class_and_the_same_group() {
    let sandbox = with_vectors(
        120,
        |row| json!({"score": if row % 3 == 0 { -0.0 } else { (row % 3) as f64 - 1.0 }, "part": if row % 2 == 0 { -0.0 } else { 0.0 }}),
    );
    let found = report(&sandbox, "--label score");
    let classes: Vec<&str> = found["rows"]["classes"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|class| class["name"].as_str())
        .collect();
    assert_eq!(classes, ["0", "1"], "{}", found["rows"]);
    // One group alone cannot be divided.
    let refused = sandbox.strata("probe vectors --label kind --group part").output().unwrap();
    assert_eq!(refused.status.code(), Some(65));
}
