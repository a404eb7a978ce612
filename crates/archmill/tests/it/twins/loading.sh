# Libraries that a build wants loaded, and limits.
cat >pre.c <<'C'
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>
__attribute__((constructor)) static void here(void) { write(1, "preloaded\n", 10); }
int uname(struct utsname *u) { memset(u, 0, sizeof *u); strcpy(u->machine, "faked"); return 0; }
char *strerror(int e) { return "faked error"; }
C
gcc -shared -fPIC pre.c -o libpre.so
q 'LD_PRELOAD' 'export LD_PRELOAD=$PWD/libpre.so; cat /nosuch; sh -c "uname -m; make --version | head -1"; bash -c "cat /nosuch"; perl -MPOSIX -e "print +(POSIX::uname())[4], POSIX::strerror(2)"'
q 'LD_PRELOAD by name' 'LD_PRELOAD=libpre.so LD_LIBRARY_PATH=$PWD cat /nosuch; LD_PRELOAD=/nosuch.so true; LD_PRELOAD= true; LD_AUDIT=/nosuch.so true'
q 'the dynamic linker tells' 'LD_TRACE_LOADED_OBJECTS=1 cat | sed "s/(0x.*//"; ldd /bin/cat | sed "s/(0x.*//"; LD_SHOW_AUXV=1 true | grep -e PLATFORM -e PAGESZ -e EXECFN; LD_DEBUG=libs cat /dev/null 2>&1 | grep -o "find library.*"'
mkdir lib
printf 'const char *zlibVersion(void) { return "mine"; }\n' >z.c
q 'LD_LIBRARY_PATH of no matter' 'export LD_LIBRARY_PATH=$PWD/lib; cat /etc/hostname; make --version | head -1; gcc --version | head -1; sh -c "echo \$LD_LIBRARY_PATH"; cp /usr/lib/aarch64-linux-gnu/libz.so.1 lib; file --version | head -1; as --version | head -1'
chosen() { grep -c LD_LIBRARY_PATH /dev/.twins.log/choices 2>/dev/null; }
q 'LD_LIBRARY_PATH of the folders of the target' 'before=$(chosen); export LD_LIBRARY_PATH=/nosuch:/usr/lib/aarch64-linux-gnu:/lib/aarch64-linux-gnu/; cat /etc/hostname; make --version | head -1; gcc --version | head -1; perl -MPOSIX -e "print q(ok)"; [ "$before" = "$(chosen)" ] || echo "not as on the hard""ware"'
gcc -shared -fPIC -Wl,-soname,libmagic.so.1 z.c -o lib/libmagic.so.1
q 'LD_LIBRARY_PATH' 'LD_LIBRARY_PATH=$PWD/lib file /bin/cat; LD_LIBRARY_PATH=/nosuch:lib file /bin/cat; cd lib; LD_LIBRARY_PATH= file /bin/cat | cut -c1-40; LD_LIBRARY_PATH=/nosuch: file /bin/cat'
q 'limit of address space' 'ulimit -v 400000; ulimit -v; cat /etc/hostname; bash -c "ulimit -v; gcc --version | head -1"; perl -e "print length(q(x) x 500000000)"; dpkg --version | head -1'
q 'prlimit' 'prlimit --as=300000000 bash -c "ulimit -v; dpkg --version | head -1"; prlimit --data=1000000:1000000 sh -c "cat /etc/hostname; dpkg --version | head -1"'
q 'limit of data' 'ulimit -d 1000; cat /etc/hostname; ulimit -d; dpkg --version | head -1; gcc --version | head -1'
q 'limit of files' 'ulimit -n 10; cat /etc/hostname; dpkg --version | head -1; gcc --version | head -1; ulimit -n; ulimit -f 1; head -c 10000 /dev/zero >big; echo $?'
q 'limit of stack' 'ulimit -s unlimited; cat /etc/hostname; dpkg --version | head -1; perl -e "print 1"'
q 'small stack' 'ulimit -s 128; cat /etc/hostname; dpkg --version | head -1; sh -c "gcc --version | head -1"'
q 'limit of stack told' 'ulimit -s unlimited; bash -c "ulimit -s"'
q 'limits' 'ulimit -a; bash -c "ulimit -a"; prlimit --output RESOURCE,SOFT,HARD'
printf '#include <errno.h>\n#include <stdio.h>\n#include <unistd.h>\nint main(void) { puts(sbrk(1 << 20) == (void *) -1 || errno ? "not as on the hardware" : "it grows"); return 0; }\n' >heap.c
gcc heap.c -o heap
q 'heap of a program of its own' './heap; grep -c "\[heap\]" /proc/self/maps'
