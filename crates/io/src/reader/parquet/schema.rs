//! What a Parquet file's columns are, and as what they are read.
//!
//! The types of Parquet say more than those of Arrow, and the reader knows some by less than they are.
//! So a column has two types: the one it is decoded as, and the one its values are given in.

use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, IntervalUnit, Schema, SchemaRef, TimeUnit};
use arrow::ipc::convert::try_fb_to_schema;
use arrow::ipc::root_as_message;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use parquet::arrow::ARROW_SCHEMA_META_KEY;
use parquet::arrow::arrow_reader::{ArrowReaderMetadata, ArrowReaderOptions};
use parquet::basic::{ConvertedType, LogicalType, Type as PhysicalType};
use parquet::file::metadata::{FileMetaData, ParquetMetaData};
use parquet::schema::types::{SchemaDescriptor, Type, TypePtr};

use crate::columns::annotations::{self, Annotation};
use crate::columns::map_leaves;
use crate::error::BoxError;

/// A file's columns.
#[derive(Debug, Clone)]
pub(in crate::reader) struct Columns {
    /// Decodes them.
    pub(in crate::reader) decoder: ArrowReaderMetadata,
    /// What they are.
    pub(in crate::reader) schema: SchemaRef,
    /// The same as `decoder`, with nanoseconds where that one has microseconds; only where a column has
    /// times of 96 bits, which may have either.
    pub(super) nanoseconds: Option<ArrowReaderMetadata>,
    /// Whether each leaf column is binary without a word about what is in it.
    pub(in crate::reader) is_bare_binary: Arc<[bool]>,
}

impl Columns {
    /// Whether a column is decoded in another way for nanoseconds.
    pub(super) fn differs(&self, column: usize) -> bool {
        let nanoseconds = self.nanoseconds.as_ref().map(|decoder| decoder.schema().field(column));
        nanoseconds.is_some_and(|field| field != self.decoder.schema().field(column))
    }
}

/// What is known of a leaf column beside its Arrow type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Enum,
    /// Text that the reader takes for such without a look.
    UncheckedText,
    Interval,
    /// Times of 96 bits, of which the file's schema does not say the unit.
    Int96,
    BareBinary,
    /// A time of day in UTC.
    ZonedTime,
    /// A day, whatever a writer of Arrow had it as.
    Date,
}

/// Settles the columns of a file whose footer was read.
pub(super) fn columns(footer: ArrowReaderMetadata) -> Result<Columns, BoxError> {
    let file = footer.metadata().file_metadata();
    let states_arrow = stated_by_arrow(file).is_some();
    let zones = zones(file);
    let leaves = file.schema_descr().columns();
    let kinds: Vec<Kind> = leaves.iter().map(|leaf| kind(leaf.self_type(), states_arrow)).collect();
    let found = footer.schema();
    let whole = found.fields().iter().map(count_leaves).sum::<usize>() == kinds.len();
    if !whole {
        // A group without fields; the leaves cannot be told apart.
        return Ok(Columns {
            schema: found.clone(),
            decoder: footer,
            nanoseconds: None,
            is_bare_binary: [].into(),
        });
    }
    let is_bare_binary = kinds.iter().map(|kind| *kind == Kind::BareBinary).collect();

    let groups = annotations::groups(file.schema_descr());
    let mut numbered = kinds.iter().zip(leaves).enumerate();
    let mut what = |field: &Field| match numbered.next() {
        Some((number, (kind, leaf))) => {
            let field = stated(field, *kind, Annotation::of(leaf.self_type()));
            match (field.data_type(), zones.get(number).cloned().flatten()) {
                (DataType::Timestamp(unit, Some(_)), Some(zone)) => {
                    let data_type = DataType::Timestamp(*unit, Some(zone));
                    field.with_data_type(data_type)
                }
                _ => field,
            }
        }
        None => field.clone(),
    };
    let mut next = 0;
    let fields = found.fields().iter().map(|field| {
        let field = map_leaves(field, &mut what);
        annotations::with_groups(&field, &mut next, &groups)
    });
    let schema = Schema::new_with_metadata(fields.collect::<Vec<_>>(), found.metadata().clone());
    let schema = Arc::new(schema);

    let strips = |kind: &Kind| matches!(kind, Kind::UncheckedText | Kind::Interval);
    let metadata = match kinds.iter().any(strips) {
        true => Arc::new(stripped(footer.metadata(), &kinds)?),
        false => footer.metadata().clone(),
    };
    let bare = ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new())?;
    let decode = |int96: TimeUnit| {
        let mut kinds = kinds.iter();
        let mut decoded = |field: &Field| {
            let kind = kinds.next().copied().unwrap_or(Kind::Plain);
            field.clone().with_data_type(decoded(field.data_type(), kind, int96))
        };
        let fields: Vec<FieldRef> =
            bare.schema().fields().iter().map(|field| top_level(field, &mut decoded)).collect();
        let schema = Arc::new(Schema::new_with_metadata(fields, bare.schema().metadata().clone()));
        ArrowReaderMetadata::try_new(metadata.clone(), ArrowReaderOptions::new().with_schema(schema))
    };
    let nanoseconds = kinds.contains(&Kind::Int96).then(|| decode(TimeUnit::Nanosecond)).transpose()?;
    Ok(Columns { decoder: decode(TimeUnit::Microsecond)?, schema, nanoseconds, is_bare_binary })
}

/// The schema that a writer of Arrow has stated beside Parquet's own, encoded.
fn stated_by_arrow(file: &FileMetaData) -> Option<&str> {
    file.key_value_metadata()?.iter().find(|pair| pair.key == ARROW_SCHEMA_META_KEY)?.value.as_deref()
}

/// The time zone of each leaf column that has one: Parquet keeps that a time is in UTC, and the reader
/// takes the zone from there only where the unit is the same.
fn zones(file: &FileMetaData) -> Vec<Option<Arc<str>>> {
    let schema = || {
        let bytes = BASE64_STANDARD.decode(stated_by_arrow(file)?).ok()?;
        let message = if bytes.starts_with(&[0xff; 4]) { bytes.get(8..)? } else { &bytes };
        try_fb_to_schema(root_as_message(message).ok()?.header_as_schema()?).ok()
    };
    let mut zones = Vec::new();
    for field in schema().map(|schema: Schema| schema.fields().clone()).iter().flatten() {
        map_leaves(field, &mut |leaf| {
            zones.push(match leaf.data_type() {
                DataType::Timestamp(_, zone) => zone.clone(),
                _ => None,
            });
            leaf.clone()
        });
    }
    if zones.len() == file.schema_descr().num_columns() { zones } else { Vec::new() }
}

fn kind(leaf: &Type, states_arrow: bool) -> Kind {
    let info = leaf.get_basic_info();
    let (logical, converted) = (info.logical_type_ref(), info.converted_type());
    match (leaf.get_physical_type(), logical, converted) {
        (PhysicalType::INT96, ..) if !states_arrow => Kind::Int96,
        (_, Some(LogicalType::Json), _) | (_, None, ConvertedType::JSON) => Kind::UncheckedText,
        (_, Some(LogicalType::String), converted) if converted != ConvertedType::UTF8 => Kind::UncheckedText,
        (_, Some(LogicalType::Enum), _) | (_, None, ConvertedType::ENUM) => Kind::Enum,
        (PhysicalType::FIXED_LEN_BYTE_ARRAY, None, ConvertedType::INTERVAL) => Kind::Interval,
        (PhysicalType::BYTE_ARRAY, None, ConvertedType::NONE) => Kind::BareBinary,
        (_, Some(LogicalType::Date), _) | (_, None, ConvertedType::DATE) => Kind::Date,
        (_, Some(LogicalType::Time(time)), _) if time.is_adjusted_to_u_t_c => Kind::ZonedTime,
        _ => Kind::Plain,
    }
}

/// What a leaf column is.
fn stated(field: &Field, kind: Kind, annotation: Option<Annotation>) -> Field {
    let annotated = annotation.map(|annotation| annotation.put_on(field));
    let field = annotated.as_ref().unwrap_or(field);
    let with = |data_type| field.clone().with_data_type(data_type);
    match (kind, field.data_type()) {
        (Kind::Enum, DataType::Binary) => with(DataType::Utf8),
        (Kind::Date, DataType::Date64) => with(DataType::Date32),
        // The reader's guess, which leaves months out.
        (Kind::Interval, DataType::Interval(IntervalUnit::DayTime)) => {
            with(DataType::Interval(IntervalUnit::MonthDayNano))
        }
        (Kind::Int96, DataType::Timestamp(TimeUnit::Nanosecond, None)) => {
            with(DataType::Timestamp(TimeUnit::Microsecond, None))
        }
        (Kind::ZonedTime, _) => {
            let mut metadata = field.metadata().clone();
            metadata.insert(annotations::ADJUSTED_TO_UTC, "true");
            field.clone().with_metadata(metadata)
        }
        _ => field.clone(),
    }
}

/// As what a leaf column is decoded.
///
/// Texts are views of the pages they are in, so that few rows never hold more than those pages, also
/// where a page of a few numbers stands for long texts. The reader checks only columns that are annotated
/// as UTF-8, so that others are binary as far as it knows.
fn decoded(data_type: &DataType, kind: Kind, int96: TimeUnit) -> DataType {
    match (kind, data_type) {
        (
            Kind::UncheckedText | Kind::Enum | Kind::BareBinary,
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View,
        ) => DataType::BinaryView,
        (Kind::UncheckedText | Kind::Enum | Kind::BareBinary, DataType::Dictionary(..)) => {
            DataType::BinaryView
        }
        (Kind::Int96, DataType::Timestamp(..)) => DataType::Timestamp(int96, None),
        (Kind::Date, DataType::Date64) => DataType::Date32,
        (_, DataType::Utf8 | DataType::LargeUtf8) => DataType::Utf8View,
        (_, DataType::Binary | DataType::LargeBinary) => DataType::BinaryView,
        (_, other) => other.clone(),
    }
}

/// Dictionaries of whole columns stay such, with keys that do not run out; inside others they are read
/// as their values.
fn top_level(field: &FieldRef, decoded: &mut dyn FnMut(&Field) -> Field) -> FieldRef {
    if let DataType::Dictionary(_, values) = field.data_type() {
        let plain = decoded(&field.as_ref().clone().with_data_type(values.as_ref().clone()));
        let is_text = matches!(
            values.as_ref(),
            DataType::Utf8 | DataType::LargeUtf8 | DataType::Binary | DataType::LargeBinary
        );
        let data_type = match is_text && plain.data_type() != &DataType::BinaryView {
            true => DataType::Dictionary(Box::new(DataType::Int32), values.clone()),
            false => plain.data_type().clone(),
        };
        return field.as_ref().clone().with_data_type(data_type).into();
    }
    map_leaves(field, &mut |field| match field.data_type() {
        DataType::Dictionary(_, values) => decoded(&field.clone().with_data_type(values.as_ref().clone())),
        _ => decoded(field),
    })
}

fn count_leaves(field: &FieldRef) -> usize {
    let mut count = 0;
    map_leaves(field, &mut |field| {
        count += 1;
        field.clone()
    });
    count
}

/// The same file without the words about JSON and intervals, which are then bytes.
fn stripped(metadata: &ParquetMetaData, kinds: &[Kind]) -> Result<ParquetMetaData, BoxError> {
    let file = metadata.file_metadata();
    let root = without_words(&file.schema_descr().root_schema_ptr(), &mut kinds.iter())?;
    let stripped = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        file.key_value_metadata().cloned(),
        Arc::new(SchemaDescriptor::new(root)),
        file.column_orders().cloned(),
    );
    Ok(ParquetMetaData::new(stripped, metadata.row_groups().to_vec()))
}

fn without_words(node: &TypePtr, kinds: &mut std::slice::Iter<'_, Kind>) -> Result<TypePtr, BoxError> {
    let Type::PrimitiveType { physical_type, type_length, .. } = node.as_ref() else {
        let fields = node.get_fields().iter().map(|field| without_words(field, kinds));
        return annotations::rebuilt(node, fields.collect::<Result<_, _>>()?, None);
    };
    let Some(Kind::UncheckedText | Kind::Interval) = kinds.next() else { return Ok(node.clone()) };
    let info = node.get_basic_info();
    let bare = Type::primitive_type_builder(node.name(), *physical_type)
        .with_length(*type_length)
        .with_repetition(info.repetition())
        .with_id(info.has_id().then(|| info.id()));
    Ok(Arc::new(bare.build()?))
}
