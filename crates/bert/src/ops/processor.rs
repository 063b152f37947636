//! Which kernels the processor has, and may use.

use std::sync::LazyLock;

use strata_kernels::Kernels;

use crate::Error;

/// A variable that leaves newer instructions alone, so that what computes without them can be tested and
/// compared on a processor that has them.
const VARIABLE: &str = "STRATA_CPU";

/// What it may say, from the newest: `avx512` is without tile registers (AMX).
const SETS: [&str; 3] = ["avx512", "avx2", "portable"];
/// What it says for no kernels at all: the backend's own operators.
const NOTHING: &str = "none";

/// The fastest of the processor that [`VARIABLE`] leaves, if it leaves any.
pub(crate) fn kernels() -> Option<Kernels> {
    static KERNELS: LazyLock<Option<Kernels>> = LazyLock::new(|| match std::env::var(VARIABLE).as_deref() {
        Ok(NOTHING) => None,
        Ok(newest) => {
            let left: Vec<&str> = SETS.into_iter().skip_while(|set| *set != newest).collect();
            Kernels::all().into_iter().find(|kernels| left.contains(&kernels.name()))
        }
        Err(_) => Kernels::all().into_iter().next(),
    });
    #[cfg(test)]
    if tests::WITHOUT_KERNELS.get() {
        return None;
    }
    *KERNELS
}

/// Whether there are any.
pub(crate) fn has_kernels() -> bool {
    kernels().is_some()
}

/// Whether they multiply bfloat16.
pub(crate) fn has_bfloat16() -> bool {
    kernels().is_some_and(Kernels::has_bfloat16)
}

/// Whether bfloat16 may well be slower than float32 with them.
pub(crate) fn is_slow_in_bfloat16() -> bool {
    kernels().is_some_and(Kernels::is_slow_in_bfloat16)
}

/// Whether bfloat16 is faster than int8 with them.
pub(crate) fn is_fast_in_bfloat16() -> bool {
    kernels().is_some_and(Kernels::has_tiles)
}

/// Whether they multiply int8.
pub(crate) fn has_int8() -> bool {
    kernels().is_some_and(Kernels::has_int8)
}

/// Refuses a value of [`VARIABLE`] that says nothing.
///
/// # Errors
/// It is none of those that it may be.
pub(crate) fn check() -> Result<(), Error> {
    match std::env::var_os(VARIABLE) {
        Some(value) if value != NOTHING && !SETS.iter().any(|set| value == *set) => Err(Error::Option {
            what: "value of STRATA_CPU",
            found: value.to_string_lossy().into_owned(),
            expected: "avx512 (no tile registers), avx2, portable or none (no kernels at all)",
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::cell::Cell;

    thread_local! {
        pub(super) static WITHOUT_KERNELS: Cell<bool> = const { Cell::new(false) };
    }

    /// What `compute` gives on this thread where no kernels are.
    pub(crate) fn without_kernels<T>(compute: impl FnOnce() -> T) -> T {
        WITHOUT_KERNELS.set(true);
        let result = compute();
        WITHOUT_KERNELS.set(false);
        result
    }
}
