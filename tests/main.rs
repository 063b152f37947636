//! The program as its users meet it: every test runs the binary.

mod cli;
mod refusals;
mod support;
