//! Architectures that this machine executes, and paths in their programs that are to lead into the folder of twins.

/// An architecture that this machine executes: where its programs look for libraries, and where those of twins are.
pub(super) struct Machine {
    pub(super) arch: &'static str,
    pub(super) triplet: &'static str,
    /// Below the prefix.
    pub(super) libraries: &'static str,
    /// Paths in programs, and what they become: of the same length.
    pub(super) folders: [(&'static [u8], &'static [u8]); 3],
    pub(super) loader: &'static str,
}

pub(super) const MACHINES: [Machine; 2] = [
    Machine {
        arch: "amd64",
        triplet: "x86_64-linux-gnu",
        libraries: "usr/lib/amd64",
        folders: [
            (b"/usr/lib/x86_64-linux-gnu", b"/dev/.twins/usr/lib/amd64"),
            (b"/lib/x86_64-linux-gnu", b"/dev/.twins/lib/amd64"),
            (b"", b""),
        ],
        loader: "ld-linux-x86-64.so.2",
    },
    Machine {
        arch: "i386",
        triplet: "i386-linux-gnu",
        libraries: "usr/lib/i32",
        folders: [
            (b"/usr/lib/i386-linux-gnu", b"/dev/.twins/usr/lib/i32"),
            (b"/lib/i386-linux-gnu", b"/dev/.twins/lib/i32"),
            // The kernel starts these, and finds the dynamic linker by the path in the program.
            (b"/lib/ld-linux.so.2\0", b"/dev/.twins/ld.so2\0"),
        ],
        loader: "ld-linux.so.2",
    },
];

pub(super) fn machine(arch: &str) -> &'static Machine {
    MACHINES.iter().find(|machine| machine.arch == arch).unwrap_or(&MACHINES[0])
}

/// Overwrites paths of library folders; tells whether there were any.
pub(super) fn redirect(bytes: &mut [u8], machine: &Machine, more: &[(String, String)]) -> bool {
    let mut changed = false;
    let more = more.iter().map(|(from, to)| (from.as_bytes(), to.as_bytes()));
    for (from, to) in machine.folders.into_iter().filter(|(from, _)| !from.is_empty()).chain(more) {
        for at in places(bytes, from) {
            // In the middle of another path it means something else.
            let inside = at > 0
                && matches!(bytes[at - 1], b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'/');
            if !inside {
                bytes[at..at + to.len()].copy_from_slice(to);
                changed = true;
            }
        }
    }
    changed
}

pub(super) fn places(bytes: &[u8], wanted: &[u8]) -> Vec<usize> {
    memchr::memmem::find_iter(bytes, wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_libraries_are_replaced_by_such_of_the_same_length() {
        assert!(MACHINES.iter().flat_map(|machine| machine.folders).all(|(from, to)| from.len() == to.len()));
        let mut text =
            b"\0/usr/lib/x86_64-linux-gnu/perl\0/lib/x86_64-linux-gnu/\0/usr/local/lib/x86_64-linux-gnu\0"
                .to_vec();
        assert!(redirect(&mut text, &MACHINES[0], &[]));
        assert_eq!(
            String::from_utf8_lossy(&text),
            "\0/dev/.twins/usr/lib/amd64/perl\0/dev/.twins/lib/amd64/\0/usr/local/lib/x86_64-linux-gnu\0"
        );
    }
}
