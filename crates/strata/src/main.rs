//! `strata` turns a column of text into columns of BERT layer vectors.

fn main() {
    strata::front(std::env::args_os());
}
