//! What the first bytes of a program say about the machine it is for (System V ABI, elf(5)).

/// Width of addresses in the file (`EI_CLASS`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `ELFCLASS32`
    Elf32,
    /// `ELFCLASS64`
    Elf64,
}

/// Byte order (`EI_DATA`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endian {
    /// `ELFDATA2LSB`
    Little,
    /// `ELFDATA2MSB`
    Big,
}

/// The machine a program is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ElfTarget {
    /// Width.
    pub class: Class,
    /// Byte order.
    pub endian: Endian,
    /// `e_machine`.
    pub machine: u16,
}

/// Bytes of the ELF header that are compared: up to and with `e_machine`.
pub const PATTERN_LENGTH: usize = 20;

const OSABI: usize = 7;
const E_TYPE: usize = 16;
const E_MACHINE: usize = 18;
const ET_EXEC: u16 = 2;

impl ElfTarget {
    /// Bytes to compare a file's beginning with, after [`Self::mask`] is applied to it.
    pub fn magic(&self) -> [u8; PATTERN_LENGTH] {
        let mut magic = [0; PATTERN_LENGTH];
        magic[..4].copy_from_slice(b"\x7fELF");
        magic[4] = match self.class {
            Class::Elf32 => 1,
            Class::Elf64 => 2,
        };
        magic[5] = match self.endian {
            Endian::Little => 1,
            Endian::Big => 2,
        };
        magic[6] = 1; // EI_VERSION: EV_CURRENT
        magic[E_TYPE..E_MACHINE].copy_from_slice(&self.half(ET_EXEC));
        magic[E_MACHINE..].copy_from_slice(&self.half(self.machine));
        magic
    }

    /// Bits that count: all but `EI_OSABI` to the end of `e_ident`, and `e_type`'s lowest.
    ///
    /// A kernel of the target ignores those bytes of `e_ident` too (`load_elf_binary` in Linux' `fs/binfmt_elf.c`);
    /// real programs have 0 (System V) or 3 (GNU) there. The lowest bit of `e_type` tells `ET_EXEC` (2) from
    /// `ET_DYN` (3, a position-independent program).
    pub fn mask(&self) -> [u8; PATTERN_LENGTH] {
        let mut mask = [0xff; PATTERN_LENGTH];
        mask[OSABI..E_TYPE].fill(0);
        mask[E_TYPE..E_MACHINE].copy_from_slice(&self.half(!1));
        mask
    }

    /// Whether a file that begins so is a program for this machine. A shorter beginning is none.
    pub fn recognises(&self, beginning: &[u8]) -> bool {
        let pattern = self.magic().into_iter().zip(self.mask());
        beginning.len() >= PATTERN_LENGTH
            && pattern.zip(beginning).all(|((magic, mask), byte)| byte & mask == magic & mask)
    }

    fn half(&self, value: u16) -> [u8; 2] {
        match self.endian {
            Endian::Little => value.to_le_bytes(),
            Endian::Big => value.to_be_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARM64: ElfTarget = ElfTarget { class: Class::Elf64, endian: Endian::Little, machine: 183 };
    const S390X: ElfTarget = ElfTarget { class: Class::Elf64, endian: Endian::Big, machine: 22 };

    #[test]
    fn programs_of_both_kinds_are_recognised_and_objects_are_not() {
        for (e_type, is_program) in [(1, false), (2, true), (3, true), (4, false)] {
            let mut header = ARM64.magic();
            header[16] = e_type;
            assert_eq!(ARM64.recognises(&header), is_program, "e_type {e_type}");
        }
    }

    #[test]
    fn gnu_programs_are_recognised_as_system_v_ones_are() {
        let mut header = ARM64.magic();
        header[7] = 3;
        assert!(ARM64.recognises(&header));
    }

    #[test]
    fn byte_order_counts_for_type_and_machine() {
        assert_eq!(&S390X.magic()[16..], [0, 2, 0, 22]);
        assert_eq!(&S390X.mask()[16..], [0xff, 0xfe, 0xff, 0xff]);
        assert!(!S390X.recognises(&ARM64.magic()));
    }

    #[test]
    fn a_short_file_is_no_program() {
        assert!(!ARM64.recognises(&ARM64.magic()[..19]));
        assert!(!ARM64.recognises(b""));
    }
}
