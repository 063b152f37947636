//! The program as its users meet it: every test runs the binary.

mod bad_data;
mod cli;
mod crash;
mod differential;
mod faults;
mod faulty;
mod hub;
mod inputs;
mod memory;
mod minilm;
mod models;
mod operations;
mod options;
mod output;
mod parity;
mod readers;
mod refusals;
mod resume;
mod sentence;
mod signals;
mod stdio;
mod support;
mod text_formats;
mod units;
mod verify;
