//! A small matrix product: its sizes, and how its operands lie.

use crate::ahead::Ahead;
use crate::simd::{LANES, Lanes, Simd};

/// Sizes and row strides, in elements, of `c[m, n] = a[m, k] · b[k, n]`. `n` is a multiple of
/// [`LANES`]; `k` and `lda` of [`Lanes::OF_UNIT`].
///
/// Of `b`, as many columns lie side by side as its rows are apart; after `depth` rows of these come the next. The product
/// takes the place of what is in `c`, or `adds` to it.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) lda: usize,
    pub(crate) ldb: usize,
    pub(crate) depth: usize,
    pub(crate) ldc: usize,
    pub(crate) adds: bool,
}

impl Product {
    /// Panics unless operands have these sizes.
    fn check<S: Simd, E: Lanes<S>>(&self, a: usize, b: usize, c: usize) {
        let Self { m, n, k, lda, ldb, depth, ldc, .. } = *self;
        let reach =
            |rows: usize, stride: usize, row: usize| if rows == 0 { 0 } else { (rows - 1) * stride + row };
        assert!(
            m > 0
                && n.is_multiple_of(LANES)
                && k.is_multiple_of(E::OF_UNIT)
                && lda.is_multiple_of(E::OF_UNIT)
        );
        assert!(ldb.is_multiple_of(LANES) && (1..=S::WIDTH).contains(&ldb) && k <= depth, "columns of b");
        assert!(reach(m, lda, k) <= a, "rows of a");
        assert!(reach(n.div_ceil(ldb), depth * ldb, k * ldb) <= b, "rows of b");
        assert!(reach(m, ldc, n) <= c, "rows of c");
    }
}

/// Multiplies for a task.
pub(crate) struct Multiplier<S: Simd> {
    simd: S,
    registers: S::Registers,
    ahead: Ahead,
}

impl<S: Simd> Multiplier<S> {
    pub(crate) fn new(simd: S) -> Self {
        Self { simd, registers: S::Registers::default(), ahead: Ahead::nothing() }
    }

    /// Has the products that follow bring these elements nearer.
    pub(crate) fn fetch_ahead<E>(&mut self, elements: &[E]) {
        self.ahead = Ahead::of(elements);
    }

    /// Multiplies. As many consecutive rows of `b` as [`Lanes::OF_UNIT`] lie interleaved, element by
    /// element.
    #[inline(always)]
    pub(crate) fn multiply<E: Lanes<S>>(&mut self, size: Product, a: &[E], b: &[E], c: &mut [f32]) {
        size.check::<S, E>(a.len(), b.len(), c.len());
        // Sums in parts, also as the longer one is, the more of it is lost to rounding.
        let products = E::nearby(self.simd) / (size.ldb * size_of::<E>());
        for first in (0..size.k).step_by(products) {
            let part = Product { k: products.min(size.k - first), adds: size.adds || first > 0, ..size };
            for column in (0..size.n).step_by(size.ldb) {
                let together = Product { n: size.ldb.min(size.n - column), ..part };
                let Self { simd, registers, ahead } = self;
                // SAFETY: the operands were held against the sizes.
                unsafe {
                    let (a, b) =
                        (a.as_ptr().add(first), b.as_ptr().add(column * size.depth + first * size.ldb));
                    E::multiply(*simd, registers, together, ahead, a, b, c.as_mut_ptr().add(column));
                }
            }
        }
    }
}
