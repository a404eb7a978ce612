#!/bin/bash
# archmill beside mmdebstrap, apt-get build-dep and dpkg-buildpackage: the same packages, already downloaded, the same
# QEMU and CPU model. Prints wall and CPU seconds of each and the ratios. Run as root.
#
# Usage: benches/peer.sh ARCH PACKAGE [SUITE [OPTION...]]
#   OPTION: of archmill's, such as --without-suite trixie-security where a mirror is out of step
#   ARCHMILL=path of the program, default target/release/archmill    RUNS=builds of each kind (2; 0: roots only)
set -euo pipefail
arch=${1:?architecture} package=${2:?package} suite=${3:-trixie}
options=("${@:4}")
archmill=$(realpath "${ARCHMILL:-target/release/archmill}")
[ "$(id -u)" = 0 ] || { echo "must be root" >&2; exit 1; }
command -v mmdebstrap >/dev/null || apt-get install -y -q mmdebstrap >/dev/null

cache=${ARCHMILL_CACHE:-/var/cache/archmill}
work=$(mktemp -d /var/tmp/peer.XXXXXX)
# Roots are made by another user than the host's root, who must get at the cache in it.
chmod 755 "$work"
bin=/proc/sys/fs/binfmt_misc
clean() {
    [ -e $bin/archmill-peer ] && echo -1 >$bin/archmill-peer
    rm -rf --one-file-system "$work"
}
trap clean EXIT

# measured NAME COMMAND...: wall and CPU (user and system) seconds into NAME_wall and NAME_cpu.
measured() {
    local name=$1 line
    shift
    TIMEFORMAT='%R %U %S'
    line=$({ time "$@" >>"$work/log" 2>&1; } 2>&1) || { tail -n 20 "$work/log" >&2; exit 1; }
    read -r wall user sys <<<"$line"
    printf -v "${name}_wall" %s "$wall"
    printf -v "${name}_cpu" %s "$(awk "BEGIN { print $user + $sys }")"
}
phase() { # CPU seconds of a phase of a record
    python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(sum(p["cpu_user_ms"]+p["cpu_system_ms"] for p in r["phases"] if p["phase"]==sys.argv[2])/1000)' "$1" "$2"
}
ratio() { awk "BEGIN { printf \"%.2f\", $1 / $2 }"; }

echo "downloading, and finding out which packages"
# A hook ends this one before the build; its record names all packages.
"$archmill" build "$package" --arch "$arch" --suite "$suite" "${options[@]}" --quiet --out "$work/result" --hook setup=false 2>>"$work/log" || true
record=$work/result/build-record.json
get() { python3 -c 'import json,sys; r=json.load(open(sys.argv[1])); print(eval(sys.argv[2]) or "")' "$record" "$1"; }

# Ours: nothing but downloads cached, then everything cached.
mkdir "$work/cache"
cp -al "$cache/pool" "$cache/lists" "$work/cache/"
qemu=$(get '(r["inputs"]["emulator"] or {}).get("deb",{}).get("sha256")')
measured ours_root env ARCHMILL_CACHE="$work/cache" \
    "$archmill" shell "$package" --arch "$arch" --suite "$suite" "${options[@]}" --no-source -- true
# Build dependencies away again: their layers are those that stand on another.
grep -l '"parent": "' "$work"/cache/layers/*/layer.json | while read -r layer; do rm -rf "${layer%/*}"; done
measured ours_deps env ARCHMILL_CACHE="$work/cache" \
    "$archmill" shell "$package" --arch "$arch" --suite "$suite" "${options[@]}" --no-source -- true
# Once unmeasured: the source is unpacked and kept.
ARCHMILL_CACHE="$work/cache" "$archmill" shell "$package" --arch "$arch" --suite "$suite" "${options[@]}" -- true 2>>"$work/log"
measured ours_warm env ARCHMILL_CACHE="$work/cache" \
    "$archmill" shell "$package" --arch "$arch" --suite "$suite" "${options[@]}" -- true

# The peer.
model=$(get '(r["inputs"]["emulator"] or {}).get("cpu_model")')
if [ -n "$qemu" ]; then
    program=$(get 'r["inputs"]["emulator"]["deb"]["program"]')
    [ -e $bin/register ] || mount -t binfmt_misc binfmt_misc $bin
    case $arch in
    arm64) head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' ;;
    armhf) head='\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00' ;;
    riscv64) head='\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00' ;;
    *) echo "no binfmt line for $arch here" >&2; exit 1 ;;
    esac
    mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
    echo ":archmill-peer:M::$head:$mask:$cache/unpacked/$qemu/files/$program:FP" >$bin/register
    [ -z "$model" ] || export QEMU_CPU=$model
fi
mkdir "$work/debs"
python3 - "$record" "$cache/pool" "$work/debs" <<'PY'
import json, os, sys
record, pool, debs = sys.argv[1:]
for p in json.load(open(record))["inputs"]["packages"]:
    sha = p["sha256"]
    os.link(f"{pool}/{sha[:2]}/{sha}", f"{debs}/{p['name']}_{p['version'].replace(':', '%3a')}_{p['arch']}.deb")
PY
uris=$(python3 -c 'import json,sys
for r in json.load(open(sys.argv[1]))["inputs"]["repositories"]: print("deb", r["uri"], r["suite"], "main"); print("deb-src", r["uri"], r["suite"], "main")' "$record")
root=$work/root
measured peer_base mmdebstrap --mode=root --variant=buildd --architectures="$arch" \
    --setup-hook='mkdir -p "$1/var/cache/apt/archives"; cp '"$work"'/debs/*.deb "$1/var/cache/apt/archives/"' \
    --skip=check/qemu,cleanup/apt,cleanup/reproducible "$suite" "$root" - <<<"$uris"
cp "$work"/debs/*.deb "$root/var/cache/apt/archives/"
cp /etc/resolv.conf "$root/etc/"
measured peer_deps env DEBIAN_FRONTEND=noninteractive chroot "$root" apt-get -y -q --no-install-recommends \
    -o APT::Sandbox::User=root build-dep "$package"
echo
echo "root for $package, $suite $arch, packages downloaded${model:+, $model}:"
peer_wall=$(awk "BEGIN { print $peer_base_wall + $peer_deps_wall }") peer_cpu=$(awk "BEGIN { print $peer_base_cpu + $peer_deps_cpu }")
echo "  mmdebstrap + build-dep  $peer_wall s wall, $peer_cpu s CPU"
echo "  archmill                $ours_root_wall s wall, $ours_root_cpu s CPU   $(ratio "$peer_wall" "$ours_root_wall") times faster (wall), $(ratio "$peer_cpu" "$ours_root_cpu") (CPU)"
echo "  archmill, base cached   $ours_deps_wall s wall, $ours_deps_cpu s CPU   build-dep alone took the peer $peer_deps_wall s wall"
echo "  archmill, all cached    $ours_warm_wall s wall to a shell with the source unpacked"
[ "${RUNS:-2}" -gt 0 ] || exit 0

# The build.
mount -t proc proc "$root/proc"
trap 'umount "$root/proc"; clean' EXIT
mkdir -p "$root/build/reproducible-path"
cp "$cache"/pool/*/"$(get 'r["inputs"]["source"]["dsc"]["sha256"]')" "$root/build/reproducible-path/$(get 'r["inputs"]["source"]["dsc"]["name"]')"
python3 - "$record" "$cache/pool" "$root/build/reproducible-path" <<'PY'
import json, shutil, sys
record, pool, folder = sys.argv[1:]
for f in json.load(open(record))["inputs"]["source"]["files"]:
    shutil.copy(f"{pool}/{f['sha256'][:2]}/{f['sha256']}", f"{folder}/{f['name']}")
PY
chroot "$root" useradd -M -d /nonexistent buildd >>"$work/log" 2>&1
chroot "$root" chown -R buildd: /build
as_buildd() { chroot "$root" runuser -u buildd -- sh -c "cd /build/reproducible-path && $1"; }
# Both read their root from the disk: files just unpacked lie otherwise in the page cache than files read from it.
sync
echo 3 >/proc/sys/vm/drop_caches
peers=() ours=()
for _ in $(seq "${RUNS:-2}"); do
    as_buildd 'rm -rf tree && dpkg-source -x *.dsc tree' >>"$work/log" 2>&1
    # Both at once, so that whatever else slows this machine slows both: one after the other, equal builds differ by 10 %.
    {
        measured peer_build as_buildd "cd tree && DEB_BUILD_OPTIONS=parallel=$(nproc) dpkg-buildpackage -us -uc $(get '{"any":"-B","full":"-b","all":"-A"}[r["request"]["build_type"]]')"
        echo "$peer_build_cpu" >"$work/peer_build"
    } &
    ARCHMILL_CACHE="$work/cache" "$archmill" build "$package" --arch "$arch" --suite "$suite" "${options[@]}" --quiet --out "$work/result" >>"$work/ours.log" 2>&1
    wait $!
    peers+=("$(<"$work/peer_build")")
    ours+=("$(phase "$record" build)")
done
python3 - "$package" "${peers[*]}" "${ours[*]}" <<'PY'
import statistics, sys
peer, ours = ([float(s) for s in runs.split()] for runs in sys.argv[2:])
print(f"build of {sys.argv[1]}, CPU s of {len(peer)} runs each, both at the same time:")
for name, runs in ("dpkg-buildpackage in a plain chroot", peer), ("archmill", ours):
    print(f"  {name:36} least {min(runs):7.2f}  mean {statistics.mean(runs):7.2f}  {' '.join(f'{run:.1f}' for run in runs)}")
print(f"  ratio                                least {min(ours) / min(peer):7.2f}  mean {statistics.mean(ours) / statistics.mean(peer):7.2f}")
PY
