//! Text that is not said to be such.

use super::*;

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
