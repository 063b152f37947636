//! Functions of sixteen floats.

use crate::simd::Simd;

/// `e^x` to about one unit in the last place, of numbers up to 88.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::Floats) -> S::Floats {
    let x = simd.max(x, simd.splat(-104.0));
    let n = simd.round(simd.mul(x, simd.splat(std::f32::consts::LOG2_E)));
    // x - n·ln 2, with ln 2 in two parts.
    let r = simd.sub_mul(n, simd.splat(0.693_359_4), x);
    let r = simd.sub_mul(n, simd.splat(-2.121_944_4e-4), r);
    let series = polynomial(simd, r, &[1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]);
    simd.scale(series, n)
}

/// Coefficients from the highest power down.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, x: S::Floats, coefficients: &[f32; N]) -> S::Floats {
    let mut sum = simd.splat(coefficients[0]);
    for &coefficient in &coefficients[1..] {
        sum = simd.mul_add(sum, x, simd.splat(coefficient));
    }
    sum
}

/// `x/2 · (1 + erf(x/√2))`; the error function as a quotient of polynomials, to a few
/// units in the last place.
#[inline(always)]
pub(crate) fn gelu<S: Simd>(simd: S, x: S::Floats) -> S::Floats {
    let scaled = simd.mul(x, simd.splat(std::f32::consts::FRAC_1_SQRT_2));
    let z = simd.max(simd.min(scaled, simd.splat(4.0)), simd.splat(-4.0));
    let square = simd.mul(z, z);
    let above = polynomial(
        simd,
        square,
        &[
            -2.726_142_3e-10,
            2.770_681_4e-8,
            -2.101_024e-6,
            -5.692_506_4e-5,
            -7.349_906e-4,
            -2.954_6e-3,
            -1.609_603_3e-2,
        ],
    );
    let below = polynomial(
        simd,
        square,
        &[-1.456_607_2e-5, -2.133_740_5e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2],
    );
    let erf = simd.mul(simd.mul(z, above), simd.reciprocal(below));
    let half = simd.mul(x, simd.splat(0.5));
    simd.mul_add(half, erf, half)
}
