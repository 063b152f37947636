//! Arrow in, Arrow out: finds data files, streams their columns as record batches, and commits
//! parts of vector columns that are either whole or absent.
//!
//! ```no_run
//! use strata_io::{Input, PartWriter, ReadOptions, WriterOptions, check_writable, find};
//!
//! # fn main() -> Result<(), strata_io::Error> {
//! let options = WriterOptions::default();
//! for source in find(&["corpus/**/*.parquet".to_owned()])? {
//!     let part = format!("{}-00000.{}", source.stem(), options.format.extension());
//!     let input = Input::open(source, &ReadOptions::default())?;
//!     let rows = input.count_rows()?;
//!     let batches = input.read(&["text".to_owned()], 0..rows)?;
//!     check_writable(&batches.schema(), options.format)?;
//!     let mut writer = PartWriter::create("out".as_ref(), &part, batches.schema(), &options)?;
//!     for batch in batches {
//!         writer.write(&batch?)?;
//!     }
//!     let finished = writer.finish()?;
//!     assert_eq!(finished.rows, rows);
//! }
//! # Ok(())
//! # }
//! ```

mod columns;
mod error;
mod output;
mod reader;
mod source;
mod store;
mod writable;
mod writer;

pub use columns::{
    FloatType, Lists, Spans, TextLists, Texts, VectorSummary, carried_metadata, common_field, is_spans,
    is_text, is_text_list, is_vector, list_element, row_bytes, span_labels, states_categories,
    storable_field, vector_array, vector_field, vector_shape,
};
pub use error::{Error, ErrorKind, StoreTrouble, Unfit};
pub use output::{
    Content, Difference, FORMAT_VERSION, InputRecord, Manifest, Notes, OutputFolder, OutputLock, PartRecord,
    PartStamps, SUCCESS_FILE, SharedManifest, Stamp, blake3_file, blake3_file_while, differences,
    refuse_if_locked, stray_parts, sweep_temporaries, sync_folder, unknown_files, write_atomically,
};
pub use reader::{
    BATCH_BYTES, BATCH_ROWS, ColumnType, CsvDialect, Input, PartFile, ReadOptions, RecordBatches, column_at,
    field_at, partition_types,
};
pub use source::{Compression, Format, Source, find, find_as, is_pattern_input, pattern_reaches, resolved};
pub use store::{StorageOptions, Store, Stores, fetch_folder, is_address};
pub use writable::check_writable;
pub use writer::{
    ClosedPart, FinishedPart, Growing, OutputFormat, PROVENANCE_KEY, PartWriter, WriterOptions,
};
