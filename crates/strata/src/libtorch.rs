//! `strata` with libtorch, for what `strata` does not do without.

fn main() {
    #[cfg(unix)]
    strata::behind(std::env::args_os());
    #[cfg(not(unix))]
    strata::main(std::env::args_os(), None);
}
