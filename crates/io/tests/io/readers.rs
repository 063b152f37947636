use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type};
use parquet::file::metadata::ParquetMetaDataReader;
use proptest::prelude::*;
use std::sync::Arc;
use strata_io::{BATCH_ROWS, Error, ErrorKind, Input, Notes, ReadOptions};
use tempfile::TempDir;

use crate::support::{FILES, encode, names, numbered, open, read, source, texts, write_file};

#[test]
fn every_format_gives_back_its_rows_whatever_the_range() {
    const ROWS: u64 = 2600;
    let folder = TempDir::new().unwrap();
    let batch = numbered(ROWS as usize);
    for name in FILES {
        let input = open(&write_file(folder.path(), name, &batch, 700));
        assert_eq!(input.count_rows().unwrap(), ROWS, "{name}");
        for rows in [0..ROWS, 0..1, 699..701, 700..1400, 1023..2050, ROWS - 1..ROWS, 5..5, 10..700] {
            let expected = batch.slice(rows.start as usize, (rows.end - rows.start) as usize);
            let actual = read(&input, &["id", "text", "double"], rows.clone()).unwrap();
            assert_eq!(actual.columns(), expected.columns(), "{name} {rows:?}");
        }
    }
}

#[test]
fn batches_are_small_even_where_the_file_has_large_ones() {
    let folder = TempDir::new().unwrap();
    for name in FILES {
        let input = open(&write_file(folder.path(), name, &numbered(5000), 5000));
        let batches = input.read(&names(&["id"]), 0..5000).unwrap();
        let sizes: Vec<_> = batches.map(|batch| batch.unwrap().num_rows()).collect();
        assert!(sizes.iter().all(|&size| (1..=BATCH_ROWS).contains(&size)), "{name} {sizes:?}");
        assert_eq!(sizes.iter().sum::<usize>(), 5000);
    }
}

#[test]
fn slices_of_a_large_batch_share_its_memory() {
    let folder = TempDir::new().unwrap();
    let input = open(&write_file(folder.path(), "a.arrow", &numbered(3000), 3000));
    let starts: Vec<_> = input
        .read(&names(&["id"]), 0..3000)
        .unwrap()
        .map(|batch| batch.unwrap().column(0).as_primitive::<Int64Type>().values().as_ptr())
        .collect();
    assert_eq!(starts[0].wrapping_add(BATCH_ROWS), starts[1]);
    assert_eq!(starts[1].wrapping_add(BATCH_ROWS), starts[2]);
}

#[test]
fn columns_come_in_the_order_asked_for() {
    let folder = TempDir::new().unwrap();
    let batch = numbered(10);
    for name in FILES {
        let input = open(&write_file(folder.path(), name, &batch, 4));
        let columns = ["double", "id", "double"];
        let actual = read(&input, &columns, 0..10).unwrap();
        assert_eq!(actual.columns(), batch.project(&[2, 0, 2]).unwrap().columns(), "{name}");
        let batches = input.read(&names(&columns), 0..10).unwrap();
        let schema = batches.schema();
        let named: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(named, columns);
    }
}

#[test]
fn rows_without_columns_are_still_rows() {
    let folder = TempDir::new().unwrap();
    for name in FILES {
        let input = open(&write_file(folder.path(), name, &numbered(1500), 400));
        let batches = input.read(&[], 300..1400).unwrap();
        let rows: usize = batches.map(|batch| batch.unwrap().num_rows()).sum();
        assert_eq!(rows, 1100, "{name}");
    }
}

#[test]
fn a_file_that_ends_before_the_range_is_an_error_after_its_rows() {
    let folder = TempDir::new().unwrap();
    for name in FILES {
        let input = open(&write_file(folder.path(), name, &numbered(1500), 400));
        let mut batches = input.read(&names(&["id"]), 100..1501).unwrap();
        let read: Vec<_> = batches.by_ref().take_while(Result::is_ok).flatten().collect();
        assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 1400, "{name}");
        assert!(batches.next().is_none());
        let error = input.read(&[], 1499..1501).unwrap().last().unwrap().unwrap_err();
        assert!(matches!(error, Error::Truncated { expected: 1501, found: 1500, .. }), "{error}");
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.kind(), ErrorKind::BadData);
        let beyond = input.read(&[], 4000..4001).unwrap().next().unwrap();
        assert!(matches!(beyond, Err(Error::Truncated { .. })), "{name}");
    }
}

#[test]
fn an_unknown_column_is_refused_with_the_names_there_are() {
    let folder = TempDir::new().unwrap();
    let input = open(&write_file(folder.path(), "a.csv", &numbered(3), 3));
    let error = input.read(&names(&["id", "txt"]), 0..3).err().unwrap();
    assert!(error.to_string().contains("`txt`"), "{error}");
    assert!(error.to_string().ends_with("found id, text, double"), "{error}");
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_column_name_that_stands_twice_is_refused_only_when_asked_for() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, "a,b,a\n1,2,3\n").unwrap();
    let input = open(&path);
    assert_eq!(read(&input, &["b"], 0..1).unwrap().num_rows(), 1);
    let error = read(&input, &["a"], 0..1).unwrap_err();
    assert!(matches!(error, Error::AmbiguousColumn { count: 2, .. }), "{error}");
}

#[test]
fn row_groups_outside_the_range_are_never_decoded() {
    let folder = TempDir::new().unwrap();
    let path = write_file(folder.path(), "a.parquet", &numbered(300), 100);
    let mut bytes = fs_err::read(&path).unwrap();
    let file = fs_err::File::open(&path).unwrap().into_file();
    let footer = ParquetMetaDataReader::new().parse_and_finish(&file).unwrap();
    for group in [0, 2] {
        for column in footer.row_group(group).columns() {
            let (start, length) = column.byte_range();
            bytes[start as usize..(start + length) as usize].fill(0xff);
        }
    }
    fs_err::write(&path, bytes).unwrap();
    let actual = read(&open(&path), &["id", "text"], 100..200).unwrap();
    assert_eq!(actual.column(0), &numbered(300).column(0).slice(100, 100));
    assert!(read(&open(&path), &["id"], 99..200).is_err());
}

#[test]
fn a_text_column_of_digits_stays_text() {
    let folder = TempDir::new().unwrap();
    for (name, content) in [
        ("a.csv", "text,n\n007,1\n08,2\n"),
        ("a.tsv", "text\tn\n007\t1\n08\t2\n"),
        ("a.jsonl", "{\"text\":\"007\",\"n\":1}\n{\"text\":\"08\",\"n\":2}\n"),
    ] {
        let path = folder.path().join(name);
        fs_err::write(&path, content).unwrap();
        let input = Input::open(source(&path), &texts(&["text"])).unwrap();
        let batch = read(&input, &["text", "n"], 0..2).unwrap();
        let texts = batch.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>();
        assert_eq!(texts, ["007", "08"], "{name}");
        assert_eq!(batch.column(1).data_type(), &DataType::Int64);
    }
}

#[test]
fn numbers_in_a_json_text_column_are_read_as_their_text() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.jsonl");
    fs_err::write(&path, "{\"text\":12}\n{\"text\":true}\n{\"text\":null}\n{}\n").unwrap();
    let input = Input::open(source(&path), &texts(&["text"])).unwrap();
    let batch = read(&input, &["text"], 0..4).unwrap();
    let expected: ArrayRef = Arc::new(StringArray::from(vec![Some("12"), Some("true"), None, None]));
    assert_eq!(batch.column(0), &expected);
}

#[test]
fn a_column_without_values_to_infer_from_is_text() {
    let folder = TempDir::new().unwrap();
    let empty_start = ",\n".repeat(1200);
    let nulls = "{\"a\":null,\"b\":[]}\n".repeat(1200);
    for (name, content) in [
        ("a.csv", format!("a,b\n{empty_start}late,x\n")),
        ("a.jsonl", format!("{nulls}{{\"a\":\"late\",\"b\":[\"x\"]}}\n")),
    ] {
        let path = folder.path().join(name);
        fs_err::write(&path, content).unwrap();
        let batch = read(&open(&path), &["a"], 1199..1201).unwrap();
        assert!(batch.column(0).is_null(0));
        assert_eq!(batch.column(0).as_string::<i32>().value(1), "late", "{name}");
    }
}

#[test]
fn json_columns_keep_the_order_in_which_they_appear() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.jsonl");
    fs_err::write(&path, "{\"z\":1,\"a\":2}\n\n{\"m\":3,\"z\":4}\n").unwrap();
    let input = open(&path);
    let fields: Vec<_> = input.schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(fields, ["z", "a", "m"]);
    assert_eq!(input.count_rows().unwrap(), 2);
}

#[test]
fn a_byte_order_mark_is_no_part_of_the_first_column() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, "\u{feff}text,n\nhello,1\n").unwrap();
    let batch = read(&open(&path), &["text", "n"], 0..1).unwrap();
    assert_eq!(batch.column(0).as_string::<i32>().value(0), "hello");
}

#[test]
fn quoted_line_breaks_are_part_of_their_record() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, "text,n\n\"one\ntwo\",1\n\"a \"\"b\"\"\",2\n").unwrap();
    let input = open(&path);
    assert_eq!(input.count_rows().unwrap(), 2);
    let batch = read(&input, &["text"], 0..2).unwrap();
    let texts = batch.column(0).as_string::<i32>().iter().flatten().collect::<Vec<_>>();
    assert_eq!(texts, ["one\ntwo", "a \"b\""]);
}

#[test]
fn gzip_members_in_a_row_are_one_file() {
    let folder = TempDir::new().unwrap();
    let mut bytes = encode("a.jsonl.gz", &numbered(3), 3);
    bytes.extend(encode("a.jsonl.gz", &numbered(2), 2));
    let path = folder.path().join("a.jsonl.gz");
    fs_err::write(&path, bytes).unwrap();
    assert_eq!(open(&path).count_rows().unwrap(), 5);
}

#[test]
fn files_without_rows_have_none() {
    let folder = TempDir::new().unwrap();
    for name in ["a.parquet", "a.arrow", "a.arrows", "a.csv", "a.csv.gz", "a.tsv.zst"] {
        let input = open(&write_file(folder.path(), name, &numbered(0), 1));
        assert_eq!(input.count_rows().unwrap(), 0, "{name}");
        assert_eq!(read(&input, &["text"], 0..0).unwrap().num_rows(), 0);
    }
}

#[test]
fn a_value_that_contradicts_the_given_type_names_file_row_and_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.csv");
    fs_err::write(&path, format!("n\n{}oops\n", "1\n".repeat(1500))).unwrap();
    let types = [("n".to_owned(), DataType::Int64.into())].into();
    let input = Input::open(source(&path), &ReadOptions { types, ..ReadOptions::default() }).unwrap();
    let error = read(&input, &["n"], 1100..1501).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::BadData);
    let said = error.to_string();
    assert!(said.contains("a.csv, found `oops` in row 1500 (line 1502)"), "{said}");
    assert!(error.hint().unwrap().contains("--schema 'n=Utf8'"));
}

#[test]
fn what_was_found_in_a_text_file_is_not_looked_for_again() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.jsonl");
    fs_err::write(&path, "{\"n\":1}\n{\"n\":2.5,\"v\":{}}\n").unwrap();
    let options = ReadOptions::default();
    let input = Input::open(source(&path), &options).unwrap();
    let mut notes = Notes::default();
    input.note(&options, &mut notes).unwrap();
    // As if it had been noted long after the file was written, and with other rows to tell.
    let mut json = serde_json::to_value(&notes).unwrap();
    let note = json["tables"].as_object_mut().unwrap().values_mut().next().unwrap();
    note["noted_ns"] = (note["noted_ns"].as_u64().unwrap() + 10_000_000_000).into();
    note["hash"] = note["hash"].as_str().unwrap().replace("\"rows\":2", "\"rows\":99").into();
    let notes: Notes = serde_json::from_value(json).unwrap();
    let noted = Input::open_noted(source(&path), &options, &notes).unwrap();
    assert_eq!((noted.count_rows().unwrap(), noted.schema), (99, input.schema));
    // By other rules, and once it was touched, the file is looked at.
    let needed = ReadOptions { needed: Some(names(&["n"])), ..ReadOptions::default() };
    assert_eq!(Input::open_noted(source(&path), &needed, &notes).unwrap().count_rows().unwrap(), 2);
    fs_err::write(&path, "{\"n\":1}\n").unwrap();
    assert_eq!(Input::open_noted(source(&path), &options, &notes).unwrap().count_rows().unwrap(), 1);
}

#[test]
fn record_batches_can_cross_threads() {
    fn assert_send<T: Send>() {}
    assert_send::<strata_io::RecordBatches>();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn consecutive_ranges_are_the_whole(
        file in 0..FILES.len(),
        rows in 1..400_usize,
        piece in 1..150_usize,
        cut in 0.0..1.0_f64,
    ) {
        let folder = TempDir::new().unwrap();
        let batch = numbered(rows);
        let input = open(&write_file(folder.path(), FILES[file], &batch, piece));
        let cut = (rows as f64 * cut) as u64;
        let columns = ["double", "id"];
        let parts = [
            read(&input, &columns, 0..cut).unwrap(),
            read(&input, &columns, cut..rows as u64).unwrap(),
        ];
        let whole = concat_batches(&parts[0].schema(), &parts).unwrap();
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(0..rows as i64));
        prop_assert_eq!(whole.column(1), &ids);
    }
}
