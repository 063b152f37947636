//! Gives tests and examples the run-time path of libtorch that `strata-bert` was built with.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=DEP_STRATA_BERT_LIBTORCH_LIB");
    if let Ok(lib) = std::env::var("DEP_STRATA_BERT_LIBTORCH_LIB") {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{lib}");
    }
}
