//! Gives the program and its tests the run-time path of libtorch that `strata-bert` was built with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_STRATA_BERT_LIBTORCH_LIB");
    let lib = std::env::var("DEP_STRATA_BERT_LIBTORCH_LIB").expect("strata-bert names its libtorch");
    // An installed program finds its libraries beside itself; a built one where it was built.
    println!("cargo::rustc-link-arg=-Wl,-rpath,$ORIGIN/../lib/strata");
    println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
}
