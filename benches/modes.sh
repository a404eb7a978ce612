#!/bin/bash
# Builds packages natively for amd64 and in each mode for a foreign architecture, and prints CPU seconds, ratios, and
# whether accelerated and emulated packages are the same bit for bit.
#
# usage: modes.sh [--arch ARCH] [--suite SUITE] [--no-emulated] PACKAGE...
#   ARCHMILL=path of the program, default target/release/archmill    OUT=folder for results, default /var/tmp/archmill-modes
#   OPTIONS=more options for each build, such as --no-check-valid-until
#
# "own" is what the programs that the package itself built took: it stays emulated, and is left out of the ratio.
set -euo pipefail
archmill=$(realpath "${ARCHMILL:-target/release/archmill}")
out=${OUT:-/var/tmp/archmill-modes} arch=arm64 suite=trixie modes="accelerated emulated"
while [[ ${1:-} == --* ]]; do
    case $1 in
        --arch) arch=$2; shift 2 ;;
        --suite) suite=$2; shift 2 ;;
        --no-emulated) modes=accelerated; shift ;;
        *) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
mkdir -p "$out"
for package in "$@"; do
    for mode in native $modes; do
        target=$arch
        [ $mode != native ] || target=amd64
        folder=$out/$suite-$target-${package%%=*}-$mode
        # shellcheck disable=SC2086
        [ -e "$folder/build-record.json" ] ||
            "$archmill" build "$package" --arch "$target" --suite "$suite" --mode $mode --build any --quiet ${OPTIONS:-} --out "$folder" \
                >"$folder.log" 2>&1 || echo "$package $mode: $(tail -n 1 "$folder.log")" >&2
    done
done
python3 - "$out" "$suite" "$arch" "$@" <<'PY'
import json, statistics, sys
out, suite, arch, *packages = sys.argv[1:]

def read(package, target, mode):
    try:
        record = json.load(open(f"{out}/{suite}-{target}-{package.split('=')[0]}-{mode}/build-record.json"))
    except OSError:
        return None
    if record["outcome"].get("class"):
        return None
    cpu = sum(p["cpu_user_ms"] + p["cpu_system_ms"] for p in record["phases"] if p["phase"] == "build") / 1000
    system = ("/usr/", "/bin/", "/sbin/", "/lib", "(", "/dev/.twins/")
    own = sum(e["cpu_ms"] for e in record["resources"]["executables"] if not e["path"].startswith(system)) / 1000
    debs = {a["name"]: a["sha256"] for a in record["artifacts"] if a["name"].endswith("deb")}
    return cpu, own, debs

print(f"| package ({suite}, {arch}) | native s | own | accelerated s | own | emulated s | accelerated/native, own left out | with own | emulated/accelerated | same bits |")
print("|---|---|---|---|---|---|---|---|---|---|")
ratios, speedups = [], []
for package in packages:
    native, fast, slow = read(package, "amd64", "native"), read(package, arch, "accelerated"), read(package, arch, "emulated")
    number = lambda value: "-" if value is None else f"{value:.1f}"
    ratio = (fast[0] - fast[1]) / (native[0] - native[1]) if native and fast else None
    whole = fast[0] / native[0] if native and fast else None
    speedup = slow[0] / fast[0] if slow and fast else None
    ratios += [ratio] if ratio else []
    speedups += [speedup] if speedup else []
    same = "-" if not slow or not fast else "yes" if slow[2] == fast[2] else "NO"
    cells = [native and native[0], native and native[1], fast and fast[0], fast and fast[1], slow and slow[0]]
    two = lambda value: "-" if value is None else f"{value:.2f}"
    print(f"| {package} | " + " | ".join(map(number, cells)) + f" | {two(ratio)} | {two(whole)} | {number(speedup)} | {same} |")
if ratios:
    print(f"\nmedian accelerated/native {statistics.median(ratios):.2f}, worst {max(ratios):.2f}")
if speedups:
    print(f"median emulated/accelerated {statistics.median(speedups):.1f}")
PY
