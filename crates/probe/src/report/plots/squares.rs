//! A table of shares as squares, the darker the larger.

use plotters::coord::Shift;
use plotters::prelude::{DrawingArea, IntoDrawingArea, IntoFont, Rectangle, SVGBackend, Text};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontTransform, RGBColor, TextStyle};

use super::{FAINT, GROUND, failed, finished};
use crate::Error;

/// Units of the side of a square, and of what stands around.
const ROOM: i32 = 620;
const LARGEST: i32 = 56;
const SMALLEST: i32 = 6;
/// A letter of the names.
const LETTER: i32 = 7;
const MARGIN: i32 = 14;
/// Squares in which figures have room.
const WITH_FIGURES: i32 = 30;
/// Names longer than this are cut in the picture.
const NAME: usize = 22;

/// From nothing to all: a scale that is a scale in grey, too.
const NOTHING: RGBColor = RGBColor(0xf2, 0xf6, 0xfa);
const ALL: RGBColor = RGBColor(0x08, 0x30, 0x6b);
/// Figures on light and on dark squares, which are no text of the picture's ground.
const ON_LIGHT: RGBColor = RGBColor(0x10, 0x10, 0x11);
const ON_DARK: RGBColor = RGBColor(0xfe, 0xfe, 0xfe);

/// A table of values from 0 to 1.
pub struct Squares<'a> {
    pub down: &'a [String],
    pub across: &'a [String],
    pub values: &'a [Vec<f64>],
}

impl Squares<'_> {
    /// The picture as SVG.
    pub fn draw(&self) -> Result<String, Error> {
        let most = self.down.len().max(self.across.len()).max(1) as i32;
        let side = (ROOM / most).clamp(SMALLEST, LARGEST);
        let longest =
            |names: &[String]| names.iter().map(|name| short(name).chars().count()).max().unwrap_or(0) as i32;
        let (left, top) = (longest(self.down) * LETTER + MARGIN, longest(self.across) * LETTER + MARGIN);
        let size = (
            (left + side * self.across.len() as i32 + MARGIN) as u32,
            (top + side * self.down.len() as i32 + MARGIN) as u32,
        );
        let mut svg = String::new();
        {
            let root = SVGBackend::with_string(&mut svg, size).into_drawing_area();
            root.fill(&GROUND.0).map_err(failed)?;
            self.draw_on(&root, side, (left, top))?;
            root.present().map_err(failed)?;
        }
        Ok(finished(&svg))
    }

    fn draw_on(
        &self,
        root: &DrawingArea<SVGBackend, Shift>,
        side: i32,
        (left, top): (i32, i32),
    ) -> Result<(), Error> {
        let names = TextStyle::from(("sans-serif", 12).into_font()).color(&FAINT.0);
        // Names of which a square is too small for one stand at every second or third.
        let step = (14 / side).max(1) as usize;
        for (row, name) in self.down.iter().enumerate().step_by(step) {
            let at = (left - 6, top + side * row as i32 + side / 2);
            let style = names.pos(Pos::new(HPos::Right, VPos::Center));
            root.draw(&Text::new(short(name), at, style)).map_err(failed)?;
        }
        let upright = TextStyle::from(("sans-serif", 12).into_font().transform(FontTransform::Rotate270))
            .color(&FAINT.0);
        for (column, name) in self.across.iter().enumerate().step_by(step) {
            let at = (left + side * column as i32 + side / 2, top - 6);
            let style = upright.pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(short(name), at, style)).map_err(failed)?;
        }
        for (row, values) in self.values.iter().enumerate() {
            for (column, &value) in values.iter().enumerate() {
                let (x, y) = (left + side * column as i32, top + side * row as i32);
                let square = Rectangle::new([(x, y), (x + side - 1, y + side - 1)], between(value).filled());
                root.draw(&square).map_err(failed)?;
                if side >= WITH_FIGURES {
                    let colour = if value > 0.55 { ON_DARK } else { ON_LIGHT };
                    let style = TextStyle::from(("sans-serif", 12).into_font()).color(&colour);
                    let style = style.pos(Pos::new(HPos::Center, VPos::Center));
                    let figure = Text::new(format!("{value:.2}"), (x + side / 2, y + side / 2), style);
                    root.draw(&figure).map_err(failed)?;
                }
            }
        }
        Ok(())
    }
}

fn short(name: &str) -> String {
    if name.chars().count() <= NAME {
        return name.to_owned();
    }
    name.chars().take(NAME - 1).chain(['…']).collect()
}

/// A colour on the scale.
fn between(share: f64) -> RGBColor {
    let share = if share.is_finite() { share.clamp(0.0, 1.0) } else { 0.0 };
    let mix = |from: u8, to: u8| (f64::from(from) + share * (f64::from(to) - f64::from(from))).round() as u8;
    RGBColor(mix(NOTHING.0, ALL.0), mix(NOTHING.1, ALL.1), mix(NOTHING.2, ALL.2))
}
