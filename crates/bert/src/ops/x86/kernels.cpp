// What libtorch offers to C++ alone: its small matrix product and its thread pool.

#include <ATen/Parallel.h>
#include <ATen/native/CPUBlas.h>

namespace blas = at::native::cpublas;

extern "C" {

// c[m, n] (+)= a[m, k] · b[k, n], bfloat16 summed in float32; rows 2i and 2i+1 of b lie interleaved.
void strata_product_bf16(int64_t m, int64_t n, int64_t k, int64_t lda, int64_t ldb, int64_t ldc, bool add,
                         const c10::BFloat16* a, const c10::BFloat16* b, float* c) noexcept {
    blas::brgemm(m, n, k, lda, ldb, ldc, add, a, b, c, true);
}

// Runs tasks 0 to `tasks` on libtorch's threads, each thread a consecutive share.
void strata_parallel(int64_t tasks, void (*run)(const void*, int64_t), const void* context) noexcept {
    at::parallel_for(0, tasks, 1, [&](int64_t begin, int64_t end) {
        for (int64_t task = begin; task < end; ++task) run(context, task);
        blas::brgemm_release();  // the tile registers, where there are any
    });
}
}
