//! The C++ beside this file, and what it needs to be called safely.

use std::ffi::c_void;

use half::bf16;

unsafe extern "C" {
    /// `c[m, n] (+)= a[m, k] · b[k, n]`; rows 2i and 2i+1 of `b` lie interleaved.
    pub(crate) fn strata_product_bf16(
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
