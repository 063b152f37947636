//! The C++ beside this file, and what it needs to be called safely.

use std::ffi::c_void;

use half::bf16;

unsafe extern "C" {
    fn strata_product_f32(
        m: i64,
        n: i64,
        k: i64,
        lda: i64,
        ldb: i64,
        ldc: i64,
        add: bool,
        a: *const f32,
        b: *const f32,
        c: *mut f32,
    );
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

/// Sizes and row strides, in elements, of `c[m, n] = a[m, k] · b[k, n]`.
#[derive(Clone, Copy)]
pub(crate) struct Product {
    pub(crate) m: usize,
    pub(crate) n: usize,
    pub(crate) k: usize,
    pub(crate) lda: usize,
    pub(crate) ldb: usize,
    pub(crate) ldc: usize,
    /// Whether the product is added to what `c` holds.
    pub(crate) add: bool,
}

/// A type that matrix products take; they sum in float32.
pub(crate) trait Element: Copy + Default + Sync + 'static {
    const KIND: tch::Kind;
    /// How many consecutive rows of `b` lie interleaved, element by element.
    const ROWS_INTERLEAVED: usize;

    /// # Safety
    /// The pointers reach as far as `size` says; bfloat16 only where the processor has it.
    unsafe fn product(size: Product, a: *const Self, b: *const Self, c: *mut f32);
}

impl Element for f32 {
    const KIND: tch::Kind = tch::Kind::Float;
    const ROWS_INTERLEAVED: usize = 1;

    unsafe fn product(s: Product, a: *const Self, b: *const Self, c: *mut f32) {
        let [m, n, k, lda, ldb, ldc] = [s.m, s.n, s.k, s.lda, s.ldb, s.ldc].map(|size| size as i64);
        // SAFETY: as promised to this function.
        unsafe { strata_product_f32(m, n, k, lda, ldb, ldc, s.add, a, b, c) }
    }
}

impl Element for bf16 {
    const KIND: tch::Kind = tch::Kind::BFloat16;
    const ROWS_INTERLEAVED: usize = 2;

    unsafe fn product(s: Product, a: *const Self, b: *const Self, c: *mut f32) {
        let [m, n, k, lda, ldb, ldc] = [s.m, s.n, s.k, s.lda, s.ldb, s.ldc].map(|size| size as i64);
        // SAFETY: as promised to this function.
        unsafe { strata_product_bf16(m, n, k, lda, ldb, ldc, s.add, a, b, c) }
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
