//! The program as its users meet it: every test runs the binary.

mod align;
mod bad_data;
mod carried;
mod cli;
mod crash;
mod differential;
mod documents;
mod every_type;
mod faults;
mod faulty;
mod front;
mod help;
mod hub;
mod inputs;
mod memory;
mod minilm;
mod models;
mod numerics;
mod old_outputs;
mod on_null;
mod operations;
mod options;
mod output;
mod parity;
mod paths;
#[cfg(feature = "probe")]
mod probe;
mod readers;
mod refusals;
mod repeated;
mod resume;
mod sentence;
mod signals;
mod slurm;
mod stdio;
#[cfg(feature = "stores")]
mod stores;
mod support;
mod text_formats;
mod together;
mod units;
mod verify;
