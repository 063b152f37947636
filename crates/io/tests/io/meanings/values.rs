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
fn a_text_that_is_given_a_type_is_read_as_in_a_text_format() {
    let folder = TempDir::new().unwrap();
    for (data_type, text, expected) in [
        ("Decimal128(10, 2)", "1.239", None),
        ("Decimal128(10, 2)", "1.230", Some("1.23")),
        ("Date32", "2024-01-01T23:30:00-05:00", None),
        ("Date32", "2024-01-01T00:00:00", Some("2024-01-01")),
        ("Timestamp(s)", "2024-01-01T10:00:00.75+05:30", None),
        ("Timestamp(ms)", "2024-01-01T10:00:00.123456", None),
        ("Timestamp(ms)", "2024-01-01T10:00:00.120", Some("2024-01-01T10:00:00.120")),
        ("Time32(ms)", "10:00:00.123456", None),
        ("Time64(ns)", "10:00:00.1234567891", None),
        ("Time64(ns)", "10:00:00.1234567890", Some("10:00:00.123456789")),
        ("Float32", "1e400", None),
        ("Float32", "16777217", None),
        ("Float64", "0.1", Some("0.1")),
        ("Boolean", "1", None),
        ("Boolean", "True", Some("true")),
        ("Int8", "128", None),
    ] {
        let texts: ArrayRef = Arc::new(StringArray::from(vec![None, Some(text)]));
        let path = crate::support::write_file(
            folder.path(),
            "a.parquet",
            &RecordBatch::try_from_iter([("n", texts)]).unwrap(),
            500,
        );
        let data_type: DataType = data_type.parse().unwrap();
        let options = ReadOptions {
            types: [("n".to_owned(), data_type.clone().into())].into(),
            ..ReadOptions::default()
        };
        match (read(&open(&path, &options), "n"), expected) {
            (Ok(found), Some(expected)) => {
                assert!(found[0].is_null(0));
                assert_eq!(array_value_to_string(&found[0], 1).unwrap(), expected);
            }
            (Err(error), None) => {
                assert!(error.to_string().contains("row 1, column `n`"), "{data_type}: {error}");
                assert!(error.to_string().contains(text), "{data_type}: {error}");
            }
            (found, _) => panic!("{text} as {data_type}: {found:?}"),
        }
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
