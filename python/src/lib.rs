//! strata as a Python module: texts and tables to vectors in this process, and the program itself.

mod cluster;
mod errors;
mod featurizer;
mod table;
mod worker;

use std::ffi::OsString;

use pyo3::prelude::*;

use cluster::Function;
use errors::exception;

/// What `strata/__init__.py` is written upon.
#[pymodule]
mod _strata {
    #[pymodule_export]
    use super::featurizer::Featurizer;
    #[pymodule_export]
    use super::worker::Worker;
    #[pymodule_export]
    use super::{program, ray};
}

/// Runs the program with these arguments, its own name first, and ends the process. `make` has parts made where the
/// command is `ray`.
#[pyfunction]
fn program(py: Python<'_>, arguments: Vec<OsString>, make: Py<PyAny>) {
    py.detach(|| strata::main(arguments, Some(&Function::new(make))));
}

/// Does what the arguments of the command `ray` ask for; returns the run's figures as JSON.
#[pyfunction]
fn ray(py: Python<'_>, arguments: Vec<OsString>, make: Py<PyAny>) -> PyResult<String> {
    let make = Function::new(make);
    let result = py.detach(|| strata::run_by(arguments, &make));
    result.map_err(|refusal| make.raised().unwrap_or_else(|| exception(py, &refusal.into())))
}
