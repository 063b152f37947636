//! A report as a table.

use std::path::Path;

use polars::prelude::{Column, DataFrame, IntoColumn, KeyValueMetadata, NamedFrom, ParquetWriter, Series};

use super::{ColumnReport, Report};
use crate::Error;

/// The key of what is not in the table: question, rows, provenance.
const KEY: &str = "strata.probe";

impl Report {
    /// Writes a row for each column; everything else of the report stands in the file's metadata, as JSON.
    pub(super) fn write_parquet(&self, path: &Path) -> Result<(), Error> {
        let numbers = |name: &str, of: &dyn Fn(&ColumnReport) -> Option<f64>| -> Column {
            Series::new(name.into(), self.columns.iter().map(of).collect::<Vec<Option<f64>>>()).into_column()
        };
        let texts = |name: &str, of: &dyn Fn(&ColumnReport) -> &str| -> Column {
            Series::new(name.into(), self.columns.iter().map(of).collect::<Vec<&str>>()).into_column()
        };
        let layers: Vec<Option<u32>> =
            self.columns.iter().map(|c| c.layer.map(|layer| layer as u32)).collect();
        let widths: Vec<u32> = self.columns.iter().map(|c| c.width as u32).collect();
        let converged: Vec<bool> = self.columns.iter().map(|c| c.converged).collect();
        let best: Vec<bool> = self.columns.iter().map(|c| c.column == self.best).collect();
        let mut table = DataFrame::new(
            self.columns.len(),
            vec![
                texts("column", &|c| &c.column),
                Series::new("layer".into(), layers).into_column(),
                texts("series", &|c| &c.series),
                Series::new("width".into(), widths).into_column(),
                numbers("score", &|c| Some(c.score.value)),
                numbers("score_low", &|c| Some(c.score.low)),
                numbers("score_high", &|c| Some(c.score.high)),
                numbers("second", &|c| Some(c.second.value)),
                numbers("second_low", &|c| Some(c.second.low)),
                numbers("second_high", &|c| Some(c.second.high)),
                numbers("development", &|c| Some(c.development)),
                numbers("control", &|c| Some(c.control?.value)),
                numbers("control_low", &|c| Some(c.control?.low)),
                numbers("control_high", &|c| Some(c.control?.high)),
                numbers("control_task", &|c| Some(c.control_task?.value)),
                numbers("selectivity", &|c| Some(c.selectivity?.value)),
                numbers("selectivity_low", &|c| Some(c.selectivity?.low)),
                numbers("selectivity_high", &|c| Some(c.selectivity?.high)),
                numbers("code_bits", &|c| Some(c.code?.bits)),
                numbers("code_uniform_bits", &|c| Some(c.code?.uniform)),
                Series::new("best".into(), best).into_column(),
                Series::new("converged".into(), converged).into_column(),
            ],
        )?;
        let about = serde_json::json!({
            "strata": self.strata,
            "question": self.question,
            "rows": self.rows,
            "baselines": self.baselines,
            "notes": self.notes,
            "provenance": self.provenance,
        });
        let metadata = KeyValueMetadata::from_static(vec![(KEY.to_owned(), about.to_string())]);
        let file = fs_err::File::create(path)?;
        ParquetWriter::new(file).with_key_value_metadata(Some(metadata)).finish(&mut table)?;
        Ok(())
    }
}
