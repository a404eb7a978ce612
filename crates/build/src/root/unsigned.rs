//! Functions that take a char for a number, as hashes do. On x86-64 it has a sign, on ARM, RISC-V, POWER and Z it has none: what
//! extends it with its sign is made to fill with zeros, an instruction of the same length.

use archmill_emulate::twins::Functions;
use iced_x86::{Code, Decoder, DecoderOptions, Instruction, OpKind};

use super::elf::{self, is_64_bits};

const MOVSX: [u8; 2] = [0x0f, 0xbe];
const MOVZX: [u8; 2] = [0x0f, 0xb6];

/// Tells whether there are such functions, and each extends a char: one that does it in another way would not agree with the
/// rest, so then all stay as they are.
pub(super) fn make(bytes: &mut [u8], functions: &Functions) -> bool {
    let bits = if is_64_bits(bytes) { 64 } else { 32 };
    let places = match functions {
        Functions::Constant(_) => elf::functions(bytes),
        Functions::Name(name) => elf::function(bytes, name).into_iter().collect(),
    };
    let mut found = Vec::new();
    for place in places {
        let Some(code) = bytes.get(place.clone()) else { continue };
        if let Functions::Constant(constant) = functions
            && !computes_with(code, bits, *constant)
        {
            continue;
        }
        let extending = extending(code, bits);
        if extending.is_empty() {
            return false;
        }
        found.extend(extending.into_iter().map(|at| place.start + at));
    }
    for at in &found {
        bytes[*at..*at + 2].copy_from_slice(&MOVZX);
    }
    !found.is_empty()
}

/// Where in this code the opcodes are that extend a char with its sign.
fn extending(code: &[u8], bits: u32) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    for instruction in Decoder::new(bits, code, DecoderOptions::NONE) {
        let next = at + instruction.len();
        let extends =
            matches!(instruction.code(), Code::Movsx_r16_rm8 | Code::Movsx_r32_rm8 | Code::Movsx_r64_rm8);
        // No prefix is the first byte of this opcode.
        let opcode = code[at..next].windows(2).position(|two| two == MOVSX).filter(|_| extends);
        found.extend(opcode.map(|opcode| at + opcode));
        at = next;
    }
    found
}

/// Few functions have its bytes at all, and only those are decoded.
fn computes_with(code: &[u8], bits: u32, constant: u32) -> bool {
    memchr::memmem::find(code, &constant.to_le_bytes()).is_some()
        && Decoder::new(bits, code, DecoderOptions::NONE)
            .into_iter()
            .any(|instruction| has(&instruction, constant))
}

fn has(instruction: &Instruction, constant: u32) -> bool {
    (0..instruction.op_count()).any(|operand| {
        let is_long = matches!(instruction.op_kind(operand), OpKind::Immediate32 | OpKind::Immediate32to64);
        is_long && instruction.immediate32() == constant
    })
}

#[cfg(test)]
mod tests {
    use super::super::elf::{made, write};
    use super::*;

    const CONSTANT: Functions = Functions::Constant(0x811c_9dc5);

    /// A segment of code with three functions, and the table of them in another order.
    fn program() -> Vec<u8> {
        let segments = [
            (1, 5, 0x400, 0x1100, 0x100),
            (0x6474_e550, 4, 0x280, 0x3280, 0x80),
            (1, 6, 0x300, 0x3300, 0x100),
            (2, 6, 0x300, 0x3300, 0x30),
        ];
        let mut bytes = made::program(0x500, &segments);
        write(&mut bytes, 0x280, &[1, 0x1b, 0x03, 0x3b, 0, 0, 0, 0, 3, 0, 0, 0]);
        for (index, address) in [(0, 0x1140_i32), (1, 0x1100), (2, 0x1180)] {
            write(&mut bytes, 0x28c + 8 * index, &(address - 0x3280).to_le_bytes());
        }
        // mov $0x811c9dc5,%eax; movsbl %r8b,%edx; mov $0xbe0f,%eax; ret
        let hash = [0xb8, 0xc5, 0x9d, 0x1c, 0x81, 0x41, 0x0f, 0xbe, 0xd0, 0xb8, 0x0f, 0xbe, 0, 0, 0xc3];
        write(&mut bytes, 0x400, &hash);
        // movsbl (%rdi),%esi; ret
        write(&mut bytes, 0x440, &[0x0f, 0xbe, 0x37, 0xc3]);
        // movabs $0x811c9dc500000000,%rax; movsbl (%rdi),%esi; ret
        write(&mut bytes, 0x480, &[0x48, 0xb8, 0, 0, 0, 0, 0xc5, 0x9d, 0x1c, 0x81, 0x0f, 0xbe, 0x37, 0xc3]);
        // The dynamic section, a symbol of the second function, and its name.
        for (at, value) in [(0x300, 6), (0x308, 0x3330), (0x310, 5), (0x318, 0x3360_u64)] {
            write(&mut bytes, at, &value.to_le_bytes());
        }
        for (at, value) in [(0x348, 1), (0x350, 0x1140), (0x358, 4_u64)] {
            write(&mut bytes, at, &value.to_le_bytes());
        }
        write(&mut bytes, 0x360, b"\0compare\0");
        bytes
    }

    #[test]
    fn a_function_is_found_by_its_name() {
        let (mut bytes, before) = (program(), program());
        assert!(make(&mut bytes, &Functions::Name("compare".to_owned())));
        assert_eq!(bytes[0x440..0x444], [0x0f, 0xb6, 0x37, 0xc3]);
        bytes[0x441] = 0xbe;
        assert_eq!(bytes, before);
        for name in ["ompare", "compar", ""] {
            assert!(!make(&mut bytes, &Functions::Name(name.to_owned())), "{name}");
            assert_eq!(bytes, before);
        }
    }

    #[test]
    fn where_the_constant_is_a_char_is_extended_with_zeros_and_all_else_stays() {
        let (mut bytes, before) = (program(), program());
        assert!(make(&mut bytes, &CONSTANT));
        assert_eq!(bytes[0x405..0x409], [0x41, 0x0f, 0xb6, 0xd0]);
        bytes[0x407] = 0xbe;
        assert_eq!(bytes, before);
    }

    #[test]
    fn without_such_a_function_nothing_changes() {
        let mut bytes = program();
        assert!(!make(&mut bytes, &Functions::Constant(0x1003f)));
        write(&mut bytes, 0x407, &[0xb6]);
        let before = bytes.clone();
        assert!(!make(&mut bytes, &CONSTANT));
        assert_eq!(bytes, before);
        // One that does, and one that does not.
        let mut bytes = program();
        write(&mut bytes, 0x440, &[0xb8, 0xc5, 0x9d, 0x1c, 0x81, 0xc3]);
        let before = bytes.clone();
        assert!(!make(&mut bytes, &CONSTANT));
        assert_eq!(bytes, before);
        for mut bytes in [Vec::new(), b"\x7fELF".to_vec(), vec![0xff; 300]] {
            assert!(!make(&mut bytes, &CONSTANT));
        }
    }
}
