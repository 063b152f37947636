//! The promises of `strata-io`, one room per concern.

mod csv;
mod damage;
mod features;
mod json;
mod locks;
mod manifests;
mod meanings;
mod parquet_layout;
mod parts;
mod readers;
mod roundtrip;
mod sources;
mod summaries;
mod support;
mod text_formats;
mod texts;
