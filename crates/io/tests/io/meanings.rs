//! What the types of Parquet say and Arrow has no words for: read with its values, written as it was.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{
    ArrayRef, AsArray, FixedSizeBinaryArray, Int32Array, IntervalMonthDayNanoArray, ListArray, RecordBatch,
    StringArray,
};
use arrow::buffer::OffsetBuffer;
use arrow::datatypes::{
    DataType, Field, IntervalMonthDayNano, IntervalUnit, Schema, TimeUnit, TimestampMicrosecondType,
    TimestampNanosecondType,
};
use parquet::basic::{ConvertedType, LogicalType, Repetition, Type as PhysicalType};
use parquet::data_type::{
    ByteArray, ByteArrayType, FixedLenByteArray, FixedLenByteArrayType, Int64Type, Int96, Int96Type,
};
use parquet::file::metadata::ParquetMetaDataReader;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::{Type, TypePtr};
use strata_io::{
    Error, ErrorKind, Input, OutputFormat, PartWriter, ReadOptions, WriterOptions, storable_field,
};
use tempfile::TempDir;

use crate::support::{names, source};

/// The values of one column.
enum Values {
    Times(Vec<(i32, i64)>),
    Fixed(Vec<Vec<u8>>),
    Bytes(Vec<Vec<u8>>),
    Integers(Vec<i64>),
}

/// Writes columns below the Parquet types `fields`, one for each leaf, in two row groups.
fn write(folder: &Path, fields: Vec<Type>, columns: Vec<Values>) -> PathBuf {
    let path = folder.join("a.parquet");
    let fields: Vec<TypePtr> = fields.into_iter().map(Arc::new).collect();
    let root = Type::group_type_builder("schema").with_fields(fields).build().unwrap();
    let file = fs_err::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(root), Default::default()).unwrap();
    let rows = match &columns[0] {
        Values::Times(values) => values.len(),
        Values::Fixed(values) | Values::Bytes(values) => values.len(),
        Values::Integers(values) => values.len(),
    };
    for half in [0..rows / 2, rows / 2..rows] {
        let mut group = writer.next_row_group().unwrap();
        for column in &columns {
            let mut writer = group.next_column().unwrap().unwrap();
            match column {
                Values::Times(values) => {
                    let values: Vec<Int96> =
                        values[half.clone()].iter().map(|&(day, nanos)| int96(day, nanos)).collect();
                    writer.typed::<Int96Type>().write_batch(&values, None, None).unwrap();
                }
                Values::Fixed(values) => {
                    let values: Vec<FixedLenByteArray> = values[half.clone()]
                        .iter()
                        .map(|bytes| ByteArray::from(bytes.clone()).into())
                        .collect();
                    writer.typed::<FixedLenByteArrayType>().write_batch(&values, None, None).unwrap();
                }
                Values::Bytes(values) => {
                    let values: Vec<ByteArray> =
                        values[half.clone()].iter().map(|bytes| bytes.clone().into()).collect();
                    writer.typed::<ByteArrayType>().write_batch(&values, None, None).unwrap();
                }
                Values::Integers(values) => {
                    writer.typed::<Int64Type>().write_batch(&values[half.clone()], None, None).unwrap();
                }
            }
            writer.close().unwrap();
        }
        group.close().unwrap();
    }
    writer.close().unwrap();
    path
}

/// A time of 96 bits: the day since 1970, and nanoseconds of the day.
fn int96(day: i32, nanoseconds: i64) -> Int96 {
    const DAY_OF_1970: i32 = 2_440_588;
    let mut time = Int96::new();
    time.set_data(nanoseconds as u32, (nanoseconds >> 32) as u32, (day + DAY_OF_1970) as u32);
    time
}

fn leaf(name: &str, physical: PhysicalType) -> Type {
    Type::primitive_type_builder(name, physical).with_repetition(Repetition::REQUIRED).build().unwrap()
}

fn bytes_of(name: &str, converted: ConvertedType, logical: Option<LogicalType>) -> Type {
    Type::primitive_type_builder(name, PhysicalType::BYTE_ARRAY)
        .with_repetition(Repetition::REQUIRED)
        .with_converted_type(converted)
        .with_logical_type(logical)
        .build()
        .unwrap()
}

fn open(path: &Path, options: &ReadOptions) -> Input {
    Input::open(source(path), options).unwrap()
}

fn read(input: &Input, column: &str) -> Result<Vec<ArrayRef>, Error> {
    let rows = input.count_rows().unwrap();
    let batches = input.read(&names(&[column]), 0..rows)?;
    batches.map(|batch| Ok(batch?.column(0).clone())).collect()
}

const YEAR_9999: i32 = 2_932_896;
const YEAR_1: i32 = -719_162;

#[test]
fn times_of_96_bits_are_read_in_microseconds_beyond_the_range_of_nanoseconds() {
    let folder = TempDir::new().unwrap();
    let mut times = vec![(0, 1_000); 3000];
    times.extend([(YEAR_9999, 86_399_999_999_000), (YEAR_1, 0), (-1, 0)]);
    let path = write(folder.path(), vec![leaf("at", PhysicalType::INT96)], vec![Values::Times(times)]);
    let input = open(&path, &ReadOptions::default());
    assert_eq!(input.schema.field(0).data_type(), &DataType::Timestamp(TimeUnit::Microsecond, None));
    let read = read(&input, "at").unwrap();
    let found: Vec<i64> = read
        .iter()
        .flat_map(|array| array.as_primitive::<TimestampMicrosecondType>().values().to_vec())
        .collect();
    let day = 86_400_000_000_i64;
    let last = [253_402_300_799_999_999, i64::from(YEAR_1) * day, -day];
    assert_eq!(&found[3000..], last);
    assert!(found[..3000].iter().all(|time| *time == 1));
}

#[test]
fn a_fraction_of_a_microsecond_is_told_with_its_row_and_kept_as_nanoseconds() {
    let folder = TempDir::new().unwrap();
    let mut times = vec![(0, 1_000); 2000];
    times[1700] = (19_000, 1_001);
    let path = write(folder.path(), vec![leaf("at", PhysicalType::INT96)], vec![Values::Times(times)]);
    let error = read(&open(&path, &ReadOptions::default()), "at").unwrap_err();
    assert!(error.to_string().contains("a.parquet, row 1700, column `at`"), "{error}");
    assert_eq!(error.kind(), ErrorKind::BadData);
    assert!(error.hint().unwrap().contains("--schema 'at=Timestamp(ns)'"));

    let nanoseconds = DataType::Timestamp(TimeUnit::Nanosecond, None);
    let options =
        ReadOptions { types: [("at".to_owned(), nanoseconds.into())].into(), ..ReadOptions::default() };
    let found = read(&open(&path, &options), "at").unwrap();
    let found: Vec<i64> = found
        .iter()
        .flat_map(|array| array.as_primitive::<TimestampNanosecondType>().values().to_vec())
        .collect();
    assert_eq!(found[1700], 19_000 * 86_400_000_000_000 + 1_001);

    let beyond = write(
        folder.path(),
        vec![leaf("at", PhysicalType::INT96)],
        vec![Values::Times(vec![(0, 0), (YEAR_9999, 0)])],
    );
    let error = read(&open(&beyond, &options), "at").unwrap_err();
    assert!(error.to_string().contains("row 1, column `at`"), "{error}");
}

fn interval(months: u32, days: u32, milliseconds: u32) -> Vec<u8> {
    [months, days, milliseconds].iter().flat_map(|part| part.to_le_bytes()).collect()
}

fn interval_leaf() -> Type {
    Type::primitive_type_builder("span", PhysicalType::FIXED_LEN_BYTE_ARRAY)
        .with_length(12)
        .with_converted_type(ConvertedType::INTERVAL)
        .with_repetition(Repetition::REQUIRED)
        .build()
        .unwrap()
}

#[test]
fn intervals_have_their_months_days_and_milliseconds() {
    let folder = TempDir::new().unwrap();
    let values = vec![interval(14, 3, 1), interval(0, 0, 3_000_000_000)];
    let path = write(folder.path(), vec![interval_leaf()], vec![Values::Fixed(values)]);
    let found = read(&open(&path, &ReadOptions::default()), "span").unwrap();
    let expected: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(vec![
        IntervalMonthDayNano::new(14, 3, 1_000_000),
        IntervalMonthDayNano::new(0, 0, 3_000_000_000_000_000),
    ]));
    let found = arrow::compute::concat(&found.iter().map(AsRef::as_ref).collect::<Vec<_>>()).unwrap();
    assert_eq!(found.as_ref(), expected.as_ref());
}

#[test]
fn an_interval_that_parquet_cannot_hold_is_told_with_its_row() {
    for (bad, why) in [
        (IntervalMonthDayNano::new(-1, 0, 0), "negative"),
        (IntervalMonthDayNano::new(0, 0, 1_500), "whole milliseconds"),
    ] {
        let folder = TempDir::new().unwrap();
        let values = vec![IntervalMonthDayNano::ZERO, IntervalMonthDayNano::ZERO, bad];
        let column: ArrayRef = Arc::new(IntervalMonthDayNanoArray::from(values));
        let table = RecordBatch::try_from_iter([("span", column)]).unwrap();
        let path = crate::support::write_file(folder.path(), "a.arrow", &table, 10);
        let mut input = open(&path, &ReadOptions::default());
        input
            .retype_field(&storable_field(&input.schema.fields()[0].clone(), OutputFormat::Parquet))
            .unwrap();
        let error = read(&input, "span").unwrap_err();
        assert!(error.to_string().contains("a.arrow, row 2, column `span`"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadData);
    }
}

#[test]
fn enums_are_text_and_text_that_is_none_is_told_with_its_row() {
    for (converted, logical) in [
        (ConvertedType::ENUM, Some(LogicalType::Enum)),
        (ConvertedType::ENUM, None),
        (ConvertedType::JSON, Some(LogicalType::Json)),
        (ConvertedType::JSON, None),
        (ConvertedType::UTF8, Some(LogicalType::String)),
    ] {
        let folder = TempDir::new().unwrap();
        let column = || bytes_of("word", converted, logical.clone());
        let good: Vec<Vec<u8>> = (0..5000).map(|row| format!("é {row}").into_bytes()).collect();
        let path = write(folder.path(), vec![column()], vec![Values::Bytes(good.clone())]);
        let input = open(&path, &ReadOptions::default());
        assert_eq!(input.schema.field(0).data_type(), &DataType::Utf8, "{converted}");
        let found: Vec<String> = read(&input, "word")
            .unwrap()
            .iter()
            .flat_map(|array| {
                array.as_string::<i32>().iter().map(|text| text.unwrap().to_owned()).collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(found[4999], "é 4999");

        let mut bad = good;
        bad[4100] = b"\xff\xfe".to_vec();
        let path = write(folder.path(), vec![column()], vec![Values::Bytes(bad)]);
        let error = read(&open(&path, &ReadOptions::default()), "word").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BadData, "{converted}");
        assert!(error.to_string().contains("a.parquet, row"), "{error}");
    }
}

#[test]
fn binary_of_which_nothing_is_said_is_text_where_that_is_asked_for() {
    let folder = TempDir::new().unwrap();
    let columns = vec![leaf("text", PhysicalType::BYTE_ARRAY), leaf("other", PhysicalType::BYTE_ARRAY)];
    let values = || Values::Bytes(vec!["é".into(), "b".into()]);
    let path =
        write(folder.path(), columns, vec![values(), Values::Bytes(vec![b"\xff".to_vec(), b"x".to_vec()])]);
    let types = |options: &ReadOptions| {
        open(&path, options).schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>()
    };
    let default = ReadOptions::default();
    assert_eq!(types(&default), [DataType::Binary, DataType::Binary]);
    let named = ReadOptions { text_columns: names(&["text"]), ..ReadOptions::default() };
    assert_eq!(types(&named), [DataType::Utf8, DataType::Binary]);
    let stated = ReadOptions {
        types: [("other".to_owned(), DataType::LargeUtf8.into())].into(),
        ..ReadOptions::default()
    };
    assert_eq!(types(&stated), [DataType::Binary, DataType::LargeUtf8]);
    let all = ReadOptions { binary_as_text: true, ..ReadOptions::default() };
    assert_eq!(types(&all), [DataType::Utf8, DataType::Utf8]);
    let error = read(&open(&path, &all), "other").unwrap_err();
    assert!(error.to_string().contains("row 0, column `other`"), "{error}");
    assert_eq!(read(&open(&path, &all), "text").unwrap()[0].as_string::<i32>().value(0), "é");
}

/// The Parquet schema of a part that holds all columns of a file.
fn written(path: &Path, folder: &Path) -> Type {
    let mut input = open(path, &ReadOptions::default());
    for field in input.schema.fields().clone().iter() {
        input.retype_field(&storable_field(field, OutputFormat::Parquet)).unwrap();
    }
    let columns: Vec<String> = input.schema.fields().iter().map(|field| field.name().clone()).collect();
    let rows = input.count_rows().unwrap();
    let batches = input.read(&columns, 0..rows).unwrap();
    let mut writer =
        PartWriter::create(folder, "part.parquet", batches.schema(), &WriterOptions::default()).unwrap();
    batches.for_each(|batch| writer.write(&batch.unwrap()).unwrap());
    writer.finish().unwrap();
    let file = fs_err::File::open(folder.join("part.parquet")).unwrap().into_file();
    let footer = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    footer.file_metadata().schema().clone()
}

#[test]
fn annotations_are_those_of_the_input_at_any_depth() {
    let folder = TempDir::new().unwrap();
    let required = |node: Type| Arc::new(node);
    let group = |name: &str, fields: Vec<TypePtr>, logical: Option<LogicalType>| {
        Type::group_type_builder(name)
            .with_repetition(Repetition::REQUIRED)
            .with_fields(fields)
            .with_logical_type(logical)
            .build()
            .unwrap()
    };
    let uuid = Type::primitive_type_builder("id", PhysicalType::FIXED_LEN_BYTE_ARRAY)
        .with_length(16)
        .with_logical_type(Some(LogicalType::Uuid))
        .with_repetition(Repetition::REQUIRED)
        .build()
        .unwrap();
    let zoned = Type::primitive_type_builder("zoned", PhysicalType::INT64)
        .with_logical_type(Some(LogicalType::time(true, parquet::basic::TimeUnit::MICROS)))
        .with_repetition(Repetition::REQUIRED)
        .build()
        .unwrap();
    let variant = group(
        "variant",
        vec![
            required(leaf("metadata", PhysicalType::BYTE_ARRAY)),
            required(leaf("value", PhysicalType::BYTE_ARRAY)),
        ],
        Some(LogicalType::variant(Some(1))),
    );
    let json = bytes_of("json", ConvertedType::JSON, Some(LogicalType::Json));
    let bson = bytes_of("bson", ConvertedType::BSON, Some(LogicalType::Bson));
    let shape =
        bytes_of("shape", ConvertedType::NONE, Some(LogicalType::geometry(Some("EPSG:25832".to_owned()))));
    let all = group(
        "all",
        [uuid, zoned, variant, json, bson, shape, interval_leaf()].into_iter().map(required).collect(),
        None,
    );
    let bytes = |text: &str| Values::Bytes(vec![text.into(); 4]);
    let columns = vec![
        Values::Fixed(vec![vec![7; 16]; 4]),
        Values::Integers(vec![1; 4]),
        bytes("m"),
        bytes("v"),
        bytes("{}"),
        bytes("b"),
        bytes("s"),
        Values::Fixed(vec![interval(1, 2, 3); 4]),
    ];
    let path = write(folder.path(), vec![all], columns);
    let found = written(&path, folder.path());
    let found = found.get_fields()[0].get_fields().to_vec();
    let logical = |place: usize| found[place].get_basic_info().logical_type_ref().cloned();
    assert_eq!(logical(0), Some(LogicalType::Uuid));
    assert_eq!(logical(1), Some(LogicalType::time(true, parquet::basic::TimeUnit::MICROS)));
    assert_eq!(logical(2), Some(LogicalType::variant(Some(1))));
    assert_eq!(logical(3), Some(LogicalType::Json));
    assert_eq!(logical(4), Some(LogicalType::Bson));
    assert_eq!(logical(5), Some(LogicalType::geometry(Some("EPSG:25832".to_owned()))));
    assert_eq!(found[6].get_basic_info().converted_type(), ConvertedType::INTERVAL);
    // A part is as good an input as any.
    let again = open(&folder.path().join("part.parquet"), &ReadOptions::default());
    let DataType::Struct(fields) = again.schema.field(0).data_type() else { panic!() };
    assert_eq!(fields[6].data_type(), &DataType::Interval(IntervalUnit::MonthDayNano));
}

#[test]
fn a_file_of_arrow_with_uuids_and_json_gives_a_part_that_says_so() {
    let folder = TempDir::new().unwrap();
    let extended = |field: Field, name: &str| {
        field.with_metadata([("ARROW:extension:name", name), ("ARROW:extension:metadata", "")])
    };
    let id = extended(Field::new("id", DataType::FixedSizeBinary(16), true), "arrow.uuid");
    let json = Arc::new(extended(Field::new("item", DataType::Utf8, true), "arrow.json"));
    let lists = Field::new("documents", DataType::List(json.clone()), true);
    let ids = FixedSizeBinaryArray::try_from_iter([[1_u8; 16], [2; 16]].into_iter()).unwrap();
    let texts = StringArray::from(vec!["{}", "[1]"]);
    let documents = ListArray::new(json, OffsetBuffer::from_lengths([1, 1]), Arc::new(texts), None);
    let table = RecordBatch::try_new(
        Arc::new(Schema::new(vec![id, lists])),
        vec![Arc::new(ids), Arc::new(documents)],
    )
    .unwrap();
    for name in ["a.arrow", "a.arrows"] {
        let path = crate::support::write_file(folder.path(), name, &table, 10);
        let found = written(&path, folder.path());
        let of = |node: &Type| node.get_basic_info().logical_type_ref().cloned();
        assert_eq!(of(&found.get_fields()[0]), Some(LogicalType::Uuid), "{name}");
        let element = &found.get_fields()[1].get_fields()[0].get_fields()[0];
        assert_eq!(of(element), Some(LogicalType::Json), "{name}");
    }
}

#[test]
fn a_number_that_a_stated_type_would_change_is_told_with_its_row() {
    let folder = TempDir::new().unwrap();
    let numbers = |values: Vec<i32>| -> ArrayRef { Arc::new(Int32Array::from(values)) };
    let table = RecordBatch::try_from_iter([("n", numbers((0..2000).collect()))]).unwrap();
    let path = crate::support::write_file(folder.path(), "a.parquet", &table, 500);
    let stated = |data_type: DataType| ReadOptions {
        types: [("n".to_owned(), data_type.into())].into(),
        ..ReadOptions::default()
    };
    let error = read(&open(&path, &stated(DataType::Int8)), "n").unwrap_err();
    assert!(error.to_string().contains("row 128, column `n`"), "{error}");
    let found = read(&open(&path, &stated(DataType::Utf8)), "n").unwrap();
    assert_eq!(found.last().unwrap().as_string::<i32>().iter().last().unwrap(), Some("1999"));
}
