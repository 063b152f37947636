//! The program as its users meet it: every test runs the binary.

mod cli;
mod inputs;
mod output;
mod parity;
mod refusals;
mod resume;
mod support;
