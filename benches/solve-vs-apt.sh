#!/bin/bash
# Compares archmill-solve with apt: the base set of a root, and for source packages what
# `apt-get --simulate build-dep --arch-only` installs into that root.
#
# usage: solve-vs-apt.sh [--sample N] [--first] SUITE ARCH [SOURCE...]
#   without arguments: the packages named below, each suite for arm64, armhf and amd64
#   --sample N   N source packages spread evenly over the suite instead of named ones
#   --first      only the first alternative of a build dependency, as Debian's build machines have it
#
# Needs apt and a Debian mirror: MIRROR=URL, or the first one in the host's own apt configuration.
# Everything is kept below CACHE (default ~/.cache/archmill/solve-vs-apt); nothing on the host changes.
# Exits with 1 if there is any difference.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
CACHE=${CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/archmill/solve-vs-apt}
trixie="dash lua5.4 libyaml bzip2 less libinih libxml2 sqlite3 glib2.0 cairo tar jansson nettle"
bookworm="hello zlib xz-utils jq json-c bc"

sample=0
alternatives=--all
while [[ ${1:-} == --* ]]; do
    case $1 in
        --sample) sample=$2; shift 2 ;;
        --first) alternatives=; shift ;;
        *) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2 ;;
    esac
done

if [[ $# -eq 0 ]]; then
    failed=0
    options=()
    [[ $alternatives ]] || options=(--first)
    for arch in arm64 armhf amd64; do
        # shellcheck disable=SC2086
        "$0" "${options[@]}" trixie $arch $trixie || failed=1
        # shellcheck disable=SC2086
        "$0" "${options[@]}" bookworm $arch $bookworm || failed=1
    done
    exit $failed
fi

suite=$1 arch=$2
shift 2
mirror=${MIRROR:-$(sed -n -E 's/^(URIs:|deb( \[[^]]*\])?) *(https?:[^ ]*debian\/?)( .*)?$/\3/p' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.{list,sources} 2>/dev/null | head -n 1 || true)}
[[ $mirror ]] || { echo "no Debian mirror in /etc/apt; set MIRROR=URL" >&2; exit 2; }

dir=$CACHE/$suite-$arch
mkdir -p "$dir"/{etc/apt.conf.d,etc/preferences.d,etc/trusted.gpg.d,lists/partial,cache/archives/partial,log}
: > "$dir/empty"
cat > "$dir/apt.conf" <<END
Dir "$dir";
Dir::Etc "$dir/etc";
Dir::Etc::sourcelist "$dir/sources.list";
Dir::Etc::sourceparts "$dir/etc/none";
Dir::State "$dir";
Dir::State::lists "$dir/lists";
Dir::Cache "$dir/cache";
Dir::Log "$dir/log";
APT::Architecture "$arch";
#clear APT::Architectures;
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Debug::NoLocking "true";
END
export LC_ALL=C APT_CONFIG=$dir/apt.conf
simulate() { apt-get -qq --simulate -o Dir::State::status="$dir/$1" "${@:2}" 2>"$dir/apt.err"; }
installs() { sed -n -E 's/^Inst ([^ ]+) (\[[^]]*\] )?\(([^ ]+) .*/\1 \3/p' | LC_ALL=C sort; }
removals() { sed -n -E 's/^Remv ([^ ]+) \[([^]]*)\].*/-\1 \2/p' | LC_ALL=C sort; }

# Mirrors are at times caught halfway through a change, with indices that do not match their Release
# file. For a comparison they are good enough, as a local repository that is trusted as it is.
unverified() {
    mkdir -p "$dir/local"
    local index
    for index in binary-$arch/Packages source/Sources; do
        /usr/lib/apt/apt-helper -qq download-file "$mirror/dists/$suite/main/$index.xz" "$dir/index.xz"
        xz -dc "$dir/index.xz" > "$dir/local/${index#*/}"
    done
    printf '%s [trusted=yes] file:%s ./\n' deb "$dir/local" deb-src "$dir/local" > "$dir/sources.list"
    rm -rf "$dir/lists" && mkdir -p "$dir/lists/partial"
    apt-get -qq update
    echo "$suite $arch: the mirror's indices do not match its Release file; compared without verification"
}
newest=$(find -L "$dir/lists" -name '*_Packages' -mmin -720 | head -n 1)
if [[ ! $newest ]]; then
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    printf "%s [signed-by=$keyring check-valid-until=no] $mirror $suite main\n" deb deb-src > "$dir/sources.list"
    apt-get -qq update 2>"$dir/apt.err" || unverified
fi
packages=$(find "$dir/lists" -name '*_Packages' | head -n 1)
sources=$(find "$dir/lists" -name '*_Sources' | head -n 1)

(cd "$here" && cargo build --quiet --release -p archmill-solve --example solve_one)
solve() {
    "${CARGO_TARGET_DIR:-$here/target}/release/examples/solve_one" --arch "$arch" "${@:1:$#-1}" \
        --packages "$packages" --sources "$sources" -- ${!#} 2>"$dir/solve.err"
}

# A status file with these packages ("name version" lines) installed.
as_status() {
    awk -v RS= 'NR == FNR { n = split($0, lines, "\n"); for (i = 1; i <= n; i++) wanted[lines[i]] = 1; next }
        { name = version = text = ""; n = split($0, lines, "\n")
          for (i = 1; i <= n; i++) {
              if (lines[i] ~ /^Package: /) name = substr(lines[i], 10)
              if (lines[i] ~ /^Version: /) version = substr(lines[i], 10)
              if (lines[i] !~ /^(Filename|Size|MD5sum|SHA256|Description-md5): /) text = text lines[i] "\n"
          }
          if ((name " " version) in wanted) print text "Status: install ok installed\n" }' "$1" "$packages"
}

# The base set: essential and required packages first, then build-essential and apt into what that gives. As
# archmill-solve has it: where an essential package leaves the choice, usr-is-merged, not the one that converts a system.
extra=$(awk '/^Package: / { name = $2 } /^Priority: required$/ { print name }' "$packages" | sort -u)
extra+=$(grep -qE '^(Pre-)?Depends:.*usrmerge \| usr-is-merged' "$packages" && echo ' usr-is-merged' || true)
# shellcheck disable=SC2086
simulate empty install "?and(?essential,?architecture($arch))" $extra | installs > "$dir/base.1"
as_status "$dir/base.1" > "$dir/status.1"
simulate status.1 install build-essential apt | installs | LC_ALL=C sort - "$dir/base.1" > "$dir/base.apt"
as_status "$dir/base.apt" > "$dir/status"
solve --base "" | cut -d' ' -f1,2 | LC_ALL=C sort > "$dir/base.archmill"
differing=0
if ! diff "$dir/base.apt" "$dir/base.archmill" > "$dir/base.diff"; then
    differing=1
    echo "$suite $arch base: differs (< apt, > archmill)"
    grep '^[<>]' "$dir/base.diff"
fi
echo "$suite $arch base: $(wc -l < "$dir/base.apt") packages"

if [[ $sample -gt 0 ]]; then
    total=$(grep -c '^Package: ' "$sources")
    # shellcheck disable=SC2046
    set -- $(sed -n 's/^Package: //p' "$sources" | LC_ALL=C sort -u | awk -v every=$((total / sample)) 'NR % every == 0')
fi
names=$*
rm -rf "$dir/sets"
mkdir -p "$dir/sets"
solve $alternatives --new "$names" > "$dir/solved" || true
awk -v dir="$dir/sets" '/^# / { name = $2; sub(":$", "", name); file = dir "/" name ".archmill"
                                verdict = ($0 ~ / packages, [0-9]+ new, in /) ? "" : "none"
                                printf "" > file; if (verdict) print verdict > file; next }
    { print ($1 == "-" ? "-" $2 " " $3 : $1 " " $2) > file }' "$dir/solved"

same=0 count=0
for name in $names; do
    count=$((count + 1))
    what=$name
    if [[ ! $alternatives ]]; then
        solve --dsc "$name" > "$dir/$name.dsc"
        what=$dir/$name.dsc
    fi
    if simulate status build-dep --arch-only "$what" > "$dir/simulated"; then
        { installs; } < "$dir/simulated" > "$dir/sets/$name.apt"
        removals < "$dir/simulated" >> "$dir/sets/$name.apt"
    else
        echo none > "$dir/sets/$name.apt"
    fi
    rm -f "$dir/$name.dsc"
    if diff <(LC_ALL=C sort "$dir/sets/$name.apt") <(LC_ALL=C sort "$dir/sets/$name.archmill") > "$dir/sets/$name.diff"; then
        same=$((same + 1))
    else
        echo "$suite $arch $name: differs (< apt, > archmill)"
        grep '^[<>]' "$dir/sets/$name.diff"
        grep "^# $name: " "$dir/solved" || true
    fi
done
echo "$suite $arch: $same of $count source packages as apt; $(head -n 1 "$dir/solve.err")"
[[ $same -eq $count && $differing -eq 0 ]]
