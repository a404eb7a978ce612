//! Entries for binfmt_misc (the kernel's Documentation/admin-guide/binfmt-misc.rst).

use std::fmt::Write as _;
use std::path::Path;

use crate::table::{Architecture, Endian};

/// Flags of every entry.
///
/// - `F`: the kernel opens the interpreter when it is registered, so it is found from inside a root that has no
///   such file. Without it a copy of QEMU would have to be put into every root.
/// - `P`: argv\[0\] of the program is preserved, as an argument of its own. Without it programs that look at the name they
///   are called by (busybox, gcc's drivers, anything with a multi-call binary) see a path instead. QEMU knows of the extra
///   argument from the AT_FLAGS that Linux 5.12 and newer give it, in all versions that archmill uses (7.2 and newer).
/// - `C`: the process gets the credentials of the program and not those of the interpreter, so set-uid programs in
///   the root (su, sudo in test suites) work. It implies `O`: the program is passed as an open descriptor, so
///   programs without read permission run too. All ids are those of the namespace: this gives nobody anything outside.
pub const FLAGS: &str = "FPC";

/// The kernel takes no longer line (MAX_REGISTER_LENGTH).
const LONGEST_LINE: usize = 1920;
/// Nor a longer interpreter (BINPRM_BUF_SIZE less the zero at its end).
const LONGEST_INTERPRETER: usize = 255;

/// Why an emulator cannot be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BinfmtError {
    /// Its path is too long for the kernel.
    #[error(
        "the path of the emulator, {path:?}, has more than {LONGEST_INTERPRETER} bytes, which binfmt_misc does not take; choose a shorter folder with --cache"
    )]
    TooLong {
        /// The path.
        path: String,
    },
    /// Its path has characters that would end the field.
    #[error(
        "the path of the emulator, {path:?}, has a colon, a line break or is not UTF-8; choose another folder with --cache"
    )]
    Characters {
        /// The path.
        path: String,
    },
}

/// Name of the entry for an architecture.
pub fn binfmt_name(arch: &Architecture) -> String {
    format!("archmill-{}", arch.qemu)
}

/// The line for `register`.
pub fn binfmt_line(arch: &Architecture, interpreter: &Path) -> Result<String, BinfmtError> {
    let path = interpreter.to_str().filter(|path| !path.contains([':', '\n']));
    let path = path.ok_or_else(|| BinfmtError::Characters { path: interpreter.display().to_string() })?;
    let (magic, mask) = magic_and_mask(arch);
    let line = format!(":{}:M::{}:{}:{path}:{FLAGS}", binfmt_name(arch), escape(&magic), escape(&mask));
    if path.len() > LONGEST_INTERPRETER || line.len() > LONGEST_LINE {
        return Err(BinfmtError::TooLong { path: path.to_owned() });
    }
    Ok(line)
}

/// The first 20 bytes of an ELF file for `arch`, and which of their bits matter: class, byte order, version and machine do;
/// the OS ABI does not (GNU/Linux marks files that use its extensions); the type is EXEC or DYN.
fn magic_and_mask(arch: &Architecture) -> ([u8; 20], [u8; 20]) {
    let mut magic = [0; 20];
    let mut mask = [0xff; 20];
    magic[..4].copy_from_slice(b"\x7fELF");
    magic[4] = if arch.bits == 64 { 2 } else { 1 };
    magic[6] = 1;
    mask[7] = 0;
    match arch.endian {
        Endian::Little => {
            magic[5] = 1;
            magic[16..18].copy_from_slice(&2_u16.to_le_bytes());
            mask[16] = 0xfe;
            magic[18..].copy_from_slice(&arch.elf_machine.to_le_bytes());
        }
        Endian::Big => {
            magic[5] = 2;
            magic[16..18].copy_from_slice(&2_u16.to_be_bytes());
            mask[17] = 0xfe;
            magic[18..].copy_from_slice(&arch.elf_machine.to_be_bytes());
        }
    }
    (magic, mask)
}

fn escape(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "\\x{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::{TABLE, find};

    #[test]
    fn the_entry_for_arm64_is_the_one_that_debian_registers() {
        let line = binfmt_line(find("arm64").unwrap(), Path::new("/q/qemu-aarch64")).unwrap();
        assert_eq!(
            line,
            r":archmill-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/q/qemu-aarch64:FPC"
        );
    }

    /// First 20 bytes of /bin/true of Debian 13 (coreutils 9.7-3), by `od -An -tx1 -N20`.
    const TRUE: &[(&str, [u8; 20])] = &[
        ("arm64", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0xb7, 0]),
        ("armhf", [0x7f, 0x45, 0x4c, 0x46, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x28, 0]),
        ("riscv64", [0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0xf3, 0]),
        ("s390x", [0x7f, 0x45, 0x4c, 0x46, 2, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0x16]),
    ];

    #[test]
    fn an_entry_takes_the_programs_of_its_own_architecture_only() {
        for (name, header) in TRUE {
            let takes = |arch: &Architecture| {
                let (magic, mask) = magic_and_mask(arch);
                (0..20).all(|at| header[at] & mask[at] == magic[at] & mask[at])
            };
            let machine = find(name).unwrap().elf_machine;
            for arch in TABLE {
                assert_eq!(
                    takes(arch),
                    arch.elf_machine == machine && arch.bits == find(name).unwrap().bits,
                    "{} {name}",
                    arch.debian
                );
            }
        }
    }

    #[test]
    fn a_path_that_the_kernel_would_not_take_is_refused() {
        let arch = find("arm64").unwrap();
        assert!(matches!(binfmt_line(arch, Path::new("/a:b")), Err(BinfmtError::Characters { .. })));
        assert!(matches!(binfmt_line(arch, Path::new(&"/x".repeat(200))), Err(BinfmtError::TooLong { .. })));
    }
}
