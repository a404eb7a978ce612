#!/bin/bash
# Measures QEMU's user-mode emulators: CPU seconds (user + system) of what Debian builds do most, for each QEMU
# version and CPU model. docs/qemu.md has results and what was chosen by them.
#
# Needs root or a working `unshare -Urm`, Linux 6.7 or newer, mmdebstrap, curl, xz, and about 1 GB of disk for each
# root. Nothing is registered on the host: binfmt_misc is mounted in a user namespace that ends with the run.
set -euo pipefail

usage() {
    cat <<'USAGE'
usage: benches/qemu.sh [options]
  --arch ARCH      Debian architecture to measure (default arm64; amd64 gives the native figures)
  --suite SUITE    suite whose programs are run (default trixie)
  --qemu LIST      suites to take QEMU from, comma-separated (default bookworm,trixie,sid)
  --models LIST    CPU models, space-separated, "default" for the emulator's own (default: a list for ARCH)
  --repeat N       runs of each task; the least CPU time counts (default 2)
  --mirror URL     Debian mirror (default: the one in the host's apt configuration)
  --work DIR       where emulators and roots are kept for the next run (default $TMPDIR/archmill-bench-qemu)
USAGE
}

arch=arm64 suite=trixie qemu_suites=bookworm,trixie,sid models='' repeat=2 mirror=''
work=${TMPDIR:-/tmp}/archmill-bench-qemu
while [ $# -gt 0 ]; do
    case $1 in
        --arch) arch=$2 ;;
        --suite) suite=$2 ;;
        --qemu) qemu_suites=$2 ;;
        --models) models=$2 ;;
        --repeat) repeat=$2 ;;
        --mirror) mirror=$2 ;;
        --work) work=$2 ;;
        --help) usage; exit 0 ;;
        *) usage >&2; exit 2 ;;
    esac
    shift 2
done

# Each architecture: QEMU's name for it, its GNU triplet, the models worth comparing.
case $arch in
    amd64) qemu='' list=native ;;
    arm64)
        qemu=aarch64
        list='default max,pauth-impdef=on max,pauth=off cortex-a53 cortex-a57 cortex-a72 cortex-a76 neoverse-n1'
        ;;
    armhf) qemu=arm list='default cortex-a7 cortex-a15 max' ;;
    riscv64) qemu=riscv64 list='default rv64 max sifive-u54' ;;
    ppc64el) qemu=ppc64le list='default power8 power9 power10' ;;
    s390x) qemu=s390x list='default max' ;;
    *) echo "no measurements are defined for architecture $arch" >&2; exit 2 ;;
esac
[ -n "$models" ] || models=$list

if [ -z "$mirror" ]; then
    # The first URI in the host's configuration that has Debian's own suites: ends in /debian.
    mirror=$(apt-get indextargets --format '$(REPO_URI)' 2>/dev/null | grep -m1 '/debian/*$' || true)
    mirror=${mirror%/}
    [ -n "$mirror" ] || { echo 'no Debian mirror in the apt configuration: give --mirror URL' >&2; exit 2; }
fi

mkdir -p "$work"
root=$work/root-$suite-$arch

# fetch_qemu SUITE: unpacks the static emulators of a suite below $work/qemu-SUITE (amd64).
fetch_qemu() {
    local index=$work/Packages-$1 dir=$work/qemu-$1 package stanza
    [ -e "$dir/version" ] && return
    curl -fsS "$mirror/dists/$1/main/binary-amd64/Packages.xz" | xz -dc > "$index"
    # qemu-user holds the static programs from trixie on, qemu-user-static before.
    package=qemu-user
    [ "$1" = bookworm ] && package=qemu-user-static
    stanza=$(awk -v RS= -v name="Package: $package" 'index($0 "\n", name "\n") == 1' "$index")
    field() { sed -n "s/^$1: //p" <<< "$stanza"; }
    curl -fsS -o "$dir.deb" "$mirror/$(field Filename)"
    echo "$(field SHA256)  $dir.deb" | sha256sum --quiet -c
    rm -rf "$dir"
    dpkg-deb -x "$dir.deb" "$dir"
    field Version > "$dir/version"
    rm -f "$dir.deb" "$index"
}

# make_root: unpacks (without configuring) what the tasks run.
make_root() {
    [ -e "$root" ] && return
    rm -rf "$root.new"
    mmdebstrap --quiet --variant=extract --architectures="$arch" --skip=check/qemu \
        --include=bash,coreutils,dash,gcc,grep,libc6-dev,perl,sed,xz-utils "$suite" "$root.new" "$mirror"
    mv "$root.new" "$root"
}

# make_inputs: what the tasks work on, the same for every architecture.
make_inputs() {
    mkdir -p "$root/bench"
    # A C file of 12 functions: loops, a switch, string and floating-point work.
    for i in $(seq 12); do
        cat <<C
#include <stdio.h>
#include <string.h>
struct record$i { int kind; double weight; char name[32]; struct record$i *next; };
double walk$i(struct record$i *head, int limit, unsigned *table)
{
    double sum = $i;
    for (int n = 0; head && n < limit; head = head->next, n++) {
        switch (head->kind % 7) {
        case 0: sum += head->weight * n; break;
        case 1: table[n & 255] ^= (unsigned)sum << (n & 7); break;
        case 2: sum -= strlen(head->name); break;
        case 3: snprintf(head->name, sizeof head->name, "%d:%g", n, sum); break;
        case 4: for (int k = 0; k < 16; k++) table[k] += table[255 - k] * $i + k; break;
        default: sum = sum / (1 + head->weight);
        }
    }
    return sum;
}
C
    done > "$root/bench/medium.c"
    # 2 MB of words in a fixed pseudo-random order.
    awk 'BEGIN {
        for (x = 42; size < 2000000; size += length(word)) {
            x = (x * 16807) % 2147483647
            word = sprintf("w%x%s", x % 9000, x % 9 ? " " : "\n")
            printf "%s", word
        }
    }' > "$root/bench/text"
    cat > "$root/bench/configure" <<'SH'
cd /tmp
n=0
while [ $n -lt 4 ]; do
    n=$((n + 1))
    { echo '#include <stdlib.h>'; echo "int main(void) { return abs(-$n) - $n; }"; } > conftest$n.c
    if gcc -c -g -O2 conftest$n.c -o conftest$n.o 2> conftest.err && ! grep -q error conftest.err; then
        echo "have_$n=yes" | sed -e 's/^have_/ac_cv_/' -e 's/=/ = /' >> confdefs
    fi
    for word in alpha beta gamma delta; do
        case $(expr "X$word" : 'X\(.*\)') in a*) test -d /usr/$word ;; *) basename /usr/$word > /dev/null ;; esac
    done
    rm -f conftest$n.*
done
rm -f confdefs
SH
}

tasks='perl perl_x20 true_x50 gcc_O2 xz_6 configure'
task_command() {
    case $1 in
        perl) echo "perl -e 'my %h; for my \$i (1..400000) { \$h{\$i % 999} .= chr(65 + \$i % 26) } my \$n = 0;
            for (sort keys %h) { \$n += () = \$h{\$_} =~ /[AEIOU]\\w/g } print \"\$n\\n\"'" ;;
        perl_x20) echo 'i=0; while [ $i -lt 20 ]; do perl -e1; i=$((i + 1)); done' ;;
        true_x50) echo 'i=0; while [ $i -lt 50 ]; do /bin/true; i=$((i + 1)); done' ;;
        gcc_O2) echo 'gcc -O2 -g -fstack-protector-strong -c /bench/medium.c -o /tmp/medium.o' ;;
        xz_6) echo 'xz -6 -T1 -c /bench/text > /dev/null' ;;
        configure) echo 'sh /bench/configure' ;;
    esac
}

# The rest runs as root of a user namespace with a binfmt_misc of its own.
measure() {
    local le='\x7fELF' one='\xff\xff\xff\xff' elf e_type type_mask
    mount --make-rprivate /
    mount --bind "$root" "$root"
    mount --rbind /proc "$root/proc"
    mount --rbind /dev "$root/dev"
    mount -t tmpfs tmpfs "$root/tmp"
    if [ -n "$qemu" ]; then
        mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
        case $arch in
            arm64) elf='\x02\x01\x01' e_type='\x02\x00\xb7\x00' ;;
            armhf) elf='\x01\x01\x01' e_type='\x02\x00\x28\x00' ;;
            riscv64) elf='\x02\x01\x01' e_type='\x02\x00\xf3\x00' ;;
            ppc64el) elf='\x02\x01\x01' e_type='\x02\x00\x15\x00' ;;
            s390x) elf='\x02\x02\x01' e_type='\x00\x02\x00\x16' ;;
        esac
        type_mask='\xfe\xff\xff\xff'
        [ "$arch" = s390x ] && type_mask='\xff\xfe\xff\xff'
    fi
    local from version binary model task cpu
    for from in ${qemu_suites//,/ }; do
        [ -n "$qemu" ] || from=none
        version=native
        if [ "$from" != none ]; then
            version=$(sed 's/^1://; s/[+~-].*//' "$work/qemu-$from/version")
            binary=$work/qemu-$from/usr/bin/qemu-$qemu
            [ -e "$binary" ] || binary=$binary-static
            printf '%s' ":bench:M::$le$elf$(printf '\\x00%.0s' {1..9})$e_type:$one\xff\xff\xff\x00$one$one$type_mask:$binary:FPC" \
                > /proc/sys/fs/binfmt_misc/register
        fi
        for model in $models; do
            row="| $version | $model |"
            for task in $tasks; do
                cpu=$(least_cpu "$task" "$model")
                row="$row $cpu |"
            done
            echo "$row"
        done
        [ "$from" = none ] && break
        echo -1 > /proc/sys/fs/binfmt_misc/bench
    done
}

# least_cpu TASK MODEL: the least CPU seconds of $repeat runs, or "fails".
least_cpu() {
    local n times best='' TIMEFORMAT='%U %S'
    local -a environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8)
    case $2 in default | native) ;; *) environment+=("QEMU_CPU=$2") ;; esac
    for n in $(seq "$repeat"); do
        if ! times=$( { time env -i "${environment[@]}" chroot "$root" /bin/sh -c "$(task_command "$1")" \
            > /dev/null 2> "$work/stderr" ; } 2>&1); then
            echo fails
            return
        fi
        best=$(awk -v a="${best:-1e9}" '{ t = $1 + $2; printf "%.2f", (t < a) ? t : a }' <<< "$times")
    done
    echo "$best"
}

if [ -z "${BENCH_INSIDE:-}" ]; then
    if [ -n "$qemu" ]; then for s in ${qemu_suites//,/ }; do fetch_qemu "$s"; done; fi
    make_root
    make_inputs
    BENCH_INSIDE=1 exec unshare --user --map-root-user --mount -- "$0" --arch "$arch" --suite "$suite" --qemu "$qemu_suites" \
        --models "$models" --repeat "$repeat" --mirror "$mirror" --work "$work"
fi
echo "$arch programs of $suite, CPU seconds, least of $repeat runs"
echo
echo "| QEMU | CPU model | ${tasks// / | } |"
echo '|---|---|---|---|---|---|---|---|'
measure
