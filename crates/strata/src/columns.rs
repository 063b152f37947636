//! Which columns are read from an input file, and which columns its parts have.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use strata_bert::{Features, Unit};
use strata_io::{
    Format, Input, Spans, TextLists, Texts, carried_metadata, check_writable, is_spans, is_text,
    is_text_list, span_labels, storable_field, vector_field,
};

use crate::failure::Refusal;
use crate::rows;
use crate::settings::{Keep, Settings};
use crate::subjects::Subjects;
use crate::unit::{Role, Subject};

/// The columns of one input file and of the parts made from it.
#[derive(Debug, Clone)]
pub struct Columns {
    /// What is read: the kept columns in the file's order, and what is encoded if it is not among them.
    pub read: Vec<String>,
    /// The schema of the parts: kept columns (after the row, where a row has several), what is said
    /// about the text or item, what spans carry, vectors.
    pub schema: SchemaRef,
    subject: Subject,
    /// The places of the subject's columns among those that are read.
    encoded: Vec<usize>,
    kept: usize,
}

impl Columns {
    /// Settles the columns of `input`.
    ///
    /// # Errors
    /// No such column to encode, or not one of text; an unknown kept column; a name that the input
    /// and the output both claim; a type the output format cannot hold.
    pub fn settle(input: &mut Input, settings: &Settings, features: &Features) -> anyhow::Result<Self> {
        let Settings { subject, keep, .. } = settings;
        let path = input.source.shown.display();
        let available = || {
            // Nothing is known of a column that is not needed but its name.
            let described = |field: &FieldRef| match field.data_type() {
                DataType::Null => field.name().clone(),
                data_type => format!("{} ({data_type})", field.name()),
            };
            let list: Vec<_> = input.schema.fields().iter().map(described).collect();
            if list.is_empty() { "no columns".to_owned() } else { list.join(", ") }
        };
        let unknown = |option: &str, name: &str| {
            let is_csv = matches!(input.source.format, Format::Csv | Format::Tsv);
            let undivided = match is_csv && input.schema.fields().len() == 1 {
                true => "; --csv-delimiter says what stands between its fields",
                false => "",
            };
            Refusal::usage(format!("{path} has no column `{name}`"))
                .hint(format!("name another with {option}; it has {}{undivided}", available()))
        };
        for (role, name) in subject.columns() {
            let option = role.option();
            let field = input.field(name).ok_or_else(|| unknown(option, name))?;
            let (is_right, expected): (fn(&DataType) -> bool, _) = match role {
                Role::Text | Role::TextPair => (is_text, "text"),
                Role::Words => (is_text_list, "lists of text"),
                Role::Spans => (is_spans, "structs with whole numbers start and end, or lists of such"),
            };
            if !is_right(field.data_type()) {
                let found = field.data_type();
                return Err(Refusal::usage(format!(
                    "column `{name}` of {path} is {found}, expected {expected}"
                ))
                .hint(format!("name another with {option}; the file has {}", available()))
                .into());
            }
        }

        let is_kept = |field: &&FieldRef| match keep {
            Keep::All => true,
            Keep::None => false,
            Keep::Columns(names) => names.contains(field.name()),
        };
        let mut kept: Vec<FieldRef> = input.schema.fields().iter().filter(is_kept).cloned().collect();
        if let Keep::Columns(names) = keep {
            for name in names {
                // A field of a struct, which has no place among the columns.
                if kept.iter().all(|field| field.name() != name) {
                    kept.push(input.field(name).ok_or_else(|| unknown("--keep", name))?.into());
                }
            }
        }

        let mut read: Vec<String> = kept.iter().map(|field| field.name().clone()).collect();
        let mut place = |(_, name): (Role, &str)| {
            read.iter().position(|read| read == name).unwrap_or_else(|| {
                read.push(name.to_owned());
                read.len() - 1
            })
        };
        let encoded = subject.columns().into_iter().map(&mut place).collect();
        let path = path.to_string();
        refuse_ambiguous(&read, &input.schema, &path)?;
        for field in &mut kept {
            let storable = storable_field(field, settings.stored_format());
            if storable != *field {
                input.retype_field(&storable)?;
                *field = storable;
            }
        }
        let schema = schema(input, &kept, settings, features);
        refuse_repeated_names(&schema, &path)?;
        check_writable(&schema, settings.stored_format())?;
        let kept = kept.len();
        Ok(Self { read, schema: schema.into(), subject: subject.clone(), encoded, kept })
    }

    /// What is encoded of a batch that was read.
    ///
    /// # Errors
    /// A column is not what the file's schema said.
    pub fn subjects(&self, batch: &RecordBatch) -> Result<Subjects, strata_io::Error> {
        let column = |index: usize| batch.column(self.encoded[index]);
        Ok(match self.subject {
            Subject::Text(_) => Subjects::Texts(Texts::try_new(column(0))?),
            Subject::Pair(..) => Subjects::Pairs(Texts::try_new(column(0))?, Texts::try_new(column(1))?),
            Subject::Words(_) => Subjects::Words(TextLists::try_new(column(0))?),
            Subject::Spans(..) => Subjects::Spans(Texts::try_new(column(0))?, Spans::try_new(column(1))?),
        })
    }

    /// The kept columns of a batch that was read.
    ///
    /// # Errors
    /// The batch is not of these columns.
    pub fn kept(&self, batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        batch.project(&(0..self.kept).collect::<Vec<_>>())
    }

    /// The kept columns of the parts.
    pub fn kept_fields(&self) -> impl Iterator<Item = &FieldRef> {
        self.read[..self.kept].iter().filter_map(|name| Some(self.schema.fields().find(name)?.1))
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

/// The columns of a part.
fn schema(input: &Input, kept: &[FieldRef], settings: &Settings, features: &Features) -> Schema {
    let unit = features.unit();
    let row = (unit != Unit::Row).then(|| Arc::new(Field::new(rows::ROW, DataType::UInt64, false)));
    let labels = match &settings.subject {
        Subject::Spans(_, spans) => {
            input.field(spans).map_or_else(Vec::new, |field| span_labels(field.data_type()))
        }
        _ => Vec::new(),
    };
    let vectors =
        features.columns().iter().map(|column| vector_field(&column.name, &column.shape, settings.dtype));
    let fields = row
        .into_iter()
        .chain(kept.iter().cloned())
        .chain(rows::fields(unit).into_iter().map(Arc::new))
        .chain(labels)
        .chain(vectors.map(Arc::new));
    let names: Vec<&str> = kept.iter().map(|field| field.name().as_str()).collect();
    let metadata = carried_metadata(input.schema.metadata(), &names);
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata)
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
