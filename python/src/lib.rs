//! strata as a Python module: texts and tables to vectors in this process, and the program itself.

mod errors;
mod featurizer;
mod table;

use std::ffi::OsString;

use pyo3::prelude::*;

/// What `strata/__init__.py` is written upon.
#[pymodule]
mod _strata {
    #[pymodule_export]
    use super::featurizer::Featurizer;
    #[pymodule_export]
    use super::program;
}

/// Runs the program with these arguments, its own name first, and ends the process.
#[pyfunction]
fn program(py: Python<'_>, arguments: Vec<OsString>) {
    py.detach(|| strata::main(arguments));
}
