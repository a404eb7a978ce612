//! Compiles the library in `library/`, once for each kind of long double.

#[path = "../macros/compile.rs"]
mod compile;

fn main() {
    println!("cargo::rerun-if-changed=../macros/compile.rs");
    for bits in ["64", "128"] {
        let cfg = format!("bits=\"{bits}\"");
        compile::library(
            &format!("{bits}.so"),
            &["--cfg", &cfg, "--check-cfg", "cfg(bits,values(\"64\",\"128\"))"],
        );
    }
}
