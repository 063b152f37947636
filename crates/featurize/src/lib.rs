//! Tables of text to tables of layer vectors: whole outputs of them, made from files part by part.
//!
//! [`Settings`] say what is wanted. [`Job::prepare`] holds them against the model and the input files, and
//! refuses what cannot be done. [`run`] makes what is missing of the output folder, or has it made by several
//! [`Worker`]s as [`run_by`]; [`stream`] writes it all to one place. [`Estimate`], [`Inspection`] and
//! [`verify`] look without writing.
//!
//! Whoever waits for the work implements [`Watch`]: it is told how far the work is, and asked whether to
//! go on. Nothing here knows a command line, a terminal or an exit code.

mod error;
mod inspect;
mod job;
mod output;
mod pipeline;
mod plan;
mod run;
mod table;
pub mod verify;
mod watch;
mod worker;

pub use error::{Error, ErrorKind, Refusal, in_one_line};
pub use inspect::{Inspection, OutputColumn, Vectors, manifest_of};
pub use job::Job;
pub use job::input::JobInput;
pub use job::model::uses_libtorch;
pub use job::settings::{OnBadFile, STDIO, Settings, cores};
pub use job::text_formats::{self, TextFormats};
pub use output::OPTIONS;
pub use pipeline::Done;
pub use pipeline::counts::{Counts, NonFinite, Stages};
pub use pipeline::stages::StageTimes;
pub use plan::parts::Part;
pub use plan::survey::Consent;
pub use plan::{Estimate, Trial};
pub use run::{Outcome, finish, is_finished, run, run_by, stream};
pub use table::columns::{Columns, Wanted};
pub use table::featurizer::TableFeaturizer;
pub use table::keep::Keep;
pub use table::on_null::OnNull;
pub use table::unit::{self, Role, Subject};
pub use watch::Watch;
pub use worker::Worker;

/// The examples of the document, which must compile.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/library.md")]
struct Document;
