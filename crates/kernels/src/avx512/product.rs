//! The sizes of a small matrix product.

use super::element::Lanes;
use super::simd::LANES;

/// Sizes and row strides, in elements, of `c[m, n] = a[m, k] · b[k, n]`. `n` is a multiple of
/// [`LANES`]; `k` and `lda` of [`Lanes::OF_UNIT`].
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) lda: usize,
    pub(crate) ldb: usize,
    pub(crate) ldc: usize,
}

/// What a product is added to, of `c`'s layout.
#[derive(Clone, Copy)]
pub(crate) enum Onto<'a> {
    Nothing,
    /// What stands in `c`.
    Itself,
    Other(&'a [f32]),
}

impl Product {
    /// Panics unless operands have these sizes.
    pub(super) fn check<E: Lanes>(&self, a: usize, b: usize, c: usize) {
        let Self { m, n, k, lda, ldb, ldc } = *self;
        let reach =
            |rows: usize, stride: usize, row: usize| if rows == 0 { 0 } else { (rows - 1) * stride + row };
        assert!(n.is_multiple_of(LANES) && k.is_multiple_of(E::OF_UNIT) && lda.is_multiple_of(E::OF_UNIT));
        assert!(reach(m, lda, k) <= a, "rows of a");
        assert!(reach(k / E::OF_UNIT, ldb, n) * E::OF_UNIT <= b, "rows of b");
        assert!(reach(m, ldc, n) <= c, "rows of c");
    }
}
