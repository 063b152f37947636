//! Reads files as a run does, and tells how long it took: `cargo run --release -p strata-io --example
//! read -- FILE… [--text COLUMN]`. With a text column, nothing else is read.

use std::time::Instant;

use strata_io::{Input, ReadOptions, find};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let text = arguments.iter().position(|argument| argument == "--text").map(|place| {
        let mut said = arguments.split_off(place);
        said.pop().unwrap_or_default()
    });
    let options = ReadOptions {
        text_columns: text.clone().into_iter().collect(),
        needed: text.map(|text| vec![text]),
        ..ReadOptions::default()
    };
    for source in find(&arguments)? {
        let (begun, name, bytes) = (Instant::now(), source.name.clone(), source.bytes);
        let input = Input::open(source, &options)?;
        let opened = begun.elapsed().as_secs_f64();
        let rows = input.count_rows()?;
        let counted = begun.elapsed().as_secs_f64();
        let columns: Vec<String> = match &options.needed {
            Some(needed) => needed.clone(),
            None => input.schema.fields().iter().map(|field| field.name().clone()).collect(),
        };
        input.read(&columns, 0..rows)?.try_for_each(|batch| batch.map(drop))?;
        let read = begun.elapsed().as_secs_f64();
        let times = serde_json::json!({
            "file": name, "bytes": bytes, "rows": rows, "open": opened, "count": counted - opened,
            "read": read - counted, "all": read,
        });
        #[expect(clippy::print_stdout, reason = "what an example is for")]
        {
            println!("{times}");
        }
    }
    Ok(())
}
