//! What stands where a model should, told by its name: as people find it in folders, caches and downloads.

use safetensors::tensor::{Dtype, TensorView};

use crate::support::models::zero;
use crate::support::{Sandbox, assert_refused, fixture};

const BROKEN: &str = "run --input in.parquet --model broken --output out";
const POINTER: &str = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 437951328\n";

/// A sandbox with the model `broken`, a copy of the fixture.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.copy_model("broken");
    sandbox
}

/// Fails unless `run` of the model refuses it with 78, changes nothing, and says this.
fn refused(sandbox: &Sandbox, model: &str, expected: &[&str]) {
    let before = sandbox.tree();
    let output =
        sandbox.strata(&format!("run --input in.parquet --model {model} --output out")).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{said}");
    for expected in expected {
        assert!(said.contains(expected), "no `{expected}` in\n{said}");
    }
    assert_eq!(sandbox.tree(), before);
}

#[test]
fn a_git_lfs_pointer_in_the_place_of_any_file() {
    let sandbox = sandbox();
    sandbox.write("broken/model.safetensors", POINTER);
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors is a Git LFS pointer, not the file itself
    hint: fetch what it points to: run `git lfs install` and `git lfs pull` in that folder
    ");
    for name in ["tokenizer.json", "config.json"] {
        sandbox.write(&format!("broken/{name}"), POINTER);
        refused(&sandbox, "broken", &[&format!("broken/{name} is a Git LFS pointer"), "git lfs pull"]);
    }
    for name in ["tokenizer_config.json", "special_tokens_map.json", "added_tokens.json"] {
        let sandbox = self::sandbox();
        sandbox.write(&format!("broken/{name}"), POINTER);
        refused(&sandbox, "broken", &[&format!("broken/{name} is a Git LFS pointer")]);
    }
    let sandbox = self::sandbox();
    fs_err::remove_file(sandbox.path("broken/tokenizer.json")).unwrap();
    sandbox.write("broken/vocab.txt", POINTER);
    refused(&sandbox, "broken", &["broken/vocab.txt is a Git LFS pointer"]);
    let sandbox = self::sandbox();
    fs_err::remove_file(sandbox.path("broken/model.safetensors")).unwrap();
    sandbox.write("broken/pytorch_model.bin", POINTER);
    refused(&sandbox, "broken", &["broken/pytorch_model.bin is a Git LFS pointer"]);
    fs_err::remove_file(sandbox.path("broken/pytorch_model.bin")).unwrap();
    sandbox.write("broken/model.safetensors.index.json", POINTER);
    refused(&sandbox, "broken", &["broken/model.safetensors.index.json is a Git LFS pointer"]);
    sandbox.write("broken/model.safetensors.index.json", r#"{"weight_map": {"a": "shard.safetensors"}}"#);
    sandbox.write("broken/shard.safetensors", POINTER);
    refused(&sandbox, "broken", &["broken/shard.safetensors is a Git LFS pointer"]);
}

#[test]
fn what_a_broken_download_leaves() {
    let sandbox = sandbox();
    for (content, expected) in [
        ("", "broken/model.safetensors is empty"),
        ("\n<!DOCTYPE html><html>Entry not found</html>", "broken/model.safetensors is a web page"),
        ("<HTML><body>Sign in</body>", "broken/model.safetensors is a web page"),
        ("Entry not found", "broken/model.safetensors is a text, not weights: Entry not found"),
        (r#"{"error": "Invalid username"}"#, "is a text, not weights: {\"error\": \"Invalid username\"}"),
    ] {
        sandbox.write("broken/model.safetensors", content);
        refused(&sandbox, "broken", &[expected, "fetch the file again"]);
    }
    for name in ["tokenizer.json", "config.json"] {
        sandbox.write(&format!("broken/{name}"), "<!doctype html>");
        refused(&sandbox, "broken", &[&format!("broken/{name} is a web page")]);
        sandbox.write(&format!("broken/{name}"), "");
        refused(&sandbox, "broken", &[&format!("broken/{name} is empty")]);
    }
}

#[test]
fn weights_under_the_name_of_the_other_format() {
    let sandbox = sandbox();
    let pickled = fs_err::read(fixture("tiny-bert-bin").join("pytorch_model.bin")).unwrap();
    let safetensors = fs_err::read(fixture("tiny-bert").join("model.safetensors")).unwrap();
    sandbox.write("broken/model.safetensors", pickled);
    refused(&sandbox, "broken", &["is what torch.save writes", "name the file pytorch_model.bin"]);
    let old = fs_err::read(fixture("tiny-bert-bin-half").join("pytorch_model-00002-of-00002.bin")).unwrap();
    sandbox.write("broken/model.safetensors", old);
    refused(&sandbox, "broken", &["is what torch.save writes", "name the file pytorch_model.bin"]);
    fs_err::remove_file(sandbox.path("broken/model.safetensors")).unwrap();
    sandbox.write("broken/pytorch_model.bin", safetensors);
    refused(&sandbox, "broken", &["is safetensors, not a pickle", "name the file model.safetensors"]);
}

#[test]
fn an_index_whose_files_are_not_there_names_them_all() {
    let sandbox = sandbox();
    fs_err::remove_file(sandbox.path("broken/model.safetensors")).unwrap();
    let index = r#"{"weight_map": {"a": "model-2.safetensors", "b": "model-1.safetensors", "c": "model-2.safetensors"}}"#;
    sandbox.write("broken/model.safetensors.index.json", index);
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors.index.json names files that are not there: model-1.safetensors, model-2.safetensors
    hint: fetch them into the same folder
    ");
    sandbox.write("broken/model.safetensors.index.json", r#"{"weight_map": {}}"#);
    refused(&sandbox, "broken", &["its weight_map names no file"]);
}

#[test]
fn weights_in_a_form_that_is_not_read() {
    for (names, expected, hint) in [
        (
            &["tf_model.h5", "flax_model.msgpack"][..],
            "only as flax_model.msgpack, tf_model.h5",
            "from_tf=True",
        ),
        (&["model.onnx"], "only as model.onnx", "made from"),
        (&["bert-q8_0.gguf"], "only as bert-q8_0.gguf", "made from"),
        (&["bert_model.ckpt.index", "bert_model.ckpt.meta"], "only as bert_model.ckpt.index", "from_tf=True"),
        (&["model.fp16.safetensors", "model.onnx"], "only as model.fp16.safetensors, model.onnx", "variant"),
        (&["model-00001-of-00002.safetensors"], "only as model-00001-of-00002.safetensors", ".index.json"),
        (&["model.pt", "training_args.bin", "optimizer.pt"], "only as model.pt,", "save_pretrained"),
        (
            &["onnx/model.onnx", "onnx/model_quantized.onnx"],
            "only as model.onnx, model_quantized.onnx",
            "made from",
        ),
    ] {
        let sandbox = sandbox();
        fs_err::remove_file(sandbox.path("broken/model.safetensors")).unwrap();
        fs_err::create_dir(sandbox.path("broken/onnx")).unwrap();
        for name in names {
            sandbox.write(&format!("broken/{name}"), "x");
        }
        refused(&sandbox, "broken", &["broken holds weights ", expected, hint]);
    }
}

#[test]
fn a_link_into_a_cache_that_was_not_copied_along() {
    let sandbox = sandbox();
    let path = sandbox.path("broken/model.safetensors");
    fs_err::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("../../blobs/4d7a", &path).unwrap();
    refused(&sandbox, "broken", &["is a link to ../../blobs/4d7a, which is not there", "cp -rL"]);
}

#[test]
fn an_adapter_without_its_model_and_beside_it() {
    let sandbox = sandbox();
    let adapter = r#"{"peft_type": "LORA", "base_model_name_or_path": "bert-base-uncased", "r": 4}"#;
    sandbox.write("broken/adapter_config.json", adapter);
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken holds an adapter beside the model (adapter_config.json), which transformers applies where peft is installed
    hint: merge it into its model with peft: AutoPeftModelForFeatureExtraction.from_pretrained(DIR).merge_and_unload().save_pretrained(OTHER); or move adapter_config.json away to use the model without it
    ");
    for name in ["model.safetensors", "config.json", "tokenizer.json"] {
        fs_err::remove_file(sandbox.path("broken").join(name)).unwrap();
        refused(
            &sandbox,
            "broken",
            &["broken holds an adapter to the model `bert-base-uncased`, not a model"],
        );
    }
    sandbox.write("broken/adapter_config.json", "{}");
    refused(&sandbox, "broken", &["broken holds an adapter to a model, not a model"]);
    sandbox.write("broken/adapter_config.json", POINTER);
    refused(&sandbox, "broken", &["broken/adapter_config.json is a Git LFS pointer"]);
}

#[test]
fn an_adapter_that_is_not_merged_into_the_weights() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        for name in tensors.keys().cloned().collect::<Vec<_>>() {
            let tensor = tensors.remove(&name).unwrap();
            let name = name.replace("query.weight", "query.base_layer.weight");
            tensors.insert(format!("base_model.model.{name}"), tensor);
        }
    });
    refused(
        &sandbox,
        "broken",
        &["holds an adapter that is not merged into its model: `base_model.model.", "merge_and_unload"],
    );
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.insert("encoder.layer.0.attention.self.query.lora_A.default.weight".to_owned(), zero());
    });
    refused(&sandbox, "broken", &["`encoder.layer.0.attention.self.query.lora_A.default.weight`"]);
}

#[test]
fn folders_around_a_model_name_it() {
    let sandbox = Sandbox::with_texts(["cat"]);
    fs_err::create_dir_all(sandbox.path("hub/models--a--b/refs")).unwrap();
    fs_err::create_dir_all(sandbox.path("hub/models--a--b/snapshots/11")).unwrap();
    fs_err::create_dir_all(sandbox.path("hub/models--a--b/snapshots/22")).unwrap();
    let snapshots = "name one of its snapshots: hub/models--a--b/snapshots/11, hub/models--a--b/snapshots/22";
    refused(&sandbox, "hub/models--a--b", &["is a model's place in a cache", snapshots]);
    sandbox.write("hub/models--a--b/refs/main", "22");
    assert_refused!(sandbox, "run --input in.parquet --model hub/models--a--b --output out", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: hub/models--a--b is a model's place in a cache, not the model itself
    hint: name its snapshot: hub/models--a--b/snapshots/22
    ");
    sandbox.copy_model("hub/models--a--b/snapshots/22/0_Transformer");
    fs_err::rename(sandbox.path("hub/models--a--b/snapshots/22"), sandbox.path("sentences")).unwrap();
    sandbox.write("sentences/modules.json", r#"[{"path": "0_Transformer"}, {"path": "1_Pooling"}]"#);
    fs_err::create_dir(sandbox.path("sentences/1_Pooling")).unwrap();
    sandbox.write("sentences/1_Pooling/config.json", r#"{"word_embedding_dimension": 20}"#);
    assert_refused!(sandbox, "run --input in.parquet --model sentences --output out", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: sentences holds a model in its folder 0_Transformer
    hint: name sentences/0_Transformer
    ");
    sandbox.copy_model("sentences/checkpoint-500");
    refused(&sandbox, "sentences", &["holds several models, in its folders 0_Transformer, checkpoint-500"]);
    refused(
        &sandbox,
        "sentences/0_Transformer/model.safetensors",
        &["is a file", "name sentences/0_Transformer"],
    );
}

#[test]
fn names_that_begin_otherwise() {
    let renamed = |prefix: &str| {
        let sandbox = Sandbox::with_texts(["cat"]);
        sandbox.break_weights(|tensors| {
            for name in tensors.keys().cloned().collect::<Vec<_>>() {
                let tensor = tensors.remove(&name).unwrap();
                tensors.insert(format!("{prefix}{name}"), tensor);
            }
        });
        sandbox
    };
    assert_refused!(renamed("model.bert."), BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors holds tensors whose names begin with `model.bert.`, expected `bert.` or nothing before them
    hint: if it is the same model inside another, write it alone with transformers' save_pretrained
    ");
    for prefix in ["module.", "_orig_mod.", "bert.bert."] {
        refused(&renamed(prefix), "broken", &[&format!("begin with `{prefix}`, expected `bert.`")]);
    }
    refused(
        &renamed("roberta."),
        "broken",
        &["begin with `roberta.`", "take the weights and config.json from one model"],
    );
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.clear();
        tensors.insert("transformer.wte.weight".to_owned(), zero());
        tensors.insert("lm_head.weight".to_owned(), zero());
    });
    refused(
        &sandbox,
        "broken",
        &["holds none of the expected tensors; names begin with `lm_head.`, `transformer.`"],
    );
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| tensors.clear());
    refused(&sandbox, "broken", &["holds none of the expected tensors; names begin with nothing"]);
}

#[test]
fn weights_that_another_program_left() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        let empty = TensorView::new(Dtype::F32, vec![0], &[]).unwrap();
        tensors.insert("encoder.layer.1.attention.self.query.weight".to_owned(), empty);
    });
    refused(
        &sandbox,
        "broken",
        &["`encoder.layer.1.attention.self.query.weight` without its values", "DeepSpeed"],
    );
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        for name in tensors.keys().cloned().collect::<Vec<_>>() {
            let tensor = tensors.remove(&name).unwrap();
            tensors.insert(format!("tf_bert_model/bert/{}", name.replace('.', "/")), tensor);
        }
    });
    refused(&sandbox, "broken", &["names that TensorFlow gives them", "from_tf=True"]);
    let sandbox = sandbox_with("broken/bert_config.json");
    refused(&sandbox, "broken", &["broken holds no config.json, but a bert_config.json", "model_type"]);
}

/// A sandbox whose model `broken` has its configuration at `path` instead.
fn sandbox_with(path: &str) -> Sandbox {
    let sandbox = sandbox();
    fs_err::rename(sandbox.path("broken/config.json"), sandbox.path(path)).unwrap();
    sandbox
}

#[test]
fn a_configuration_of_no_family() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.remove("model_type").unwrap();
        config.insert("architectures".to_owned(), serde_json::json!(["HF_ColBERT"]));
    });
    refused(
        &sandbox,
        "broken",
        &[
            r#"model_type is not stated, nor told by architectures ["HF_ColBERT"], which is not supported"#,
            r#"hint: write it into config.json, such as "model_type": "bert""#,
        ],
    );
}

#[test]
fn weights_and_configuration_of_two_models() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| tensors.retain(|name, _| !name.contains("layer.3.")));
    refused(
        &sandbox,
        "broken",
        &["holds 3 encoder layers, but config.json says num_hidden_layers is 4", "incomplete"],
    );
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.insert("encoder.layer.1.attention.self.distance_embedding.weight".to_owned(), zero());
    });
    refused(
        &sandbox,
        "broken",
        &["holds the tensor `encoder.layer.1.attention.self.distance_embedding.weight`, which is more than"],
    );
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        let bytes: &'static [u8] = &[1; 400];
        let name = "encoder.layer.1.attention.self.query.weight";
        tensors.insert(name.to_owned(), TensorView::new(Dtype::I8, vec![20, 20], bytes).unwrap());
    });
    refused(&sandbox, "broken", &["as I8: quantized weights are not read"]);
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config
            .insert("quantization_config".to_owned(), serde_json::json!({"quant_method": "gptq", "bits": 4}));
    });
    refused(&sandbox, "broken", &["quantization_config is \"gptq\", which is not supported"]);
}
