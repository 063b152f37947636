//! SVG to PNG.

use epaint_default_fonts::UBUNTU_LIGHT;
use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use super::failed;
use crate::Error;

/// Dots of a unit: enough for print.
const SCALE: f32 = 2.0;

/// Letters are those that the program carries: no machine's own fonts decide about a picture.
pub fn of(svg: &str) -> Result<Vec<u8>, Error> {
    let mut options = Options { font_family: "Ubuntu".to_owned(), ..Options::default() };
    let fonts = options.fontdb_mut();
    fonts.load_font_data(UBUNTU_LIGHT.to_vec());
    fonts.set_sans_serif_family("Ubuntu");
    let tree = Tree::from_str(svg, &options).map_err(failed)?;
    let (width, height) = (tree.size().width() * SCALE, tree.size().height() * SCALE);
    let mut picture =
        Pixmap::new(width.ceil() as u32, height.ceil() as u32).ok_or_else(|| failed("no size"))?;
    resvg::render(&tree, Transform::from_scale(SCALE, SCALE), &mut picture.as_mut());
    picture.encode_png().map_err(failed)
}
