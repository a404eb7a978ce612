# What differs where the target has 32 bits.
q machine 'uname -m; getconf LONG_BIT; dpkg --print-architecture; bash -c "echo \$HOSTTYPE \$MACHTYPE"; gcc -dumpmachine; perl -MConfig -e "print qq(\$Config{archname} \$Config{ptrsize}\n), ~0"'
q 'long' 'for o in -l "-t dL" "-txL" -An "-t u8"; do od $o -N16 /etc/passwd; done; echo $((1 << 40)); bash -c "printf \"%d\n\" 99999999999"; mawk "BEGIN { a[2^31]; a[-2^31]; for (k in a) print k, 2^40 }"'
# What the assembler writes for lines depends on where its memory ends. No file that is made up was found in which the steps of
# i386's C library are seen (libxml2's xmlreader.c is one): so the twin is asked whether it has the target's.
awk 'BEGIN {
    print "\t.text\n\t.file 1 \"lines.c\""
    for (i = 1; i < 3000; i++) {
        print (i % 7 ? "" : "\tnop\n") "\t.align 2\n\t.loc 1 " i * 3 " 1 view -0\n\tnop"
        print "\t.loc 1 " i * 3 + 1 " 2\n\t.loc 1 " i * 3 + 2 " 3\n\tnop"
    }
}' >lines.s
q 'steps of memory' 'twin=/dev/.twins/usr/bin/arm-linux-gnueabihf-as; [ ! -e $twin ] || LD_DEBUG=bindings $twin -o /dev/null /dev/null 2>&1 | grep -q "libobstack.so .*_obstack_begin" || echo "not as on" "the hardware"'
q 'many lines' 'as -o lines.o lines.s; sha256sum lines.o'
q 'line numbers' 'for i in $(seq 300); do echo "int f$i(int x) {"; echo "  for (int i = 0; i < x; i++)"; echo "    x += x % ($i + 2) ? f$((i - 1))(x) : -1;"; echo "  return x;"; echo "}"; done | sed "1iint f0(int);" >lines.c; gcc -g -O2 -c lines.c -o c.o; sha256sum c.o'
