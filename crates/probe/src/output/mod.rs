//! An output of strata, read with Polars: a column at a time, a part at a time.

mod columns;
mod keys;
mod labels;

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use polars::io::SerReader;
use polars::io::ipc::IpcReader;
use polars::io::parquet::read::ParquetReader;
use polars::prelude::{Column, DataFrame, DataType, PolarsError, PolarsResult};
use serde_json::{Map, Value};
use strata_io::{Content, Manifest, OutputFolder, PartFile, is_address, vector_shape};

pub use columns::VectorColumn;
pub use keys::Keys;
pub use labels::Labels;

use crate::Error;

/// An output folder that is whole.
pub struct Output {
    /// The folder, as it was named.
    pub folder: PathBuf,
    /// What decides the values of its parts.
    pub provenance: Map<String, Value>,
    /// All its rows.
    pub rows: usize,
    /// Its columns of vectors.
    pub vectors: Vec<VectorColumn>,
    /// The names of all its columns.
    pub columns: Vec<String>,
    /// What it was made of: the content of each input file and how many rows came of it, in order.
    pub made_of: Vec<(Content, usize)>,
    parts: Vec<Part>,
}

/// A file of an output.
struct Part {
    path: PathBuf,
    rows: usize,
    /// The number of the input file that it is of.
    input: usize,
}

impl Output {
    /// Opens the output in a folder of this machine.
    ///
    /// # Errors
    /// The folder holds no output, or one that is not whole or has no rows.
    pub fn open(folder: &Path) -> Result<Self, Error> {
        let place = OutputFolder::new(folder);
        let shown = folder.display();
        if is_address(folder) {
            return Err(Error::usage(
                format!(
                    "{shown} is in a store, expected a folder of this machine: each column is read several times"
                ),
                "copy it here first, with the store's own program",
            ));
        }
        let Some(manifest) = Manifest::load(&place)? else {
            return Err(Error::folder(
                format!("{shown} holds no output of strata"),
                "name a folder that `strata run` wrote",
            ));
        };
        if !place.is_whole()? {
            return Err(Error::folder(
                format!("{shown} is not whole: some of its parts are not made yet"),
                "run the command that began it again, which goes on where it ended",
            ));
        }
        let mut inputs: HashMap<&str, usize> = HashMap::new();
        let (mut parts, mut made_of) = (Vec::new(), Vec::<(Content, usize)>::new());
        for (name, record) in &manifest.parts {
            let next = inputs.len();
            let input = *inputs.entry(&record.input).or_insert(next);
            let content = manifest.inputs.get(&record.input).map(|input| &input.content);
            match (made_of.last_mut(), content) {
                (Some((last, rows)), Some(content)) if last == content => {
                    *rows += record.output_rows as usize
                }
                (_, Some(content)) => made_of.push((content.clone(), record.output_rows as usize)),
                (_, None) => {}
            }
            let path = place.find_part(record.file_name(name));
            parts.push(Part { path, rows: record.output_rows as usize, input });
        }
        let Some(first) = parts.iter().find(|part| part.rows > 0) else {
            return Err(Error::bad_data(format!("{shown} has no rows"), "name an output of texts"));
        };
        let schema = PartFile::open(&first.path)?.schema;
        Ok(Self {
            folder: folder.to_owned(),
            provenance: manifest.fingerprint.clone(),
            rows: parts.iter().map(|part| part.rows).sum(),
            vectors: columns::vector_columns(schema.fields().iter().map(|field| {
                (field.name().as_str(), vector_shape(field.data_type()).map(|(shape, _)| shape))
            })),
            columns: schema.fields().iter().map(|field| field.name().clone()).collect(),
            made_of,
            parts,
        })
    }

    /// What the files of each input say under a key, once for each that says something else.
    ///
    /// # Errors
    /// A part cannot be read.
    pub fn metadata(&self, key: &str) -> Result<Vec<Option<String>>, Error> {
        let mut said: Vec<Option<String>> = Vec::new();
        let mut last = None;
        for part in self.parts.iter().filter(|part| part.rows > 0) {
            // Parts of one input say the same.
            if last.replace(part.input) != Some(part.input) {
                let text = PartFile::open(&part.path)?.schema.metadata().get(key).cloned();
                if !said.contains(&text) {
                    said.push(text);
                }
            }
        }
        Ok(said)
    }

    /// Whether output rows stand for pieces of input rows.
    pub fn has_pieces(&self) -> bool {
        let unit = self.provenance.get("settings").and_then(|settings| settings.get("unit"));
        unit.is_some_and(|unit| unit != "row")
    }

    /// The column of its texts, if they were kept: of words and spans their own. Tokens are as a model cuts them.
    pub fn texts(&self) -> Option<&str> {
        let setting = |name: &str| self.provenance.get("settings")?.get(name)?.as_str();
        let name = match setting("unit") {
            None | Some("row") => setting("text"),
            unit => unit.filter(|unit| *unit != "token"),
        };
        name.filter(|name| self.columns.iter().any(|column| column == name))
    }

    /// The same column of each part, in order, with the number of the part's first row and of its input file.
    fn parts_of(&self, column: &str) -> impl Iterator<Item = Result<(usize, usize, Column), Error>> {
        let mut first = 0;
        self.parts.iter().filter(|part| part.rows > 0).map(move |part| {
            let before = first;
            first += part.rows;
            let read = || -> PolarsResult<Column> {
                let table = part.read(column)?;
                let column = table.column(column)?.clone();
                if column.len() == part.rows {
                    Ok(column)
                } else {
                    let found = column.len();
                    Err(PolarsError::ComputeError(
                        format!("expected {} rows, found {found}", part.rows).into(),
                    ))
                }
            };
            let column =
                read().map_err(|source| Error::Part { part: part.path.display().to_string(), source })?;
            Ok((before, part.input, column))
        })
    }

    /// Gives `take` each row of a column of vectors: its number, and its values if it has any.
    ///
    /// # Errors
    /// A part cannot be read, or is not what the manifest says.
    pub fn each_vector(
        &self,
        column: &VectorColumn,
        mut take: impl FnMut(usize, Option<&[f32]>),
    ) -> Result<(), Error> {
        for part in self.parts_of(&column.name) {
            let (first, _, vectors) = part?;
            let wanted = DataType::Array(Box::new(DataType::Float32), column.width);
            let vectors = vectors.cast(&wanted)?.take_materialized_series().rechunk();
            let is_there = vectors.is_not_null();
            let inner = vectors.array()?.get_inner().rechunk();
            let inner = inner.f32()?;
            let values =
                inner.downcast_iter().next().map(|chunk| chunk.values().as_slice()).unwrap_or_default();
            let is_missing = inner.is_null();
            // A vector that lacks a value is none.
            let lacks_none = |row: usize| {
                inner.null_count() == 0 || !is_missing.slice((row * column.width) as i64, column.width).any()
            };
            if values.len() != is_there.len() * column.width {
                let found = values.len();
                return Err(Error::Bug(format!(
                    "{} has {found} values in {} rows",
                    column.name,
                    is_there.len()
                )));
            }
            let rows = values.chunks_exact(column.width).zip(is_there.iter());
            for (row, (values, is_there)) in rows.enumerate() {
                take(first + row, (is_there == Some(true) && lacks_none(row)).then_some(values));
            }
        }
        Ok(())
    }

    /// The texts of a column, with null for null and for what is infinite or not a number; of numbers and dates what
    /// Polars makes text of.
    ///
    /// # Errors
    /// There is no such column, or none of single values; a part cannot be read.
    pub fn each_text(
        &self,
        column: &str,
        option: &str,
        mut take: impl FnMut(Option<&str>),
    ) -> Result<(), Error> {
        self.expect_column(column, option)?;
        for part in self.parts_of(column) {
            let (_, _, values) = part?;
            if values.dtype().is_nested() {
                return Err(Error::usage(
                    format!("column `{column}` holds {}, expected single values", values.dtype()),
                    format!("name another with {option}"),
                ));
            }
            let is_float = values.dtype().is_float();
            let texts = values.cast(&DataType::String)?.take_materialized_series();
            texts.str()?.iter().for_each(|text| match text {
                Some("-0.0") if is_float => take(Some("0.0")),
                Some("NaN" | "inf" | "-inf") if is_float => take(None),
                text => take(text),
            });
        }
        Ok(())
    }

    /// # Errors
    /// There is no such column.
    pub fn expect_column(&self, column: &str, option: &str) -> Result<(), Error> {
        if self.columns.iter().any(|name| name == column) {
            return Ok(());
        }
        let vectors: Vec<&str> = self.vectors.iter().map(|vectors| vectors.name.as_str()).collect();
        let others = self.columns.iter().filter(|name| !vectors.contains(&name.as_str()));
        let others: Vec<&str> = others.map(String::as_str).collect();
        Err(Error::usage(
            format!("{} has no column `{column}`", self.folder.display()),
            format!(
                "name another with {option}; beside vectors it has {}. `strata run --keep` carries columns through, \
                 --align those of given words",
                others.join(", ")
            ),
        ))
    }
}

impl Part {
    fn read(&self, column: &str) -> PolarsResult<DataFrame> {
        let (file, columns) = (File::open(&self.path)?, Some(vec![column.to_owned()]));
        if self.path.extension().is_some_and(|extension| extension == "parquet") {
            ParquetReader::new(file).with_columns(columns).finish()
        } else {
            IpcReader::new(file).with_columns(columns).finish()
        }
    }
}
