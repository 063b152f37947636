//! The types of which matrix products are made.

use half::bf16;

/// A type that matrix products take: `f32`, or `bf16`, of which as many fill the same memory twice.
/// Products sum in float32 either way.
pub trait Element: sealed::Sealed {}

impl Element for f32 {}
impl Element for bf16 {}

mod sealed {
    use half::bf16;

    #[cfg(target_arch = "x86_64")]
    use crate::avx512::Avx512;
    #[cfg(target_arch = "x86_64")]
    use crate::simd::Lanes;

    /// What kernels need to know of an element; nobody else can implement it.
    #[cfg(target_arch = "x86_64")]
    #[expect(private_bounds, reason = "sealed")]
    pub trait Sealed: Lanes<Avx512> {}
    #[cfg(not(target_arch = "x86_64"))]
    pub trait Sealed: bytemuck::Pod + Send + Sync {}

    impl Sealed for f32 {}
    impl Sealed for bf16 {}
}
