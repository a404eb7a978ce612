//! What the script says of the programs that it built: lists, which it leaves beside them.

use std::collections::BTreeMap;

use super::description::Library;
use super::inputs::InputPackage;

/// The library that each file asks for, from lines of path, tab and name.
pub(super) fn needs(text: &str) -> BTreeMap<String, Vec<String>> {
    let mut needs: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (file, soname) in text.lines().filter_map(|line| line.split_once('\t')) {
        needs.entry(file.to_owned()).or_default().push(soname.to_owned());
    }
    needs
}

/// Libraries with their packages, from lines of name, tab and package; `packages` are those of the root.
pub(super) fn libraries(text: &str, packages: &[InputPackage]) -> Result<Vec<Library>, String> {
    text.lines()
        .map(|line| {
            let (soname, name) =
                line.split_once('\t').ok_or_else(|| format!("{line:?} names no library and package"))?;
            let package = packages
                .iter()
                .find(|package| package.name == name)
                .ok_or_else(|| format!("{soname} is from {name}, which is not a package of the root"))?;
            Ok(Library {
                soname: soname.to_owned(),
                package: name.to_owned(),
                version: package.version.clone(),
                sha256: package.sha256.clone(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchain::inputs::sample;

    #[test]
    fn each_file_has_its_libraries() {
        let needs = needs("usr/bin/a\tlibc.so.6\nusr/bin/b\tlibm.so.6\nusr/bin/b\tlibc.so.6\n");
        assert_eq!(needs["usr/bin/a"], ["libc.so.6"]);
        assert_eq!(needs["usr/bin/b"], ["libm.so.6", "libc.so.6"]);
    }

    #[test]
    fn each_library_has_its_package() {
        let packages = sample().packages;
        let found = libraries("libgmp.so.10\tlibgmp10\n", &packages).unwrap();
        assert_eq!(found[0].version, packages[1].version);
        assert!(libraries("libx.so.1\tlibx1\n", &packages).unwrap_err().contains("libx1"));
        assert!(libraries("libx.so.1\n", &packages).is_err());
    }
}
