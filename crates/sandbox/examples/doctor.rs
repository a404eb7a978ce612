//! Prints what this host provides: `cargo run -p archmill-sandbox --example doctor`.
fn main() {
    archmill_sandbox::init(archmill_sandbox::probe::TASKS);
    for finding in archmill_sandbox::probe::all(std::path::Path::new("/var/cache/archmill/probe")) {
        println!("{finding:?}");
    }
}
