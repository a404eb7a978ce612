//! The archmill command.
fn main() {}
