# What compilers and their companions tell of themselves, and where they look.
echo 'int main(void) { return 0; }' >a.c
q 'gcc tells' 'gcc -dumpmachine; gcc -dumpversion; gcc -print-multiarch; gcc -print-multi-lib; gcc -print-prog-name=cc1; gcc -print-prog-name=ld; gcc -print-file-name=crtbegin.o; gcc -print-file-name=plugin; gcc -print-libgcc-file-name; gcc --version; cpp --version; g++ --version; cc --version; c99 --version; aarch64-linux-gnu-gcc -dumpmachine'
q 'gcc macros' 'gcc -dM -E - | sort; g++ -dM -E -xc++ - | sort'
q 'gcc target options' 'gcc -Q --help=target'
q 'gcc native' 'gcc -march=native -dM -E - | sort; gcc -mcpu=native -S -o - -x c -'
q 'gcc response file' 'echo "-march=native -dM -E" >native; gcc @native a.c | sort'
q 'gcc folders' 'gcc -print-search-dirs; gcc -print-file-name=libc.so; gcc -E -v -xc - 2>&1 | sed -n "/search starts/,\$p"; g++ -E -v -xc++ - 2>&1 | sed -n "/search starts/,\$p"'
q 'gcc sysroot' 'gcc -print-sysroot'
q 'gcc configuration' 'gcc -v'
q 'gcc specs' 'gcc -dumpspecs'
q 'gcc mistakes' 'gcc -no-such-option a.c; gcc nosuch.c; echo "int f( {" | gcc -xc -c -; echo "int f(void) { return g(); }" | gcc -Wall -xc -c -'
q 'gcc debug information' 'gcc -g -O2 -frecord-gcc-switches -c a.c; sha256sum a.o; readelf -p .comment -p .GCC.command.line a.o; readelf --debug-dump=info a.o | grep -e producer -e comp_dir'
q 'gcc links' 'gcc -g -O2 a.c -o a; sha256sum a; gcc -static a.c -o st; sha256sum st; ./a; ./st; gcc -fsanitize=undefined a.c -o ub && ./ub; gcc --coverage a.c -o cov && ./cov; ls *.gcda; gcov cov-a.gcda | head -1'
printf 'int plugin_is_GPL_compatible;\n#include <gcc-plugin.h>\n#include <stdio.h>\nint plugin_init(struct plugin_name_args *a, struct plugin_gcc_version *v) { fprintf(stderr, "plugin %%s\\n", v->basever); return 0; }\n' >p.cc
q 'gcc links by a response file' 'echo "int main(void) { return 0; }" >m.c; echo "-O2 m.c -o m" >link; gcc @link; sha256sum m'
q 'gcc map' 'gcc -c m.c; for o in -Map=m.map --print-map -M --cref --trace --verbose; do gcc -Wl,$o -o m m.o | sed "s,^[^ ]*ld: mode,ld: mode," | sha256sum; done; sha256sum m.map; g++ -Xlinker -Map=m.map -o m m.o; sha256sum m.map; gcc -v -o m m.o; gcc -### -o m m.o; gcc -Wl,--gc-sections,-M -o m m.o | sha256sum; gcc -Xlinker -t -o m m.o'
q 'LIBRARY_PATH' 'mkdir lp; echo "int own(void) { return 7; }" >own.c; gcc -c own.c; ar rc lp/libownlp.a own.o; echo "int own(void); int main(void) { return own(); }" >usesown.c; LIBRARY_PATH=$PWD/lp gcc usesown.c -lownlp -o usesown && ./usesown; echo $?; LIBRARY_PATH=$PWD/lp gcc -O2 -flto usesown.c -lownlp -o usesown && ./usesown; echo $?'
q 'ld of a build' 'mkdir own-ld; printf "#!/bin/sh\necho own ld\nexec /usr/bin/ld \"\$@\"\n" >own-ld/ld; chmod +x own-ld/ld; PATH=$PWD/own-ld:$PATH gcc -o m m.o; PATH=$PATH:$PWD/own-ld gcc -o m m.o'
q 'gcc plugin' 'g++ -fPIC -shared -I$(gcc -print-file-name=plugin)/include p.cc -o p.so; gcc -fplugin=./p.so -c a.c; echo "-fplugin=./p.so" >args; gcc @args -c a.c'
q lto 'echo "int f(int x) { return x + 1; }" >f.c; echo "int f(int); int main(void) { return f(-1); }" >m.c; gcc -flto -O2 -frandom-seed=1 -c f.c m.c; gcc -flto -O2 -frandom-seed=1 f.o m.o -o lto; ./lto; echo $?; sha256sum f.o lto'
q 'lto archives' 'for tool in ar gcc-ar; do rm -f l.a; $tool rcs l.a f.o m.o; nm -s l.a; gcc-nm l.a; sha256sum l.a; done; ranlib l.a; gcc-ranlib l.a; nm f.o; strip -o s.o f.o; nm s.o; gcc -O2 l.a -o fromlib; ./fromlib; echo $?'
q 'ld' 'ld --verbose | grep SEARCH_DIR; ld -V; ld --help | grep -A3 supported; ld.gold --version | head -1'
q 'binutils' 'objdump -i; objcopy --info | head -8; ar --version; as --version; echo hi >blob; objcopy -I binary -O default blob b.o; objdump -f b.o; ld -r -b binary -o b2.o blob; sha256sum b.o b2.o; objdump -d a | sha256sum; size a; nm a; strip a -o stripped; sha256sum stripped; readelf -hl stripped; gprof --version; addr2line -e a 0x700'
q 'rpath' 'gcc -shared -fPIC f.c -o libf.so -Wl,-soname,libf.so; gcc m.c -L. -lf -Wl,-rpath,$PWD -o withf; ./withf; echo $?; ldd ./withf | sed "s/(.*//"; readelf -d withf | grep -e NEEDED -e PATH'
q 'libtool' 'libtool --config | grep -v -e ^LTCC -e "^sys_lib_search" | sort; libtool --mode=compile gcc -c f.c 2>&1; libtool --mode=link gcc -rpath /usr/lib -o libg.la f.lo 2>&1; sha256sum .libs/libg.so.0.0.0'
q 'pkgconf' 'pkg-config --variable=pc_path pkg-config; pkg-config --variable=pc_system_libdirs pkg-config; pkg-config --variable=pc_system_includedirs pkg-config; pkg-config --cflags --libs zlib; aarch64-linux-gnu-pkg-config --libs zlib; pkgconf --dump-personality; pkg-config --list-all | sort; PKG_CONFIG_PATH=/nowhere PKG_CONFIG_LIBDIR=/nowhere pkg-config --exists zlib; echo $?'
printf '#include <sys/utsname.h>\n#include <stdio.h>\nint main(void) { struct utsname u; uname(&u); printf("%%s %%zu\\n", u.machine, sizeof(long double)); return 3; }\n' >run.c
printf 'all: run\n\t-./run\n\tsh -c ./run; echo $$?\nrun: run.c\n\tgcc -O2 $< -o $@\n' >Makefile
q 'what was built is run' 'make; perl -e "print system(q(./run)) >> 8"; file run | sed "s/BuildID.*//"'
mkdir -p own/lib own/t
cat >own/Makefile.PL <<'P'
use ExtUtils::MakeMaker;
WriteMakefile(NAME => 'Own', VERSION_FROM => 'lib/Own.pm');
P
cat >own/lib/Own.pm <<'P'
package Own;
our $VERSION = '1.0';
require XSLoader;
XSLoader::load('Own', $VERSION);
1;
__END__

=head1 NAME

Own - of this build
P
cat >own/Own.xs <<'X'
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"
MODULE = Own PACKAGE = Own
int
bits()
CODE:
    RETVAL = 8 * sizeof(IV);
OUTPUT:
    RETVAL
X
printf 'use Test::More tests => 1;\nuse Own;\nis(Own::bits(), 64);\ndiag((POSIX::uname())[4]) if require POSIX;\n' >own/t/own.t
q 'perl module of its own' 'cd own; export SOURCE_DATE_EPOCH=1; perl Makefile.PL INSTALLDIRS=vendor NO_PACKLIST=1 NO_PERLLOCAL=1; make; make test; make test TEST_VERBOSE=1 | grep ok; make install DESTDIR=$PWD/to; find to -type f | sort | xargs sha256sum' | sed 's/Files=1.*//'
