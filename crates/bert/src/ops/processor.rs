//! Which kernels the processor has, and may use.

use std::sync::LazyLock;

use strata_kernels::Kernels;

use crate::Error;

/// A variable that takes instructions away, so that what computes without them can be tested and
/// compared on a processor that has them: `avx512` leaves AVX-512 without tile registers (AMX),
/// `portable` no kernels at all.
const VARIABLE: &str = "STRATA_CPU";

/// Those that the processor has and [`VARIABLE`] leaves, if any.
pub(crate) fn kernels() -> Option<Kernels> {
    static KERNELS: LazyLock<Option<Kernels>> = LazyLock::new(|| match std::env::var(VARIABLE).as_deref() {
        Ok("portable") => None,
        Ok("avx512") => Kernels::detect().map(Kernels::without_tiles),
        _ => Kernels::detect(),
    });
    #[cfg(test)]
    if tests::WITHOUT_KERNELS.get() {
        return None;
    }
    *KERNELS
}

/// Whether they multiply bfloat16.
pub(crate) fn has_bfloat16() -> bool {
    kernels().is_some_and(Kernels::has_bfloat16)
}

/// Refuses a value of [`VARIABLE`] that says nothing.
///
/// # Errors
/// It is neither of its two.
pub(crate) fn check() -> Result<(), Error> {
    match std::env::var_os(VARIABLE) {
        Some(value) if value != "portable" && value != "avx512" => Err(Error::Option {
            what: "value of STRATA_CPU",
            found: value.to_string_lossy().into_owned(),
            expected: "avx512 (no tile registers) or portable (no kernels at all)",
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
