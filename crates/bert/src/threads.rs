//! The threads that a model computes on.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use rayon::{ThreadPool, ThreadPoolBuilder};

use crate::Error;

/// Those of an encoder. Kernels and burn-flex share their work in them; what libtorch computes, it computes on as many
/// threads of its own.
pub(crate) struct Threads {
    together: ThreadPool,
    /// As many pools of one thread, each of which may have something else to do; none if nothing is computed apart.
    lanes: Vec<ThreadPool>,
}

impl Threads {
    /// `count` of them, or as many as the processor has; `apart` if several things may be computed at a time.
    ///
    /// # Errors
    /// The system has no threads left.
    pub(crate) fn new(count: Option<usize>, apart: bool) -> Result<Self, Error> {
        let together = pool(count.unwrap_or(0), |index| format!("encoder-{index}"))?;
        #[cfg(feature = "libtorch")]
        together.broadcast(|_| crate::ops::set_threads(together.current_num_threads()));
        let count = if apart { together.current_num_threads() } else { 0 };
        let lane = |lane| pool(1, move |_| format!("lane-{lane}"));
        let lanes = (0..count).map(lane).collect::<Result<_, Error>>()?;
        Ok(Self { together, lanes })
    }

    /// What `compute` gives on all of them.
    pub(crate) fn run<T: Send>(&self, compute: impl FnOnce() -> T + Send) -> T {
        self.together.install(compute)
    }

    /// How many things are computed at a time.
    pub(crate) fn lanes(&self) -> usize {
        self.lanes.len().max(1)
    }

    /// How many things may be computed beside what the current thread computes, that included.
    pub(crate) fn side_by_side(&self) -> usize {
        (self.lanes() / rayon::current_num_threads()).max(1)
    }

    /// Has `take` what `compute` gives of each of `count` things, in their order. The first few, `together`, are computed
    /// on all threads one after the other; then each lane computes one by itself as long as there are enough for most
    /// of them, so that no thread waits for another before it has done all of it; what is left is computed together again.
    ///
    /// # Errors
    /// Those of `take`, which end the work.
    pub(crate) fn each<T: Send, E>(
        &self,
        count: usize,
        together: usize,
        compute: impl Fn(usize) -> T + Sync,
        mut take: impl FnMut(usize, T) -> Result<(), E>,
    ) -> Result<(), E> {
        let rest = (count - together) % self.lanes();
        let end = if 2 * rest > self.lanes() { count } else { count - rest };
        (0..together).try_for_each(|at| take(at, self.run(|| compute(at))))?;
        let done = self.each_apart(together..end, &compute, &mut take)?;
        (done..count).try_for_each(|at| take(at, self.run(|| compute(at))))
    }

    /// Computes things in the lanes that there are, and returns how far it came: to the end if there is one.
    fn each_apart<T: Send, E>(
        &self,
        things: Range<usize>,
        compute: &(impl Fn(usize) -> T + Sync),
        take: &mut impl FnMut(usize, T) -> Result<(), E>,
    ) -> Result<usize, E> {
        let (results, of_lanes) = channel();
        let (next, end) = (&AtomicUsize::new(things.start), things.end);
        thread::scope(|scope| {
            for lane in self.lanes.iter().take(things.len()) {
                let results = results.clone();
                let work = move || {
                    loop {
                        let at = next.fetch_add(1, Ordering::Relaxed);
                        // One thing at a time, as others may wait for the lane. Nobody listens after an error.
                        if at >= end || results.send((at, lane.install(|| compute(at)))).is_err() {
                            return;
                        }
                    }
                };
                // Where the system has no threads left, those that there are do all.
                if thread::Builder::new().spawn_scoped(scope, work).is_err() {
                    break;
                }
            }
            drop(results);
            let (mut early, mut turn) = (BTreeMap::new(), things);
            for (at, result) in of_lanes {
                early.insert(at, result);
                while let Some(result) = early.remove(&turn.start) {
                    take(turn.start, result)?;
                    turn.start += 1;
                }
            }
            Ok(turn.start)
        })
    }
}

fn pool(threads: usize, name: impl FnMut(usize) -> String + 'static) -> Result<ThreadPool, Error> {
    ThreadPoolBuilder::new()
        .num_threads(threads)
        .thread_name(name)
        .build()
        .map_err(|error| Error::Backend(error.to_string()))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn taken(
        threads: &Threads,
        count: usize,
        together: usize,
        most: usize,
    ) -> (Vec<(usize, usize)>, Result<(), usize>) {
        let mut taken = Vec::new();
        let compute = |at: usize| {
            // Later ones are done first.
            thread::sleep(Duration::from_millis(((count - at) % 3) as u64));
            10 * at
        };
        let result = threads.each(count, together, compute, |at, value| {
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
                for together in 0..=count.min(3) {
                    assert_eq!(taken(&threads, count, together, usize::MAX), (expected.clone(), Ok(())));
                }
            }
        }
    }

    #[test]
    fn nothing_is_taken_after_an_error() {
        let threads = Threads::new(Some(2), true).unwrap();
        assert_eq!(taken(&threads, 9, 0, 2), (vec![(0, 0), (1, 10), (2, 20)], Err(2)));
    }

    #[test]
    fn a_lane_has_a_thread_to_itself_and_the_first_and_the_last_have_all() {
        let threads = Threads::new(Some(4), true).unwrap();
        let pools = |count, together| {
            let mut pools = Vec::new();
            let compute = |_| (rayon::current_num_threads(), threads.side_by_side());
            let taken = threads.each(count, together, compute, |_, of| {
                pools.push(of);
                Ok::<(), ()>(())
            });
            taken.unwrap();
            pools
        };
        let (apart, shared) = ((1, 4), (4, 1));
        assert_eq!(pools(5, 0), [apart, apart, apart, apart, shared]);
        assert_eq!(pools(6, 1), [shared, apart, apart, apart, apart, shared]);
        // Most of the lanes have something to do.
        assert_eq!(pools(3, 0), [apart; 3]);
        assert_eq!(pools(2, 0), [shared; 2]);
    }
}
