//! Versions parse, print and compare without surprises.
#![no_main]

use archmill_deb::Version;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|texts: (&str, &str)| {
    let (Ok(a), Ok(b)) = (texts.0.parse::<Version>(), texts.1.parse::<Version>()) else { return };
    assert_eq!(a.to_string(), texts.0);
    assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
    assert_eq!(a.to_string().parse::<Version>().as_ref(), Ok(&a));
});
