//! What Parquet says about columns and Arrow has no types for, kept as metadata of fields.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, FieldRef, Fields, Schema};
use parquet::basic::{ConvertedType, EdgeInterpolationAlgorithm, LogicalType};
use parquet::schema::types::{BasicTypeInfo, SchemaDescriptor, Type, TypePtr};
use serde::{Deserialize, Serialize};

use crate::error::BoxError;

/// The key under which the Parquet writer looks whether a time of day is in UTC.
pub(crate) const ADJUSTED_TO_UTC: &str = "adjusted_to_utc";

/// The key of an [`Annotation`] that Arrow has no extension type for, as JSON.
const KEY: &str = "PARQUET:annotation";

/// The keys of an extension type of Arrow.
const EXTENSION_TYPE_NAME_KEY: &str = "ARROW:extension:name";
const EXTENSION_TYPE_METADATA_KEY: &str = "ARROW:extension:metadata";

/// The extension types of Arrow that Parquet has annotations for.
const UUID: &str = "arrow.uuid";
const JSON: &str = "arrow.json";

/// A column of JSON text.
pub(crate) fn json_field(name: &str) -> Field {
    Annotation::Json.put_on(&Field::new(name, DataType::Utf8, true))
}

/// Whether a column holds JSON text.
pub(crate) fn is_json(field: &Field) -> bool {
    Annotation::read(field) == Some(Annotation::Json)
}

/// What a column is, beyond its Arrow type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Annotation {
    Uuid,
    Json,
    Bson,
    /// Months, days and milliseconds in twelve bytes.
    Interval,
    Variant {
        version: Option<i8>,
    },
    Geometry {
        crs: Option<String>,
    },
    Geography {
        crs: Option<String>,
        algorithm: Option<i32>,
    },
}

impl Annotation {
    /// The annotation of a column or group of a Parquet file.
    pub(crate) fn of(node: &Type) -> Option<Self> {
        let info = node.get_basic_info();
        if info.logical_type_ref().is_none() && info.converted_type() == ConvertedType::JSON {
            return Some(Self::Json);
        }
        Some(match info.logical_type_ref()? {
            LogicalType::Uuid => Self::Uuid,
            LogicalType::Json => Self::Json,
            LogicalType::Bson => Self::Bson,
            LogicalType::Variant(variant) => Self::Variant { version: variant.specification_version },
            LogicalType::Geometry(geometry) => Self::Geometry { crs: geometry.crs.clone() },
            LogicalType::Geography(geography) => {
                Self::Geography { crs: geography.crs.clone(), algorithm: geography.algorithm.map(number) }
            }
            _ => return None,
        })
    }

    /// `field` with this annotation.
    pub(crate) fn put_on(&self, field: &Field) -> Field {
        let mut metadata = field.metadata().clone();
        match self {
            Self::Uuid | Self::Json => {
                metadata.insert(EXTENSION_TYPE_NAME_KEY, if *self == Self::Uuid { UUID } else { JSON });
                metadata.insert(EXTENSION_TYPE_METADATA_KEY, "");
            }
            other => {
                if let Ok(json) = serde_json::to_string(other) {
                    metadata.insert(KEY, json);
                }
            }
        }
        field.clone().with_metadata(metadata)
    }

    fn read(field: &Field) -> Option<Self> {
        let metadata = field.metadata();
        let own = metadata.get(KEY).and_then(|json| serde_json::from_str(json).ok());
        let extension = metadata.get(EXTENSION_TYPE_NAME_KEY).map(String::as_str);
        own.or(match (extension, field.data_type()) {
            (Some(UUID), DataType::FixedSizeBinary(16)) => Some(Self::Uuid),
            (Some(JSON), data_type) if data_type.is_string() => Some(Self::Json),
            _ => None,
        })
    }

    /// The logical type; `None` where there is only one of the older kind.
    fn logical_type(&self) -> Option<LogicalType> {
        Some(match self {
            Self::Interval => return None,
            Self::Uuid => LogicalType::Uuid,
            Self::Json => LogicalType::Json,
            Self::Bson => LogicalType::Bson,
            Self::Variant { version } => LogicalType::variant(*version),
            Self::Geometry { crs } => LogicalType::geometry(crs.clone()),
            Self::Geography { crs, algorithm } => {
                LogicalType::geography(crs.clone(), algorithm.map(algorithm_of))
            }
        })
    }
}

const ALGORITHMS: [EdgeInterpolationAlgorithm; 5] = [
    EdgeInterpolationAlgorithm::SPHERICAL,
    EdgeInterpolationAlgorithm::VINCENTY,
    EdgeInterpolationAlgorithm::THOMAS,
    EdgeInterpolationAlgorithm::ANDOYER,
    EdgeInterpolationAlgorithm::KARNEY,
];

fn number(algorithm: EdgeInterpolationAlgorithm) -> i32 {
    match algorithm {
        EdgeInterpolationAlgorithm::_Unknown(number) => number,
        known => ALGORITHMS.iter().position(|one| *one == known).map_or(0, |place| place as i32),
    }
}

fn algorithm_of(number: i32) -> EdgeInterpolationAlgorithm {
    let known = usize::try_from(number).ok().and_then(|place| ALGORITHMS.get(place));
    known.copied().unwrap_or(EdgeInterpolationAlgorithm::_Unknown(number))
}

/// The annotated groups of a Parquet file, by the leaf columns they have.
pub(crate) fn groups(schema: &SchemaDescriptor) -> HashMap<Range<usize>, Annotation> {
    fn walk(node: &Type, next: &mut usize, found: &mut HashMap<Range<usize>, Annotation>) {
        if node.is_primitive() {
            *next += 1;
            return;
        }
        let first = *next;
        node.get_fields().iter().for_each(|field| walk(field, next, found));
        if let Some(annotation) = Annotation::of(node) {
            found.insert(first..*next, annotation);
        }
    }
    let (mut next, mut found) = (0, HashMap::new());
    walk(schema.root_schema(), &mut next, &mut found);
    found
}

/// `field`, whose first leaf has the number `next`, with the annotations of its groups.
pub(crate) fn with_groups(
    field: &FieldRef,
    next: &mut usize,
    groups: &HashMap<Range<usize>, Annotation>,
) -> FieldRef {
    let first = *next;
    let mut inner = |child: &FieldRef| with_groups(child, next, groups);
    let data_type = match field.data_type() {
        DataType::List(child) => DataType::List(inner(child)),
        DataType::LargeList(child) => DataType::LargeList(inner(child)),
        DataType::FixedSizeList(child, size) => DataType::FixedSizeList(inner(child), *size),
        DataType::Map(entries, sorted) => DataType::Map(inner(entries), *sorted),
        DataType::Struct(fields) => {
            let fields: Fields = fields.iter().map(inner).collect();
            let data_type = DataType::Struct(fields);
            let field = field.as_ref().clone().with_data_type(data_type);
            return Arc::new(groups.get(&(first..*next)).map_or(field.clone(), |group| group.put_on(&field)));
        }
        _ => {
            *next += 1;
            return field.clone();
        }
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

/// The Parquet schema that the writer makes of `schema`, with the annotations of its fields.
pub(crate) fn annotated(schema: &Schema, converted: &SchemaDescriptor) -> Result<SchemaDescriptor, BoxError> {
    let root = converted.root_schema();
    let nodes = schema.fields().iter().zip(root.get_fields()).map(|(field, node)| annotate(field, node));
    let root = Type::group_type_builder(root.name()).with_fields(nodes.collect::<Result<_, _>>()?).build()?;
    Ok(SchemaDescriptor::new(Arc::new(root)))
}

fn annotate(field: &Field, node: &TypePtr) -> Result<TypePtr, BoxError> {
    let own = Annotation::read(field);
    let children: Vec<&FieldRef> = match field.data_type() {
        DataType::List(child) | DataType::LargeList(child) | DataType::FixedSizeList(child, _) => vec![child],
        DataType::Struct(fields) => fields.iter().collect(),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(fields) => fields.iter().collect(),
            _ => Vec::new(),
        },
        _ => Vec::new(),
    };
    // Lists and maps have a repeated group in between.
    let fields = match (field.data_type(), node.is_primitive()) {
        (_, true) => Vec::new(),
        (DataType::Struct(_), _) => zip(&children, node.get_fields())?,
        _ => {
            let between = &node.get_fields()[0];
            vec![rebuilt(between, zip(&children, between.get_fields())?, None)?]
        }
    };
    rebuilt(node, fields, own.as_ref())
}

fn zip(fields: &[&FieldRef], nodes: &[TypePtr]) -> Result<Vec<TypePtr>, BoxError> {
    fields.iter().zip(nodes).map(|(field, node)| annotate(field, node)).collect()
}

/// `node` with other fields, and with another annotation if one is given.
pub(crate) fn rebuilt(
    node: &TypePtr,
    fields: Vec<TypePtr>,
    annotation: Option<&Annotation>,
) -> Result<TypePtr, BoxError> {
    let info: &BasicTypeInfo = node.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let logical_type = match annotation {
        Some(annotation) => annotation.logical_type(),
        None => info.logical_type_ref().cloned(),
    };
    let converted_type = match (annotation, &logical_type) {
        (Some(Annotation::Interval), _) => ConvertedType::INTERVAL,
        (_, Some(_)) => ConvertedType::from(logical_type.clone()),
        (_, None) => info.converted_type(),
    };
    let built = match node.as_ref() {
        Type::PrimitiveType { physical_type, type_length, scale, precision, .. } => {
            Type::primitive_type_builder(node.name(), *physical_type)
                .with_length(*type_length)
                .with_scale(*scale)
                .with_precision(*precision)
                .with_repetition(info.repetition())
                .with_converted_type(converted_type)
                .with_logical_type(logical_type)
                .with_id(id)
                .build()?
        }
        Type::GroupType { .. } => {
            let builder = Type::group_type_builder(node.name())
                .with_fields(fields)
                .with_converted_type(converted_type)
                .with_logical_type(logical_type)
                .with_id(id);
            match info.has_repetition() {
                true => builder.with_repetition(info.repetition()).build()?,
                false => builder.build()?,
            }
        }
    };
    Ok(Arc::new(built))
}
