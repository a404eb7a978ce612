cat >macros.rs <<'X'
use proc_macro::TokenStream;
#[proc_macro]
pub fn answer(_: TokenStream) -> TokenStream { "42".parse().unwrap() }
X
cat >library.rs <<'X'
pub use macros::answer;
pub fn words(text: &str) -> Vec<String> { text.split(' ').map(str::to_owned).collect() }
pub fn half(x: f64) -> f64 { x.sqrt() * 0.5 + 1e-3 }
X
sed 1d library.rs >plain.rs
cat >program.rs <<'X'
fn main() {
    println!("{} {:?} {}", library::answer!(), library::words("a b"), library::half(2.0));
    println!("{} {}", std::env::consts::ARCH, std::mem::size_of::<usize>());
}
X
mkdir made
# Words that are asked about must not be in this script itself.
n=no; n="${n}t as on the hardware"
# Lines of the code that chooses, about the compiler.
chosen() { grep -c "^/usr/bin/rustc	$1" /dev/.twins.log/choices 2>/dev/null; }
q 'rustc itself' 'rustc -vV; rustc --print sysroot; rustc --print target-libdir; rustc --print cfg'
q 'rustc library' 'rustc --edition=2021 --crate-type=lib -O -Cdebuginfo=2 plain.rs --out-dir made && sha256sum made/libplain.rlib
    [ ! -e /dev/.twins/table ] || [ "$(chosen it)" = 0 ] || echo "$n"'
q 'rustc macro' 'rustc --edition=2021 --crate-type=proc-macro -O -Cdebuginfo=2 macros.rs --extern proc_macro --out-dir made && sha256sum made/libmacros.so; file -b made/libmacros.so'
q 'rustc library with a macro that is named' 'rustc --edition=2021 --crate-type=lib -O library.rs --out-dir made --extern macros=made/libmacros.so && sha256sum made/liblibrary.rlib'
q 'rustc program with a macro that is not named' 'rustc --edition=2021 -O -Cdebuginfo=2 program.rs -L made --extern library=made/liblibrary.rlib -o made/program && sha256sum made/program && made/program
    [ ! -e /dev/.twins/table ] || [ "$(chosen "it was tried")" = 1 ] || echo "$n"'
q 'rustc mistakes' 'echo "fn main() { let x: u8 = \"a\"; }" >wrong.rs; rustc --edition=2021 wrong.rs; echo $?; rustc; echo $?; rustc nowhere.rs; echo $?'
q 'rustc input' 'echo "pub fn f() {}" | rustc --edition=2021 --crate-type=lib --crate-name=given -o made/given.rlib - && sha256sum made/given.rlib'
q 'rustc output' 'rustc --edition=2021 --crate-type=lib -O plain.rs --emit=asm -o - 2>/dev/null | sha256sum; rustc --edition=2021 --crate-type=lib -Wmissing-docs plain.rs --emit=metadata -o made/meta --error-format=json 2>&1 >/dev/null | sha256sum'
