//! Tells the linker where libtorch lies, so that no environment variable is needed to run, and whoever links this crate
//! which libtorch is at hand.

use std::path::{Path, PathBuf};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let libtorch = std::env::var("LIBTORCH").map(PathBuf::from).unwrap_or_default();
    let version = version(&libtorch);
    if let Some(version) = &version {
        println!("cargo::metadata=libtorch_version={version}");
    }
    if std::env::var_os("CARGO_FEATURE_LIBTORCH").is_none() {
        return;
    }
    // The real path: CUDA libraries find each other relative to it.
    let lib = libtorch.join("lib").canonicalize().unwrap_or_else(|error| {
        panic!("no libtorch in LIBTORCH={:?} ({error})\nhint: run `make setup` first, or build without the feature libtorch", libtorch.display())
    });
    println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    println!("cargo::metadata=libtorch_lib={}", lib.display());
    println!("cargo::rustc-env=STRATA_LIBTORCH_VERSION={}", version.as_deref().unwrap_or("?"));
}

/// Every libtorch, from a wheel or not, states its version in a header.
fn version(libtorch: &Path) -> Option<String> {
    let header = libtorch.join("include/torch/csrc/api/include/torch/version.h");
    let text = std::fs::read_to_string(header).ok()?;
    let number = |part: &str| {
        let define = format!("#define TORCH_VERSION_{part} ");
        text.lines().find_map(|line| line.strip_prefix(&define)).unwrap_or("?").trim().to_owned()
    };
    Some([number("MAJOR"), number("MINOR"), number("PATCH")].join("."))
}
