//! A function of Python's that has parts made elsewhere.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyException;
use pyo3::prelude::*;
use strata::{Cluster, Order};
use strata_featurize::{Error, Part, Watch};

use crate::errors::error;

/// `make(order, parts)`, of which `order` is JSON and `parts` are names with numbers of rows and of files. It gives an iterator
/// of rows, tokens and skipped files, each since the item before, which comes often even if nothing does.
pub struct Function {
    make: Py<PyAny>,
    /// What it has raised.
    raised: Mutex<Option<PyErr>>,
}

impl Function {
    pub fn new(make: Py<PyAny>) -> Self {
        Self { make, raised: Mutex::new(None) }
    }

    /// What it has raised, if that ended the run.
    pub fn raised(self) -> Option<PyErr> {
        self.raised.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, raised: PyErr) {
        *self.raised.lock().unwrap_or_else(PoisonError::into_inner) = Some(raised);
    }

    fn follow(
        &self,
        py: Python<'_>,
        order: &Order<'_>,
        parts: &[Part],
        watch: &dyn Watch,
    ) -> PyResult<Result<BTreeMap<String, String>, Error>> {
        let parts: Vec<(&str, u64, usize)> =
            parts.iter().map(|part| (part.file_name.as_str(), part.num_rows(), part.input)).collect();
        let order = serde_json::to_string(order).map_err(|error| PyException::new_err(error.to_string()))?;
        let making = self.make.bind(py).call1((order, parts))?;
        let mut all = BTreeMap::new();
        for news in making.try_iter()? {
            let (rows, tokens, skipped): (u64, u64, BTreeMap<String, String>) = news?.extract()?;
            watch.advance(rows, tokens);
            all.extend(skipped);
            if watch.is_cancelled() {
                making.call_method0("close")?;
                return Ok(Err(Error::Cancelled));
            }
        }
        Ok(Ok(all))
    }
}

impl Cluster for Function {
    fn is_cancelled(&self) -> bool {
        Python::attach(|py| py.check_signals()).map_err(|raised| self.note(raised)).is_err()
    }

    fn make(
        &self,
        order: &Order<'_>,
        parts: &[Part],
        watch: &dyn Watch,
    ) -> Result<BTreeMap<String, String>, Error> {
        Python::attach(|py| {
            self.follow(py, order, parts, watch).unwrap_or_else(|raised| {
                let failure = error(py, &raised);
                self.note(raised);
                Err(failure)
            })
        })
    }
}
