//! Which columns are read from an input file, and which columns its parts have.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use strata_bert::Features;
use strata_io::{
    FloatType, Format, Input, Lists, OutputFormat, Spans, TextLists, Texts, carried_metadata, check_writable,
    column_at, field_at, is_spans, is_text, is_text_list, list_element, span_labels, storable_field,
    vector_field,
};

use crate::Error;
use crate::error::Refusal;
use crate::table::keep::Keep;
use crate::table::on_null::OnNull;
use crate::table::rows;
use crate::table::subjects::Subjects;
use crate::table::unit::{Role, Subject};

/// What tables are made of, and how they are stored.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The columns that are encoded.
    pub subject: Subject,
    /// The columns that are carried through.
    pub keep: Keep,
    /// The format of what is written.
    pub format: OutputFormat,
    /// The type of the vectors' values.
    pub dtype: FloatType,
    /// What becomes of rows without a vector.
    pub on_null: OnNull,
    /// Whether a text that the model cannot see at once ends the work.
    pub refuse_overflow: bool,
}

impl Default for Wanted {
    /// The texts of the column `text`, and all columns beside them, for Arrow.
    fn default() -> Self {
        Self {
            subject: Subject::Text("text".to_owned()),
            keep: Keep::All,
            format: OutputFormat::Arrow,
            dtype: FloatType::Float32,
            on_null: OnNull::Null,
            refuse_overflow: false,
        }
    }
}

/// The columns of one input file and of the parts made from it.
#[derive(Debug, Clone)]
pub struct Columns {
    /// What is read: the kept columns in the file's order, and what is encoded if it is not among them.
    pub read: Vec<String>,
    /// The schema of the parts: kept columns (after the row, where it does not follow from the place),
    /// what is said about the text or item, what spans carry, vectors.
    pub schema: SchemaRef,
    /// The type of the vectors' values.
    pub dtype: FloatType,
    /// What becomes of rows without a vector.
    pub on_null: OnNull,
    subject: Subject,
    /// The places of the subject's columns among those that are read.
    encoded: Vec<usize>,
    kept: usize,
}

/// A table that columns are looked for in.
struct Table<'a> {
    /// What it is called in messages.
    name: String,
    schema: &'a Schema,
    /// Why it may have no such column.
    remark: &'static str,
}

/// The columns of a table that are needed.
struct Picked {
    kept: Vec<FieldRef>,
    /// Those of lists that stand beside words.
    aligned: Vec<FieldRef>,
    read: Vec<String>,
    encoded: Vec<usize>,
}

impl Columns {
    /// Settles the columns of an input file, some of which it then reads as another type.
    ///
    /// # Errors
    /// No such column to encode, or not one of text; an unknown kept column; a name that the input
    /// and the output both claim.
    pub fn settle(input: &mut Input, wanted: &Wanted, features: &Features) -> Result<Self, Error> {
        let is_csv = matches!(input.source.format, Format::Csv | Format::Tsv);
        let remark = match is_csv && input.schema.fields().len() == 1 {
            true => "; --csv-delimiter says what stands between its fields",
            false => "",
        };
        let schema = input.schema.clone();
        let table = Table { name: input.source.shown.display().to_string(), schema: &schema, remark };
        let mut picked = table.pick(wanted)?;
        for field in picked.kept.iter_mut().chain(&mut picked.aligned) {
            let storable = storable_field(field, wanted.format);
            // Fields are equal whether or not the values of a dictionary are in order.
            if storable != *field || storable.dict_is_ordered() != field.dict_is_ordered() {
                input.retype_field(&storable)?;
                *field = storable;
            }
        }
        Self::of(picked, &Table { schema: &input.schema, ..table }, wanted, features)
    }

    /// Settles the columns of tables with this schema, which `name` stands for in messages.
    ///
    /// # Errors
    /// As [`Columns::settle`]; a type the output format cannot hold.
    pub fn of_schema(
        name: &str,
        schema: &Schema,
        wanted: &Wanted,
        features: &Features,
    ) -> Result<Self, Error> {
        let table = Table { name: name.to_owned(), schema, remark: "" };
        let columns = Self::of(table.pick(wanted)?, &table, wanted, features)?;
        check_writable(&columns.schema, wanted.format)?;
        Ok(columns)
    }

    fn of(picked: Picked, table: &Table, wanted: &Wanted, features: &Features) -> Result<Self, Error> {
        let Picked { kept, aligned, read, encoded } = picked;
        let schema = schema(table.schema, &kept, &aligned, wanted, features);
        refuse_repeated_names(&schema, &table.name)?;
        Ok(Self {
            read,
            schema: schema.into(),
            dtype: wanted.dtype,
            on_null: wanted.on_null,
            subject: wanted.subject.clone(),
            encoded,
            kept: kept.len(),
        })
    }

    /// The columns that are needed of a table, in the order in which [`Columns::read`] names them.
    ///
    /// # Errors
    /// The table has other columns.
    pub fn project(&self, table: &RecordBatch) -> Result<RecordBatch, ArrowError> {
        let field = |name: &String| field_at(table.schema_ref(), name);
        let fields: Vec<Field> = self.read.iter().filter_map(field).collect();
        let arrays = self.read.iter().map(|name| column_at(table, name)).collect::<Result<Vec<_>, _>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(table.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), arrays, &options)
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
            Subject::Words(_, ref aligned) => {
                let lists = |(index, name): (usize, &String)| {
                    Ok::<_, strata_io::Error>((name.clone(), Lists::try_new(column(1 + index))?))
                };
                let aligned = aligned.iter().enumerate().map(lists).collect::<Result<_, _>>()?;
                Subjects::Words(TextLists::try_new(column(0))?, aligned)
            }
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
        if self.schema.fields() == other.schema.fields() {
            return Ok(());
        }
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

impl Table<'_> {
    fn pick(&self, wanted: &Wanted) -> Result<Picked, Error> {
        let Self { name: table, schema, .. } = self;
        let Wanted { subject, keep, .. } = wanted;
        for (role, name) in subject.columns() {
            let option = role.option();
            let field = field_at(schema, name).ok_or_else(|| self.unknown(option, name))?;
            let (is_right, expected): (fn(&DataType) -> bool, _) = match role {
                Role::Text | Role::TextPair => (is_text, "text"),
                Role::Words => (is_text_list, "lists of text"),
                Role::Aligned => (is_list, "lists with a value for each word"),
                Role::Spans => (is_spans, "structs with whole numbers start and end, or lists of such"),
            };
            if !is_right(field.data_type()) {
                let found = field.data_type();
                return Err(Refusal::usage(format!(
                    "column `{name}` of {table} is {found}, expected {expected}"
                ))
                .hint(format!("name another with {option}; the file has {}", self.available()))
                .into());
            }
        }

        let is_kept = |field: &&FieldRef| match keep {
            Keep::All => true,
            Keep::None => false,
            Keep::Columns(names) => names.contains(field.name()),
        };
        let mut kept: Vec<FieldRef> = schema.fields().iter().filter(is_kept).cloned().collect();
        if let Keep::Columns(names) = keep {
            for name in names {
                // A field of a struct, which has no place among the columns.
                if kept.iter().all(|field| field.name() != name) {
                    kept.push(field_at(schema, name).ok_or_else(|| self.unknown("--keep", name))?.into());
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
        refuse_ambiguous(&read, schema, table)?;
        let aligned = subject.columns().into_iter().filter(|(role, _)| *role == Role::Aligned);
        let aligned = aligned.filter_map(|(_, name)| Some(field_at(schema, name)?.into())).collect();
        Ok(Picked { kept, aligned, read, encoded })
    }

    fn unknown(&self, option: &str, name: &str) -> Refusal {
        let (available, remark) = (self.available(), self.remark);
        Refusal::usage(format!("{} has no column `{name}`", self.name))
            .hint(format!("name another with {option}; it has {available}{remark}"))
    }

    fn available(&self) -> String {
        // Nothing is known of a column that is not needed but its name.
        let described = |field: &FieldRef| match field.data_type() {
            DataType::Null => field.name().clone(),
            data_type => format!("{} ({data_type})", field.name()),
        };
        let list: Vec<_> = self.schema.fields().iter().map(described).collect();
        if list.is_empty() { "no columns".to_owned() } else { list.join(", ") }
    }
}

/// The columns of a part.
fn schema(
    input: &Schema,
    kept: &[FieldRef],
    aligned: &[FieldRef],
    wanted: &Wanted,
    features: &Features,
) -> Schema {
    let unit = features.unit();
    let row = rows::row_name(unit, wanted.on_null);
    let row = row.map(|name| Arc::new(Field::new(name, DataType::UInt64, false)));
    let labels = match &wanted.subject {
        Subject::Spans(_, spans) => {
            field_at(input, spans).map_or_else(Vec::new, |field| span_labels(field.data_type()))
        }
        _ => aligned.iter().filter_map(|field| list_element(field)).collect(),
    };
    let vectors = features.columns().iter().map(|column| {
        let field = vector_field(&column.name, &column.shape, wanted.dtype);
        field.with_nullable(wanted.on_null.is_nullable())
    });
    let fields = row
        .into_iter()
        .chain(kept.iter().cloned())
        .chain(rows::fields(unit).into_iter().map(Arc::new))
        .chain(labels)
        .chain(vectors.map(Arc::new));
    let names =
        |fields: &'_ [FieldRef]| fields.iter().map(|field| field.name().clone()).collect::<Vec<String>>();
    let (kept, aligned) = (names(kept), names(aligned));
    let [kept, aligned] =
        [&kept, &aligned].map(|names| names.iter().map(String::as_str).collect::<Vec<&str>>());
    let metadata = carried_metadata(input.metadata(), &kept, &aligned);
    Schema::new_with_metadata(fields.collect::<Vec<_>>(), metadata)
}

fn is_list(data_type: &DataType) -> bool {
    list_element(&Field::new("", data_type.clone(), true)).is_some()
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
