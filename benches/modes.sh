#!/bin/bash
# Builds packages natively for amd64 and in each mode for a foreign architecture, and prints CPU seconds, ratios, and
# whether accelerated and emulated packages are the same bit for bit.
#
# usage: modes.sh [--arch ARCH] [--suite SUITE] [--no-emulated] [--farm DIR [--emulated DIR]] [--plot FILE.svg] PACKAGE...
#   --farm DIR   take native and accelerated builds from the records of a rebuild, by the folder of its farm, in place of
#                making them; with no PACKAGE, all that were built there in both modes
#   --emulated DIR   the same for emulated builds: of a rebuild with ladder = ["emulated"]
#   ARCHMILL=path of the program, default target/release/archmill    OUT=folder for results, default /var/tmp/archmill-modes
#   OPTIONS=more options for each build, such as --no-check-valid-until
#
# "own" is what the programs that the package itself built took: it stays emulated, and is left out of the ratio.
set -euo pipefail
archmill=$(realpath "${ARCHMILL:-target/release/archmill}")
out=${OUT:-/var/tmp/archmill-modes} arch=arm64 suite=trixie modes="accelerated emulated" farm='' slow='' plot=''
while [[ ${1:-} == --* ]]; do
    case $1 in
        --arch) arch=$2; shift 2 ;;
        --suite) suite=$2; shift 2 ;;
        --no-emulated) modes=accelerated; shift ;;
        --farm) farm=$(realpath "$2"); shift 2 ;;
        --emulated) slow=$(realpath "$2"); shift 2 ;;
        --plot) plot=$(realpath -m "$2"); shift 2 ;;
        *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done
mkdir -p "$out"
if [[ $farm && $# == 0 ]]; then
    mapfile -t built < <(python3 - "$farm" "$suite" "$arch" <<'PY'
import sqlite3, sys
farm, suite, arch = sys.argv[1:]
rows = sqlite3.connect(f"file:{farm}/farm.sqlite?mode=ro", uri=True).execute(
    "SELECT source FROM package WHERE suite = ? AND target IN ('amd64', ?) AND state = 'succeeded' "
    "AND component != 'toolchains' GROUP BY source HAVING count(*) = 2 ORDER BY source", (suite, arch))
print("\n".join(source for source, in rows))
PY
    )
    set -- "${built[@]}"
fi
for package in "$@"; do
    for mode in native $modes; do
        target=$arch
        [ $mode != native ] || target=amd64
        folder=$out/$suite-$target-${package%%=*}-$mode
        [ ! -e "$folder/build-record.json" ] || continue
        from=$farm
        [ $mode != emulated ] || from=$slow
        if [[ $from ]]; then
            "$archmill" results "${package%%=*}" --arch "$target" --state "$from" --out "$folder" >/dev/null
        else
            # shellcheck disable=SC2086
            "$archmill" build "$package" --arch "$target" --suite "$suite" --mode $mode --build any --quiet ${OPTIONS:-} \
                --out "$folder" >"$folder.log" 2>&1 || echo "$package $mode: $(tail -n 1 "$folder.log")" >&2
        fi
    done
done
python3 - "$out" "$suite" "$arch" "$plot" "$@" <<'PY'
import json, math, statistics, sys
out, suite, arch, plot, *packages = sys.argv[1:]

def read(package, target, mode):
    try:
        record = json.load(open(f"{out}/{suite}-{target}-{package.split('=')[0]}-{mode}/build-record.json"))
    except OSError:
        return None
    # The last build of a farm may be of another mode.
    if record["outcome"].get("class") or record["request"]["mode"] != mode or record["request"]["suite"] != suite:
        return None
    cpu = sum(p["cpu_user_ms"] + p["cpu_system_ms"] for p in record["phases"] if p["phase"] == "build") / 1000
    system = ("/usr/", "/bin/", "/sbin/", "/lib", "(", "/dev/.twins/")
    used = record["resources"]["executables"]
    own = sum(e["cpu_ms"] for e in used if not e["path"].startswith(system)) / 1000
    # Records of archmill before its emulators had names by content: who was emulated was not known once another build began.
    if any(e["path"].endswith("(deleted)") for e in used):
        own = None
    debs = {a["name"]: a["sha256"] for a in record["artifacts"] if a["name"].endswith("deb")}
    return cpu, own, debs

def ninth(values):
    """The 90th percentile: the least value that nine of ten do not exceed."""
    return sorted(values)[math.ceil(0.9 * len(values)) - 1]

print(f"| package ({suite}, {arch}) | native s | own | accelerated s | own | emulated s | accelerated/native, own left out | with own | emulated/accelerated | same bits |")
print("|---|---|---|---|---|---|---|---|---|---|")
ratios, wholes, speedups, marks = [], [], [], []
for package in packages:
    native, fast, slow = read(package, "amd64", "native"), read(package, arch, "accelerated"), read(package, arch, "emulated")
    number = lambda value: "-" if value is None else f"{value:.1f}"
    ratio = (fast[0] - fast[1]) / (native[0] - native[1]) if native and fast and fast[1] is not None else None
    whole = fast[0] / native[0] if native and fast else None
    speedup = slow[0] / fast[0] if slow and fast else None
    ratios += [ratio] if ratio else []
    wholes += [whole] if whole else []
    speedups += [speedup] if speedup else []
    if whole:
        marks.append((package, ratio, whole, slow[0] / native[0] if slow else None))
    same = "-" if not slow or not fast else "yes" if slow[2] == fast[2] else "NO"
    cells = [native and native[0], native and native[1], fast and fast[0], fast and fast[1], slow and slow[0]]
    two = lambda value: "-" if value is None else f"{value:.2f}"
    print(f"| {package} | " + " | ".join(map(number, cells)) + f" | {two(ratio)} | {two(whole)} | {number(speedup)} | {same} |")
for values, what in ((ratios, "accelerated/native, own left out"), (wholes, "with own"), (speedups, "emulated/accelerated")):
    if values:
        print(f"\n{what}: {len(values)} packages, {min(values):.2f} to {max(values):.2f}, "
              f"median {statistics.median(values):.2f}, 90th percentile {ninth(values):.2f}")

if plot and marks:
    marks.sort(key=lambda mark: mark[2])
    WIDTH, LEFT, TOP, ROW = 760, 150, 46, 16
    height = TOP + ROW * len(marks) + 44
    everything = [value for mark in marks for value in mark[1:] if value]
    low, high = math.floor(math.log2(min(everything)) * 2) / 2, math.ceil(math.log2(max(everything)) * 2) / 2
    x = lambda value: LEFT + (math.log2(value) - low) / (high - low) * (WIDTH - LEFT - 30)
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">',
             f'<rect width="{WIDTH}" height="{height}" fill="white"/>']
    def text(at_x, at_y, what, anchor="middle"):
        parts.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}">{what}</text>')
    for tick in (0.5, 0.75, 1, 1.5, 2, 3, 4, 6, 8, 12, 16, 24, 32):
        if low <= math.log2(tick) <= high:
            width = 2 if tick == 1 else 1
            parts.append(f'<line x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="{TOP - 6}" y2="{height - 40}" stroke="#ccc" stroke-width="{width}"/>')
            text(x(tick), height - 24, f"{tick}×")
    text((LEFT + WIDTH) / 2, height - 6, f"times the CPU time of the native build (amd64), {arch}, {suite}")
    kinds = (("#1f6f8b", 1, "accelerated, own programs left out"), ("#d9822b", 2, "accelerated, all of it"),
             ("#9a3b3b", 3, "emulated"))
    for place, (package, *values) in enumerate(marks):
        middle = TOP + ROW * (place + 0.5)
        text(LEFT - 8, middle + 4, package, "end")
        for (colour, _, what), value in reversed(list(zip(kinds, values))):
            if value:
                parts.append(f'<circle cx="{x(value):.1f}" cy="{middle:.1f}" r="4" fill="{colour}"><title>{package}, {what}: {value:.2f}×</title></circle>')
    left = LEFT
    for colour, at, what in kinds:
        if any(mark[at] for mark in marks):
            parts.append(f'<circle cx="{left}" cy="18" r="4" fill="{colour}"/>')
            text(left + 9, 22, what, "start")
            left += 30 + 6.5 * len(what)
    parts.append("</svg>")
    open(plot, "w").write("\n".join(parts) + "\n")
PY
