//! Tells the linker where libtorch lies, so that no environment variable is needed to run.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    if std::env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }
    let libtorch = std::env::var("LIBTORCH").map(PathBuf::from).unwrap_or_default();
    // The real path: CUDA libraries find each other relative to it.
    let lib = libtorch.join("lib").canonicalize().unwrap_or_else(|error| {
        panic!("no libtorch in LIBTORCH={:?} ({error})\nhint: run `make setup` first, or build without libtorch: --no-default-features", libtorch.display())
    });
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo::metadata=libtorch_lib={}", lib.display());
    println!("cargo::rustc-env=STRATA_LIBTORCH_VERSION={}", version(&libtorch));
}

/// Every libtorch, from a wheel or not, states its version in a header.
fn version(libtorch: &Path) -> String {
    let header = libtorch.join("include/torch/csrc/api/include/torch/version.h");
    let text = std::fs::read_to_string(&header).unwrap_or_default();
    let number = |part: &str| {
        let define = format!("#define TORCH_VERSION_{part} ");
        text.lines().find_map(|line| line.strip_prefix(&define)).unwrap_or("?").trim().to_owned()
    };
    [number("MAJOR"), number("MINOR"), number("PATCH")].join(".")
}
