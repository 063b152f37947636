//! Memory is bounded by windows, not by the input.

use crate::support::{Sandbox, texts, write_table};

const MEGABYTE: u64 = 1 << 20;

#[test]
fn fifty_times_the_rows_take_no_more_memory() {
    let (few, many) = (peak_memory(10_000), peak_memory(500_000));
    let growth = many.saturating_sub(few) / MEGABYTE;
    assert!(growth < 200, "peak memory grew by {growth} MB from {} MB", few / MEGABYTE);
}

/// The largest memory of a run over so many short texts, in bytes.
fn peak_memory(rows: usize) -> u64 {
    let words = ["cat", "the dog", "sat on", "hello world", "", "run, run", "jump", "a token"];
    let sandbox = Sandbox::new();
    write_table(&sandbox.path("in.parquet"), &texts((0..rows).map(|row| words[row % words.len()])));
    sandbox.succeed(
        "run --input in.parquet --model tiny-bert --output out --layers 0 --max-length 8 \
         --max-batch-tokens 8192 --threads 1 --report report.json",
    );
    let report = sandbox.report("report.json");
    assert_eq!(report["rows"], rows);
    report["peak_memory_bytes"].as_u64().unwrap()
}

#[test]
fn a_row_group_of_long_texts_is_read_in_pieces() {
    const ROWS: usize = 1000;
    let sandbox = Sandbox::new();
    let long = "the cat sat ".repeat(40_000);
    let rows: Vec<String> = (0..ROWS).map(|row| format!("{row} {long}")).collect();
    write_table(&sandbox.path("in.parquet"), &texts(rows.iter().map(String::as_str)));
    sandbox.succeed(
        "run --input in.parquet --model tiny-bert --output out --layers 0 --max-length 8 --keep none \
         --threads 1 --report report.json",
    );
    let peak = sandbox.report("report.json")["peak_memory_bytes"].as_u64().unwrap();
    let growth = peak.saturating_sub(peak_memory(ROWS)) / MEGABYTE;
    let size = ROWS * long.len() / MEGABYTE as usize;
    assert!(growth < size as u64 * 2 / 3, "a row group of {size} MB took {growth} MB");
}
