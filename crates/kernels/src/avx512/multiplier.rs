//! The small matrix product, in whatever registers there are for it.

use super::Avx512;
use super::element::Lanes;
use super::product::{Onto, Product};
use super::tiles::Tiles;
use super::vectors::multiply;

/// Multiplies for a task.
pub(crate) struct Multiplier {
    /// Where there are any.
    tiles: Option<Tiles>,
}

impl Multiplier {
    /// Of products of this type.
    pub(crate) fn new<E: Lanes>(avx512: Avx512) -> Self {
        avx512.check::<E>();
        Self { tiles: (avx512.tiles && E::OF_UNIT == 2).then(Tiles::default) }
    }

    /// Multiplies. As many consecutive rows of `b` as [`Lanes::OF_UNIT`] lie interleaved, element by
    /// element.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    pub(crate) fn multiply<E: Lanes>(&mut self, size: Product, a: &[E], b: &[E], onto: Onto, c: &mut [f32]) {
        size.check::<E>(a.len(), b.len(), c.len());
        if let Onto::Other(onto) = onto {
            assert_eq!(onto.len(), c.len(), "what is added to lies as the product does");
        }
        if let Some(tiles) = &mut self.tiles {
            let adds = match onto {
                Onto::Nothing => false,
                Onto::Itself => true,
                Onto::Other(_) => unreachable!("nothing else is added to in bfloat16"),
            };
            // SAFETY: the operands were held against the sizes; tiles are of bfloat16.
            return unsafe {
                tiles.multiply(size, a.as_ptr().cast(), b.as_ptr().cast(), adds, c.as_mut_ptr())
            };
        }
        let c = c.as_mut_ptr();
        let onto = match onto {
            Onto::Nothing => None,
            Onto::Itself => Some(c.cast_const()),
            Onto::Other(onto) => Some(onto.as_ptr()),
        };
        // SAFETY: the operands were held against the sizes.
        unsafe { multiply(size, a.as_ptr(), b.as_ptr(), onto, c) };
    }
}
