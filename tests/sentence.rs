//! Sentence vectors against what sentence-transformers gives for folders of every kind.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, StringArray};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::reference::tensor_rows;
use crate::support::tables::{read_output, table, texts, vectors, write_table};
use crate::support::{Sandbox, fixture, set_up};

/// How far a value may be off.
const TOLERANCE: f64 = 1e-5;
const RUN: &str = "run --input in.parquet --model folder --output out --keep none";

#[derive(Deserialize)]
struct Reference {
    texts: Vec<String>,
    pairs: Vec<[String; 2]>,
    cases: Vec<Case>,
}

/// A folder, and the options that ask for what was recorded.
#[derive(Deserialize)]
struct Case {
    name: String,
    options: Vec<String>,
    /// Whether pairs were encoded.
    pairs: bool,
    width: usize,
    json: BTreeMap<String, Value>,
    files: BTreeMap<String, String>,
}

fn load() -> (Reference, Vec<u8>) {
    let json = fs_err::read(fixture("sentence/reference.json")).unwrap();
    let vectors = fs_err::read(fixture("sentence/reference.safetensors")).unwrap();
    (serde_json::from_slice(&json).unwrap(), vectors)
}

impl Reference {
    fn sandbox(&self, case: &str) -> Sandbox {
        let sandbox = Sandbox::new();
        let case = self.case(case);
        let column = |values: Vec<&str>| Arc::new(StringArray::from(values)) as ArrayRef;
        let input = match case.pairs {
            true => {
                let [first, second] =
                    [0, 1].map(|side| column(self.pairs.iter().map(|pair| pair[side].as_str()).collect()));
                table([("text", first), ("other", second)])
            }
            false => table([("text", column(self.texts.iter().map(String::as_str).collect()))]),
        };
        write_table(&sandbox.path("in.parquet"), &input);
        case.write(&sandbox);
        sandbox
    }

    fn case(&self, name: &str) -> &Case {
        self.cases.iter().find(|case| case.name == name).unwrap()
    }
}

impl Case {
    fn write(&self, sandbox: &Sandbox) {
        for (name, value) in &self.json {
            write(sandbox, name, value.to_string());
        }
        for (name, kept) in &self.files {
            write(sandbox, name, fs_err::read(fixture("sentence/files").join(kept)).unwrap());
        }
    }
}

fn write(sandbox: &Sandbox, name: &str, content: impl AsRef<[u8]>) {
    let name = format!("folder/{name}");
    fs_err::create_dir_all(sandbox.path(&name).parent().unwrap()).unwrap();
    sandbox.write(&name, content);
}

/// Puts a change of a JSON file into a folder.
fn change(sandbox: &Sandbox, name: &str, change: impl FnOnce(&mut Value)) {
    let path = sandbox.path(&format!("folder/{name}"));
    let mut value = serde_json::from_slice(&fs_err::read(path).unwrap()).unwrap();
    change(&mut value);
    write(sandbox, name, value.to_string());
}

fn assert_vectors(found: &[Option<Vec<f32>>], expected: &[Vec<f64>], what: &str) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (row, (found, expected)) in found.iter().zip(expected).enumerate() {
        let found = found.as_ref().unwrap_or_else(|| panic!("{what}: text {row} has no vector"));
        assert_eq!(found.len(), expected.len(), "{what}");
        let worst = found.iter().zip(expected).map(|(&a, &b)| (f64::from(a) - b).abs());
        let worst = worst.fold(0.0, |worst, off| if off <= worst { worst } else { off });
        assert!(worst <= TOLERANCE, "{what}: text {row} is off by {worst}");
    }
}

#[test]
fn every_kind_of_folder_gives_what_sentence_transformers_gives_on_either_device() {
    let (reference, recorded) = load();
    assert!(reference.cases.len() > 30);
    for case in &reference.cases {
        let sandbox = reference.sandbox(&case.name);
        for device in ["cpu", "flex"] {
            let what = format!("{} on {device}", case.name);
            let mut command = sandbox.strata(&format!(
                "run --input in.parquet --model folder --output {device} --pooling sentence --device {device}"
            ));
            let output = command.args(&case.options).output().unwrap();
            assert!(output.status.success(), "{what}: {}", String::from_utf8_lossy(&output.stderr));
            let found = vectors(&read_output(&sandbox.path(device)), "sentence_embedding");
            assert!(found.iter().flatten().all(|vector| vector.len() == case.width), "{what}");
            assert_vectors(&found, &tensor_rows(&recorded, &case.name), &what);
        }
    }
}

#[test]
fn other_poolings_and_all_layers_stand_beside_it() {
    let (reference, recorded) = load();
    let sandbox = reference.sandbox("every-mode-in-its-own-order");
    sandbox.succeed(&format!("{RUN} --pooling mean,sentence,cls,last,max --layers all"));
    let output = read_output(&sandbox.path("out"));
    let expected = tensor_rows(&recorded, "every-mode-in-its-own-order");
    assert_vectors(&vectors(&output, "sentence_embedding"), &expected, "sentence_embedding");
    // Its parts, in the order that the folder states: lasttoken, mean, cls, weightedmean, max, …
    for (pooling, part) in [("last", 0), ("mean", 1), ("cls", 2), ("max", 4)] {
        let expected: Vec<_> = expected.iter().map(|row| row[part * 16..][..16].to_vec()).collect();
        assert_vectors(&vectors(&output, &format!("layer_2_{pooling}")), &expected, pooling);
        assert_eq!(vectors(&output, &format!("layer_0_{pooling}")).len(), expected.len());
    }
}

#[test]
fn vectors_do_not_depend_on_the_batch_and_a_null_text_has_none() {
    let (reference, recorded) = load();
    let expected = tensor_rows(&recorded, "dense-chain");
    let sandbox = reference.sandbox("dense-chain");
    let with_null = reference.texts.iter().map(|text| Some(text.as_str())).chain([None]);
    write_table(&sandbox.path("in.parquet"), &texts(with_null));
    for tokens in ["1", "30", "10000"] {
        let command = format!("run --input in.parquet --model folder --output {tokens} --pooling sentence");
        sandbox.succeed(&format!("{command} --max-batch-tokens {tokens}"));
        let mut found = vectors(&read_output(&sandbox.path(tokens)), "sentence_embedding");
        assert_eq!(found.pop(), Some(None), "a null text");
        assert_vectors(&found, &expected, &format!("{tokens} tokens at a time"));
    }
}

#[test]
fn a_prefix_stands_before_each_text_whatever_the_pooling() {
    let sandbox = Sandbox::with_texts(["cat", "", "the dog"]);
    let mut command =
        sandbox.strata("run --input in.parquet --model tiny-bert --output out --pooling mean,cls");
    assert!(command.args(["--prefix", "hello: "]).output().unwrap().status.success());
    let written = Sandbox::with_texts(["hello: cat", "hello: ", "hello: the dog"]);
    written.succeed("run --input in.parquet --model tiny-bert --output out --pooling mean,cls");
    let [found, expected] = [&sandbox, &written].map(|sandbox| read_output(&sandbox.path("out")));
    for column in ["layer_4_mean", "layer_4_cls"] {
        assert_eq!(vectors(&found, column), vectors(&expected, column), "{column}");
    }
}

/// Runs a command and returns what it says on stderr; its exit code must be `code`.
fn said(sandbox: &Sandbox, arguments: &str, code: i32) -> String {
    let output = sandbox.strata(arguments).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "strata {arguments}: {stderr}");
    stderr
}

#[test]
fn what_applies_to_every_text_is_said_once() {
    let (reference, _) = load();
    for (case, options, words) in [
        (
            "limit-of-8",
            "--pooling sentence",
            "cut after 8 tokens, as sentence-transformers does; the model takes 24",
        ),
        (
            "limit-of-8",
            "--pooling sentence --max-length 5",
            "cut after 5 tokens, as --max-length says, and not after 8",
        ),
        (
            "limit-of-8",
            "--pooling mean",
            "sees 24 tokens of a text; sentence-transformers would cut it after 8",
        ),
        ("default-prompt", "--pooling sentence", "\"query: the \", the folder's default prompt `query`"),
        ("truncated-by-the-folder", "--pooling sentence", "at most 6 values"),
        ("no-modules", "--pooling sentence", "holds no modules.json"),
    ] {
        let stderr = said(&reference.sandbox(case), &format!("{RUN} {options}"), 0);
        assert_eq!(stderr.matches(words).count(), 1, "{case} {options}: {stderr}");
    }
    let sandbox = reference.sandbox("limit-of-8");
    change(&sandbox, "sentence_bert_config.json", |file| file["max_seq_length"] = json!(25));
    let stderr = said(&sandbox, &format!("{RUN} --pooling sentence"), 0);
    assert!(
        stderr.contains("cut after 24 tokens, which is what the model takes, and not after 25"),
        "{stderr}"
    );
    for (case, options) in [
        ("limit-of-8", "--pooling sentence --max-length 8"),
        ("limit-of-8", "--pooling mean --max-length 24"),
        ("default-prompt", "--pooling sentence --prefix="),
        ("default-prompt", "--pooling mean"),
        ("truncated-by-the-folder", "--pooling sentence --truncate-dim 6"),
    ] {
        let stderr = said(&reference.sandbox(case), &format!("{RUN} {options}"), 0);
        assert!(!stderr.contains("note:"), "{case} {options}: {stderr}");
    }
}

#[test]
fn options_that_do_not_go_together_are_refused_by_name() {
    let (reference, _) = load();
    let sandbox = reference.sandbox("mean");
    for (options, words) in [
        ("--pooling sentence --overflow window", "--overflow window does not go with --pooling sentence"),
        ("--pooling sentence --unit word", "unit is word and pooling sentence"),
        ("--pooling sentence --combine sum", "combine is sum"),
        ("--pooling sentence --truncate-dim 17", "a sentence's vector has 16 values"),
        ("--pooling sentence --truncate-dim 0", "--truncate-dim is 0"),
        ("--pooling mean --truncate-dim 5", "--truncate-dim does not go without --pooling sentence"),
        ("--pooling sentence --prompt nobody", "has no prompt `nobody`; it has `document`, `query`"),
        ("--pooling sentence --prompt query --prefix x", "--prompt does not go with --prefix"),
        ("--unit token --prefix x", "--prefix does not go with --unit token"),
    ] {
        let stderr = said(&sandbox, &format!("{RUN} {options}"), 2);
        assert!(stderr.contains(words), "{options}: {stderr}");
        assert!(!sandbox.path("out").exists(), "{options}");
    }
}

#[test]
fn modules_that_are_not_computed_or_contradict_each_other_are_refused_by_name() {
    let (reference, _) = load();
    let module = |class: &str, path: &str| {
        let (name, class) = (class.to_owned(), class.to_owned());
        let path = path.to_owned();
        move |modules: &mut Value| {
            let modules = modules.as_array_mut().unwrap();
            modules.push(json!({"idx": modules.len(), "name": name, "path": path, "type": class}));
        }
    };
    type Change<'a> = Box<dyn Fn(&mut Value) + 'a>;
    let set = |key: &'static str, value: Value| -> Change<'static> {
        Box::new(move |file| file[key] = value.clone())
    };
    let [list, pooling, dense, bert, all] = [
        "modules.json",
        "1_Pooling/config.json",
        "2_Dense/config.json",
        "sentence_bert_config.json",
        "config_sentence_transformers.json",
    ];
    let cases: Vec<(&str, &str, Change<'_>, &str)> = vec![
        (
            "mean",
            list,
            Box::new(module("sentence_transformers.models.LSTM", "2_LSTM")),
            "models.LSTM` of module 2",
        ),
        ("mean", list, Box::new(module("sentence_transformers.models.Router", "2_Router")), "models.Router`"),
        ("mean", list, Box::new(module("custom.Pooling", "2_Pooling")), "custom.Pooling`"),
        (
            "mean",
            list,
            Box::new(module("sentence_transformers.models.Transformer", "2")),
            "only Transformer to be the first",
        ),
        (
            "mean",
            list,
            Box::new(module("sentence_transformers.models.Pooling", "../elsewhere")),
            "../elsewhere",
        ),
        ("mean", list, Box::new(module("sentence_transformers.models.Dense", "2_Dense")), "2_Dense holds no"),
        (
            "mean",
            list,
            Box::new(|modules| modules[0]["type"] = json!("sentence_transformers.models.BoW")),
            "models.BoW`",
        ),
        ("mean", list, Box::new(|modules| modules[1]["name"] = json!("0")), "two modules have the name `0`"),
        (
            "mean",
            list,
            Box::new(|modules| modules.as_array_mut().unwrap().truncate(1)),
            "no module makes a sentence_embedding",
        ),
        ("mean", list, Box::new(|modules| *modules = json!([])), "it names no module"),
        ("mean", pooling, set("pooling_mode", json!("median")), "pooling_mode"),
        ("mean", pooling, set("pooling_mode_median", json!(true)), "pooling_mode_median"),
        (
            "mean",
            pooling,
            set("embedding_dimension", json!(15)),
            "takes vectors of 15 values, and is given 16",
        ),
        (
            "dense-tanh",
            dense,
            set("activation_function", json!("torch.nn.modules.activation.PReLU")),
            "PReLU",
        ),
        ("dense-tanh", dense, set("in_features", json!(17)), "takes vectors of 17 values, and is given 16"),
        ("dense-tanh", dense, set("out_features", json!(13)), "linear.bias"),
        ("dense-tanh", dense, set("out_features", json!(0)), "gives no values"),
        ("dense-tanh", dense, set("bias", json!(false)), "linear.bias"),
        ("dense-tanh", dense, set("module_input_name", json!("pooler")), "pooler"),
        ("limit-of-8", bert, set("max_seq_length", json!(-1)), "sentence_bert_config.json"),
        ("limit-of-8", bert, set("transformer_task", json!("fill-mask")), "transformer_task"),
        ("limit-of-8", bert, set("unheard_of", json!(1)), "unheard_of"),
        (
            "limit-of-8",
            bert,
            set("processing_kwargs", json!({"text": {"max_length": 3}})),
            "processing_kwargs",
        ),
        ("limit-of-8", bert, set("modality_config", json!({"message": {}})), "modality_config"),
        (
            "default-prompt",
            all,
            set("default_prompt_name", json!("nobody")),
            "`nobody`, which is none of its prompts",
        ),
        ("default-prompt", all, set("model_type", json!("SparseEncoder")), "SparseEncoder"),
        ("default-prompt", all, set("truncate_dim", json!(0)), "truncate_dim"),
    ];
    for (case, file, how, words) in cases {
        let sandbox = reference.sandbox(case);
        change(&sandbox, file, how);
        let stderr = said(&sandbox, &format!("{RUN} --pooling sentence"), 78);
        assert!(stderr.contains(words), "{case} {file}: expected `{words}` in {stderr}");
        assert!(!sandbox.path("out").exists(), "{words}");
        // Whoever asks for no sentences does not need them.
        said(&sandbox, &format!("{RUN} --pooling mean"), 0);
    }
}

#[test]
fn what_the_folder_says_is_part_of_the_outputs_identity() {
    let (reference, _) = load();
    let sandbox = reference.sandbox("default-prompt");
    let command = format!("{RUN} --pooling sentence");
    sandbox.succeed(&command);
    assert!(said(&sandbox, &command, 0).contains("1 part was already there"));
    sandbox.succeed("verify out");
    let other = said(&sandbox, &format!("{command} --prefix hello"), 78);
    assert!(other.contains("prefix"), "{other}");
    change(&sandbox, "1_Pooling/config.json", |file| file["pooling_mode_max_tokens"] = json!(true));
    let other = said(&sandbox, &command, 78);
    assert!(other.contains("modules_sha256"), "{other}");
    // And not of an output without sentences, even if this one is written over.
    sandbox.succeed(&format!("{RUN} --pooling mean --overwrite"));
    change(&sandbox, "1_Pooling/config.json", |file| file["pooling_mode_cls_token"] = json!(true));
    assert!(said(&sandbox, &format!("{RUN} --pooling mean"), 0).contains("1 part was already there"));
}

#[test]
fn random_weights_do_not_meet_modules_that_were_trained() {
    let (reference, _) = load();
    let command = format!("{RUN} --pooling sentence --random-weights 3");
    let stderr = said(&reference.sandbox("dense-tanh"), &command, 2);
    assert!(stderr.contains("--random-weights") || stderr.contains("random weights"), "{stderr}");
    said(&reference.sandbox("mean-normalized"), &command, 0);
}

#[test]
fn a_real_folder_gives_what_sentence_transformers_gives() {
    let (_, recorded) = load();
    let texts = crate::support::reference::Reference::load("minilm");
    let sandbox = Sandbox::with_texts(texts.strings());
    sandbox.link("folder", &set_up(".models/all-MiniLM-L6-v2"));
    sandbox.succeed(&format!("{RUN} --pooling sentence"));
    let found = vectors(&read_output(&sandbox.path("out")), "sentence_embedding");
    assert_vectors(&found, &tensor_rows(&recorded, "minilm"), "all-MiniLM-L6-v2");
}
