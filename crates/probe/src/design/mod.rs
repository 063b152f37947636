//! Who is learned from, who is asked, and what chance would do: all from a seed, before any vector is looked at.

mod control;
mod resample;
mod split;

pub use control::control_labels;
pub use resample::{Resampling, Universe};
pub use split::{Part, Split, Stated, shuffle};

use chacha20::ChaCha8Rng;
use chacha20::rand_core::SeedableRng;

/// What is drawn; each draw has a generator of its own, so that none depends on which others are made.
#[derive(Debug, Clone, Copy)]
pub enum Draw {
    Split,
    Control,
    Resample(u32),
    Sample,
}

/// The generator of a draw.
pub fn generator(seed: u64, draw: Draw) -> ChaCha8Rng {
    let stream = match draw {
        Draw::Split => 0,
        Draw::Control => 1,
        Draw::Sample => 2,
        Draw::Resample(number) => 16 + u64::from(number),
    };
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(stream);
    generator
}
