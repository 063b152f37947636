//! Gives tests the run-time path of libtorch, which burn links where another crate of the build asks it to.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=LIBTORCH");
    let lib =
        std::env::var_os("LIBTORCH").and_then(|folder| Path::new(&folder).join("lib").canonicalize().ok());
    if let Some(lib) = lib {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{}", lib.display());
    }
}
