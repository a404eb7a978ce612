#!/bin/bash
# Builds, for the machine this runs on, the programs of the compiler that another architecture has as its own.
#
# Runs as the build user in a root that has the build dependencies of gcc and the target's binutils; the source lies
# unpacked by dpkg-source in the working folder. One argument says which step; `configure` takes the arguments of
# configure after it. The environment has:
#   ARCH     Debian's name of the target        TARGET   its GNU triplet, as the compiler was configured
#   VERSION  the folder below lib/gcc/TARGET     JOBS     how many jobs at a time
#   PREFIX, SUFFIX  of the names of programs      LIBEXEC  the folder that has gcc/TARGET/VERSION/cc1
#   OUT      where results go
# What the native compiler says of itself lies in OUT/native-configargs.h.
set -e
OBJ=$PWD/../toolchain-obj

# Compilers of languages that are not built need not be there, but configure asks for them.
export GNATBIND=gnatbind GNATMAKE=gnatmake GDC=gdc acx_cv_cc_gcc_supports_ada=yes acx_cv_d_compiler_works=yes
export CC=gcc CXX=g++ CFLAGS=-O2 CXXFLAGS=-O2 LDFLAGS=-Wl,-z,relro MAKEINFO=missing

step() { echo "== $*"; }

# Debian chooses patches by architecture. DEB_BUILD_* are the target's as well: so it was when the target built its own.
patch_source() {
    step "applying Debian's patches for $ARCH"
    native=$(dpkg-architecture -a "$ARCH" --force 2>/dev/null |
        sed -n -e '/^DEB_BUILD_/d' -e p -e 's/^DEB_HOST_/DEB_BUILD_/p')
    # shellcheck disable=SC2086
    env $native debian/rules unpack patch
}

# The compiler is to be laid out as one that runs on its target: /usr/lib/gcc, /usr/include, no system root. In gcc/
# these conditions ask for host and target for that and for nothing else; files of other names follow the target alone.
native_layout() {
    step "laying the compiler out as a native one"
    cp src/gcc/configure "$OUT/configure.before"
    sed -i 's/test x\$host != x\$target/false/' src/gcc/configure
    diff "$OUT/configure.before" src/gcc/configure && { echo "gcc/configure has no such condition"; exit 1; }
    rm "$OUT/configure.before"
}

configure() {
    patch_source
    native_layout
    step "configuring"
    mkdir -p "$OBJ"
    # The path is relative, as it can end up in messages.
    src=$(basename "$PWD")/src
    cd "$OBJ"
    ../"$src"/configure "$@"
    make -j"$JOBS" configure-gcc
    cp gcc/auto-host.h gcc/configargs.h "$OUT"
}

compile() {
    step "compiling"
    cd "$OBJ"
    make -j"$JOBS" all-build-libiberty all-build-libcpp all-libiberty all-libcpp all-libdecnumber all-libbacktrace \
        all-libcody all-lto-plugin
    cd gcc
    # "gcc -v" is to say what it says on the target.
    cp "$OUT/native-configargs.h" configargs.h
    # gcc/configure drops -O2; the Makefile above hands it down, and so has a make that is started here.
    make -j"$JOBS" CFLAGS="$CFLAGS" CXXFLAGS="$CXXFLAGS" xgcc xg++ cpp gfortran gcc-ar gcc-nm gcc-ranlib \
        collect2 lto-wrapper cc1 cc1plus cc1obj cc1objplus f951 lto1
}

# A package, as that is how programs travel. Beside it: who needs which library, and which package has that.
collect() {
    step "collecting the programs"
    rm -rf "$OUT/tree"
    programs=$OUT/tree${LIBEXEC}/gcc/$TARGET/$VERSION
    mkdir -p "$programs" "$OUT/tree/usr/bin" "$OUT/tree/DEBIAN"
    cd "$OBJ/gcc"
    for name in collect2 lto-wrapper cc1 cc1plus cc1obj cc1objplus f951 lto1; do
        strip -o "$programs/$name" $name
    done
    strip --strip-unneeded -o "$programs/liblto_plugin.so" ../lto-plugin/.libs/liblto_plugin.so
    chmod 0644 "$programs/liblto_plugin.so"
    bin=$OUT/tree/usr/bin/$PREFIX
    strip -o "${bin}gcc$SUFFIX" xgcc
    strip -o "${bin}g++$SUFFIX" xg++
    strip -o "${bin}cpp$SUFFIX" cpp
    strip -o "${bin}gfortran$SUFFIX" gfortran
    for name in ar nm ranlib; do
        strip -o "${bin}gcc-$name$SUFFIX" gcc-$name
    done
    cd "$OUT"
    (cd tree && find usr -type f | sort) >files
    libraries
    cp control tree/DEBIAN/control
    dpkg-deb --root-owner-group -Zgzip -z1 --build tree toolchain.deb
}

libraries() {
    while read -r file; do
        readelf -d "tree/$file" | sed -n "s|.*(NEEDED).*\[\(.*\)\]|$file\t\1|p"
    done <files >needed
    # All that is loaded, with what the libraries need themselves; the last word is the address.
    while read -r file; do ldd "tree/$file"; done <files |
        sed -n -e 's/^\t\([^ ]*\) => \(\/[^ ]*\) .*/\1\t\2/p' -e 's/^\t\(\/[^ ]*\/\([^ /]*\)\) (.*/\2\t\1/p' |
        sort -u | while IFS=$(printf '\t') read -r name path; do
        owner=$(owner_of "$path") || { echo "no package has $path" >&2; exit 1; }
        printf '%s\t%s\n' "$name" "$owner"
    done >libraries
}

# dpkg knows a library by the path that it was shipped with, below /usr or not. It tells of diversions of a path too: trixie's
# libc6 has one for the name that programs have for the dynamic linker.
owner_of() {
    for path in "$1" "/usr$1" "$(realpath "$1")" "${1#/usr}"; do
        owner=$(dpkg-query -S "$path" 2>/dev/null | sed -n '/^diversion by /!s/:.*//p' | head -n 1)
        [ -z "$owner" ] || { echo "$owner"; return; }
    done
    return 1
}

"$@"
