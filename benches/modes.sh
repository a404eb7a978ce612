#!/bin/bash
# Builds packages natively for amd64 and in each mode for a foreign architecture, and prints CPU seconds, ratios, and
# whether accelerated and emulated packages are the same bit for bit.
#
# usage: modes.sh [--arch ARCH] [--suite SUITE] [--no-emulated] [--farm DIR [--emulated DIR]] [--data FILE.csv] [--plot FILE.svg] PACKAGE...
#   --farm DIR   take native and accelerated builds from the records of a rebuild, by the folder of its farm, in place of
#                making them; with no PACKAGE, all that were built there in both modes
#   --emulated DIR   the same for emulated builds: of a rebuild with ladder = ["emulated"]
#   --data FILE  add the figures to those of other days in this file (see modes.py), and print them all
#   ARCHMILL=path of the program, default target/release/archmill    OUT=folder for results, default /var/tmp/archmill-modes
#   OPTIONS=more options for each build, such as --no-check-valid-until
#
# "own" is what the programs that the package itself built took: it stays emulated, and is left out of the ratio.
# Records that are in OUT are not made again.
set -euo pipefail
archmill=$(realpath "${ARCHMILL:-target/release/archmill}")
out=${OUT:-/var/tmp/archmill-modes} arch=arm64 suite=trixie modes="accelerated emulated" farm='' slow='' plot='' data=''
while [[ ${1:-} == --* ]]; do
    case $1 in
        --arch) arch=$2; shift 2 ;;
        --suite) suite=$2; shift 2 ;;
        --no-emulated) modes=accelerated; shift ;;
        --farm) farm=$(realpath "$2"); shift 2 ;;
        --emulated) slow=$(realpath "$2"); shift 2 ;;
        --data) data=$(realpath -m "$2"); shift 2 ;;
        --plot) plot=$(realpath -m "$2"); shift 2 ;;
        *) sed -n '2,15s/^# \{0,1\}//p' "$0"; exit 2 ;;
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
exec python3 "$(dirname "$0")/modes.py" --records "$out" --suite "$suite" --arch "$arch" ${data:+--data "$data"} ${plot:+--plot "$plot"} "$@"
