//! Figures by layer.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    Cartesian2d, ChartBuilder, ChartContext, Circle, DashedLineSeries, DrawingArea, IntoDrawingArea,
    IntoFont, LineSeries, PathElement, Polygon, SVGBackend, Text,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, RGBColor, ShapeStyle, TextStyle};

use super::{COLOURS, FAINT, GRID, GROUND, TEXT, failed, finished};
use crate::{Error, Estimate};

const SIZE: (u32, u32) = (760, 420);
/// What stands at the right of the lines.
const LABELS: u32 = 190;
/// Between neighbouring labels, in units.
const LABEL_GAP: i32 = 17;

/// A line of figures.
pub struct Line {
    name: String,
    colour: usize,
    points: Vec<(f64, Estimate)>,
    /// Units of a dash; none for a whole line.
    dash: Option<u32>,
    has_band: bool,
}

/// A figure that is the same for all layers.
pub struct Level {
    pub name: String,
    pub value: f64,
}

/// Lines and levels.
pub struct Chart {
    pub lines: Vec<Line>,
    pub levels: Vec<Level>,
    /// Places on the axis, with what stands below them.
    pub ticks: Vec<(f64, String)>,
    pub from_zero: bool,
    /// What the figures are.
    pub score: String,
}

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Plane<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

impl Line {
    pub fn new(name: String, colour: usize, points: Vec<(f64, Estimate)>) -> Self {
        Self { name, colour, points, dash: None, has_band: false }
    }

    pub fn dashed(self, dash: u32) -> Self {
        Self { dash: Some(dash), ..self }
    }

    pub fn with_band(self) -> Self {
        Self { has_band: true, ..self }
    }

    fn colour(&self) -> RGBColor {
        COLOURS[self.colour % COLOURS.len()].0
    }
}

impl Chart {
    /// The picture as SVG.
    pub fn draw(mut self) -> Result<String, Error> {
        self.lines.retain(|line| !line.points.is_empty());
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, SIZE).into_drawing_area();
            root.fill(&GROUND.0).map_err(failed)?;
            self.draw_on(&root)?;
            root.present().map_err(failed)?;
        }
        Ok(finished(&svg))
    }

    fn draw_on(&self, root: &Area) -> Result<(), Error> {
        let (plane, labels) = root.split_horizontally(SIZE.0 - LABELS);
        let (first, last) = self.ends();
        let heights = self.heights();
        let mut chart = ChartBuilder::on(&plane)
            .margin_top(14)
            .x_label_area_size(42)
            .y_label_area_size(58)
            .build_cartesian_2d(first - 0.15..last + 0.15, heights)
            .map_err(failed)?;
        let small = TextStyle::from(("sans-serif", 13).into_font()).color(&FAINT.0);
        let name = |x: &f64| {
            let tick = self.ticks.iter().find(|(place, _)| (place - x).abs() < 1e-6);
            tick.map_or_else(String::new, |(_, name)| name.clone())
        };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(GROUND.0.mix(0.0))
            .bold_line_style(GRID.0)
            .axis_style(FAINT.0)
            .y_labels(6)
            .x_labels(0)
            .label_style(small.clone())
            .y_label_formatter(&|y| number(*y))
            .x_label_formatter(&name)
            .draw()
            .map_err(failed)?;
        self.name_axes(&chart, root, &small)?;
        let mut ends = Vec::new();
        for level in &self.levels {
            let style = ShapeStyle { color: FAINT.0.to_rgba(), filled: false, stroke_width: 1 };
            chart
                .draw_series([PathElement::new(vec![(first, level.value), (last, level.value)], style)])
                .map_err(failed)?;
            ends.push((chart.backend_coord(&(last, level.value)).1, level.name.clone(), FAINT.0));
        }
        for line in &self.lines {
            draw_line(&mut chart, line)?;
            if let Some((x, end)) = line.points.last() {
                ends.push((chart.backend_coord(&(*x, end.value)).1, line.name.clone(), line.colour()));
            }
        }
        name_lines(&labels, ends)
    }

    fn name_axes(&self, chart: &Plane, root: &Area, style: &TextStyle) -> Result<(), Error> {
        let bottom = chart.plotting_area().get_pixel_range().1.end;
        let below = style.pos(Pos::new(HPos::Center, VPos::Top));
        for (place, name) in &self.ticks {
            let (x, _) = chart.backend_coord(&(*place, 0.0));
            root.draw(&Text::new(name.clone(), (x, bottom + 6), below.clone())).map_err(failed)?;
        }
        let middle = chart.plotting_area().get_pixel_range().0;
        let middle = (middle.start + middle.end) / 2;
        root.draw(&Text::new("layer", (middle, bottom + 23), below)).map_err(failed)?;
        let above = TextStyle::from(("sans-serif", 13).into_font()).color(&TEXT.0);
        root.draw(&Text::new(self.score.clone(), (8, 2), above)).map_err(failed)
    }

    /// The first and the last place on the axis.
    fn ends(&self) -> (f64, f64) {
        let (first, last) =
            (self.ticks.first().map_or(0.0, |tick| tick.0), self.ticks.last().map_or(0.0, |tick| tick.0));
        if first < last { (first, last) } else { (first - 0.5, last + 0.5) }
    }

    /// From the lowest to the highest figure, and a little room.
    fn heights(&self) -> std::ops::Range<f64> {
        let of_lines =
            self.lines.iter().flat_map(|line| line.points.iter().flat_map(|(_, e)| [e.low, e.high, e.value]));
        let all: Vec<f64> = of_lines
            .chain(self.levels.iter().map(|level| level.value))
            .filter(|value| value.is_finite())
            .collect();
        let low = all.iter().copied().fold(f64::INFINITY, f64::min);
        let high = all.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = if self.from_zero { 0.0_f64.min(low) } else { low };
        let room = ((high - low) * 0.06).max(1e-3);
        if low.is_finite() && high.is_finite() {
            if self.from_zero { low..high + room } else { low - room..high + room }
        } else {
            0.0..1.0
        }
    }
}

fn draw_line(chart: &mut Plane, line: &Line) -> Result<(), Error> {
    let colour = line.colour();
    if line.has_band {
        let lower = line.points.iter().map(|(x, e)| (*x, e.low));
        let upper = line.points.iter().rev().map(|(x, e)| (*x, e.high));
        let band: Vec<(f64, f64)> = lower.chain(upper).collect();
        chart.draw_series([Polygon::new(band, colour.mix(0.18))]).map_err(failed)?;
    }
    let style = ShapeStyle { color: colour.to_rgba(), filled: false, stroke_width: 2 };
    let points = line.points.iter().map(|(x, e)| (*x, e.value));
    match line.dash {
        None => chart.draw_series(LineSeries::new(points.clone(), style)).map(|_| ()),
        Some(dash) => chart.draw_series(DashedLineSeries::new(points.clone(), dash, 4, style)).map(|_| ()),
    }
    .map_err(failed)?;
    let dots =
        points.map(|point| Circle::new(point, if line.dash.is_none() { 4 } else { 2 }, colour.filled()));
    chart.draw_series(dots).map(|_| ()).map_err(failed)
}

/// Writes the name of each line where it ends; names that would meet are moved apart.
fn name_lines(labels: &Area, mut ends: Vec<(i32, String, RGBColor)>) -> Result<(), Error> {
    ends.sort_by_key(|end| end.0);
    let heights = apart(&ends.iter().map(|end| end.0).collect::<Vec<i32>>(), LABEL_GAP, SIZE.1 as i32 - 60);
    for ((_, name, colour), height) in ends.into_iter().zip(heights) {
        let style = TextStyle::from(("sans-serif", 13).into_font())
            .color(&colour)
            .pos(Pos::new(HPos::Left, VPos::Center));
        labels.draw(&Text::new(name, (8, height), style)).map_err(failed)?;
    }
    Ok(())
}

/// Heights at least `gap` apart and at most `most`, close to those that are wanted, which are in order.
fn apart(wanted: &[i32], gap: i32, most: i32) -> Vec<i32> {
    let mut heights = wanted.to_vec();
    for index in 1..heights.len() {
        heights[index] = heights[index].max(heights[index - 1] + gap);
    }
    let mut below = most;
    for height in heights.iter_mut().rev() {
        *height = (*height).min(below);
        below = *height - gap;
    }
    heights
}

/// As many digits as a scale needs.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_do_not_meet_and_stay_on_the_picture() {
        assert_eq!(apart(&[10, 12, 100], 17, 400), [10, 27, 100]);
        assert_eq!(apart(&[390, 395, 399], 17, 400), [366, 383, 400]);
        assert!(apart(&[], 17, 400).is_empty());
    }

    #[test]
    fn a_scale_has_no_digits_too_many() {
        assert_eq!(
            (number(0.5).as_str(), number(12.0).as_str(), number(0.125).as_str()),
            ("0.5", "12", "0.125")
        );
    }
}
