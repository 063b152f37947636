//! A table of texts to a table of their vectors, without any file.
//!
//! `cargo run --release --workspace --example table -- MODEL_FOLDER`
#![expect(clippy::print_stdout, reason = "an example that prints")]

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use strata_bert::{Checkpoint, Encoder};
use strata_featurize::{Error, TableFeaturizer, Wanted};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args_os().nth(1).ok_or("expected the folder of a model")?;
    let vectors = featurized(folder.as_ref())?;
    println!("{} rows", vectors.num_rows());
    for field in vectors.schema().fields() {
        println!("  {}: {}", field.name(), field.data_type());
    }
    Ok(())
}

/// The vectors of two texts, and what stood beside them.
fn featurized(folder: &Path) -> Result<RecordBatch, Error> {
    let ids: ArrayRef = Arc::new(Int64Array::from(vec![7, 8]));
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("The cook burns the bread."), None]));
    let table = RecordBatch::try_from_iter([("id", ids), ("text", texts)])?;

    let encoder = Encoder::builder(&Checkpoint::open(folder)?).build()?;
    TableFeaturizer::new(encoder, Wanted::default()).featurize(&table, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_carried_along_and_a_null_text_has_a_null_vector() {
        let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/tiny-bert");
        let vectors = featurized(&model).unwrap();
        let nulls: Vec<usize> = vectors.columns().iter().map(|column| column.null_count()).collect();
        assert_eq!(vectors.schema().field(0).name(), "id");
        assert_eq!(nulls, [0, 1, 0, 0, 1], "{:?}", vectors.schema());
    }
}
