# Daily chores; `just` lists them.

# Everything that must pass
test:
    scripts/test

# Quick check while writing
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings

# Fuzz one parser for a minute: just fuzz relations
fuzz target seconds="60":
    cd fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run {{target}} -- -max_total_time={{seconds}}

# Compare making a root and building with mmdebstrap, apt and dpkg-buildpackage
bench:
    benches/peer.sh
