//! Models that cannot be used, or not as asked.

use crate::support::models::zero;
use crate::support::{Sandbox, assert_refused, run};

const BROKEN: &str = "run --input in.parquet --model broken --output out";

#[test]
fn a_model_folder_that_does_not_exist() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, "run --input in.parquet --model bert-base --output out", @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: no model folder bert-base, and no model of that id in hf/hub
    hint: name a folder that holds config.json, tokenizer.json and model.safetensors, or fetch the model: strata fetch bert-base
    ");
}

#[test]
fn a_model_folder_without_a_tokenizer() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|_| ());
    fs_err::remove_file(sandbox.path("broken/tokenizer.json")).unwrap();
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken holds no tokenizer.json, nor vocab.txt
    hint: take all files of the model, or write them with transformers: AutoTokenizer.from_pretrained(ID).save_pretrained(DIR)
    ");
}

#[test]
fn a_tokenizer_that_is_a_program() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|_| ());
    sandbox.write("broken/tokenizer_config.json", r#"{"tokenizer_class": "BertJapaneseTokenizer"}"#);
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/tokenizer_config.json: tokenizer_class is BertJapaneseTokenizer, which is not supported; expected one that files describe: this one is a program in Python
    hint: take a model whose tokenizer_class is one of those in the README, or whose tokenizer.json is taken as it is
    ");
}

#[test]
fn a_model_folder_without_weights() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.copy_model("broken");
    fs_err::remove_file(sandbox.path("broken/model.safetensors")).unwrap();
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken holds no model.safetensors, nor pytorch_model.bin, nor the .index.json of either
    hint: a Hugging Face checkpoint holds config.json, tokenizer.json and model.safetensors or pytorch_model.bin
    ");
}

#[test]
fn a_pooler_that_the_family_lacks() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.link("electra", &crate::support::fixture("tiny-electra"));
    assert_refused!(sandbox, "run --input in.parquet --model electra --output out --pooling pooler", @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: pooling is pooler, but models of type electra have none
    ");
}

#[test]
fn weights_that_lack_a_tensor() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.remove("encoder.layer.2.attention.self.query.weight").unwrap();
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors has no tensor `encoder.layer.2.attention.self.query.weight`, expected with shape [20, 20]
    hint: the weights and config.json do not belong together, or the download is incomplete
    ");
}

#[test]
fn weights_of_more_layers_than_the_configuration_says() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.insert("encoder.layer.4.output.dense.bias".to_owned(), zero());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors holds 5 encoder layers, but config.json says num_hidden_layers is 4
    hint: take the weights and config.json from one model: the file holds more than the configuration says
    ");
}

#[test]
fn weights_with_a_tensor_of_another_shape() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_weights(|tensors| {
        tensors.insert("encoder.layer.1.output.dense.bias".to_owned(), zero());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors: tensor `encoder.layer.1.output.dense.bias` is of shape [1], expected [20]
    hint: the weights and config.json do not belong together: take both from one model
    ");
}

#[test]
fn weights_cut_short() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|_| ());
    let bytes = fs_err::read(sandbox.path("broken/model.safetensors")).unwrap();
    sandbox.write("broken/model.safetensors", &bytes[..bytes.len() / 2]);
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/model.safetensors is not valid: incomplete metadata, file not fully covered
    hint: fetch the file again, or write it again with transformers' save_pretrained
    ");
}

#[test]
fn a_configuration_that_asks_for_what_is_not_supported() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("position_embedding_type".to_owned(), "relative_key".into());
    });
    assert_refused!(sandbox, BROKEN, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json: position_embedding_type is "relative_key", which is not supported; expected absolute
    "#);
}

#[test]
fn a_configuration_of_another_family() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("model_type".to_owned(), "gpt2".into());
    });
    assert_refused!(sandbox, BROKEN, @r#"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json: model_type is "gpt2", which is not supported; expected bert, roberta, xlm-roberta, camembert, distilbert, electra, mpnet, albert, modernbert, deberta-v2, nomic_bert, gte
    "#);
}

#[test]
fn a_configuration_whose_numbers_cannot_be() {
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("num_hidden_layers".to_owned(), 1_000_000_000_000_u64.into());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json is not valid: num_hidden_layers is 1000000000000, expected at most 1000
    hint: fetch the file again, or write it again with transformers' save_pretrained
    ");
    let sandbox = Sandbox::with_texts(["cat"]);
    sandbox.break_config(|config| {
        config.insert("pad_token_id".to_owned(), 5000.into());
    });
    assert_refused!(sandbox, BROKEN, @r"
    success: false
    exit_code: 78
    ----- stdout -----

    ----- stderr -----
    error: broken/config.json is not valid: pad_token_id is 5000, but the model has 117 word embeddings
    hint: fetch the file again, or write it again with transformers' save_pretrained
    ");
}

#[test]
fn a_layer_that_the_model_lacks() {
    let sandbox = Sandbox::with_texts(["cat"]);
    assert_refused!(sandbox, &run("--layers 0,5"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: layer 5 is out of range: the model has 4 encoder layers, so 0 to 4 or -5 to -1
    ");
    assert_refused!(sandbox, &run("--layers -6"), @r"
    success: false
    exit_code: 2
    ----- stdout -----

    ----- stderr -----
    error: layer -6 is out of range: the model has 4 encoder layers, so 0 to 4 or -5 to -1
    ");
}
