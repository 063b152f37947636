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

mod annotations;
mod carried;
mod columns;
mod commit;
mod error;
mod error_kind;
mod features;
mod hash;
mod lists;
mod lock;
mod manifest;
mod notes;
mod part;
mod reader;
mod source;
mod summary;
mod sweep;
mod tables;
mod text;
mod writable;
mod writer;

pub use carried::carried_metadata;
pub use columns::{common_field, row_bytes, storable_field};
pub use commit::{sync_folder, write_atomically};
pub use error::{Error, ErrorKind, Unfit};
pub use features::{FloatType, is_vector, vector_array, vector_field, vector_shape};
pub use hash::{blake3_file, blake3_file_while};
pub use lists::{Spans, TextLists, is_spans, is_text_list, span_labels};
pub use lock::{OutputLock, refuse_if_locked, update_manifest};
pub use manifest::{
    Difference, FORMAT_VERSION, InputRecord, MANIFEST_FILE, Manifest, PartRecord, SUCCESS_FILE,
    clear_success, differences, mark_success,
};
pub use notes::{Notes, Stamp};
pub use part::PartFile;
pub use reader::{
    BATCH_BYTES, BATCH_ROWS, ColumnType, CsvDialect, Input, ReadOptions, RecordBatches, column_at, field_at,
    partition_types,
};
pub use source::{Compression, Format, Source, find, find_as, is_pattern_input, pattern_reaches, resolved};
pub use summary::VectorSummary;
pub use sweep::{stray_files, sweep_temporaries};
pub use text::{Texts, is_text};
pub use writable::check_writable;
pub use writer::{ClosedPart, FinishedPart, OutputFormat, PROVENANCE_KEY, PartWriter, WriterOptions};
