//! The program as its users meet it: every test runs the binary.

mod cli;
mod parity;
mod refusals;
mod support;
