#!/bin/bash
# Compares `archmill check` with dose-builddebcheck: the verdict for every source package, CPU time and memory.
#
# usage: solve-vs-dose.sh [SUITE:ARCH:ALTERNATIVES...]
#   SUITE:ARCH           native, such as bookworm:arm64
#   SUITE:BUILD>HOST     cross, with the profiles cross and nocheck, such as 'trixie:amd64>arm64'
#   ALTERNATIVES         all or first (dose: --deb-emulate-sbuild)
#   without arguments: what docs/solve.md has figures for
#
# archmill is told --versions any and --every-version, as dose knows no candidates and checks sources
# with Extra-Source-Only too. Both read the same files, both list what cannot be built without saying why.
# Needs dose-builddebcheck (Debian package of that name), GNU time and a Debian mirror: MIRROR=URL, or the
# first one in the host's own apt configuration. Everything is kept below CACHE (default
# ~/.cache/archmill/solve-vs-dose); indices younger than 12 hours are used again.
# Exits with 1 if a verdict differs, other than the differences that are known and documented.
set -euo pipefail
export LC_ALL=C
here=$(cd "$(dirname "$0")/.." && pwd)
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/archmill/solve-vs-dose}
[[ ${1:-} != -* ]] || { sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 2; }
if [[ $# -eq 0 ]]; then
    set -- bookworm:arm64:all bookworm:arm64:first bookworm:armhf:all bookworm:armhf:first \
        bookworm:amd64:all bookworm:amd64:first trixie:arm64:all trixie:arm64:first \
        sid:arm64:all sid:arm64:first 'trixie:amd64>arm64:all' 'trixie:amd64>arm64:first'
fi
for tool in dose-builddebcheck /usr/bin/time; do
    command -v $tool >/dev/null || { echo "cannot find $tool; install dose-builddebcheck and time" >&2; exit 2; }
done
mirror=${MIRROR:-$(sed -n -E 's/^(URIs:|deb( \[[^]]*\])?) *(https?:[^ ]*debian\/?)( .*)?$/\3/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | head -n 1 || true)}
[[ $mirror ]] || { echo "no Debian mirror in /etc/apt; set MIRROR=URL" >&2; exit 2; }
mkdir -p "$CACHE"

# The decompressed index of a suite: source/Sources or binary-ARCH/Packages.
index() {
    local file=$CACHE/$1-${2//\//-}
    if [[ ! $(find "$file" -mmin -720 2>/dev/null) ]]; then
        /usr/lib/apt/apt-helper -qq -o APT::Sandbox::User=root download-file "${mirror%/}/dists/$1/main/$2.xz" "$file.xz"
        xz -dc "$file.xz" > "$file.new"
        mv "$file.new" "$file"
        rm -f "$file.xz"
    fi
    echo "$file"
}

# Sources that dose calls broken, "name version" lines.
broken() { awk '/^ -$/ { getline; name = $2; getline; print name, $2 }' "$1" | sort -u; }
# "user sys kilobytes" of GNU time to CPU seconds and megabytes.
cpu() { tail -n 1 "$1" | awk '{ printf "%.1f", $1 + $2 }'; }
mb() { tail -n 1 "$1" | awk '{ printf "%d", $3 / 1024 }'; }

# What differs and is to: archive, source, who says broken, and the reason (docs/solve.md has more).
known=(
    'trixie amd64>arm64|fadecut|archmill|dose exchanges the gzip of the base, which is Essential, for that of the host architecture'
)
# Takes "< name version" and "> name version" lines for archive $1; marks what is known, prints all.
name_differences() {
    local side name version who text entry
    while read -r side name version; do
        [[ $side == '<' ]] && who=dose || who=archmill
        text="  only $who says broken: $name $version"
        for entry in "${known[@]}"; do
            [[ $entry != "$1|$name|$who|"* ]] || text="  known: ${text#  }: ${entry##*|}"
        done
        echo "$text"
    done
}

(cd "$here" && cargo build --quiet --release -p archmill)
archmill=${CARGO_TARGET_DIR:-$here/target}/release/archmill
row='| %-24s | %7s | %6s | %7s | %8s | %7s | %8s | %6s | %6s | %5s |\n'
# shellcheck disable=SC2059
printf "$row" archive sources broken "dose s" "dose MB" "ours s" "ours MB" time memory differ
# shellcheck disable=SC2059
printf "$row" --- --- --- --- --- --- --- --- --- ---
differing=0
for config in "$@"; do
    IFS=: read -r suite arch alternatives <<< "$config"
    build=${arch%>*} host=${arch#*>}
    sources=$(index "$suite" source/Sources)
    packages=("$(index "$suite" "binary-$build/Packages")")
    dose=(--deb-native-arch="$build")
    ours=(--arch "$build")
    if [[ $build != "$host" ]]; then
        packages+=("$(index "$suite" "binary-$host/Packages")")
        dose+=(--deb-host-arch="$host" --deb-profiles=cross,nocheck)
        ours=(--build-arch "$build" --host-arch "$host" --profiles cross,nocheck)
    fi
    [[ $alternatives == all ]] || dose+=(--deb-emulate-sbuild)
    work=$(mktemp -d "$CACHE/run.XXXXXX")
    trap 'rm -rf "$work"' EXIT
    /usr/bin/time -f '%U %S %M' -o "$work/dose.time" \
        dose-builddebcheck -f "${dose[@]}" "${packages[@]}" "$sources" > "$work/dose.yaml" || true
    /usr/bin/time -f '%U %S %M' -o "$work/ours.time" \
        "$archmill" check "${ours[@]}" --alternatives "$alternatives" --versions any --every-version \
        "${packages[@]/#/--packages=}" --sources "$sources" > "$work/ours" 2> "$work/ours.err" || true
    broken "$work/dose.yaml" > "$work/theirs.sorted"
    sort -u "$work/ours" > "$work/ours.sorted"
    diff "$work/theirs.sorted" "$work/ours.sorted" > "$work/diff" || true
    { grep '^[<>]' "$work/diff" || true; } | name_differences "$suite $arch" > "$work/differences"
    differ=$(wc -l < "$work/differences")
    unknown=$(grep -vc '^  known: ' "$work/differences" || true)
    times=$(awk -v a="$(cpu "$work/dose.time")" -v b="$(cpu "$work/ours.time")" 'BEGIN { printf "1/%d", a / b }')
    less=$(awk -v a="$(mb "$work/dose.time")" -v b="$(mb "$work/ours.time")" 'BEGIN { printf "1/%.1f", a / b }')
    # shellcheck disable=SC2059
    printf "$row" "$suite ${arch/>/ to } $alternatives" "$(awk '/^source-packages:/ { print $2 }' "$work/dose.yaml")" \
        "$(wc -l < "$work/theirs.sorted")" "$(cpu "$work/dose.time")" "$(mb "$work/dose.time")" \
        "$(cpu "$work/ours.time")" "$(mb "$work/ours.time")" "$times" "$less" "$differ"
    cat "$work/differences"
    [[ $unknown -eq 0 ]] || differing=1
    rm -rf "$work"
done
exit $differing
