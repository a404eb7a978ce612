#!/bin/bash
# How long rebuilds would take, how near that is to the lower bound, and what the scheduler takes for an event.
#
# usage: simulate.sh [SUITE]
#   first the archive and the fleet of Apertis' concept document, made up, in both models; then its packages on the machines
#   of a hybrid farm; then the whole of SUITE (default trixie) for every architecture that archmill knows and the suite has,
#   self-hosted, with 1000 slots.
#
# ARCHES="amd64 arm64" takes others. OPTIONS are passed to archmill (--cache DIR, --no-check-valid-until, ...). SUITE needs a
# Debian mirror, from the host's own apt configuration; SUITE=none leaves it out.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/.."
[[ ${1:-} != -* ]] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
suite=${1:-trixie}
cargo build --quiet --release -p archmill
archmill=${CARGO_TARGET_DIR:-target}/release/archmill
farm=$(mktemp --suffix .toml)
trap 'rm -f "$farm"' EXIT

for model in against-upstream self-hosted; do
    printf '\n== the concept document, %s, without twins\n' $model
    "$archmill" simulate examples/apertis.toml --model $model
done

{
    sed '/^ladder/d; /^\[farm.machines/,$d' examples/apertis.toml
    printf '[farm.machines.x86_64]\nslots = 30\n[farm.machines.aarch64]\nslots = 15\naarch32 = true\n'
} > "$farm"
for model in against-upstream self-hosted; do
    printf '\n== its packages with twins, 45 x86-64 slots for all, %s\n' $model
    "$archmill" simulate "$farm" --model $model --slots x86_64=45
    printf '\n== its packages with twins, 30 x86-64 and 15 arm64 slots, %s\n' $model
    "$archmill" simulate "$farm" --model $model \
        --policy native-only --policy hybrid --policy x86-only
done

[[ $suite != none ]] || exit 0
arches=${ARCHES:-amd64 arm64 armhf armel i386 ppc64el riscv64 s390x}
{
    printf '[farm]\nsuite = "%s"\npolicy = "x86-only"\n[[farm.component]]\nname = "main"\narchitectures = [' "$suite"
    printf '"%s", ' $arches
    printf ']\n[farm.machines.x86_64]\nslots = 1000\n'
} > "$farm"
printf '\n== %s: %s; 1000 slots\n' "$suite" "$arches"
# shellcheck disable=SC2086
time "$archmill" simulate "$farm" ${OPTIONS:-}
