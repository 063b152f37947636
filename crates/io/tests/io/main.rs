//! The promises of `strata-io`, one room per concern.

mod common;
mod csv;
mod damage;
mod features;
mod json;
mod locks;
mod manifests;
mod meanings;
mod old_outputs;
mod parquet_layout;
mod parts;
mod readers;
mod repeated;
mod roundtrip;
mod shared_manifests;
mod sources;
mod summaries;
mod support;
mod text_formats;
mod texts;
