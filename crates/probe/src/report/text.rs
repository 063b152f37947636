//! A report as a terminal shows it.

use std::fmt::Write;

use super::{ColumnReport, Report};
use crate::score::Estimate;

/// Characters of a full bar.
const BAR: usize = 24;
const EIGHTHS: [char; 8] = [' ', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];

/// What a column of the table says of a column of vectors.
type Cell = Box<dyn Fn(&ColumnReport) -> String>;

impl Report {
    /// The report as plain text: a line and a bar for each column.
    pub fn text(&self) -> String {
        let mut out = String::new();
        // A string takes whatever is written to it.
        let _ = self.write_text(&mut out);
        out
    }

    fn write_text(&self, out: &mut String) -> std::fmt::Result {
        writeln!(out, "{}", self.headline())?;
        for line in self.about_rows() {
            writeln!(out, "{line}")?;
        }
        let (head, rows) = self.table();
        let widths: Vec<usize> = (0..head.len())
            .map(|index| {
                rows.iter().map(|row| row[index].chars().count()).chain([head[index].chars().count()]).max()
            })
            .map(Option::unwrap_or_default)
            .collect();
        let mut line = |cells: &[String], bar: &str| {
            let cells = cells.iter().zip(&widths).enumerate().map(|(index, (cell, &width))| match index {
                0 => format!("{cell:width$}"),
                _ => format!("{cell:>width$}"),
            });
            let line = format!("  {}  {bar}", cells.collect::<Vec<_>>().join("  "));
            writeln!(out, "{}", line.trim_end())
        };
        let from = self.baselines.majority.value.max(0.0);
        line(&head, &format!("{} to 1", figure(from)))?;
        for (row, column) in rows.iter().zip(&self.columns) {
            let bar = bar((column.score.value - from) / (1.0 - from).max(f64::MIN_POSITIVE));
            line(row, &format!("{bar}{}", if column.column == self.best { "  best" } else { "" }))?;
        }
        for line in self.about_baselines().into_iter().chain(self.about_mixes()) {
            writeln!(out, "{line}")?;
        }
        Ok(())
    }

    /// What the report is about.
    pub fn headline(&self) -> String {
        let question = &self.question;
        format!("{} by {} probes of {}", question.label, question.probe, self.provenance.vectors.folder)
    }

    /// How many rows there are, and what became of the others.
    pub fn about_rows(&self) -> Vec<String> {
        let (rows, question) = (&self.rows, &self.question);
        let [train, development, test] = mean_split(&rows.splits);
        let seeds = question.seeds.len();
        let split = match &question.split {
            Some(column) => format!("as `{column}` says"),
            None if question.grouped_by == "row" => "row by row".to_owned(),
            None => format!("by {}", question.grouped_by),
        };
        let mut lines = vec![format!(
            "{} rows, split {split} into {train} to learn from, {development} for development, {test} for the test; {seeds} seed{}",
            rows.probed,
            if seeds == 1 { "" } else { "s" },
        )];
        lines.extend(rows.left_out.iter().map(|left| format!("{} rows left out: {}", left.rows, left.why)));
        lines
    }

    /// What is right without vectors, in a sentence each.
    pub fn about_baselines(&self) -> Vec<String> {
        let question = &self.question;
        let majority = match question.task {
            crate::Task::Classes => "the most frequent class",
            crate::Task::Numbers => "the mean",
        };
        let mut lines = vec![format!("{majority}: {}", interval(&self.baselines.majority))];
        if let (Some(by_type), Some(typed_by)) = (&self.baselines.by_type, &question.typed_by) {
            lines.push(format!("{majority} of each {typed_by}: {}", interval(by_type)));
        }
        lines
    }

    /// How much probes of all layers take of each.
    pub fn about_mixes(&self) -> Vec<String> {
        let one = |mix: &super::MixReport| {
            let weights: Vec<String> =
                mix.weights.iter().map(|of| format!("{}: {}", of.layer, figure(of.weight))).collect();
            format!(
                "all layers together{}, learned from {} rows of the first seed: {} (weights {})",
                if mix.series.is_empty() { String::new() } else { format!(", {}", mix.series) },
                mix.rows,
                interval(&mix.score),
                weights.join(", ")
            )
        };
        self.mixes.iter().map(one).collect()
    }

    /// The table of columns: its head, and a row for each.
    pub fn table(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let question = &self.question;
        let has = |of: fn(&ColumnReport) -> bool| self.columns.iter().any(of);
        let mut head: Vec<&str> = vec!["column", question.score, "95 %", question.second];
        let mut cells: Vec<Cell> = vec![
            Box::new(|column| column.column.clone()),
            Box::new(|column| figure(column.score.value)),
            Box::new(|column| range(&column.score)),
            Box::new(|column| figure(column.second.value)),
        ];
        let mut add = |name, of: fn(&ColumnReport) -> Option<f64>| {
            head.push(name);
            cells.push(Box::new(move |column| of(column).map_or_else(|| "-".to_owned(), figure)));
        };
        if has(|column| column.control.is_some()) {
            add("control", |column| column.control.map(|control| control.value));
        }
        if has(|column| column.selectivity.is_some()) {
            add("selectivity", |column| column.selectivity.map(|selectivity| selectivity.value));
        }
        if has(|column| column.code.is_some()) {
            head.push("kbit");
            cells.push(Box::new(|column| {
                column.code.map_or_else(|| "-".to_owned(), |code| format!("{:.2}", code.bits / 1000.0))
            }));
        }
        let rows = self.columns.iter().map(|column| cells.iter().map(|cell| cell(column)).collect());
        (head.into_iter().map(str::to_owned).collect(), rows.collect())
    }
}

/// Three digits.
pub fn figure(value: f64) -> String {
    if value.is_finite() { format!("{value:.3}") } else { "-".to_owned() }
}

fn range(estimate: &Estimate) -> String {
    format!("{} to {}", figure(estimate.low), figure(estimate.high))
}

/// A figure with its interval.
pub fn interval(estimate: &Estimate) -> String {
    format!("{} ({})", figure(estimate.value), range(estimate))
}

fn bar(share: f64) -> String {
    let eighths = (share.clamp(0.0, 1.0) * (BAR * 8) as f64).round() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if !eighths.is_multiple_of(8) {
        bar.push(EIGHTHS[eighths % 8]);
    }
    let length = bar.chars().count();
    bar + &" ".repeat(BAR - length)
}

fn mean_split(splits: &[[usize; 3]]) -> [usize; 3] {
    let mean = |side: usize| {
        let sum: usize = splits.iter().map(|split| split[side]).sum();
        sum / splits.len().max(1)
    };
    [mean(0), mean(1), mean(2)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_are_as_long_as_their_share() {
        assert_eq!(bar(1.0), "█".repeat(24));
        assert_eq!(bar(0.5).trim_end(), "█".repeat(12));
        assert_eq!(bar(0.0).trim_end(), "");
        assert_eq!(bar(-1.0), " ".repeat(24));
        assert_eq!(bar(1.0 / 48.0).trim_end(), "▌");
    }
}
