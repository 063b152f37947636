//! `strata` turns a column of text into columns of BERT layer vectors.

fn main() {
    #[cfg(all(feature = "libtorch", unix))]
    strata::front(std::env::args_os());
    #[cfg(not(all(feature = "libtorch", unix)))]
    strata::main(std::env::args_os(), None);
}
