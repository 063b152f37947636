//! `strata` with libtorch, for what that has a part in.

fn main() {
    strata::behind(std::env::args_os());
}
