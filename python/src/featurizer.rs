//! A loaded model that turns texts and tables into vectors.

use arrow::datatypes::Schema;
use numpy::PyArray1;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::PyCapsule;
use strata_bert::TextInput;
use strata_featurize::TableFeaturizer;

use crate::errors::{Stop, exception};
use crate::table;

/// The schema and the columns of a table, as Arrow's C data interface hands them over.
type Capsules<'py> = (Bound<'py, PyCapsule>, Bound<'py, PyCapsule>);

/// A loaded model, and what is wanted of it.
#[pyclass(frozen, module = "strata._strata")]
pub struct Featurizer {
    featurizer: TableFeaturizer,
    remarks: Vec<String>,
}

#[pymethods]
impl Featurizer {
    /// Loads a model. `options` are those of a pipeline file, as JSON.
    #[new]
    fn new(py: Python<'_>, options: &str) -> PyResult<Self> {
        let loaded = py.detach(|| TableFeaturizer::load(strata::settings(options)?));
        let (featurizer, remarks) = loaded.map_err(|error| exception(py, &error))?;
        Ok(Self { featurizer, remarks })
    }

    /// What one might not expect of the model's folder.
    #[getter]
    fn remarks(&self) -> Vec<String> {
        self.remarks.clone()
    }

    /// The names of the columns, and the shape of a row of each.
    #[getter]
    fn columns(&self) -> Vec<(String, Vec<usize>)> {
        let columns = self.featurizer.encoder().features().columns().iter();
        columns.map(|column| (column.name.clone(), column.shape.clone())).collect()
    }

    /// The vectors of texts, or of pairs of them: for each column the values of all rows, end to end.
    #[pyo3(signature = (texts, pairs=None))]
    fn encode<'py>(
        &self,
        py: Python<'py>,
        texts: Vec<PyBackedStr>,
        pairs: Option<Vec<PyBackedStr>>,
    ) -> PyResult<Vec<Bound<'py, PyArray1<f32>>>> {
        let inputs: Vec<TextInput<'_>> = match &pairs {
            None => texts.iter().map(|text| TextInput::from(&**text)).collect(),
            Some(pairs) => {
                let both = texts.iter().zip(pairs);
                both.map(|(text, pair)| TextInput::Pair(text, pair)).collect()
            }
        };
        let values = || self.featurizer.values_while(&inputs, |_, _| check_signals());
        let values = py.detach(values).map_err(|stop: Stop| stop.exception(py))?;
        Ok(values.into_iter().map(|values| PyArray1::from_vec(py, values)).collect())
    }

    /// The schema of the tables that come of tables with the given schema.
    fn schema<'py>(
        &self,
        py: Python<'py>,
        schema: &Bound<'py, PyCapsule>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        let schema: Schema = table::import_schema(schema)?;
        let schema = self.featurizer.schema(&schema).map_err(|error| exception(py, &error))?;
        table::export_schema(py, &schema)
    }

    /// The table that comes of a table whose first row is called `first_row` in messages and in rows of units.
    fn featurize<'py>(
        &self,
        py: Python<'py>,
        schema: &Bound<'py, PyCapsule>,
        array: &Bound<'py, PyCapsule>,
        first_row: u64,
    ) -> PyResult<Capsules<'py>> {
        let batch = table::import(schema, array)?;
        let featurize = || self.featurizer.featurize_while(&batch, first_row, |_, _| check_signals());
        let vectors = py.detach(featurize).map_err(|stop: Stop| stop.exception(py))?;
        table::export(py, &vectors)
    }
}

/// Lets Ctrl-C, and whatever else Python has to do of signals, come through.
fn check_signals() -> Result<(), Stop> {
    Python::attach(|py| py.check_signals()).map_err(Stop::Raised)
}
