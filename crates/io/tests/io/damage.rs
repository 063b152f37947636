//! Damaged files are errors, whatever the damage: never a panic, never an abort.

use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::datatypes::{DataType, Schema};
use arrow::ipc::CompressionType;
use arrow::ipc::writer::{FileWriter, IpcWriteOptions, StreamWriter};
use proptest::prelude::*;
use strata_io::{Error, FloatType, Input, Source, find, vector_array, vector_field};
use tempfile::TempDir;

use crate::support::{FILES, encode, numbered, texts};

/// Every way to read a file; returns whether all of them succeeded with all `rows`.
fn read_everything(path: &Path, rows: u64) -> Result<(), Error> {
    let source: Source = find(&[path.to_str().unwrap().to_owned()])?.remove(0);
    let input = Input::open(source, &texts(&["text"]))?;
    let counted = input.count_rows();
    let columns: Vec<String> = input.schema.fields().iter().map(|field| field.name().clone()).collect();
    for range in [0..rows, rows / 2..rows] {
        for batch in input.read(&columns, range)? {
            batch?;
        }
    }
    counted.map(drop)
}

/// Numbers, texts, a dictionary, a list and a vector.
fn varied(rows: usize) -> RecordBatch {
    let batch = numbered(rows);
    let mut fields = batch.schema().fields().to_vec();
    let mut columns = batch.columns().to_vec();
    let kinds = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    let text: ArrayRef = Arc::new(arrow::array::StringArray::from_iter_values(
        (0..rows).map(|row| format!("kind {}", row % 5)),
    ));
    fields.push(arrow::datatypes::Field::new("kind", kinds.clone(), true).into());
    columns.push(arrow::compute::cast(&text, &kinds).unwrap());
    let values = (0..rows * 4).map(|i| i as f32).collect();
    fields.push(vector_field("vector", &[4], FloatType::Float32).into());
    columns.push(vector_array(values, None, &[4], FloatType::Float32).unwrap());
    RecordBatch::try_new(Schema::new(fields).into(), columns).unwrap()
}

fn sample(name: &str) -> (Vec<u8>, u64) {
    let is_text = ["csv", "tsv", "json"].iter().any(|text| name.contains(text));
    let batch = if is_text { numbered(300) } else { varied(300) };
    (encode(name, &batch, 100), 300)
}

/// The varied rows as one compressed batch.
fn compressed(codec: CompressionType, stream: bool) -> Vec<u8> {
    let batch = varied(300);
    let mut bytes = Vec::new();
    let options = IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
    let schema = batch.schema();
    if stream {
        let mut writer = StreamWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    } else {
        let mut writer = FileWriter::try_new_with_options(&mut bytes, &schema, options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
    }
    bytes
}

#[test]
fn compressed_batches_are_read_and_their_claims_checked() {
    let folder = TempDir::new().unwrap();
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        for (name, stream) in [("a.arrow", false), ("a.arrows", true)] {
            let path = folder.path().join(name);
            let bytes = compressed(codec, stream);
            fs_err::write(&path, &bytes).unwrap();
            read_everything(&path, 300).unwrap();
            // The size of the column of ids, 300 integers, becomes terabytes.
            let mut damaged = bytes.clone();
            let place = bytes.windows(8).position(|window| window == 2400_u64.to_le_bytes()).unwrap();
            damaged[place + 5] = 0x7f;
            fs_err::write(&path, &damaged).unwrap();
            let error = read_everything(&path, 300).unwrap_err();
            let cause = std::error::Error::source(&error).unwrap().to_string();
            assert!(cause.contains("claims to hold"), "{name} {codec:?} {cause}");
        }
    }
}

#[test]
fn undamaged_samples_are_read() {
    let folder = TempDir::new().unwrap();
    for name in FILES {
        let path = folder.path().join(name);
        let (bytes, rows) = sample(name);
        fs_err::write(&path, bytes).unwrap();
        read_everything(&path, rows).unwrap();
    }
}

#[test]
fn a_file_cut_anywhere_is_an_error() {
    let folder = TempDir::new().unwrap();
    for name in FILES {
        let path = folder.path().join(name);
        let (bytes, rows) = sample(name);
        for sixteenth in 0..16 {
            fs_err::write(&path, &bytes[..bytes.len() * sixteenth / 16]).unwrap();
            let result = read_everything(&path, rows);
            assert!(result.is_err(), "{name} cut at {sixteenth}/16");
        }
    }
}

#[test]
fn a_file_of_noise_is_an_error() {
    let folder = TempDir::new().unwrap();
    for name in ["a.parquet", "a.arrow", "a.arrows", "a.csv.gz", "a.jsonl", "a.jsonl.zst"] {
        let path = folder.path().join(name);
        let noise: Vec<u8> = (0..5000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        fs_err::write(&path, noise).unwrap();
        assert!(read_everything(&path, 300).is_err(), "{name}");
    }
}

#[test]
fn bytes_flipped_at_the_ends_never_panic() {
    // Magic, lengths and footers live there; each byte is tried.
    let folder = TempDir::new().unwrap();
    for name in ["a.parquet", "a.arrow", "a.arrows"] {
        let path = folder.path().join(name);
        let (bytes, rows) = sample(name);
        let last = bytes.len() - 1;
        for index in (0..150).flat_map(|i| [i, last - i]) {
            let mut bytes = bytes.clone();
            bytes[index] ^= 0xff;
            fs_err::write(&path, bytes).unwrap();
            let _ = read_everything(&path, rows);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn flipped_bytes_of_compressed_batches_never_panic(
        lz4 in any::<bool>(),
        stream in any::<bool>(),
        flips in prop::collection::vec((0.0..1.0_f64, 1..=255_u8), 1..4),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(if stream { "a.arrows" } else { "a.arrow" });
        let codec = if lz4 { CompressionType::LZ4_FRAME } else { CompressionType::ZSTD };
        let mut bytes = compressed(codec, stream);
        for (place, mask) in flips {
            let index = (bytes.len() as f64 * place) as usize;
            bytes[index] ^= mask;
        }
        fs_err::write(&path, bytes).unwrap();
        let _ = read_everything(&path, 300);
    }

    #[test]
    fn flipped_bytes_never_panic(
        file in 0..FILES.len(),
        flips in prop::collection::vec((0.0..1.0_f64, 1..=255_u8), 1..4),
    ) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(FILES[file]);
        let (mut bytes, rows) = sample(FILES[file]);
        for (place, mask) in flips {
            let index = (bytes.len() as f64 * place) as usize;
            bytes[index] ^= mask;
        }
        fs_err::write(&path, bytes).unwrap();
        // Some damage is invisible to a format without checksums; reading must merely end.
        let _ = read_everything(&path, rows);
    }
}
