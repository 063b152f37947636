//! Files to read and ways to read them.

use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::file::properties::WriterProperties;
use strata_io::{Error, Input, OutputFolder, ReadOptions, Source, find};
use tempfile::TempDir;

/// File names of every format, each with a batch size or none of its own.
pub const FILES: [&str; 13] = [
    "a.parquet",
    "a.arrow",
    "a.arrows",
    "a.csv",
    "a.csv.gz",
    "a.csv.zst",
    "a.tsv",
    "a.jsonl",
    "a.ndjson.gz",
    "a.jsonl.zst",
    "a.json.bz2",
    "a.ndjson.xz",
    "a.csv.xz",
];

pub fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

/// Columns `id` (0, 1, …), `text` (every seventh null) and `double`, of `rows` rows.
pub fn numbered(rows: usize) -> RecordBatch {
    let ids = Int64Array::from_iter_values(0..rows as i64);
    let doubles = Int64Array::from_iter_values((0..rows as i64).map(|id| 2 * id));
    let texts = (0..rows).map(|id| (id % 7 != 3).then(|| format!("text, \"{id}\"\tü")));
    let texts = StringArray::from_iter(texts);
    RecordBatch::try_from_iter_with_nullable([
        ("id", Arc::new(ids) as ArrayRef, true),
        ("text", Arc::new(texts) as ArrayRef, true),
        ("double", Arc::new(doubles) as ArrayRef, true),
    ])
    .unwrap()
}

/// An empty output, whose folder goes with what is returned.
pub fn output() -> (TempDir, OutputFolder) {
    let root = TempDir::new().unwrap();
    let folder = OutputFolder::new(root.path());
    folder.make().unwrap();
    (root, folder)
}

/// Writes `batch` in the format that `name` stands for, in pieces of `piece` rows where the format
/// has pieces.
pub fn write_file(folder: &Path, name: &str, batch: &RecordBatch, piece: usize) -> PathBuf {
    let path = folder.join(name);
    fs_err::write(&path, encode(name, batch, piece)).unwrap();
    path
}

/// Wraps bytes as the extension of `name` says.
pub fn encode_bytes(name: &str, bytes: &[u8]) -> Vec<u8> {
    match Path::new(name).extension().and_then(|extension| extension.to_str()) {
        Some("gz") => {
            let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            gz.write_all(bytes).unwrap();
            gz.finish().unwrap()
        }
        Some("zst") => zstd::encode_all(bytes, 1).unwrap(),
        Some("bz2") => {
            let mut bz = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            bz.write_all(bytes).unwrap();
            bz.finish().unwrap()
        }
        Some("xz") => liblzma::encode_all(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

pub fn encode(name: &str, batch: &RecordBatch, piece: usize) -> Vec<u8> {
    if let Some((inner, _)) =
        name.rsplit_once('.').filter(|(_, end)| matches!(*end, "gz" | "zst" | "bz2" | "xz"))
    {
        return encode_bytes(name, &encode(inner, batch, piece));
    }
    let mut bytes = Vec::new();
    let pieces = (0..batch.num_rows())
        .step_by(piece)
        .map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    match Path::new(name).extension().unwrap().to_str().unwrap() {
        "parquet" => {
            let properties = WriterProperties::builder().set_max_row_group_row_count(Some(piece)).build();
            let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties)).unwrap();
            writer.write(batch).unwrap();
            writer.close().unwrap();
        }
        "arrow" => {
            let mut writer = arrow::ipc::writer::FileWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            pieces.for_each(|piece| writer.write(&piece).unwrap());
            writer.finish().unwrap();
        }
        "arrows" => {
            let mut writer = arrow::ipc::writer::StreamWriter::try_new(&mut bytes, &batch.schema()).unwrap();
            pieces.for_each(|piece| writer.write(&piece).unwrap());
            writer.finish().unwrap();
        }
        extension @ ("csv" | "tsv") => {
            let delimiter = if extension == "tsv" { b'\t' } else { b',' };
            let builder = arrow::csv::WriterBuilder::new().with_delimiter(delimiter);
            builder.build(&mut bytes).write(batch).unwrap();
        }
        _ => {
            let mut writer = arrow::json::LineDelimitedWriter::new(&mut bytes);
            writer.write(batch).unwrap();
            writer.finish().unwrap();
        }
    }
    bytes
}

pub fn source(path: &Path) -> Source {
    find(&[path.to_str().unwrap().to_owned()]).unwrap().remove(0)
}

pub fn open(path: &Path) -> Input {
    Input::open(source(path), &ReadOptions::default()).unwrap()
}

/// Options by which these columns are text.
pub fn texts(columns: &[&str]) -> ReadOptions {
    ReadOptions { text_columns: names(columns), ..ReadOptions::default() }
}

/// The rows of a range as one batch.
pub fn read(input: &Input, columns: &[&str], rows: Range<u64>) -> Result<RecordBatch, Error> {
    let batches = input.read(&names(columns), rows)?;
    let schema = batches.schema();
    let batches = batches.collect::<Result<Vec<_>, _>>()?;
    Ok(concat_batches(&schema, &batches).unwrap())
}

/// The files of a folder, hidden ones included, sorted.
pub fn listing(folder: &Path) -> Vec<String> {
    let entries = fs_err::read_dir(folder).unwrap();
    let mut names: Vec<_> =
        entries.map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}
