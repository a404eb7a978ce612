# What needs a plugin of the compiler.
echo 'int main(void) { return 0; }' >a.c
q 'gcc links' 'gcc -g -O2 a.c -o a; sha256sum a; gcc -static a.c -o st; sha256sum st; ./a; ./st'
q lto 'echo "int f(int x) { return x + 1; }" >f.c; echo "int f(int); int main(void) { return f(-1); }" >m.c; gcc -flto -O2 -frandom-seed=1 -c f.c m.c; gcc -flto -O2 -frandom-seed=1 f.o m.o -o lto; ./lto; echo $?; sha256sum f.o lto'
q 'lto archives' 'for tool in ar gcc-ar; do rm -f l.a; $tool rcs l.a f.o m.o; nm -s l.a; gcc-nm l.a; sha256sum l.a; done; ranlib l.a; gcc-ranlib l.a; nm f.o; strip -o s.o f.o; nm s.o; gcc -O2 l.a -o fromlib; ./fromlib; echo $?'
q 'ld' 'ld --verbose | grep SEARCH_DIR; ld -V; ld -r -o r.o f.o m.o; sha256sum r.o'
