use std::sync::Arc;

use arrow::array::{
    Array, ArrayRef, BinaryViewArray, FixedSizeBinaryArray, Int32Array, Int64Array,
    IntervalMonthDayNanoArray, LargeListArray, ListArray, MapBuilder, NullArray, RecordBatch, StringArray,
    StringBuilder, StructArray, UnionArray,
};
use arrow::buffer::{NullBuffer, OffsetBuffer, ScalarBuffer};
use arrow::compute::cast;
use arrow::datatypes::{
    DataType, Field, Fields, IntervalMonthDayNano, IntervalUnit, Schema, TimeUnit, UnionFields,
};
use strata_io::{Error, ErrorKind, OutputFormat, PartFile, PartWriter, WriterOptions, check_writable};
use tempfile::TempDir;

use crate::support::names;

/// Integers cast to `data_type`, with a null.
fn number(data_type: &DataType) -> ArrayRef {
    let via = match data_type {
        DataType::Date32 | DataType::Time32(_) | DataType::Interval(_) => DataType::Int32,
        _ => DataType::Int64,
    };
    let integers = Int64Array::from(vec![Some(1), None, Some(0), Some(100)]);
    cast(&cast(&integers, &via).unwrap(), data_type).unwrap()
}

fn text(data_type: &DataType) -> ArrayRef {
    let long = "longer than the twelve bytes of a view";
    cast(&StringArray::from(vec![Some("a"), None, Some(""), Some(long)]), data_type).unwrap()
}

fn dictionary(key: DataType, value: DataType) -> DataType {
    DataType::Dictionary(Box::new(key), Box::new(value))
}

fn numbers() -> Vec<ArrayRef> {
    use DataType::*;
    let units = [TimeUnit::Second, TimeUnit::Millisecond, TimeUnit::Microsecond, TimeUnit::Nanosecond];
    let mut types = vec![
        Int8,
        Int16,
        Int32,
        Int64,
        UInt8,
        UInt16,
        UInt32,
        UInt64,
        Float16,
        Float32,
        Float64,
        Boolean,
        Date32,
        Date64,
        Time32(TimeUnit::Second),
        Time32(TimeUnit::Millisecond),
        Time64(TimeUnit::Microsecond),
        Time64(TimeUnit::Nanosecond),
        Decimal32(5, 2),
        Decimal64(12, 3),
        Decimal128(20, 2),
        Decimal256(40, 4),
        Interval(IntervalUnit::YearMonth),
    ];
    for unit in units {
        types.push(Timestamp(unit, None));
        types.push(Timestamp(unit, Some("Europe/Berlin".into())));
        types.push(Duration(unit));
    }
    types.iter().map(number).collect()
}

fn texts() -> Vec<ArrayRef> {
    use DataType::*;
    [Utf8, LargeUtf8, Utf8View, Binary, LargeBinary].iter().map(text).collect()
}

fn dictionaries() -> Vec<ArrayRef> {
    use DataType::*;
    let mut arrays = Vec::new();
    for key in [Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64] {
        arrays.extend([Utf8, LargeUtf8, Utf8View].map(|value| text(&dictionary(key.clone(), value))));
        arrays.push(number(&dictionary(key, Int64)));
    }
    arrays
}

fn nested() -> Vec<ArrayRef> {
    let item = Arc::new(Field::new("item", DataType::Int32, true));
    let values: ArrayRef = Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]));
    let nulls = || Some(NullBuffer::from(vec![true, false, true, true]));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0, 2, 2, 2, 3]));
    let list = ListArray::new(item.clone(), offsets, values.clone(), nulls());
    let offsets = OffsetBuffer::new(ScalarBuffer::from(vec![0_i64, 2, 2, 2, 3]));
    let large = LargeListArray::new(item, offsets, values, nulls());
    let fields =
        Fields::from(vec![Field::new("a", DataType::Int64, true), Field::new("b", DataType::Utf8, true)]);
    let columns = vec![number(&DataType::Int64), text(&DataType::Utf8)];
    let structs = StructArray::new(fields, columns, nulls());
    let mut map = MapBuilder::new(None, StringBuilder::new(), StringBuilder::new());
    for (key, valid) in [("k", true), ("", false), ("l", true), ("m", true)] {
        if valid {
            map.keys().append_value(key);
            map.values().append_option((key != "l").then_some("v"));
        }
        map.append(valid).unwrap();
    }
    vec![Arc::new(list), Arc::new(large), Arc::new(structs), Arc::new(map.finish())]
}

fn others() -> Vec<ArrayRef> {
    let bytes = [Some([1, 2]), None, Some([3, 4]), Some([5, 6])];
    let fixed = FixedSizeBinaryArray::try_from_sparse_iter_with_size(bytes.into_iter(), 2).unwrap();
    let long = b"longer than the twelve bytes of a view".as_slice();
    let views = BinaryViewArray::from_iter([Some(b"a".as_slice()), None, Some(b""), Some(long)]);
    vec![Arc::new(fixed), Arc::new(views), Arc::new(NullArray::new(4))]
}

fn roundtrip(format: OutputFormat, arrays: &[ArrayRef]) {
    let folder = TempDir::new().unwrap();
    let columns: Vec<_> =
        arrays.iter().enumerate().map(|(i, array)| (format!("c{i}"), array.clone(), true)).collect();
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    let options = WriterOptions { format, ..Default::default() };
    let name = format!("a.{}", format.extension());
    let mut writer = PartWriter::create(folder.path(), &name, batch.schema(), &options).unwrap();
    // Twice, and cut, so that pieces are joined on the way.
    writer.write(&batch.slice(0, 3)).unwrap();
    writer.write(&batch.slice(3, 1)).unwrap();
    writer.write(&batch).unwrap();
    writer.finish().unwrap();
    let part = PartFile::open(&folder.path().join(&name)).unwrap();
    assert_eq!(part.schema.fields(), batch.schema().fields());
    let schema = batch.schema();
    let all: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    let mut read = part.read(&names(&all), 0..8).unwrap();
    let read = read.next().unwrap().unwrap();
    for (index, array) in arrays.iter().enumerate() {
        for start in [0, 4] {
            let column = read.column(index).slice(start, 4);
            assert_eq!(&plain(&column), &plain(array), "{format:?} {}", array.data_type());
        }
    }
}

/// Dictionaries are equal if what they stand for is.
fn plain(array: &ArrayRef) -> ArrayRef {
    match array.data_type() {
        DataType::Dictionary(_, values) => cast(array, values).unwrap(),
        _ => array.clone(),
    }
}

#[test]
fn numbers_times_and_decimals_come_back_as_they_went() {
    roundtrip(OutputFormat::Parquet, &numbers());
    roundtrip(OutputFormat::Arrow, &numbers());
}

#[test]
fn strings_and_bytes_come_back_as_they_went() {
    roundtrip(OutputFormat::Parquet, &texts());
    roundtrip(OutputFormat::Arrow, &texts());
    roundtrip(OutputFormat::Parquet, &others());
    roundtrip(OutputFormat::Arrow, &others());
}

#[test]
fn lists_structs_and_maps_come_back_as_they_went() {
    roundtrip(OutputFormat::Parquet, &nested());
    roundtrip(OutputFormat::Arrow, &nested());
}

#[test]
fn dictionaries_come_back_with_their_keys_and_values() {
    roundtrip(OutputFormat::Parquet, &dictionaries());
    roundtrip(OutputFormat::Arrow, &dictionaries());
}

#[test]
fn columns_that_are_never_null_stay_so() {
    let folder = TempDir::new().unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("row", DataType::Int32, false)]));
    let column: ArrayRef = Arc::new(Int32Array::from(vec![1, 2]));
    let batch = RecordBatch::try_new(schema.clone(), vec![column]).unwrap();
    for format in [OutputFormat::Parquet, OutputFormat::Arrow] {
        let options = WriterOptions { format, ..Default::default() };
        let name = format!("a.{}", format.extension());
        let mut writer = PartWriter::create(folder.path(), &name, schema.clone(), &options).unwrap();
        writer.write(&batch).unwrap();
        writer.finish().unwrap();
        let part = PartFile::open(&folder.path().join(name)).unwrap();
        assert_eq!(part.schema.fields(), schema.fields());
    }
}

#[test]
fn types_without_a_place_in_parquet_are_refused_before_anything_is_written() {
    let folder = TempDir::new().unwrap();
    let interval: ArrayRef =
        Arc::new(IntervalMonthDayNanoArray::from(vec![IntervalMonthDayNano::new(1, 2, 3)]));
    let fields = UnionFields::from_fields(vec![Field::new("a", DataType::Int32, true)]);
    let ids = ScalarBuffer::from(vec![0_i8]);
    let children: Vec<ArrayRef> = vec![Arc::new(Int32Array::from(vec![1]))];
    let union: ArrayRef = Arc::new(UnionArray::try_new(fields, ids, None, children).unwrap());
    for array in [interval, union] {
        let schema = Schema::new(vec![
            Field::new("fine", DataType::Int32, true),
            Field::new("odd", array.data_type().clone(), true),
        ]);
        let options = WriterOptions::default();
        let error = PartWriter::create(folder.path(), "a.parquet", Arc::new(schema), &options);
        let error = error.err().unwrap();
        assert!(matches!(error, Error::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains("`odd`"), "{error}");
        assert_eq!(error.kind(), ErrorKind::Usage);
        assert_eq!(fs_err::read_dir(folder.path()).unwrap().count(), 0);
    }
}

#[test]
fn what_can_be_written_is_said_without_a_file() {
    let field = |data_type| Schema::new(vec![Field::new("x", data_type, true)]);
    let interval = field(DataType::Interval(IntervalUnit::MonthDayNano));
    assert!(check_writable(&interval, OutputFormat::Parquet).is_err());
    assert!(check_writable(&interval, OutputFormat::Arrow).is_ok());
    let list = DataType::new_list(dictionary(DataType::Int8, DataType::Utf8), true);
    assert!(check_writable(&field(list.clone()), OutputFormat::Parquet).is_ok());
    assert!(check_writable(&field(list), OutputFormat::Arrow).is_err());
    let never_null = Schema::new(vec![Field::new("x", DataType::Int32, false)]);
    assert!(check_writable(&never_null, OutputFormat::Parquet).is_ok());
    assert!(check_writable(&Schema::empty(), OutputFormat::Parquet).is_ok());
}

#[test]
fn an_arrow_file_gathers_the_dictionaries_of_all_its_batches() {
    let folder = TempDir::new().unwrap();
    let data_type = dictionary(DataType::UInt8, DataType::Utf8);
    let schema = Arc::new(Schema::new(vec![Field::new("kind", data_type.clone(), true)]));
    let options = WriterOptions { format: OutputFormat::Arrow, ..Default::default() };
    let mut writer = PartWriter::create(folder.path(), "a.arrow", schema.clone(), &options).unwrap();
    let values =
        |batch: usize| (0..900).map(move |row| (row % 9 > 0).then(|| format!("{}", batch * 5 + row % 7)));
    for batch in 0..6 {
        let column = cast(&StringArray::from_iter(values(batch)), &data_type).unwrap();
        writer.write(&RecordBatch::try_new(schema.clone(), vec![column]).unwrap()).unwrap();
    }
    writer.finish().unwrap();
    assert_eq!(crate::support::listing(folder.path()), ["a.arrow"]);
    let part = PartFile::open(&folder.path().join("a.arrow")).unwrap();
    assert_eq!(part.schema.field(0).data_type(), &data_type);
    let batches = part.read(&names(&["kind"]), 0..5400).unwrap();
    let texts: Vec<_> =
        batches.map(|batch| strata_io::Texts::try_new(batch.unwrap().column(0)).unwrap()).collect();
    let expected: Vec<_> = (0..6).flat_map(values).collect();
    let actual: Vec<_> =
        texts.iter().flat_map(|texts| texts.iter()).map(|text| text.map(str::to_owned)).collect();
    assert_eq!(actual, expected);
}
