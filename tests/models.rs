//! Models of every kind, as a run takes them.

use safetensors::tensor::{Dtype, TensorView};
use serde_json::Value;

use crate::support::models::zero;
use crate::support::reference::{Reference, assert_close, pool, tensor_rows};
use crate::support::tables::{names, part_paths};
use crate::support::{Sandbox, assert_refused, assert_strata, fixture, read_output, vectors};

const RANDOM: &str = "run --input in.parquet --model untrained --layers all --output out --report report.json \
    --rows-per-part 2 --random-weights";

#[test]
fn every_family_gives_the_reference_s_vectors() {
    for name in [
        "tiny-roberta",
        "tiny-xlm-roberta",
        "tiny-camembert",
        "tiny-distilbert",
        "tiny-electra",
        "tiny-mpnet",
        "tiny-albert",
        "tiny-modernbert",
        "tiny-deberta-v2",
        "tiny-nomic_bert",
        "tiny-gte",
    ] {
        let reference = Reference::load(name);
        let sandbox = Sandbox::with_texts(reference.strings());
        sandbox.link(name, &fixture(name));
        sandbox.succeed(&format!("run --input in.parquet --model {name} --output out --layers all"));
        let output = read_output(&sandbox.path("out"));
        for layer in 0..=2 {
            for (text, found) in vectors(&output, &format!("layer_{layer}_mean")).iter().enumerate() {
                let expected = pool("mean", &reference.hidden_states(text)[layer]);
                let what = format!("{name}, layer {layer}, text {text}");
                assert_close(found.as_deref(), expected.as_deref(), &what);
            }
        }
        let manifest = manifest(&sandbox);
        assert_eq!(manifest["model"]["model_type"], name.trim_start_matches("tiny-"));
    }
}

#[test]
fn a_context_of_8192_tokens_takes_no_matrix_of_their_square() {
    let text = (0..1500).map(|number| format!("the cat {number} sat")).collect::<Vec<_>>().join(" ");
    let recorded = fs_err::read(fixture("tiny-modernbert-long").join("reference.safetensors")).unwrap();
    for device in ["cpu", "flex"] {
        let sandbox = Sandbox::with_texts([text.as_str()]);
        sandbox.link("long", &fixture("tiny-modernbert-long"));
        sandbox.succeed(&format!(
            "run --input in.parquet --model long --layers all --pooling mean,cls --output out --device {device} \
             --report report.json"
        ));
        let report = sandbox.report("report.json");
        assert_eq!((&report["tokens"], &report["truncated"]), (&8192.into(), &1.into()));
        let output = read_output(&sandbox.path("out"));
        for pooling in ["mean", "cls"] {
            for (layer, expected) in tensor_rows(&recorded, pooling).iter().enumerate() {
                let found = vectors(&output, &format!("layer_{layer}_{pooling}")).remove(0);
                assert_close(
                    found.as_deref(),
                    Some(expected),
                    &format!("{pooling} of layer {layer} on {device}"),
                );
            }
        }
        // One such matrix for each of five heads has 1280 MB.
        let peak = report["peak_memory_bytes"].as_u64().unwrap() >> 20;
        assert!(peak < 1000, "{peak} MB on {device}");
    }
}

#[test]
fn a_text_without_any_token_has_no_vector() {
    let sandbox = Sandbox::with_texts(["cat", "", "dog"]);
    sandbox.copy_model("plain");
    let tokenizer = fs_err::read_to_string(fixture("tiny-bert").join("tokenizer.json")).unwrap();
    let mut tokenizer: Value = serde_json::from_str(&tokenizer).unwrap();
    tokenizer["post_processor"] = Value::Null;
    sandbox.write("plain/tokenizer.json", tokenizer.to_string());
    sandbox.write("plain/tokenizer_config.json", r#"{"tokenizer_class": "PreTrainedTokenizerFast"}"#);
    for device in ["cpu", "flex"] {
        for (number, (options, rows)) in [
            ("--pooling cls,mean,last --layers 0,-1 --attentions", vec![true, false, true]),
            ("--unit word", vec![true, true]),
        ]
        .into_iter()
        .enumerate()
        {
            let output = format!("{device}-{number}");
            sandbox.succeed(&format!(
                "run --input in.parquet --model plain --output {output} --device {device} {options}"
            ));
            let output = read_output(&sandbox.path(&output));
            for name in names(&output).into_iter().filter(|name| name.starts_with("layer_")) {
                let found: Vec<bool> = vectors(&output, &name).iter().map(Option::is_some).collect();
                assert_eq!(found, rows, "{device} {name}");
            }
        }
    }
}

#[test]
fn a_text_with_a_token_that_the_model_lacks_is_told_with_its_row() {
    let sandbox = Sandbox::with_texts([Some("cat"), None, Some("a <ent> dog"), Some("<ent>")]);
    sandbox.copy_model("more");
    sandbox.write("more/tokenizer_config.json", r#"{"additional_special_tokens": ["<ent>"]}"#);
    insta::allow_duplicates! {
        for how in ["--dry-run", ""] {
            assert_strata!(sandbox, &format!("run --input in.parquet --model more --output out {how}"), @r"
            success: false
            exit_code: 65
            ----- stdout -----

            ----- stderr -----
            error: in.parquet, row 2: the text cannot be encoded: token `<ent>` (117) has no embedding: the model has 117
            hint: leave the row out, or take a tokenizer and a model that belong together
            ");
        }
    }
}

#[test]
fn the_tokenizer_s_own_limit_is_said_once_and_its_files_are_in_the_provenance() {
    let sandbox = Sandbox::with_texts(["the cat sat on the dog"]);
    sandbox.copy_model("short");
    let config = r#"{"model_max_length": 6, "truncation_side": "left", "added_tokens_decoder": {}}"#;
    sandbox.write("short/tokenizer_config.json", config);
    sandbox.write("short/special_tokens_map.json", "not read where there is an added_tokens_decoder");
    assert_strata!(sandbox, "run --input in.parquet --model short --output out --unit token", @r"
    success: true
    exit_code: 0
    ----- stdout -----

    ----- stderr -----
    note: texts have at most 6 tokens, which is the tokenizer's model_max_length; the model takes 48
    out: 6 rows from 1 of input in 1 part, [SIZE]
    6 tokens, 1 truncated, 0 null
    [TIME], [RATE] rows/s, [RATE] tokens/s
    ");
    let manifest = manifest(&sandbox);
    let files = serde_json::json!(["tokenizer.json", "tokenizer_config.json"]);
    assert_eq!(manifest["model"]["files"]["tokenizer_files"], files);
}

#[test]
fn pickled_weights_give_the_same_vectors() {
    let sandbox = Sandbox::with_texts(Reference::load("tiny-bert").strings());
    sandbox.link("bin", &fixture("tiny-bert-bin"));
    sandbox.succeed("run --input in.parquet --model tiny-bert --output out --layers all");
    sandbox.succeed("run --input in.parquet --model bin --output bin-out --layers all");
    assert_eq!(read_output(&sandbox.path("out")).columns(), read_output(&sandbox.path("bin-out")).columns());
}

#[test]
fn a_folder_of_sentence_transformers_is_a_checkpoint() {
    let sandbox = Sandbox::with_texts(["The cat sat on the dog."]);
    sandbox.copy_model("sentences");
    for (name, content) in [
        (
            "modules.json",
            r#"[{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"}]"#,
        ),
        ("config_sentence_transformers.json", "{}"),
        ("sentence_bert_config.json", r#"{"max_seq_length": 5, "do_lower_case": false}"#),
        ("special_tokens_map.json", "{}"),
        ("vocab.txt", "[PAD]"),
    ] {
        sandbox.write(&format!("sentences/{name}"), content);
    }
    fs_err::create_dir(sandbox.path("sentences/1_Pooling")).unwrap();
    sandbox.write("sentences/1_Pooling/config.json", r#"{"pooling_mode_cls_token": true}"#);
    sandbox.succeed("run --input in.parquet --model sentences --output sentences-out");
    sandbox.succeed("run --input in.parquet --model tiny-bert --output out");
    assert_eq!(
        read_output(&sandbox.path("out")).columns(),
        read_output(&sandbox.path("sentences-out")).columns()
    );
}

#[test]
fn what_stands_beside_the_encoder_changes_nothing() {
    let sandbox = Sandbox::with_texts(["The cat sat on the dog."]);
    sandbox.break_weights(|tensors| {
        for name in tensors.keys().cloned().collect::<Vec<_>>() {
            let tensor = tensors.remove(&name).unwrap();
            tensors.insert(format!("bert.{name}"), tensor);
        }
        for head in
            ["linear.weight", "crf.transitions", "crf.start_transitions", "out.0.bias", "dense.weight"]
        {
            tensors.insert(head.to_owned(), zero());
        }
    });
    // An index of shards that are gone, as save_pretrained leaves it.
    let index = r#"{"metadata": {}, "weight_map": {"a": "model-00001-of-00002.safetensors"}}"#;
    sandbox.write("broken/model.safetensors.index.json", index);
    sandbox.succeed("run --input in.parquet --model broken --output broken-out --layers all");
    sandbox.succeed("run --input in.parquet --model tiny-bert --output out --layers all");
    assert_eq!(
        read_output(&sandbox.path("out")).columns(),
        read_output(&sandbox.path("broken-out")).columns()
    );
}

#[test]
fn a_file_of_weights_that_the_configuration_names_is_the_one_that_is_read() {
    let sandbox = Sandbox::with_texts(["The cat sat on the dog."]);
    sandbox.break_config(|config| {
        config.insert("transformers_weights".to_owned(), "best.safetensors".into());
    });
    let path = |name: &str| sandbox.path("broken").join(name);
    fs_err::rename(path("model.safetensors"), path("best.safetensors")).unwrap();
    sandbox.write("broken/model.safetensors", "not this one");
    sandbox.succeed("run --input in.parquet --model broken --output broken-out");
    sandbox.succeed("run --input in.parquet --model tiny-bert --output out");
    assert_eq!(
        read_output(&sandbox.path("out")).columns(),
        read_output(&sandbox.path("broken-out")).columns()
    );
}

/// Twenty float32 values, of which the first is not a number.
const ONE_IS_NAN: &[u8; 80] = &{
    let mut bytes = [0; 80];
    (bytes[2], bytes[3]) = (0xc0, 0x7f);
    bytes
};

#[test]
fn values_that_are_not_finite_are_told_and_verified() {
    let sandbox = Sandbox::with_texts(["cat", "The cat sat on the dog.", ""]);
    sandbox.break_weights(|tensors| {
        let bias = TensorView::new(Dtype::F32, vec![20], ONE_IS_NAN).unwrap();
        tensors.insert("encoder.layer.2.output.LayerNorm.bias".to_owned(), bias);
    });
    let run = "run --input in.parquet --model broken --output out --layers 2,3 --report report.json";
    let said = sandbox.succeed(run);
    let said = String::from_utf8(said.stderr).unwrap();
    // One value of layer 3, and through attention every value of layer 4.
    let told = "values that are infinite or not a number in 1 column: layer_3_mean (3)";
    assert!(said.contains(told), "{said}");
    assert_eq!(sandbox.report("report.json")["non_finite"], serde_json::json!({"layer_3_mean": 3}));
    let manifest: Value =
        serde_json::from_slice(&fs_err::read(sandbox.path("out/_strata/manifest.json")).unwrap()).unwrap();
    let part = manifest["parts"].as_object().unwrap().values().next().unwrap();
    assert_eq!(part["counts"]["non_finite"], serde_json::json!({"layer_3_mean": 3}));

    let inspected = String::from_utf8(sandbox.succeed("inspect out").stdout).unwrap();
    let told = "values that are infinite or not a number\n  layer_3_mean: 3\n";
    assert!(inspected.ends_with(told), "{inspected}");
    let verified = String::from_utf8(sandbox.succeed("verify out --sample 3").stdout).unwrap();
    assert!(verified.contains("3 rows encoded again, largest difference "), "{verified}");
    assert!(!verified.contains("inf") && !verified.contains("NaN"), "{verified}");

    sandbox.succeed("run --input in.parquet --model tiny-bert --output whole --report whole.json");
    assert_eq!(sandbox.report("whole.json")["non_finite"], serde_json::json!({}));
}

/// A sandbox whose model `untrained` has no weights.
fn untrained() -> Sandbox {
    let sandbox = Sandbox::with_texts(["cat", "The cat sat on the dog.", "", "hello"]);
    sandbox.copy_model("untrained");
    fs_err::remove_file(sandbox.path("untrained/model.safetensors")).unwrap();
    sandbox
}

fn manifest(sandbox: &Sandbox) -> Value {
    let bytes = fs_err::read(sandbox.path("out/_strata/manifest.json")).unwrap();
    serde_json::from_slice::<Value>(&bytes).unwrap()["fingerprint"].clone()
}

#[test]
fn random_weights_give_the_columns_of_trained_ones_and_other_vectors() {
    let sandbox = untrained();
    sandbox.succeed(&format!("{RANDOM} 7"));
    sandbox.succeed("run --input in.parquet --model tiny-bert --layers all --output trained");
    let (random, trained) = (read_output(&sandbox.path("out")), read_output(&sandbox.path("trained")));
    assert_eq!(random.schema(), trained.schema());
    for name in names(&random).iter().filter(|name| name.starts_with("layer_")) {
        assert_ne!(vectors(&random, name), vectors(&trained, name), "{name}");
    }
    let files = &manifest(&sandbox)["model"]["files"];
    assert_eq!(files["random_weights"], 7);
    assert!(files.get("weights_sha256").is_none());
}

#[test]
fn a_run_with_random_weights_resumes_and_verifies() {
    let sandbox = untrained();
    sandbox.succeed(&format!("{RANDOM} 7"));
    let parts = sandbox.parts("out");
    assert_eq!(parts.len(), 2);
    fs_err::remove_file(&part_paths(&sandbox.path("out"))[1]).unwrap();
    sandbox.succeed(&format!("{RANDOM} 7"));
    let report = sandbox.report("report.json");
    assert_eq!((report["parts_written"].as_u64(), report["parts_kept"].as_u64()), (Some(1), Some(1)));
    assert_eq!(sandbox.parts("out"), parts);
    sandbox.succeed("verify out");
}

#[test]
fn another_seed_and_trained_weights_are_other_models() {
    let sandbox = untrained();
    sandbox.succeed(&format!("{RANDOM} 7"));
    assert_refused!(sandbox, "run --input in.parquet --model untrained --layers all --output out --rows-per-part 2 \
        --random-weights 8", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: out holds parts made otherwise: model.files.random_weights was 7, is now 8
    hint: write to another folder, or start afresh with --overwrite
    ");
    let trained = "run --input in.parquet --model tiny-bert --layers all --output out --rows-per-part 2";
    assert_eq!(sandbox.strata(trained).output().unwrap().status.code(), Some(78));

    let seed_7 = sandbox.parts("out");
    sandbox.succeed(&format!("{RANDOM} 8 --overwrite"));
    assert_ne!(sandbox.parts("out"), seed_7);
    sandbox.succeed(&format!("{RANDOM} 7 --overwrite"));
    assert_eq!(sandbox.parts("out"), seed_7);
}
