//! The threads that a model computes on.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// Those of an encoder. Kernels and burn-flex share their work in them; what libtorch computes, it computes on as many
/// threads of its own.
pub(crate) struct Threads {
    together: ThreadPool,
    /// As many pools of one thread, each of which may have something else to do.
    lanes: Vec<ThreadPool>,
}

impl Threads {
    /// `count` of them, or as many as the processor has; `apart` if several things may be computed at a time.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn new(count: Option<usize>, apart: bool) -> Result<Self, Error> {
        let together = pool(count.unwrap_or(0), "encoder")?;
        #[cfg(feature = "libtorch")]
        together.broadcast(|_| crate::ops::set_threads(together.current_num_threads()));
        let lanes = if apart { together.current_num_threads() } else { 1 };
        let lanes = (0..lanes).map(|_| pool(1, "lane")).collect::<Result<_, Error>>()?;
        Ok(Self { together, lanes })
    }

    /// What `compute` gives on all of them.
    pub(crate) fn run<T: Send>(&self, compute: impl FnOnce() -> T + Send) -> T {
        self.together.install(compute)
    }

    /// How many things are computed at a time.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len()
    }

    /// Has `take` what `compute` gives of each of `count` things, in their order. As long as there is one for each lane,
    /// each lane computes one by itself: no thread waits for another before it has done all of it.
    ///
    /// # Errors
    /// Those of `take`, which end the work.
    pub(crate) fn each<T: Send, E>(
        &self,
        count: usize,
        compute: impl Fn(usize) -> T + Sync,
        mut take: impl FnMut(usize, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let apart = if self.lanes() > 1 { count - count % self.lanes() } else { 0 };
        let (results, of_lanes) = channel();
        let (next, compute) = (&AtomicUsize::new(0), &compute);
        thread::scope(|scope| {
            for lane in self.lanes.iter().take(apart) {
                let results = results.clone();
                let work = move || loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    // Nobody listens after an error.
                    if at >= apart || results.send((at, compute(at))).is_err() {
                        return;
                    }
                };
                scope.spawn(|| lane.install(work));
            }
            drop(results);
            let (mut early, mut turn) = (BTreeMap::new(), 0..apart);
            for (at, result) in of_lanes {
                early.insert(at, result);
                while let Some(result) = early.remove(&turn.start) {
                    take(turn.start, result)?;
                    turn.start += 1;
                }
            }
            Ok(())
        })?;
        (apart..count).try_for_each(|at| take(at, self.run(|| compute(at))))
    }
}

fn pool(threads: usize, name: &'static str) -> Result<ThreadPool, Error> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(move |index| format!("{name}-{index}"))
        .build()
        .map_err(|error| Error::Backend(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn taken(threads: &Threads, count: usize, most: usize) -> (Vec<(usize, usize)>, Result<(), usize>) {
        let mut taken = Vec::new();
        let compute = |at: usize| {
            // Later ones are done first.
            thread::sleep(Duration::from_millis(((count - at) % 3) as u64));
            10 * at
        };
        let result = threads.each(count, compute, |at, value| {
            taken.push((at, value));
            if taken.len() > most { Err(at) } else { Ok(()) }
        });
        (taken, result)
    }

    #[test]
    fn results_come_in_order_whatever_is_done_first_and_however_many_there_are() {
        for (threads, apart) in [(1, true), (2, true), (3, true), (3, false)] {
            let threads = Threads::new(Some(threads), apart).unwrap();
            for count in [0, 1, 2, 3, 4, 20] {
                let expected: Vec<_> = (0..count).map(|at| (at, 10 * at)).collect();
                assert_eq!(taken(&threads, count, usize::MAX), (expected, Ok(())));
            }
        }
    }

    #[test]
    fn nothing_is_taken_after_an_error() {
        let threads = Threads::new(Some(2), true).unwrap();
        assert_eq!(taken(&threads, 9, 2), (vec![(0, 0), (1, 10), (2, 20)], Err(2)));
    }

    #[test]
    fn a_lane_has_a_thread_to_itself_and_what_is_left_has_all() {
        let threads = Threads::new(Some(3), true).unwrap();
        let mut pools = Vec::new();
        let compute = |_| rayon::current_num_threads();
        threads.each(5, compute, |_, threads| Ok::<(), ()>(pools.push(threads))).unwrap();
        assert_eq!(pools, [1, 1, 1, 3, 3]);
    }
}
