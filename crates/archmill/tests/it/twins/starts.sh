# How programs can be started.
q 'argv[0]' 'bash -c "exec -a renamed cat /nosuch"; bash -c "exec -a \"\" cat /nosuch"; bash -c "exec -a -l bash -c \"echo \\\$0; shopt login_shell\""; perl -e "exec {q(/bin/cat)} (q(other name), q(/nosuch))"; perl -e "exec {q(/bin/sh)} (q(-sh), q(-c), q(echo \$0))"; perl -e "exec {q(/usr/bin/make)} (q(m), q(-f), q(/nosuch))"'
cat >start.c <<'C'
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
static void run(const char *what, char *path, char **arguments, char **environment) {
  int status;
  fflush(stdout);
  if (fork() == 0) { execve(path, arguments, environment); perror("execve"); _exit(9); }
  wait(&status);
  printf("%s: %x\n", what, status);
}
int main(int count, char **arguments, char **environment) {
  char *none[] = {0}, *version[] = {"x", "--version", 0}, *one[] = {"A=1", 0}, *env[] = {"env", 0};
  run("no arguments", arguments[1], none, environment);
  run("no environment", arguments[1], version, none);
  run("neither", arguments[1], none, none);
  run("small environment", "/usr/bin/env", env, one);
  return 0;
}
C
gcc start.c -o start
q 'empty argv' './start /bin/true; ./start /bin/pwd; ./start /bin/sh; ./start /usr/bin/make; ./start /usr/bin/gcc'
q 'long arguments' 'x=$(head -c 130000 /dev/zero | tr "\0" x); /bin/echo $x | wc -c; sh -c "echo \${#1}" sh $x; make -f /dev/null V=$x 2>&1 | head -c 60; seq 1 20000 | xargs -n 20000 /bin/echo | sha256sum; seq 1 300000 | xargs echo | wc'
q 'large environment' 'i=0; while [ $i -lt 3000 ]; do export V$i=value$i; i=$((i+1)); done; env | wc -l; env | sort | sha256sum; perl -e "print scalar keys %ENV"; bash -c "echo \$V2999; export -p | wc -l"; ./start /bin/true | tail -3'
q 'no environment' 'env -i env; env -i FOO=1 env; env -i /bin/bash -c "echo \$HOSTTYPE; export -p"; env -i /bin/sh -c env; env -i perl -e "print %ENV"'
q 'closed descriptors' '(exec 0<&-; cat; echo $?; cat /etc/hostname; sort </etc/hostname); (exec 1>&-; echo x; /bin/echo x; echo $? >&2); (exec 2>&-; cat /nosuch; echo $?); (exec 0<&- 1>&- 2>&-; cat /etc/hostname >o1; perl -e "open F, q(>), q(o2); print F fileno(F)"; make -v >o3; gcc -v 2>o4; bash -c "echo 1 >o5"); cat o1 o2 o5; head -1 o3; tail -1 o4'
q 'open descriptors' 'ls /proc/self/fd; bash -c "exec 9</etc/passwd; ls /proc/self/fd"; perl -e "opendir D, q(/dev/fd); print join q(,), sort grep /\d/, readdir D"; sh -c "ls /dev/fd/ 3</dev/null"'
printf '#!/usr/bin/perl -w\nprint "$0 $^X @ARGV\\n";\n' >s.pl
printf '#!/bin/sh -e\necho "$0 $@"; false; echo not\n' >s.sh
printf '#!/usr/bin/env bash\necho "$0 $BASH $HOSTTYPE"\n' >s.env
printf '#!/usr/bin/make -f\nall:\n\t@echo $(MAKE) $(MAKEFILE_LIST)\n' >s.mk
printf '#!/bin/gawk -f\nBEGIN { print ARGV[0], ENVIRON["_"] }\n' >s.awk
printf '#!./s.sh\n' >s.nest
printf 'echo no interpreter $0\n' >s.none
chmod +x s.*
q 'scripts' './s.pl a b; ./s.sh x; ./s.env; ./s.mk; ./s.awk; ./s.nest; ./s.none; bash -c ./s.none; perl -e "exec q(./s.none)"; bash -c "echo \$0 \$_ \$BASH"; env -S "perl -e print+1"'
q 'paths' '/usr/bin/../bin/./cat /etc/hostname; cd /usr/bin; ./cat /etc/hostname; ../bin/cat /etc/hostname; ../../bin/make --version | head -1; PATH=../bin cat /etc/hostname; cd /usr/libexec/gcc/aarch64-linux-gnu/14; ./cc1 --version 2>&1 | head -1; PATH=:/bin; cd /bin; cat /etc/hostname'
q 'links' 'ln -s /bin/cat symcat; echo sym | ./symcat; ln -s symcat again; ./again --version | head -1; ln -s /usr/bin/gcc mygcc; ./mygcc -dumpmachine; ln -s /usr/bin/perl myperl; ./myperl -e "print \$^X"; ln -s /usr/bin/bash rbash; ./rbash -c "cd /"; echo $?'
q 'signals' 'sh -c "kill -ABRT \$\$"; echo $?; bash -c "kill -9 \$\$"; echo $?; timeout 1 sleep 5; echo $?; sh -c "trap \"echo usr\" USR1; kill -USR1 \$\$; :"; bash -c "trap \"echo rt\" RTMIN+3; kill -RTMIN+3 \$\$; :"; kill -l; bash -c "kill -l"; yes | head -1; (trap "" PIPE; yes 2>&1 | head -1); nice -n 5 nice'
