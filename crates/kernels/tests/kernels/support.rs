//! Values, and kernels to be tried on them.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io::Write;
use std::mem::MaybeUninit;
use std::sync::Mutex;

use half::bf16;
use strata_kernels::{Element, Kernels};

/// The kernels of every instruction set that this processor has.
pub fn kernels_of<E: Number>(test: &'static str) -> Vec<Kernels> {
    let mut all = Kernels::all();
    all.retain(|kernels| !E::IS_BFLOAT16 || kernels.has_bfloat16());
    if all.is_empty() {
        say_skipped(test, "AVX-512 with bfloat16");
    }
    all
}

/// Says once on stderr itself, as the harness keeps the rest, what a test would need.
pub fn say_skipped(test: &'static str, needs: &str) {
    static SAID: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if SAID.lock().unwrap().insert(test) {
        let mut stderr = std::io::stderr();
        writeln!(stderr, "skipped: {test}, as this processor has no {needs}").unwrap();
    }
}

/// An element as a number.
pub trait Number: Element + Copy + PartialEq + Debug + Send + Sync {
    const IS_BFLOAT16: bool;

    fn new(value: f32) -> Self;
    fn exactly(self) -> f64;
}

impl Number for f32 {
    const IS_BFLOAT16: bool = false;

    fn new(value: f32) -> Self {
        value
    }

    fn exactly(self) -> f64 {
        self.into()
    }
}

impl Number for bf16 {
    const IS_BFLOAT16: bool = true;

    fn new(value: f32) -> Self {
        Self::from_f32(value)
    }

    fn exactly(self) -> f64 {
        self.to_f64()
    }
}

/// Numbers between -1 and 1 that look random.
pub fn numbers<E: Number>(seed: usize, count: usize) -> Vec<E> {
    (0..count).map(|at| E::new(((at * 7919 + seed * 104_729 + 17) % 1999) as f32 / 999.5 - 1.0)).collect()
}

/// What `fill` makes of so much memory.
pub fn filled<T>(count: usize, fill: impl FnOnce(&mut [MaybeUninit<T>]) -> &mut [T]) -> Vec<T> {
    let mut memory = Vec::with_capacity(count);
    let written = fill(&mut memory.spare_capacity_mut()[..count]).len();
    assert_eq!(written, count);
    // SAFETY: it was given back as written.
    unsafe { memory.set_len(count) };
    memory
}

/// Runs on a pool of so many threads.
pub fn on_threads<T: Send>(threads: usize, run: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(run)
}

/// Panics unless no value is farther from what is expected than `tolerance` times the largest.
pub fn assert_close<E: Number>(found: &[E], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    for (place, (found, expected)) in found.iter().zip(expected).enumerate() {
        let difference = (found.exactly() - expected).abs();
        assert!(difference <= tolerance * largest, "{place}: {found:?} is {difference:e} off {expected}");
    }
}
