//! Tells the linker where libtorch lies, so that no environment variable is needed to run.

use std::path::PathBuf;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let libtorch = std::env::var("LIBTORCH").map(PathBuf::from).unwrap_or_default();
    // The real path: CUDA libraries find each other relative to it.
    let lib = libtorch.join("lib").canonicalize().unwrap_or_else(|error| {
        panic!(
            "no libtorch in LIBTORCH={:?} ({error})\nhint: run `make setup` first",
            libtorch.display()
        )
    });
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo::metadata=libtorch_lib={}", lib.display());
}
