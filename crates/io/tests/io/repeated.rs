//! Fields of Parquet files that repeat without a word about lists.

use std::sync::Arc;

use arrow::util::display::array_value_to_string;
use parquet::basic::{ConvertedType, Repetition, Type as PhysicalType};
use parquet::data_type::{ByteArrayType, Int32Type};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;
use tempfile::TempDir;

use crate::support::{open, read};

#[test]
fn a_field_that_repeats_is_a_list_of_what_it_holds() {
    let repeated = |name: &str, physical: PhysicalType, converted: ConvertedType| {
        let builder = Type::primitive_type_builder(name, physical).with_converted_type(converted);
        Arc::new(builder.with_repetition(Repetition::REPEATED).build().unwrap())
    };
    let number = || repeated("numbers", PhysicalType::INT32, ConvertedType::NONE);
    let group = Type::group_type_builder("group").with_repetition(Repetition::REPEATED);
    let group = Arc::new(group.with_fields(vec![number()]).build().unwrap());
    let fields = vec![number(), repeated("words", PhysicalType::BYTE_ARRAY, ConvertedType::UTF8), group];
    let root = Type::group_type_builder("schema").with_fields(fields).build().unwrap();

    let folder = TempDir::new().unwrap();
    let path = folder.path().join("a.parquet");
    let file = fs_err::File::create(&path).unwrap();
    let mut writer = SerializedFileWriter::new(file, Arc::new(root), Default::default()).unwrap();
    let mut rows = writer.next_row_group().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let numbers = column.typed::<Int32Type>();
    numbers.write_batch(&[0, 1, 2], Some(&[1, 1, 0, 1]), Some(&[0, 1, 0, 0])).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let words = column.typed::<ByteArrayType>();
    words.write_batch(&["a".into(), "é".into()], Some(&[0, 1, 1, 0]), Some(&[0, 0, 1, 0])).unwrap();
    column.close().unwrap();
    let mut column = rows.next_column().unwrap().unwrap();
    let within = column.typed::<Int32Type>();
    within.write_batch(&[5, 6, 7], Some(&[2, 2, 1, 0, 2]), Some(&[0, 2, 1, 0, 0])).unwrap();
    column.close().unwrap();
    rows.close().unwrap();
    writer.close().unwrap();

    let batch = read(&open(&path), &["numbers", "words", "group"], 0..3).unwrap();
    let shown = |column: usize| -> Vec<String> {
        (0..3).map(|row| array_value_to_string(batch.column(column), row).unwrap()).collect()
    };
    assert_eq!(shown(0), ["[0, 1]", "[]", "[2]"]);
    assert_eq!(shown(1), ["[]", "[a, é]", "[]"]);
    assert_eq!(shown(2), ["[{numbers: [5, 6]}, {numbers: []}]", "[]", "[{numbers: [7]}]"]);
}
