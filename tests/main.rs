//! The program as its users meet it: every test runs the binary.

mod cli;
mod inputs;
mod memory;
mod minilm;
mod options;
mod output;
mod parity;
mod readers;
mod refusals;
mod resume;
mod support;
