//! Which names and paths from outside may become names and paths here.

/// A file name without folders, control characters or tricks: neither hidden nor taken for an option, of
/// letters, digits and `+-.~_:@%,`, and no longer than a file system allows.
pub fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && !name.starts_with(['.', '-'])
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.~_:@%,".contains(&byte))
}

/// A relative path that stays where it is put: no `..`, no empty parts, printable ASCII.
pub fn is_archive_path(path: &str) -> bool {
    path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// A SHA-256 in hexadecimal.
pub(crate) fn is_sha256(hash: &str) -> bool {
    hash.len() == 64 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_are_those_of_source_files() {
        for name in ["dash_0.5.12-12.dsc", "a_1:2~rc1+b1.orig-part.tar.xz.asc", "A,b@1%"] {
            assert!(is_plain_name(name), "{name}");
        }
        let long = "a".repeat(256);
        for name in ["", ".", "..", ".a", "-a", "a/b", "/a", "a b", "a\n", "a\0", "ä", "a\\b", "$a", &long] {
            assert!(!is_plain_name(name), "{name:?}");
        }
    }

    #[test]
    fn archive_paths_stay_inside() {
        for path in ["pool/main/d/dash/dash_1_all.deb", "main/binary-arm64/Packages.xz", "a"] {
            assert!(is_archive_path(path), "{path}");
        }
        for path in
            ["", "/", "/a", "a/", "a//b", "..", "../a", "a/../b", "a/..", "./a", "a b", "a\nb", "a\\b", "ä"]
        {
            assert!(!is_archive_path(path), "{path:?}");
        }
    }
}
