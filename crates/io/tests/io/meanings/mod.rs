//! What the types of Parquet say and Arrow has no words for: read with its values, written as it was.

mod annotations;
mod texts;
mod values;

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
use arrow::util::display::array_value_to_string;
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
