//! A real checkpoint, all-MiniLM-L6-v2, against recorded answers of the reference implementation.

use std::process::Command;

use arrow::array::AsArray;
use arrow::datatypes::UInt32Type;
use serde_json::Value;

use crate::faulty::stderr;
use crate::support::reference::{Reference, assert_close};
use crate::support::tables::column;
use crate::support::{Sandbox, fixture, read_output, set_up, vectors};

#[test]
fn a_real_checkpoint_gives_the_vectors_of_the_reference_in_every_layer() {
    let reference = Reference::load("minilm");
    let sandbox = Sandbox::with_texts(reference.strings());
    sandbox.link("minilm", &set_up(".models/all-MiniLM-L6-v2"));
    let inputs = "run --input in.parquet --model minilm";
    sandbox.succeed(&format!("{inputs} --output out --layers all --pooling mean,cls,pooler"));
    let output = read_output(&sandbox.path("out"));

    let n_tokens = column(&output, "n_tokens").as_primitive::<UInt32Type>();
    let expected: Vec<u32> = reference.texts.iter().map(|text| text.input_ids.len() as u32).collect();
    assert_eq!(n_tokens.values(), &expected);
    for layer in 0..=6 {
        for pooling in ["mean", "cls"] {
            let found = vectors(&output, &format!("layer_{layer}_{pooling}"));
            assert_rows(&found, &reference, pooling, layer);
        }
    }
    assert_rows(&vectors(&output, "pooler_output"), &reference, "pooler_output", 0);

    sandbox.succeed(&format!("{inputs} --output unit --normalize"));
    let output = read_output(&sandbox.path("unit"));
    assert_rows(&vectors(&output, "layer_6_mean"), &reference, "sentence_embedding", 0);
}

#[test]
fn a_batch_for_which_there_is_no_memory_is_divided() {
    let texts: Vec<String> = (0..30_000).map(|row| format!("text number {row} of many")).collect();
    let sandbox = Sandbox::with_texts(texts.iter().map(String::as_str));
    sandbox.link("minilm", &set_up(".models/all-MiniLM-L6-v2"));
    let arguments = "run --input in.parquet --model minilm --output out --layers 0 --max-batch-tokens 300000";
    let command = sandbox.strata(arguments);
    let mut limited = Command::new("sh");
    // As kibibytes of addresses.
    limited.args(["-c", "ulimit -v 1500000; exec \"$0\" \"$@\""]).arg(command.get_program());
    limited.args(command.get_args()).current_dir(sandbox.path("")).env_clear();
    let ended = limited.output().unwrap();
    let said = stderr(&ended);
    assert!(ended.status.success() && said.contains("no device memory for"), "{said}");
    assert_eq!(vectors(&read_output(&sandbox.path("out")), "layer_0_mean").len(), texts.len());
}

#[test]
fn a_vector_has_the_same_bits_whatever_the_company_the_budget_and_the_threads() {
    let reference = Reference::load("minilm");
    let texts: Vec<&str> = reference.strings().into_iter().cycle().take(100).collect();
    let sandbox = Sandbox::with_texts(texts);
    sandbox.link("minilm", &set_up(".models/all-MiniLM-L6-v2"));
    let columns = ["layer_0_mean", "layer_3_mean", "layer_6_mean", "layer_6_max", "layer_6_last"];
    for compute in ["float32", "bfloat16", "int8"].into_iter().filter(|compute| has(&sandbox, compute)) {
        let mut expected = None;
        for (output, options) in [
            ("usual", ""),
            ("alone", "--max-batch-tokens 1"),
            ("few", "--max-batch-tokens 70 --threads 1"),
            ("many", "--max-batch-tokens 9000 --rows-per-part 33"),
        ] {
            sandbox.succeed(&format!(
                "run --input in.parquet --model minilm --output {compute}/{output} --layers 0,3,6 --pooling mean,max,last \
                 --compute {compute} {options}"
            ));
            let output = read_output(&sandbox.path(&format!("{compute}/{output}")));
            let found = columns.map(|column| vectors(&output, column));
            assert!(found == *expected.get_or_insert(found.clone()), "{compute} {options}");
        }
    }
}

/// Whether this processor has the instructions; where not, the run is refused, naming them.
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn has(sandbox: &Sandbox, compute: &str) -> bool {
    let try_it =
        format!("run --input in.parquet --model minilm --output tried --dry-run --compute {compute}");
    let tried = sandbox.strata(&try_it).output().unwrap();
    if !tried.status.success() {
        assert!(
            stderr(&tried).contains(&format!("this processor has no {compute} instructions")),
            "{}",
            stderr(&tried)
        );
        eprintln!("skipped: this processor has no instructions for {compute}");
    }
    tried.status.success()
}

#[test]
fn int8_is_refused_where_the_processor_or_the_model_has_nothing_for_it() {
    let mut sandbox = Sandbox::with_texts(["cat"]);
    sandbox.link("minilm", &set_up(".models/all-MiniLM-L6-v2"));
    let refused = |sandbox: &Sandbox, model: &str| {
        let command = format!("run --input in.parquet --model {model} --output out --compute int8");
        let output = sandbox.strata(&command).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(!sandbox.path("out").exists());
        stderr(&output)
    };
    if has(&sandbox, "int8") {
        let said = refused(&sandbox, "tiny-bert");
        assert!(said.contains("hidden_size 20: int8 takes widths that are multiples of 64"), "{said}");
    }
    sandbox.set("STRATA_CPU", "portable");
    assert!(
        refused(&sandbox, "minilm")
            .contains("no int8 instructions (avx512_vnni or avx_vnni); expected float32")
    );
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn bfloat16_is_remarked_upon_where_it_is_slow() {
    let mut sandbox = Sandbox::with_texts(["cat"]);
    sandbox.link("minilm", &set_up(".models/all-MiniLM-L6-v2"));
    // No tile registers.
    sandbox.set("STRATA_CPU", "avx512");
    if !has(&sandbox, "bfloat16") {
        return;
    }
    let processor = fs_err::read_to_string("/proc/cpuinfo").unwrap();
    let is_slow = processor.contains("GenuineIntel");
    for (compute, is_remarked) in [("bfloat16", is_slow), ("float32", false)] {
        let said = sandbox.succeed(&format!(
            "run --input in.parquet --model tiny-bert --output {compute} --compute {compute}"
        ));
        assert_eq!(stderr(&said).contains("float32 may well be faster"), is_remarked, "{}", stderr(&said));
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[test]
fn int8_is_remarked_upon_where_bfloat16_is_faster() {
    let mut sandbox = Sandbox::with_texts(["cat"]);
    sandbox.link("minilm", &set_up(".models/all-MiniLM-L6-v2"));
    if !has(&sandbox, "int8") {
        return;
    }
    let is_remarked = |sandbox: &Sandbox, output: &str| {
        let run = format!("run --input in.parquet --model minilm --output {output} --compute int8");
        stderr(&sandbox.succeed(&run)).contains("faster than int8 here")
    };
    let processor = fs_err::read_to_string("/proc/cpuinfo").unwrap();
    assert_eq!(is_remarked(&sandbox, "tiles"), processor.contains("amx_bf16"));
    sandbox.set("STRATA_CPU", "avx512");
    assert!(!is_remarked(&sandbox, "none"));
}

#[test]
fn small_heads_have_the_same_bits_with_any_number_of_threads() {
    let sandbox = Sandbox::with_texts(["the cat sat on the dog", "hello", "a zebra jumped over the cats"]);
    fs_err::create_dir(sandbox.path("model")).unwrap();
    sandbox.link("model/tokenizer.json", &fixture("tiny-bert").join("tokenizer.json"));
    let config = fs_err::read(fixture("tiny-bert").join("config.json")).unwrap();
    let mut config: Value = serde_json::from_slice(&config).unwrap();
    for (key, size) in [("hidden_size", 32), ("num_attention_heads", 4), ("intermediate_size", 64)] {
        config[key] = size.into();
    }
    sandbox.write("model/config.json", config.to_string());
    let run = |threads: &str| {
        sandbox.succeed(&format!(
            "run --input in.parquet --model model --random-weights 3 --layers all --output {threads} --threads {threads}"
        ));
        sandbox.parts(threads)
    };
    assert!(run("1") == run("2"));
}

/// Holds a column against a row of each text's recorded tensor.
fn assert_rows(found: &[Option<Vec<f32>>], reference: &Reference, tensor: &str, row: usize) {
    assert_eq!(found.len(), reference.texts.len());
    for (text, found) in found.iter().enumerate() {
        let expected = &reference.rows(&format!("text_{text}.{tensor}"))[row];
        assert_close(found.as_deref(), Some(expected), &format!("{tensor} {row} of text {text}"));
    }
}
