//! The C++ beside this file, and what it needs to be called safely.

use std::arch::asm;
use std::arch::x86_64::*;
use std::ffi::c_void;
use std::sync::LazyLock;

use half::bf16;

use super::product::Product;

unsafe extern "C" {
    fn strata_product_bf16(
        m: i64,
        n: i64,
        k: i64,
        lda: i64,
        ldb: i64,
        ldc: i64,
        add: bool,
        a: *const bf16,
        b: *const bf16,
        c: *mut f32,
    );
    fn strata_parallel(tasks: i64, run: extern "C" fn(*const c_void, i64), context: *const c_void);
}

/// Whether the processor has tile registers for bfloat16.
pub(crate) fn has_amx() -> bool {
    static HAS_AMX: LazyLock<bool> = LazyLock::new(|| {
        const AMX_BF16: u32 = 1 << 22;
        __cpuid(0).eax >= 7 && __cpuid_count(7, 0).edx & AMX_BF16 != 0
    });
    *HAS_AMX
}

/// The product by libtorch, which knows how to use tile registers.
///
/// # Safety
/// The pointers reach as far as `size` says; the processor has bfloat16.
pub(crate) unsafe fn amx_product(size: Product, a: *const bf16, b: *const bf16, c: *mut f32) {
    /// Inputs of one call: what stays in the nearest cache.
    const DEPTH: usize = 1024;
    let [m, n, lda, ldb, ldc] = [size.m, size.n, size.lda, size.ldb, size.ldc].map(|size| size as i64);
    for depth in (0..size.k).step_by(DEPTH) {
        let k = DEPTH.min(size.k - depth) as i64;
        // SAFETY: as promised to this function.
        unsafe {
            let (a, b) = (a.add(depth), b.add(depth * size.ldb));
            strata_product_bf16(m, n, k, lda, ldb, ldc, depth > 0, a, b, c);
        }
    }
}

/// A type that matrix products take; they sum in float32.
pub(crate) trait Element: Copy + Default + Sync + 'static {
    const KIND: tch::Kind;
    /// How many of it fill four bytes; as many consecutive rows of a product's second operand lie
    /// interleaved, element by element.
    const ROWS_INTERLEAVED: usize;

    /// Rounded to the nearest.
    fn from_f32(value: f32) -> Self;

    /// `sum + a · b` in each lane of four bytes.
    ///
    /// # Safety
    /// The processor has AVX-512, and bfloat16 if this is that.
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512;
}

impl Element for f32 {
    const KIND: tch::Kind = tch::Kind::Float;
    const ROWS_INTERLEAVED: usize = 1;

    fn from_f32(value: f32) -> Self {
        value
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(sum: __m512, a: __m512, b: __m512) -> __m512 {
        _mm512_fmadd_ps(a, b, sum)
    }
}

impl Element for bf16 {
    const KIND: tch::Kind = tch::Kind::BFloat16;
    const ROWS_INTERLEAVED: usize = 2;

    fn from_f32(value: f32) -> Self {
        bf16::from_f32(value)
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn multiply_add(mut sum: __m512, a: __m512, b: __m512) -> __m512 {
        // SAFETY: the caller vouches for the instruction. It is written out so that what calls this
        // for float32 needs no processor with bfloat16.
        unsafe {
            asm!("vdpbf16ps {}, {}, {}", inout(zmm_reg) sum, in(zmm_reg) a, in(zmm_reg) b,
                options(pure, nomem, nostack, preserves_flags));
        }
        sum
    }
}

/// Runs `run(0)` to `run(tasks - 1)` on libtorch's threads. A panic in it ends the process.
pub(crate) fn parallel<F: Fn(usize) + Sync>(tasks: usize, run: &F) {
    extern "C" fn call<F: Fn(usize)>(context: *const c_void, task: i64) {
        // SAFETY: the context is the closure below, which outlives the call.
        let run = unsafe { &*context.cast::<F>() };
        run(task as usize);
    }
    // SAFETY: the call returns after all tasks, and `F` may be shared between threads.
    unsafe { strata_parallel(tasks as i64, call::<F>, std::ptr::from_ref(run).cast()) }
}
