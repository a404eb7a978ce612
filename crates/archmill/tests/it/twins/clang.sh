n=no; n="${n}t as on the hardware"
cat >a.c <<'X'
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <math.h>
#include <arm_neon.h>
struct s { int a; char b[7]; double c; };
static double table[] = { 0.1, 1e-300, 3.14159265358979 };
int cmp(const void *x, const void *y) { return memcmp(x, y, sizeof(struct s)); }
float32x4_t add(float32x4_t a, float32x4_t b) { return vaddq_f32(a, b); }
int main(int argc, char **argv) { struct s *v = calloc(argc, sizeof *v); qsort(v, argc, sizeof *v, cmp); for (int i = 0; i < 3; i++) printf("%g %s\n", sqrt(table[i]) * argc, argv[0] ? "x" : "y"); return v[0].a; }
X
cat >b.cc <<'X'
#include <vector>
#include <map>
#include <string>
#include <algorithm>
#include <iostream>
#include <regex>
template <class T> T sum(const std::vector<T> &v) { T s{}; for (auto &x : v) s += x; return s; }
int main() { std::map<std::string, std::vector<double>> m{{"a", {1, 2.5}}, {"b", {}}}; for (auto &[k, v] : m) std::cout << k << sum(v) << "\n"; std::regex r("a+(b|c)*"); std::cout << std::regex_match("aabc", r) << "\n"; try { throw 3; } catch (int x) { std::cout << x << "\n"; } }
X
q 'clang itself' 'clang --version; clang -dumpmachine; clang -print-resource-dir; clang -print-search-dirs; clang -print-libgcc-file-name; clang++ -print-file-name=libstdc++.so; clang -v 2>&1 | grep -v "^Found candidate"'
q 'clang defines' 'clang -dM -E - </dev/null | sort | sha256sum; clang -march=native -dM -E - </dev/null | sort | sha256sum'
q 'clang objects' 'for o in -O0 "-O3 -mcpu=neoverse-n1" "-O2 -fPIC -fstack-protector-strong" "-O2 -flto=thin" "-O2 -S" "-Os -fno-integrated-as"; do clang $o -g -c a.c -o a.o && sha256sum a.o; done; clang++ -O2 -g -std=c++20 -c b.cc -o b.o && sha256sum b.o; clang -target x86_64-linux-gnu -O1 -S -x c /dev/null -o - | sha256sum; clang --target=i686-linux-gnu -O1 -S -x c /dev/null -o - | sha256sum'
# Each is rounded otherwise by a C library that does not use fused multiplication and addition.
cat >fold.c <<'X'
#include <math.h>
double exp_1(void) { return exp( 0.5509341169439171 ); }
double log_1(void) { return log( 0.2907897863656458 ); }
double sin_3(void) { return sin( 0.26481294385372023 ); }
double cos_3(void) { return cos( 0.7003307542922003 ); }
double asin_3(void) { return asin( 0.36737073166392165 ); }
double acos_3(void) { return acos( 0.4027159487354368 ); }
double atan_3(void) { return atan( 0.04750713741381485 ); }
double sinh_3(void) { return sinh( 0.31292674687892286 ); }
double cosh_3(void) { return cosh( 0.9223632271930043 ); }
double tanh_3(void) { return tanh( 0.06226379095800272 ); }
double pow_3(void) { return pow( 4.7648642892662165, 4.506369691373036 ); }
double log2_3(void) { return log2( 0.7191694738027568 ); }
X
q 'clang computes constants' 'clang -O1 -S -o - fold.c | sha256sum'
q 'clang programs' 'clang -O2 -g a.c -lm -o a && sha256sum a && ./a; clang -fuse-ld=lld -flto -O2 -g a.c -lm -o a && sha256sum a && ./a; llvm-ar-19 rcs a.a a.o b.o && sha256sum a.a; llvm-nm-19 a.a | head -3; llvm-objcopy-19 --strip-all a c && sha256sum c; llvm-strip-19 a && sha256sum a'
q 'clang is that of this machine' 'clang -O1 -c a.c -o a.o; [ ! -e /dev/.twins/table ] || [ "$(grep -c "clang	" /dev/.twins.log/choices)" = 2 ] || echo "$n"'
q 'clang mistakes' 'echo "int f( { }" >w.c; clang -c w.c; echo $?; clang; echo $?; clang -c nowhere.c; clang -mcpu=nothing -c a.c; echo "error" | clang -x c -c - -o x.o; echo "int x;" | clang -x c -c - -o x.o && sha256sum x.o'
q 'clang elsewhere' 'ln -s /usr/bin/clang linked; ./linked -print-resource-dir; ld.lld --version; ld.lld nothing.o; echo "-c a.c -o r.o" >r; clang @r && sha256sum r.o'
