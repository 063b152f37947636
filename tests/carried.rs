//! What an input says of its columns as a whole, in the parts.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use serde_json::{Value, json};

use crate::support::tables::schema_of_output;
use crate::support::{Sandbox, write_table};

fn input() -> RecordBatch {
    let metadata = [
        (
            "huggingface",
            json!({"info": {"features": {
                "text": {"dtype": "string", "_type": "Value"},
                "label": {"names": ["neg", "pos"], "_type": "ClassLabel"},
                "extra": {"dtype": "string", "_type": "Value"},
            }, "splits": {"train": {"num_examples": 2}}}, "fingerprint": "0123"}),
        ),
        (
            "pandas",
            json!({"index_columns": ["extra", {"kind": "range", "start": 0, "stop": 2, "step": 1}],
                "column_indexes": [{"name": null, "pandas_type": "unicode", "numpy_type": "object"}],
                "columns": [
                    {"name": "text", "field_name": "text", "pandas_type": "unicode"},
                    {"name": "label", "field_name": "label", "pandas_type": "int64"},
                    {"name": null, "field_name": "extra", "pandas_type": "unicode"}]}),
        ),
        (
            "geo",
            json!({"version": "1.1.0", "primary_column": "extra",
                "columns": {"extra": {"encoding": "WKB"}, "text": {"encoding": "WKB"}}}),
        ),
        ("licence", json!("CC0")),
        ("org.apache.spark.sql.parquet.row.metadata", json!({"type": "struct", "fields": []})),
        ("content_defined_chunking", json!({"min_chunk_size": 262144})),
        ("strata", json!({"of": "another run"})),
    ];
    let metadata: HashMap<String, String> =
        metadata.into_iter().map(|(key, value)| (key.to_owned(), value.to_string())).collect();
    let texts = |values: [&str; 2]| Arc::new(StringArray::from(values.to_vec())) as ArrayRef;
    let fields = vec![
        Field::new("text", DataType::Utf8, true),
        Field::new("label", DataType::Int64, true).with_metadata([("unit", "class")]),
        Field::new("extra", DataType::Utf8, true),
    ];
    let columns = vec![texts(["cat", "dog"]), Arc::new(Int64Array::from(vec![0, 1])), texts(["a", "b"])];
    RecordBatch::try_new(Arc::new(Schema::new_with_metadata(fields, metadata)), columns).unwrap()
}

#[test]
fn metadata_of_columns_is_carried_with_the_columns_that_are_kept() {
    for name in ["in.parquet", "in.arrow", "in.arrows"] {
        for format in ["parquet", "arrow"] {
            let sandbox = Sandbox::new();
            write_table(&sandbox.path(name), &input());
            let said = |keep: &str| -> (HashMap<String, Value>, Schema) {
                sandbox.succeed(&format!(
                    "run --input {name} --model tiny-bert --layers 0 --output out --format {format} --keep {keep} --overwrite"
                ));
                let schema = schema_of_output(&sandbox.path("out")).as_ref().clone();
                let metadata = schema.metadata().iter();
                (
                    metadata.map(|(key, text)| (key.clone(), serde_json::from_str(text).unwrap())).collect(),
                    schema,
                )
            };
            let (all, schema) = said("all");
            let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
            assert_eq!(names(&all["huggingface"]["info"]["features"]), ["extra", "label", "text"]);
            assert_eq!(all["huggingface"]["info"]["features"]["label"]["names"], json!(["neg", "pos"]));
            assert_eq!(names(&all["huggingface"]), ["info"]);
            assert_eq!(names(&all["huggingface"]["info"]), ["features"]);
            assert_eq!(
                all["pandas"]["index_columns"],
                json!(["extra"]),
                "an index of a file's rows is none of a part's"
            );
            assert_eq!(all["pandas"]["columns"].as_array().unwrap().len(), 3);
            assert_eq!(all["licence"], "CC0");
            assert_eq!(all["strata"]["input"]["file"], name, "the provenance is this run's");
            for of_the_file in ["org.apache.spark.sql.parquet.row.metadata", "content_defined_chunking"] {
                assert!(!all.contains_key(of_the_file), "{of_the_file}");
            }
            assert_eq!(
                schema.field_with_name("label").unwrap().metadata().get("unit"),
                Some(&"class".to_owned())
            );

            let (some, _) = said("label,text");
            assert_eq!(names(&some["huggingface"]["info"]["features"]), ["label", "text"]);
            assert_eq!(some["pandas"]["index_columns"], json!([]));
            assert_eq!(
                (&some["geo"]["primary_column"], names(&some["geo"]["columns"])),
                (&json!("text"), vec!["text".to_owned()])
            );

            let (few, _) = said("label");
            assert!(!few.contains_key("geo"));
            assert_eq!(few["pandas"]["columns"].as_array().unwrap().len(), 1);
        }
    }
}
