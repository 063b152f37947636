//! Tables in files, and vectors in tables.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchReader, StringArray};
use arrow::compute::{cast, concat_batches};
use arrow::csv::WriterBuilder;
use arrow::datatypes::{DataType, Float32Type, SchemaRef};
use arrow::ipc::reader::FileReader;
use arrow::ipc::writer::{FileWriter, StreamWriter};
use arrow::json::LineDelimitedWriter;
use fs_err::File;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// A table with the one column `text`.
pub fn texts<'a>(values: impl IntoIterator<Item = impl Into<Option<&'a str>>>) -> RecordBatch {
    table([("text", Arc::new(values.into_iter().map(Into::into).collect::<StringArray>()) as ArrayRef)])
}

/// A table whose columns may all hold nulls.
pub fn table<const N: usize>(columns: [(&str, ArrayRef); N]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns.map(|(name, array)| (name, array, true))).unwrap()
}

/// Writes a table in the format that the extension stands for.
pub fn write_table(path: &Path, table: &RecordBatch) {
    let file = File::create(path).unwrap();
    match path.extension().unwrap().to_str().unwrap() {
        "parquet" => {
            let mut writer = ArrowWriter::try_new(file, table.schema(), None).unwrap();
            writer.write(table).unwrap();
            writer.close().unwrap();
        }
        "arrow" => {
            let mut writer = FileWriter::try_new(file, &table.schema()).unwrap();
            writer.write(table).unwrap();
            writer.finish().unwrap();
        }
        "arrows" => {
            let mut writer = StreamWriter::try_new(file, &table.schema()).unwrap();
            writer.write(table).unwrap();
            writer.finish().unwrap();
        }
        "csv" => WriterBuilder::new().build(file).write(table).unwrap(),
        "jsonl" => {
            let mut writer = LineDelimitedWriter::new(file);
            writer.write(table).unwrap();
            writer.finish().unwrap();
        }
        other => panic!("no writer for .{other}"),
    }
}

/// The parts of an output, in the order of their names.
pub fn part_paths(folder: &Path) -> Vec<PathBuf> {
    let paths = fs_err::read_dir(folder.join("data")).unwrap().map(|entry| entry.unwrap().path());
    let is_part =
        |path: &PathBuf| path.extension().is_some_and(|found| found == "parquet" || found == "arrow");
    let mut paths: Vec<PathBuf> = paths.filter(is_part).collect();
    paths.sort();
    paths
}

/// All rows of an output, its parts in the order of their names.
pub fn read_output(folder: &Path) -> RecordBatch {
    let batches: Vec<RecordBatch> = part_paths(folder).iter().map(|path| read_part(path)).collect();
    let first = batches.first().unwrap_or_else(|| panic!("{} holds no parts", folder.display()));
    concat_batches(&first.schema(), &batches).unwrap()
}

/// The schema of an output's first part with all that the file says, which batches of Parquet are without.
pub fn schema_of_output(folder: &Path) -> SchemaRef {
    let path = part_paths(folder).remove(0);
    let file = File::open(&path).unwrap();
    if path.extension().is_some_and(|extension| extension == "arrow") {
        return FileReader::try_new(file, None).unwrap().schema();
    }
    ParquetRecordBatchReaderBuilder::try_new(file.into_file()).unwrap().schema().clone()
}

/// All rows of a part.
pub fn read_part(path: &Path) -> RecordBatch {
    let file = File::open(path).unwrap();
    if path.extension().is_some_and(|extension| extension == "arrow") {
        return collect(FileReader::try_new(file, None).unwrap());
    }
    let builder = ParquetRecordBatchReaderBuilder::try_new(file.into_file()).unwrap();
    collect(builder.build().unwrap())
}

fn collect(reader: impl RecordBatchReader) -> RecordBatch {
    let schema = reader.schema();
    concat_batches(&schema, &reader.map(Result::unwrap).collect::<Vec<_>>()).unwrap()
}

/// A column, by name.
pub fn column<'a>(table: &'a RecordBatch, name: &str) -> &'a ArrayRef {
    table.column_by_name(name).unwrap_or_else(|| panic!("no column {name} in {}", table.schema()))
}

/// The names of a table's columns.
pub fn names(table: &RecordBatch) -> Vec<String> {
    table.schema().fields().iter().map(|field| field.name().clone()).collect()
}

/// The vectors of a column, those of a stack one after the other; none where a row has none.
pub fn vectors(table: &RecordBatch, name: &str) -> Vec<Option<Vec<f32>>> {
    let lists = column(table, name).as_fixed_size_list();
    (0..lists.len()).map(|row| lists.is_valid(row).then(|| floats(&lists.value(row)))).collect()
}

fn floats(array: &ArrayRef) -> Vec<f32> {
    match array.as_fixed_size_list_opt() {
        Some(lists) => (0..lists.len()).flat_map(|row| floats(&lists.value(row))).collect(),
        None => {
            let array = cast(array, &DataType::Float32).unwrap();
            assert_eq!(array.null_count(), 0);
            array.as_primitive::<Float32Type>().values().to_vec()
        }
    }
}
