//! Which columns are read from an input file, and which columns its parts have.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use strata_bert::Features;
use strata_io::{FloatType, Input, OutputFormat, Texts, check_writable, is_text, vector_field};

use crate::failure::Refusal;
use crate::settings::Keep;

const N_TOKENS: &str = "n_tokens";
const TRUNCATED: &str = "truncated";

/// The columns of one input file and of the parts made from it.
#[derive(Debug, Clone)]
pub struct Columns {
    /// What is read: the kept columns in the file's order, and the text if it is not among them.
    pub read: Vec<String>,
    /// The schema of the parts: kept columns, `n_tokens`, `truncated`, vectors.
    pub schema: SchemaRef,
    text: usize,
    kept: usize,
}

impl Columns {
    /// Settles the columns of `input`.
    ///
    /// # Errors
    /// No such text column, or not one of text; an unknown kept column; a name that the input and
    /// the output both claim; a type the output format cannot hold.
    pub fn settle(
        input: &Input,
        text: &str,
        keep: &Keep,
        features: &Features,
        dtype: FloatType,
        format: OutputFormat,
    ) -> anyhow::Result<Self> {
        let path = input.source.path.display();
        let available = || {
            let fields = input.schema.fields().iter();
            let list: Vec<_> =
                fields.map(|field| format!("{} ({})", field.name(), field.data_type())).collect();
            if list.is_empty() { "no columns".to_owned() } else { list.join(", ") }
        };
        let unknown = |option: &str, name: &str| {
            Refusal::usage(format!("{path} has no column `{name}`"))
                .hint(format!("name another with {option}; it has {}", available()))
        };
        let text_field = input.schema.field_with_name(text).map_err(|_| unknown("--text", text))?;
        if !is_text(text_field.data_type()) {
            let found = text_field.data_type();
            return Err(Refusal::usage(format!("column `{text}` of {path} is {found}, expected text"))
                .hint(format!("name another with --text; the file has {}", available()))
                .into());
        }

        let is_kept = |field: &&FieldRef| match keep {
            Keep::All => true,
            Keep::None => false,
            Keep::Columns(names) => names.contains(field.name()),
        };
        let kept: Vec<FieldRef> = input.schema.fields().iter().filter(is_kept).cloned().collect();
        if let Keep::Columns(names) = keep {
            let is_missing = |name: &&String| kept.iter().all(|field| field.name() != *name);
            if let Some(name) = names.iter().find(is_missing) {
                return Err(unknown("--keep", name).into());
            }
        }

        let mut read: Vec<String> = kept.iter().map(|field| field.name().clone()).collect();
        let text_index = read.iter().position(|name| name == text).unwrap_or_else(|| {
            read.push(text.to_owned());
            read.len() - 1
        });
        refuse_ambiguous(&read, &input.schema, &path.to_string())?;
        let schema = Schema::new([kept.clone(), computed_fields(features, dtype)].concat());
        refuse_repeated_names(&schema, &path.to_string())?;
        check_writable(&schema, format)?;
        Ok(Self { read, schema: schema.into(), text: text_index, kept: kept.len() })
    }

    /// The texts of a batch that was read.
    ///
    /// # Errors
    /// The column is not text, against what the file's schema said.
    pub fn texts(&self, batch: &RecordBatch) -> Result<Texts, strata_io::Error> {
        Texts::try_new(batch.column(self.text))
    }

    /// The kept columns of a batch that was read.
    pub fn kept<'a>(&self, batch: &'a RecordBatch) -> &'a [arrow::array::ArrayRef] {
        &batch.columns()[..self.kept]
    }

    /// Whether parts of both have columns of the same names and types, nullability aside.
    pub fn agrees_with(&self, other: &Self) -> Result<(), String> {
        let describe = |columns: &Self| -> BTreeSet<String> {
            columns.schema.fields().iter().map(|f| format!("{} ({})", f.name(), f.data_type())).collect()
        };
        let (own, others) = (describe(self), describe(other));
        match own.symmetric_difference(&others).next() {
            None => Ok(()),
            Some(column) => Err(column.clone()),
        }
    }
}

/// The columns that follow the kept ones.
fn computed_fields(features: &Features, dtype: FloatType) -> Vec<FieldRef> {
    let vectors = features.columns().iter().map(|column| vector_field(&column.name, &column.shape, dtype));
    [Field::new(N_TOKENS, DataType::UInt32, false), Field::new(TRUNCATED, DataType::Boolean, false)]
        .into_iter()
        .chain(vectors)
        .map(Arc::new)
        .collect()
}

/// Columns are read by name, so that a name must stand for one of them.
fn refuse_ambiguous(read: &[String], input: &Schema, path: &str) -> Result<(), Refusal> {
    let count = |name: &str| input.fields().iter().filter(|field| field.name() == name).count();
    match read.iter().find(|name| count(name) > 1) {
        None => Ok(()),
        Some(name) => {
            Err(Refusal::usage(format!("{path} has {} columns `{name}`, expected one", count(name)))
                .hint("rename all but one of them in the input"))
        }
    }
}

fn refuse_repeated_names(schema: &Schema, path: &str) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    match schema.fields().iter().find(|field| !seen.insert(field.name())) {
        None => Ok(()),
        Some(field) => Err(Refusal::usage(format!(
            "{path} already has a column `{}`, which strata would write",
            field.name()
        ))
        .hint("leave it out with --keep, or rename it in the input")),
    }
}
