//! How far bfloat16 or int8 is from float32, layer by layer: the smallest and mean cosine and the largest
//! difference of a dimension, over the mean- and cls-pooled vectors of some texts.
//!
//! `cargo run --release -p strata-bert --example fidelity -- MODEL_FOLDER int8 < texts`, one text a
//! line, writes a Markdown table.
#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::io;
use std::path::PathBuf;

use strata_bert::{
    Checkpoint, Compute, DeviceKind, Document, Extractor, FeatureRequest, Features, Pooling, TextTokenizer,
    TokenizerOptions,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("expected the folder of a model")?;
    let compute = std::env::args().nth(2).ok_or("expected bfloat16 or int8")?.parse()?;
    let checkpoint = Checkpoint::open(&PathBuf::from(folder))?;
    let texts: Vec<String> = io::stdin().lines().collect::<Result<_, _>>()?;
    let documents = TextTokenizer::load(&checkpoint, &TokenizerOptions::default())?
        .encode(&texts.iter().map(|text| text.as_str().into()).collect::<Vec<_>>())?;
    let reference = vectors(&checkpoint, &documents, Compute::Float32)?;
    let found = vectors(&checkpoint, &documents, compute)?;

    println!("| layer | pooling | smallest cosine | mean cosine | largest difference | largest value |");
    println!("|---|---|---|---|---|---|");
    let poolings = ["cls", "mean"];
    let hidden = checkpoint.config.hidden_size;
    for column in 0..=checkpoint.config.num_hidden_layers {
        for (offset, pooling) in poolings.iter().enumerate() {
            let start = (column * poolings.len() + offset) * hidden;
            let pairs =
                || reference.iter().zip(&found).map(|(a, b)| (&a[start..][..hidden], &b[start..][..hidden]));
            let cosines: Vec<f64> = pairs().map(|(a, b)| cosine(a, b)).collect();
            let values = || pairs().flat_map(|(a, b)| a.iter().zip(b));
            println!(
                "| {column} | {pooling} | {:.6} | {:.6} | {:.4} | {:.2} |",
                cosines.iter().copied().fold(f64::INFINITY, f64::min),
                cosines.iter().sum::<f64>() / cosines.len() as f64,
                values().map(|(a, b)| (a - b).abs()).fold(0.0, f32::max),
                values().map(|(a, _)| a.abs()).fold(0.0, f32::max),
            );
        }
    }
    Ok(())
}

/// Per text, layer after layer, the cls- and the mean-pooled vector.
fn vectors(
    checkpoint: &Checkpoint,
    documents: &[Document],
    compute: Compute,
) -> Result<Vec<Vec<f32>>, strata_bert::Error> {
    let options = FeatureRequest {
        layers: "all".parse()?,
        pooling: vec![Pooling::Cls, Pooling::Mean],
        ..FeatureRequest::default()
    };
    let features = Features::resolve(&options, &checkpoint.config)?;
    let extractor = Extractor::load(checkpoint, features, DeviceKind::Cpu, compute, None)?;
    documents.iter().map(|document| extractor.extract(&[&document.windows[0]])).collect()
}

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>();
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}
