//! Record batches to the bytes of either format.

use std::io::Write;
use std::path::Path;

use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow::ipc::writer::FileWriter;
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, ArrowWriter, encode_arrow_schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;

use super::dictionaries::{SpooledWriter, is_dictionary};
use super::plain::{decoded, with_types};
use super::{OutputFormat, WriterOptions};
use crate::columns::annotations::annotated;
use crate::error::BoxError;
use crate::{FloatType, vector_shape};

/// The writer of one file. Takes chunks of [`decoded`] columns.
pub(crate) enum Encoder<W: Write + Send> {
    /// The writer, with the types that it is given values in.
    Parquet(SchemaRef, Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
    Dictionaries(Box<SpooledWriter<W>>),
}

impl<W: Write + Send> Encoder<W> {
    /// Starts the file that grows at `path`.
    pub(crate) fn new(
        sink: W,
        path: &Path,
        schema: &SchemaRef,
        options: &WriterOptions,
    ) -> Result<Self, BoxError> {
        let has_dictionary = schema.fields().iter().any(|field| is_dictionary(field.data_type()));
        Ok(match options.format {
            OutputFormat::Parquet => {
                let (stored, writer) = parquet_writer(sink, schema, options)?;
                Self::Parquet(stored, Box::new(writer))
            }
            OutputFormat::Arrow if has_dictionary => {
                Self::Dictionaries(Box::new(SpooledWriter::new(sink, schema, path)?))
            }
            OutputFormat::Arrow => Self::Arrow(Box::new(FileWriter::try_new(sink, schema)?)),
        })
    }

    pub(crate) fn write(&mut self, chunk: &RecordBatch) -> Result<(), BoxError> {
        match self {
            Self::Parquet(schema, writer) => writer.write(&with_types(chunk, schema.clone())?)?,
            Self::Arrow(writer) => writer.write(chunk)?,
            Self::Dictionaries(writer) => writer.write(chunk)?,
        }
        Ok(())
    }

    /// Ends the file.
    pub(crate) fn finish(self) -> Result<W, BoxError> {
        Ok(match self {
            Self::Parquet(_, writer) => writer.into_inner()?,
            Self::Arrow(mut writer) => {
                writer.finish()?;
                writer.into_inner()?
            }
            Self::Dictionaries(writer) => writer.finish()?,
        })
    }
}

/// A writer of Parquet for `schema`, and the types of the values it takes.
pub(crate) fn parquet_writer<W: Write + Send>(
    sink: W,
    schema: &Schema,
    options: &WriterOptions,
) -> Result<(SchemaRef, ArrowWriter<W>), BoxError> {
    let stored = decoded(schema);
    let converted = ArrowSchemaConverter::new().convert(&stored)?;
    // Readers of Arrow find the types there that Parquet has not, such as dictionaries, and pyarrow looks
    // nowhere else for metadata.
    let stated = encode_arrow_schema(schema);
    let options = ArrowWriterOptions::new()
        .with_properties(parquet_properties(schema, options, stated)?)
        .with_skip_arrow_metadata(true)
        .with_parquet_schema(annotated(schema, &converted)?);
    let writer = ArrowWriter::try_new_with_options(sink, stored.clone(), options)?;
    Ok((stored, writer))
}

fn parquet_properties(
    schema: &Schema,
    options: &WriterOptions,
    stated: String,
) -> Result<WriterProperties, ParquetError> {
    let metadata = schema.metadata().iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone()));
    let stated = KeyValue::new(ARROW_SCHEMA_META_KEY.to_owned(), stated);
    let mut builder = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_max_row_group_bytes(Some(options.row_group_bytes.max(1)))
        .set_key_value_metadata(Some(metadata.chain([stated]).collect()));
    for (path, dtype) in vector_leaves(schema)? {
        builder = vector_properties(builder, path, dtype);
    }
    Ok(builder.build())
}

/// The leaf columns that hold vectors. Taken from the converted schema, since a property set for a
/// path that does not exist is silently ignored.
fn vector_leaves(schema: &Schema) -> Result<Vec<(ColumnPath, FloatType)>, ParquetError> {
    let converted = ArrowSchemaConverter::new().convert(schema)?;
    let leaf = |index: usize| {
        let field = schema.field(converted.get_column_root_idx(index));
        let (_, dtype) = vector_shape(field.data_type())?;
        Some((converted.column(index).path().clone(), dtype))
    };
    Ok((0..converted.num_columns()).filter_map(leaf).collect())
}

/// Every vector is different, so a dictionary and statistics only cost. DuckDB does not read
/// float16 split into byte streams.
fn vector_properties(
    builder: WriterPropertiesBuilder,
    path: ColumnPath,
    dtype: FloatType,
) -> WriterPropertiesBuilder {
    let encoding = match dtype {
        FloatType::Float32 => Encoding::BYTE_STREAM_SPLIT,
        FloatType::Float16 => Encoding::PLAIN,
    };
    builder
        .set_column_dictionary_enabled(path.clone(), false)
        .set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
        .set_column_encoding(path, encoding)
}
