cat >macros.rs <<'X'
use proc_macro::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};
#[proc_macro]
pub fn answer(_: TokenStream) -> TokenStream { "42".parse().unwrap() }
#[proc_macro_derive(Named, attributes(called, also))]
pub fn named(item: TokenStream) -> TokenStream {
    let words: Vec<String> = item.clone().into_iter().map(|tree| tree.to_string()).collect();
    let name = words.iter().skip_while(|word| *word != "struct").nth(1).expect("a struct");
    format!("impl<T> {name}<T> {{ pub fn text() -> &'static str {{ {:?} }} }}", words.join(" ")).parse().unwrap()
}
#[proc_macro_attribute]
pub fn doubled(how: TokenStream, item: TokenStream) -> TokenStream {
    let count = how.into_iter().filter(|tree| matches!(tree, TokenTree::Literal(_))).count();
    let mut trees: Vec<TokenTree> = item.into_iter().collect();
    if let Some(TokenTree::Group(body)) = trees.pop() {
        let mut inner: Vec<TokenTree> = vec![TokenTree::Group(Group::new(Delimiter::Brace, body.stream()))];
        for _ in 0..count {
            inner.push(TokenTree::Punct(Punct::new('*', Spacing::Alone)));
            inner.push(TokenTree::Literal(Literal::f64_suffixed(2.0)));
        }
        inner.insert(0, TokenTree::Ident(Ident::new("return", Span::mixed_site())));
        trees.push(TokenTree::Group(Group::new(Delimiter::Brace, inner.into_iter().collect())));
    }
    trees.into_iter().collect()
}
#[proc_macro]
pub fn broken(item: TokenStream) -> TokenStream { panic!("no use: {item}") }
#[proc_macro]
pub fn environment(_: TokenStream) -> TokenStream {
    let told = ["GIVEN", "LD_PRELOAD"].map(|name| std::env::var(name).ok());
    format!("{:?}", format!("{told:?} {}", std::env::consts::ARCH)).parse().unwrap()
}
X
cat >library.rs <<'X'
pub use macros::*;
#[derive(Named)]
#[called(by = "this")]
pub struct First<T> { pub value: T, #[also] pub more: [u8; 3] }
#[doubled(1, "two")]
pub fn third(x: f64) -> f64 { x / 3.0 }
pub fn words(text: &str) -> Vec<String> { text.split(' ').map(str::to_owned).collect() }
pub fn half(x: f64) -> f64 { x.sqrt() * 0.5 + 1e-3 }
X
sed 1,6d library.rs >plain.rs
cat >program.rs <<'X'
fn main() {
    println!("{} {:?} {}", library::answer!(), library::words("a b"), library::half(2.0));
    println!("{} {} {:?}", library::First::<u8>::text(), library::third(1.0), library::environment!());
    println!("{} {}", std::env::consts::ARCH, std::mem::size_of::<usize>());
}
X
mkdir made
# Words that are asked about must not be in this script itself.
n=no; n="${n}t as on the hardware"
# Lines of the code that chooses, about the compiler.
chosen() { grep -c "^/usr/bin/rustc	$1" /dev/.twins.log/choices 2>/dev/null; }
q 'rustc itself' 'rustc -vV; rustc -V; rustc --version; rustc --version --verbose; rustc --print sysroot; rustc --print target-libdir; rustc --print cfg'
q 'rustc library' 'rustc --edition=2021 --crate-type=lib -O -Cdebuginfo=2 plain.rs --out-dir made && sha256sum made/libplain.rlib
    [ ! -e /dev/.twins/table ] || [ "$(chosen it)" = 0 ] || echo "$n"'
q 'rustc macro' 'rustc --edition=2021 --crate-type=proc-macro -O -Cdebuginfo=2 macros.rs --extern proc_macro --out-dir made && sha256sum made/libmacros.so; file -b made/libmacros.so'
q 'rustc library with a macro that is named' 'rustc --edition=2021 --crate-type=lib -O library.rs --out-dir made --extern macros=made/libmacros.so && sha256sum made/liblibrary.rlib'
q 'rustc program with a macro that is not named' 'GIVEN=yes rustc --edition=2021 -O -Cdebuginfo=2 program.rs -L made --extern library=made/liblibrary.rlib -o made/program && sha256sum made/program && made/program
    [ ! -e /dev/.twins/table ] || [ "$(chosen it)" = 0 ] || { echo "$n"; cat /dev/.twins.log/choices; }'
q 'rustc macro that panics' 'echo "library::broken!(1 + 2); fn main() {}" >panics.rs; rustc --edition=2021 panics.rs -L made --extern library=made/liblibrary.rlib; echo $?'
q 'rustc macro that is damaged' 'cp -r made damaged; rm -f damaged/program; head -c 20000 made/libmacros.so >damaged/libmacros.so; rustc --edition=2021 program.rs -L damaged --extern library=damaged/liblibrary.rlib -o damaged/program; echo $?'
q 'rustc mistakes' 'echo "fn main() { let x: u8 = \"a\"; }" >wrong.rs; rustc --edition=2021 wrong.rs; echo $?; rustc; echo $?; rustc nowhere.rs; echo $?'
q 'rustc input' 'echo "pub fn f() {}" | rustc --edition=2021 --crate-type=lib --crate-name=given -o made/given.rlib - && sha256sum made/given.rlib
    echo "pub fn f() { g() }" | rustc --edition=2021 --crate-type=lib --crate-name=given -; echo "fn main() {}" >in; (rustc --crate-type=lib --crate-name=given --emit=metadata - && cat) <in; rustc - <&-; echo $?
    [ ! -e /dev/.twins/table ] || [ "$(chosen -$)" = 0 ] || echo "$n"'
q 'rustc output' 'rustc --edition=2021 --crate-type=lib -O plain.rs --emit=asm -o - 2>/dev/null | sha256sum; rustc --edition=2021 --crate-type=lib -Wmissing-docs plain.rs --emit=metadata -o made/meta --error-format=json 2>&1 >/dev/null | sha256sum'
