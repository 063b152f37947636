//! What a column of a part is said to be.

use super::*;

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
