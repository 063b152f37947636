//! Texts that are there several times go through the model once.

use crate::support::{Sandbox, read_output, texts, write_table};

const WORDS: [&str; 6] = ["cat", "the dog", "was", "a bird", "hello world", "tree house"];

/// Forty texts that differ, some of them longer than a window.
fn different() -> Vec<String> {
    let text = |row: usize| {
        let words = (0..=row % 30 * 3).map(|place| WORDS[(row + place * place) % 6]);
        format!("{row} {}", words.collect::<Vec<_>>().join(" "))
    };
    (0..40).map(text).collect()
}

#[test]
fn repeated_texts_are_encoded_once_and_have_the_bytes_of_single_ones() {
    let once = different();
    let repeated: Vec<String> =
        (0..5).flat_map(|turn| once.iter().cycle().skip(turn * 7).take(40).cloned()).collect();
    for options in
        ["", "--unit token", "--unit word", "--overflow window --stride 4", "--attentions --pooling mean,max"]
    {
        let sandbox = Sandbox::new();
        let run = |name: &str, values: &[String]| {
            write_table(&sandbox.path(&format!("{name}.parquet")), &texts(values.iter().map(String::as_str)));
            sandbox.succeed(&format!(
                "run --input {name}.parquet --model tiny-bert --layers 0,2,-1 --output {name} --report {name}.json {options}"
            ));
            (read_output(&sandbox.path(name)), sandbox.report(&format!("{name}.json")))
        };
        let (one, counts) = run("once", &once);
        // Windows of different texts may be alike.
        assert!(counts["repeated_tokens"] == 0 || options.contains("window"), "{options}");
        let (five, counts_of_five) = run("repeated", &repeated);
        let [all, again] = ["tokens", "repeated_tokens"].map(|name| counts_of_five[name].as_u64().unwrap());
        assert_eq!(all, counts["tokens"].as_u64().unwrap() * 5, "{options}");
        assert!(
            again * 5 == all * 4 || again * 5 > all * 4 && options.contains("window"),
            "{options}: {again} of {all}"
        );
        // Row by row, in whatever turn a text came: the rows of the first forty are those of the texts alone.
        let first = five.slice(0, one.num_rows());
        assert_eq!(first.columns(), one.columns(), "{options}");
    }
}

#[test]
fn pairs_that_share_one_text_are_two() {
    let sandbox = Sandbox::new();
    let lines = ["cat|dog", "cat|bird", "dog|cat", "cat|dog"].map(|pair| {
        let (text, other) = pair.split_once('|').unwrap();
        format!("{{\"text\": \"{text}\", \"other\": \"{other}\"}}\n")
    });
    sandbox.write("in.jsonl", lines.concat());
    sandbox
        .succeed("run --input in.jsonl --model tiny-bert --text-pair other --output out --report out.json");
    let vectors = crate::support::vectors(&read_output(&sandbox.path("out")), "layer_4_mean");
    assert_eq!(vectors[0], vectors[3]);
    assert!(vectors[0] != vectors[1] && vectors[0] != vectors[2]);
    let counts = sandbox.report("out.json");
    // `[CLS] cat [SEP] dog [SEP]`
    assert_eq!(counts["repeated_tokens"], 5);
}
