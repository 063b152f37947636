//! What cannot be done is refused before anything is written.

mod checkpoints;
mod data;
mod models;
mod outputs;
mod pipelines;
mod text_formats;
