//! Pictures of a report, drawn once as SVG; PNG is made of that.

mod lines;
mod png;
mod squares;

use plotters::style::RGBColor;

use super::{Picture, Report};
use crate::Error;
use lines::{Chart, Level, Line};
use squares::Squares;

/// Colours that are told apart with any kind of sight, and in grey (Okabe and Ito, 2008): on white, and on black.
const COLOURS: [(RGBColor, &str); 5] = [
    (RGBColor(0x00, 0x72, 0xb2), "#56b4e9"),
    (RGBColor(0xd5, 0x5e, 0x00), "#f0894a"),
    (RGBColor(0x00, 0x9e, 0x73), "#3fd0a5"),
    (RGBColor(0x9a, 0x4a, 0x7c), "#dd9cc4"),
    (RGBColor(0xb0, 0x7d, 0x00), "#e6b93c"),
];
/// Text, what is less important, lines of the grid, ground: on white, and on black.
const TEXT: (RGBColor, &str) = (RGBColor(0x1c, 0x20, 0x24), "#e6e9ec");
const FAINT: (RGBColor, &str) = (RGBColor(0x5c, 0x66, 0x70), "#9aa4ae");
const GRID: (RGBColor, &str) = (RGBColor(0xe1, 0xe5, 0xe9), "#2c343c");
const GROUND: (RGBColor, &str) = (RGBColor(0xff, 0xff, 0xff), "#15191e");

/// Classes of which confusions are drawn.
const MOST_SQUARES: usize = 60;
/// Layers whose numbers have room below an axis.
const MOST_TICKS: usize = 25;

impl Report {
    /// The pictures: scores by layer, code lengths, confusions, how alike the layers are.
    ///
    /// # Errors
    /// A picture cannot be drawn, which is a fault of ours.
    pub(super) fn pictures(&self) -> Result<Vec<Picture>, Error> {
        let mut pictures = vec![self.scores()?];
        pictures.extend(self.code_lengths()?);
        pictures.extend(self.confusions()?);
        pictures.push(self.alike("cka", &self.cka.columns, &self.cka.own, "of the layers to each other")?);
        for other in &self.cka.others {
            let title = format!("of the layers (down) to those of the {} output", other.output);
            pictures.push(self.alike(
                &format!("cka-{}", other.output),
                &other.columns,
                &other.values,
                &title,
            )?);
        }
        Ok(pictures)
    }

    fn scores(&self) -> Result<Picture, Error> {
        let mut lines = Vec::new();
        for (index, series) in self.series().into_iter().enumerate() {
            let columns = self.columns.iter().enumerate().filter(|(_, column)| column.series == series);
            let name = |what: &str| match (what, series.as_str()) {
                ("probe", series) if self.has_series() => series.to_owned(),
                (what, series) if self.has_series() => format!("{what}, {series}"),
                (what, _) => what.to_owned(),
            };
            let place = |place: usize| self.place(place);
            let own = columns.clone().map(|(at, column)| (place(at), column.score));
            lines.push(Line::new(name("probe"), index, own.collect()).with_band());
            let control = columns.clone().filter_map(|(at, column)| Some((place(at), column.control?)));
            lines.push(Line::new(name("control output"), index, control.collect()).dashed(8));
            let task = columns.filter_map(|(at, column)| Some((place(at), column.control_task?)));
            lines.push(Line::new(name("control task"), index, task.collect()).dashed(2));
        }
        let mut levels = vec![Level { name: "majority".to_owned(), value: self.baselines.majority.value }];
        if self.question.task == crate::Task::Numbers {
            levels[0].name = "mean".to_owned();
        }
        if let (Some(by_type), Some(typed_by)) = (self.baselines.by_type, &self.question.typed_by) {
            let what = if self.question.task == crate::Task::Numbers { "mean" } else { "most frequent" };
            levels.push(Level { name: format!("{what} of each {typed_by}"), value: by_type.value });
        }
        let title =
            format!("{} of {} by layer, with 95 % intervals", self.question.score, self.question.label);
        let ticks = self.ticks();
        let chart = Chart { lines, levels, ticks, from_zero: false, score: self.question.score.to_owned() };
        Ok(Picture { name: "layers".to_owned(), svg: chart.draw()?, title })
    }

    fn code_lengths(&self) -> Result<Option<Picture>, Error> {
        if self.columns.iter().all(|column| column.code.is_none()) {
            return Ok(None);
        }
        let mut lines = Vec::new();
        for (index, series) in self.series().into_iter().enumerate() {
            let columns = self.columns.iter().enumerate().filter(|(_, column)| column.series == series);
            let points = columns.filter_map(|(at, column)| {
                let code = column.code?;
                let [value, low, high] = [code.bits, code.shortest, code.longest].map(|bits| bits / 1000.0);
                Some((self.place(at), crate::Estimate { value, low, high }))
            });
            let name = if series.is_empty() || !self.has_series() {
                "online code".to_owned()
            } else {
                series.clone()
            };
            lines.push(Line::new(name, index, points.collect()).with_band());
        }
        let title = format!(
            "length of an online code for {} by layer, in kilobits, with the span of the seeds; shorter is better",
            self.question.label
        );
        let chart = Chart {
            lines,
            levels: Vec::new(),
            ticks: self.ticks(),
            from_zero: true,
            score: "kilobits".to_owned(),
        };
        Ok(Some(Picture { name: "code".to_owned(), svg: chart.draw()?, title }))
    }

    fn confusions(&self) -> Result<Option<Picture>, Error> {
        // Of more classes, nobody sees a square.
        let Some(counts) = self.confusion.as_ref().filter(|counts| counts.len() <= MOST_SQUARES) else {
            return Ok(None);
        };
        let names: Vec<String> = self.rows.classes.iter().map(|class| class.name.clone()).collect();
        let share = |row: &Vec<u64>| {
            let sum = row.iter().sum::<u64>().max(1) as f64;
            row.iter().map(|&count| count as f64 / sum).collect::<Vec<f64>>()
        };
        let values: Vec<Vec<f64>> = counts.iter().map(share).collect();
        let title = format!(
            "share of the rows of each class (down) that {} was said to be of each (across)",
            self.best
        );
        let svg = Squares { down: &names, across: &names, values: &values }.draw()?;
        Ok(Some(Picture { name: "confusion".to_owned(), svg, title }))
    }

    fn alike(
        &self,
        name: &str,
        across: &[String],
        values: &[Vec<f64>],
        title: &str,
    ) -> Result<Picture, Error> {
        let svg = Squares { down: &self.cka.columns, across, values }.draw()?;
        let title = format!("linear CKA {title}, from {} rows", self.cka.rows);
        Ok(Picture { name: name.to_owned(), svg, title })
    }

    /// The poolings, in order.
    fn series(&self) -> Vec<String> {
        let mut all: Vec<String> = Vec::new();
        for column in &self.columns {
            if !all.contains(&column.series) {
                all.push(column.series.clone());
            }
        }
        all
    }

    fn has_series(&self) -> bool {
        self.series().len() > 1
    }

    /// Where a column stands on the axis: at its layer, or after the last.
    fn place(&self, column: usize) -> f64 {
        match self.columns[column].layer {
            Some(layer) => layer as f64,
            None => {
                let last = self.columns.iter().filter_map(|column| column.layer).max();
                let others = self.columns[..column].iter().filter(|column| column.layer.is_none()).count();
                last.map_or(0.0, |last| last as f64 + 1.0) + others as f64
            }
        }
    }

    /// What stands below the axis.
    fn ticks(&self) -> Vec<(f64, String)> {
        let name = |index: usize| match self.columns[index].layer {
            Some(layer) => layer.to_string(),
            None => self.columns[index].column.clone(),
        };
        let mut ticks: Vec<(f64, String)> =
            (0..self.columns.len()).map(|at| (self.place(at), name(at))).collect();
        ticks.sort_by(|a, b| a.0.total_cmp(&b.0));
        ticks.dedup();
        let step = ticks.len().div_ceil(MOST_TICKS).max(1);
        for (place, (_, name)) in ticks.iter_mut().enumerate() {
            if place % step != 0 {
                name.clear();
            }
        }
        ticks
    }
}

/// Adds what makes a picture fit for a dark ground, where it is shown on one, and takes out what XML cannot say.
fn finished(svg: &str) -> String {
    let is_unsayable =
        |c: char| (c.is_control() && !c.is_ascii_whitespace()) || matches!(c, '\u{fffe}' | '\u{ffff}');
    let svg = &svg.replace(is_unsayable, "\u{fffd}");
    let all = COLOURS.iter().chain([&TEXT, &FAINT, &GRID, &GROUND]);
    let rules = all.map(|(RGBColor(red, green, blue), dark)| {
        let light = format!("#{red:02X}{green:02X}{blue:02X}");
        format!("[fill=\"{light}\"]{{fill:{dark}}}[stroke=\"{light}\"]{{stroke:{dark}}}")
    });
    let style = format!("<style>@media(prefers-color-scheme:dark){{{}}}</style>", rules.collect::<String>());
    match svg.find('>') {
        Some(end) => [&svg[..=end], "\n", &style, &svg[end + 1..]].concat(),
        None => svg.to_owned(),
    }
}

fn failed(error: impl std::fmt::Display) -> Error {
    Error::Bug(format!("a picture cannot be drawn: {error}"))
}

impl Picture {
    /// The picture in dots, on white.
    ///
    /// # Errors
    /// It cannot be drawn, which is a fault of ours.
    pub(super) fn png(&self) -> Result<Vec<u8>, Error> {
        png::of(&self.svg)
    }
}
