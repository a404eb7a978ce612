//! Compiles the library in `library/`.

mod compile;

fn main() {
    println!("cargo::rerun-if-changed=compile.rs");
    compile::library("library.so", &[]);
}
