use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{ArrayRef, DictionaryArray, Int8Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int8Type, Schema, SchemaRef};
use proptest::prelude::*;
use strata_io::{
    Error, ErrorKind, FinishedPart, FloatType, OutputFormat, PartFile, PartWriter, WriterOptions,
    blake3_file, vector_array, vector_field, write_atomically,
};
use tempfile::TempDir;

use crate::support::{listing, names, numbered};

const FORMATS: [OutputFormat; 2] = [OutputFormat::Parquet, OutputFormat::Arrow];

fn options(format: OutputFormat) -> WriterOptions {
    WriterOptions { format, provenance: Some("{\"layers\":[3]}".into()), ..Default::default() }
}

fn write(folder: &Path, format: OutputFormat, batches: &[RecordBatch]) -> FinishedPart {
    let name = format!("a-00000.{}", format.extension());
    let mut writer = PartWriter::create(folder, &name, batches[0].schema(), &options(format)).unwrap();
    batches.iter().for_each(|batch| writer.write(batch).unwrap());
    writer.finish().unwrap()
}

/// Rows of an id, a text and a vector of 40 KB.
fn wide(rows: usize) -> RecordBatch {
    let values = (0..rows * 10_000).map(|i| (i as f32).sin()).collect();
    let vectors = vector_array(values, None, &[10_000], FloatType::Float32).unwrap();
    let mut fields = numbered(0).schema().fields().to_vec();
    fields.push(vector_field("vector", &[10_000], FloatType::Float32).into());
    let mut columns = numbered(rows).columns().to_vec();
    columns.push(vectors);
    RecordBatch::try_new(Schema::new(fields).into(), columns).unwrap()
}

#[test]
fn a_finished_part_says_what_the_file_is() {
    for format in FORMATS {
        let folder = TempDir::new().unwrap();
        let part = write(folder.path(), format, &[numbered(1500), numbered(10)]);
        assert_eq!(listing(folder.path()), [part.file_name.as_str()]);
        let path = folder.path().join(&part.file_name);
        assert_eq!(part.rows, 1510);
        assert_eq!(part.bytes, fs_err::metadata(&path).unwrap().len());
        assert_eq!(part.blake3, blake3_file(&path).unwrap());
    }
}

#[test]
fn a_part_can_be_opened_with_its_provenance() {
    for format in FORMATS {
        let folder = TempDir::new().unwrap();
        let part = write(folder.path(), format, &[numbered(1500)]);
        let part = PartFile::open(&folder.path().join(part.file_name)).unwrap();
        assert_eq!(part.rows, 1500);
        assert_eq!(part.provenance.as_deref(), Some("{\"layers\":[3]}"));
        assert_eq!(part.schema.fields(), numbered(0).schema().fields());
        let batches = part.read(&names(&["id"]), 1400..1500).unwrap();
        assert_eq!(batches.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 100);
    }
}

#[test]
fn a_part_without_rows_is_a_part() {
    for format in FORMATS {
        let folder = TempDir::new().unwrap();
        let part = write(folder.path(), format, &[numbered(0)]);
        let part = PartFile::open(&folder.path().join(part.file_name)).unwrap();
        assert_eq!((part.rows, part.schema.fields().len()), (0, 3));
    }
}

#[test]
fn an_unfinished_part_is_never_visible_and_leaves_nothing() {
    for format in FORMATS {
        let folder = TempDir::new().unwrap();
        let schema = numbered(0).schema();
        let mut writer = PartWriter::create(folder.path(), "a.part", schema, &options(format)).unwrap();
        writer.write(&numbered(5000)).unwrap();
        assert_eq!(listing(folder.path()), [".a.part.partial"]);
        drop(writer);
        assert!(listing(folder.path()).is_empty());
    }
}

#[test]
fn the_leftover_of_a_crash_is_overwritten() {
    let folder = TempDir::new().unwrap();
    let leftover = folder.path().join(".a-00000.parquet.partial");
    fs_err::write(&leftover, vec![0xff; 1 << 20]).unwrap();
    let part = write(folder.path(), OutputFormat::Parquet, &[numbered(10)]);
    assert_eq!(listing(folder.path()), ["a-00000.parquet"]);
    assert_eq!(PartFile::open(&folder.path().join(part.file_name)).unwrap().rows, 10);
}

#[test]
fn a_part_written_again_replaces_the_old_one() {
    let folder = TempDir::new().unwrap();
    write(folder.path(), OutputFormat::Arrow, &[numbered(10)]);
    let part = write(folder.path(), OutputFormat::Arrow, &[numbered(7)]);
    assert_eq!(PartFile::open(&folder.path().join(part.file_name)).unwrap().rows, 7);
}

#[test]
fn a_batch_of_other_columns_is_refused() {
    let folder = TempDir::new().unwrap();
    let schema = numbered(0).schema();
    let mut writer =
        PartWriter::create(folder.path(), "a.parquet", schema, &WriterOptions::default()).unwrap();
    let error = writer.write(&numbered(3).project(&[0, 1]).unwrap()).unwrap_err();
    assert!(matches!(error, Error::SchemaMismatch { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Internal);
}

#[test]
fn a_folder_that_does_not_exist_is_an_io_error() {
    let folder = TempDir::new().unwrap().path().join("absent");
    let schema = numbered(0).schema();
    let error = PartWriter::create(&folder, "a.parquet", schema, &WriterOptions::default());
    assert_eq!(error.err().unwrap().kind(), ErrorKind::Io);
}

#[test]
fn a_full_disk_is_an_io_error_that_leaves_nothing() {
    // Writing to this device fails as on a full disk.
    let folder = TempDir::new().unwrap();
    let partial = folder.path().join(".a.parquet.partial");
    std::os::unix::fs::symlink("/dev/full", &partial).unwrap();
    let schema = numbered(0).schema();
    let options = WriterOptions::default();
    let result = PartWriter::create(folder.path(), "a.parquet", schema, &options).and_then(|mut writer| {
        (0..200).try_for_each(|_| writer.write(&numbered(5000)))?;
        writer.finish()
    });
    let error = result.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io, "{error:?}");
    assert!(listing(folder.path()).is_empty());
}

#[test]
fn dictionaries_of_any_past_give_the_same_bytes() {
    let folder = TempDir::new().unwrap();
    let schema: SchemaRef = Schema::new(vec![Field::new(
        "kind",
        DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8)),
        true,
    )])
    .into();
    let batch = |keys: &[i8], values: Vec<String>| {
        let values: ArrayRef = Arc::new(StringArray::from(values));
        let keys = Int8Array::from(keys.to_vec());
        let array = DictionaryArray::<Int8Type>::new(keys, values);
        RecordBatch::try_new(schema.clone(), vec![Arc::new(array)]).unwrap()
    };
    let once = [batch(&[0, 1, 0], vec!["a".into(), "b".into()])];
    // Two dictionaries that together have more values than an Int8 key can count.
    let padded = |first: &str| {
        let mut values = vec![first.to_owned()];
        values.extend((0..100).map(|i| format!("{first}{i}")));
        values
    };
    let twice = [batch(&[0], padded("a")), batch(&[0], padded("b")), batch(&[0], padded("a"))];
    let hashes =
        [&once[..], &twice[..]].map(|batches| write(folder.path(), OutputFormat::Parquet, batches).blake3);
    assert_eq!(hashes[0], hashes[1]);
}

#[test]
fn row_groups_of_wide_rows_stay_small() {
    let folder = TempDir::new().unwrap();
    let options = WriterOptions { row_group_bytes: 4 << 20, ..options(OutputFormat::Parquet) };
    let batch = wide(1000);
    let mut writer = PartWriter::create(folder.path(), "a.parquet", batch.schema(), &options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let file = fs_err::File::open(folder.path().join("a.parquet")).unwrap().into_file();
    let footer = parquet::file::metadata::ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    assert!(footer.num_row_groups() > 5);
    for group in footer.row_groups() {
        assert!(group.compressed_size() < 12 << 20, "{}", group.compressed_size());
    }
}

#[test]
fn atomic_writes_replace_whole_files() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("report.json");
    for content in ["first, longer", "second"] {
        write_atomically(&path, content.as_bytes()).unwrap();
        assert_eq!(fs_err::read_to_string(&path).unwrap(), content);
    }
    assert_eq!(listing(folder.path()), ["report.json"]);
    assert!(write_atomically(&folder.path().join("absent/x"), b"").is_err());
}

#[test]
fn the_hash_of_a_file_is_that_of_its_bytes() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let bytes = vec![7; 300_000];
    file.write_all(&bytes).unwrap();
    assert_eq!(blake3_file(file.path()).unwrap(), blake3::hash(&bytes).to_hex().as_str());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn the_bytes_of_a_part_do_not_depend_on_its_batches(
        cuts in prop::collection::btree_set(1..600_usize, 0..6),
        arrow in any::<bool>(),
    ) {
        let folder = TempDir::new().unwrap();
        let batch = {
            let numbered = numbered(600);
            let values = (0..600 * 50).map(|i| (i as f32).cos()).collect();
            let vectors = vector_array(values, None, &[50], FloatType::Float32).unwrap();
            let mut fields = numbered.schema().fields().to_vec();
            fields.push(vector_field("v", &[50], FloatType::Float32).into());
            let columns = numbered.columns().iter().cloned().chain([vectors]).collect();
            RecordBatch::try_new(Schema::new(fields).into(), columns).unwrap()
        };
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in cuts.into_iter().chain([600]) {
            pieces.push(batch.slice(start, end - start));
            start = end;
        }
        let format = FORMATS[usize::from(arrow)];
        let whole = write(folder.path(), format, &[batch]);
        let pieced = write(folder.path(), format, &pieces);
        prop_assert_eq!(whole.blake3, pieced.blake3);
    }
}
