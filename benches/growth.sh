#!/bin/bash
# How the time of a simulated rebuild of a whole suite, the scheduler included, grows with the architectures.
#
# usage: growth.sh [SUITE] [PLOT.svg]
#   SUITE (default trixie) self-hosted with 1000 slots, for one architecture, two, ... eight; needs a Debian mirror, from the
#   host's own apt configuration. Prints a table, and writes the plot if it is given a name for it.
#
# OPTIONS are passed to archmill (--cache DIR, --without-suite NAME, --no-check-valid-until, ...).
set -euo pipefail
export LC_ALL=C
[[ ${1:-} != -* ]] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
suite=${1:-trixie} plot=$(realpath -m "${2:-/dev/null}")
cd "$(dirname "$0")/.."
cargo build --quiet --release -p archmill
archmill=${CARGO_TARGET_DIR:-target}/release/archmill
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
all=(amd64 arm64 armhf armel i386 ppc64el riscv64 s390x)
for count in $(seq ${#all[@]}); do
    {
        printf '[farm]\nsuite = "%s"\npolicy = "x86-only"\n[[farm.component]]\nname = "main"\narchitectures = [' "$suite"
        printf '"%s", ' "${all[@]:0:count}"
        printf ']\n[farm.machines.x86_64]\nslots = 1000\n'
    } > "$work/farm.toml"
    # The first time also makes what is cached of the suite.
    for _ in $(seq $((count == 1 ? 2 : 1))); do
        # shellcheck disable=SC2086
        "$archmill" simulate "$work/farm.toml" ${OPTIONS:-} > "$work/$count" 2> "$work/said" || { cat "$work/said" >&2; exit 1; }
    done
done
python3 - "$work" ${#all[@]} "$plot" "$suite" <<'PY'
import re, sys
work, count, plot, suite = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]
rows = []
for arches in range(1, count + 1):
    text = open(f"{work}/{arches}").read()
    def find(pattern):
        return re.search(pattern, text).groups()
    builds, = find(r"^(\d+) builds:")
    needs, planned = find(r"(\d+) needs;.* planned in ([\d.]+) s")
    events, seconds, median, high, longest = find(
        r"(\d+) events, ([\d.]+) s in all: median ([\d.]+ \S+), 99\.9 % below ([\d.]+ \S+), longest ([\d.]+ \S+)")
    rows.append((arches, int(builds), int(needs), float(planned), int(events), float(seconds), median, high, longest))
print("| architectures | builds | needs | planning s | events | scheduling s | median | 99.9 % | longest |")
print("|---|---|---|---|---|---|---|---|---|")
for row in rows:
    arches, builds, needs, planned, events, seconds, *rest = row
    print(f"| {arches} | {builds:,} | {needs:,} | {planned:.1f} | {events:,} | {seconds:.1f} | " + " | ".join(rest) + " |")

WIDTH, HEIGHT, LEFT, BOTTOM = 700, 320, 60, 50
most_x = max(row[1] for row in rows) * 1.05
most_y = max(row[3] + row[5] for row in rows) * 1.15
x = lambda builds: LEFT + builds / most_x * (WIDTH - LEFT - 20)
y = lambda seconds: HEIGHT - BOTTOM - seconds / most_y * (HEIGHT - BOTTOM - 20)
parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
         f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>']
def text(at_x, at_y, what, anchor="middle"):
    parts.append(f'<text x="{at_x:.1f}" y="{at_y:.1f}" text-anchor="{anchor}">{what}</text>')
def line(points, colour, dash=""):
    joined = " ".join(f"{x(builds):.1f},{y(seconds):.1f}" for builds, seconds in points)
    parts.append(f'<polyline points="{joined}" fill="none" stroke="{colour}" stroke-width="2" stroke-dasharray="{dash}"/>')
step = next(step for step in (1, 2, 5, 10, 20, 50, 100, 200) if most_y / step <= 6)
for seconds in range(0, int(most_y) + 1, step):
    parts.append(f'<line x1="{LEFT}" x2="{WIDTH - 20}" y1="{y(seconds):.1f}" y2="{y(seconds):.1f}" stroke="#ddd"/>')
    text(LEFT - 6, y(seconds) + 4, f"{seconds} s", "end")
for builds in range(0, int(most_x) + 1, 50_000):
    text(x(builds), HEIGHT - BOTTOM + 16, f"{builds:,}")
text((LEFT + WIDTH) / 2, HEIGHT - 10, f"builds ({suite}, self-hosted, 1,000 slots)")
first, last = rows[0], rows[-1]
line([(0, 0), (last[1], (first[3] + first[5]) / first[1] * last[1])], "#999", "5 4")
for colour, of in (("#1f6f8b", lambda row: row[3] + row[5]), ("#d9822b", lambda row: row[5])):
    line([(row[1], of(row)) for row in rows], colour)
    parts += [f'<circle cx="{x(row[1]):.1f}" cy="{y(of(row)):.1f}" r="3.5" fill="{colour}"/>' for row in rows]
for place, (colour, what) in enumerate((("#1f6f8b", "planning and scheduling"), ("#d9822b", "scheduling"),
                                        ("#999", "as one architecture, in proportion"))):
    parts.append(f'<rect x="{LEFT + 14}" y="{22 + place * 18}" width="12" height="4" fill="{colour}"/>')
    text(LEFT + 32, 28 + place * 18, what, "start")
parts.append("</svg>")
if plot != "/dev/null":
    open(plot, "w").write("\n".join(parts) + "\n")
PY
