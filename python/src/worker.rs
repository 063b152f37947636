//! Parts of a run that another process holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use strata_featurize::{Error, Job, Watch};

use crate::errors::exception;

/// Makes parts, with a model that stays loaded.
#[pyclass(frozen, module = "strata._strata")]
pub struct Worker {
    worker: Mutex<strata_featurize::Worker>,
    encoded: Encoded,
}

/// What was encoded since the worker began.
#[derive(Default)]
struct Encoded {
    rows: AtomicU64,
    tokens: AtomicU64,
}

impl Watch for Encoded {
    fn advance(&self, rows: u64, tokens: u64) {
        self.rows.fetch_add(rows, Ordering::Relaxed);
        self.tokens.fetch_add(tokens, Ordering::Relaxed);
    }
}

#[pymethods]
impl Worker {
    /// Loads a model. `options` are those of a pipeline file, as JSON.
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        let join = || -> Result<_, Error> {
            strata_featurize::Worker::join(Job::prepare(strata::settings(options)?)?, &())
        };
        let worker = py.detach(join).map_err(|error| exception(py, &error))?;
        Ok(Self { worker: Mutex::new(worker), encoded: Encoded::default() })
    }

    /// Makes and commits the parts of these names; returns the input files that were skipped, with the reason.
    fn make(&self, py: Python<'_>, names: Vec<String>) -> PyResult<BTreeMap<String, String>> {
        let make = || {
            let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
            worker.make(&names, &self.encoded)
        };
        py.detach(make).map_err(|error| exception(py, &error))
    }

    /// Rows and tokens that were encoded so far, also while parts are made.
    fn encoded(&self) -> (u64, u64) {
        (self.encoded.rows.load(Ordering::Relaxed), self.encoded.tokens.load(Ordering::Relaxed))
    }
}
