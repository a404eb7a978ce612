//! Running the program.

use std::path::Path;
use std::process::{Command, Output};

/// Whether tests may use a Debian mirror. Says so loudly if not.
pub(crate) fn network(test: &str) -> bool {
    let allowed = std::env::var_os("ARCHMILL_TEST_NETWORK").is_some();
    if !allowed {
        println!("SKIPPED (network): {test}; set ARCHMILL_TEST_NETWORK=1");
    }
    allowed
}

/// The cache that tests share, so that a package is downloaded once.
fn cache() -> String {
    std::env::var("ARCHMILL_TEST_CACHE")
        .unwrap_or_else(|_| concat!(env!("CARGO_TARGET_TMPDIR"), "/cache").to_owned())
}

/// Runs `archmill` with the shared cache.
pub(crate) fn archmill(arguments: &[&str], out: &Path) -> Output {
    let config = out.join("farm.toml");
    // However full this machine's disk is: what tests have downloaded is theirs to the end.
    std::fs::write(&config, "cache-keep-free = \"1M\"\n").unwrap();
    Command::new(env!("CARGO_BIN_EXE_archmill"))
        .args(arguments)
        .env("ARCHMILL_CACHE", cache())
        .env("ARCHMILL_CONFIG", config)
        .current_dir(out)
        .output()
        .unwrap()
}

/// What it said on standard error.
pub(crate) fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Runs `archmill` for a suite and says for which it was: where the mirror is out of step with itself there, for the
/// suite's alias, a folder of its own that mirrors update at another time.
pub(crate) fn archmill_in_step(
    before: &[&str],
    suite: &'static str,
    after: &[&str],
    out: &Path,
) -> (Output, &'static str) {
    let of = |suite: &str, more: &[&str]| archmill(&[before, &["--suite", suite], more, after].concat(), out);
    let usual = of(suite, &[]);
    if usual.status.code() != Some(4) || !said(&usual).contains("out of step") {
        return (usual, suite);
    }
    let alias = if suite == "bookworm" { "oldstable" } else { "stable" };
    println!("the mirror is out of step for {suite}; using {alias}");
    (of(alias, &["--no-check-valid-until"]), alias)
}
