//! Times, intervals and numbers whose type says less than they do, or less than it is made to say.

use super::*;

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
