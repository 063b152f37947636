//! The threads that a model computes on.

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// A pool that belongs to an encoder. Kernels and burn-flex share their work in it; what libtorch computes,
/// it computes on as many threads of its own.
pub(crate) struct Threads(ThreadPool);

impl Threads {
    /// `count` of them, or as many as the processor has.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn new(count: Option<usize>) -> Result<Self, Error> {
        let pool = ThreadPoolBuilder::new()
            .num_threads(count.unwrap_or(0))
            .thread_name(|index| format!("encoder-{index}"))
            .build()
            .map_err(|error| Error::Backend(error.to_string()))?;
        #[cfg(feature = "libtorch")]
        pool.broadcast(|_| crate::ops::set_threads(pool.current_num_threads()));
        Ok(Self(pool))
    }

    /// What `compute` gives on these threads.
    pub(crate) fn run<T: Send>(&self, compute: impl FnOnce() -> T + Send) -> T {
        self.0.install(compute)
    }
}
