use arrow::array::RecordBatch;
use arrow::datatypes::Schema;
use parquet::basic::{Compression, Encoding};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, ParquetMetaDataReader};
use strata_io::{FloatType, PartWriter, WriterOptions, vector_array, vector_field};
use tempfile::TempDir;

use crate::support::numbered;

const VECTORS: [(&str, &[usize], FloatType, &str); 4] = [
    ("layer_3_mean", &[8], FloatType::Float32, "layer_3_mean.list.element"),
    ("layers_stack", &[2, 4], FloatType::Float32, "layers_stack.list.element.list.element"),
    ("half", &[8], FloatType::Float16, "half.list.element"),
    ("a.dotted", &[8], FloatType::Float32, "a.dotted.list.element"),
];

fn footer() -> ParquetMetaData {
    let folder = TempDir::new().unwrap();
    let rows = 200;
    let mut fields = numbered(0).schema().fields().to_vec();
    let mut columns = numbered(rows).columns().to_vec();
    for (name, shape, dtype, _) in VECTORS {
        let values = (0..rows * 8).map(|i| (i % 50) as f32).collect();
        fields.push(vector_field(name, shape, dtype).into());
        columns.push(vector_array(values, None, shape, dtype).unwrap());
    }
    let batch = RecordBatch::try_new(Schema::new(fields).into(), columns).unwrap();
    let options = WriterOptions { provenance: Some("{}".into()), ..Default::default() };
    let mut writer = PartWriter::create(folder.path(), "a.parquet", batch.schema(), &options).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let file = fs_err::File::open(folder.path().join("a.parquet")).unwrap().into_file();
    ParquetMetaDataReader::new().parse_and_finish(&file).unwrap()
}

fn column<'a>(footer: &'a ParquetMetaData, path: &str) -> &'a ColumnChunkMetaData {
    let mut columns = footer.row_group(0).columns().iter();
    columns.find(|column| column.column_path().string() == path).unwrap()
}

#[test]
fn vectors_have_neither_dictionary_nor_statistics() {
    let footer = footer();
    for (.., path) in VECTORS {
        let column = column(&footer, path);
        assert_eq!(column.dictionary_page_offset(), None, "{path}");
        assert!(column.statistics().is_none(), "{path}");
        assert_eq!(column.column_index_offset(), None, "{path}");
    }
}

#[test]
fn float32_vectors_are_split_into_byte_streams_and_float16_are_plain() {
    let footer = footer();
    for (_, _, dtype, path) in VECTORS {
        let encodings: Vec<_> = column(&footer, path).encodings().collect();
        let (used, unused) = match dtype {
            FloatType::Float32 => (Encoding::BYTE_STREAM_SPLIT, Encoding::PLAIN),
            FloatType::Float16 => (Encoding::PLAIN, Encoding::BYTE_STREAM_SPLIT),
        };
        assert!(encodings.contains(&used), "{path} {encodings:?}");
        assert!(!encodings.contains(&unused), "{path} {encodings:?}");
    }
}

#[test]
fn every_column_is_compressed_with_zstd() {
    for column in footer().row_group(0).columns() {
        assert!(matches!(column.compression(), Compression::ZSTD(_)), "{}", column.column_path());
    }
}

#[test]
fn other_columns_keep_dictionary_and_statistics() {
    let footer = footer();
    assert!(column(&footer, "id").statistics().is_some());
    assert!(column(&footer, "text").dictionary_page_offset().is_some());
}

#[test]
fn provenance_and_arrow_schema_are_in_the_footer() {
    let footer = footer();
    let metadata = footer.file_metadata().key_value_metadata().unwrap();
    let value = |key: &str| metadata.iter().find(|pair| pair.key == key)?.value.clone();
    assert_eq!(value("strata").as_deref(), Some("{}"));
    assert!(value("ARROW:schema").is_some());
}
