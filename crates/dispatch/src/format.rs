//! The table: which programs have a twin. Little-endian, offsets in bytes from its start; strings end with a zero.
//!
//! Written by the crate, read by the code in `program/` straight from where it is mapped, in every process that starts.

/// Where it is, inside a root; with the zero at its end.
pub(crate) const TABLE_PATH: &[u8] = b"/dev/.twins/table\0";
/// Where choices against a twin are noted; with the zero at its end.
pub(crate) const CHOICES_PATH: &[u8] = b"/dev/.twins.log/choices\0";
/// Where a twin notes that it did not do all that it was to do; with the zero at its end.
pub(crate) const FAILED_PATH: &[u8] = b"/dev/.twins.log/failed\0";
/// A variable with which a twin starts the emulated program in its own place: why, for the choices. That program does
/// not find it. With the zero at its end.
pub(crate) const EMULATE: &[u8] = b"ARCHMILL_EMULATE\0";

/// First bytes.
pub(crate) const MAGIC: [u8; 8] = *b"AMtwin01";
/// Size of the header.
pub(crate) const HEADER_SIZE: usize = 32;
/// In the header: number of entries.
pub(crate) const COUNT: usize = 8;
/// In the header: the path of the dynamic linker for twins.
pub(crate) const LOADER: usize = 12;
/// In the header: strings `NAME=VALUE` that are taken out of the environment: a list.
pub(crate) const STRIP: usize = 16;
/// In the header: rules for all programs, as in an entry.
pub(crate) const COMMON: usize = 20;

/// Size of an entry. Entries follow the header, ordered by hash.
pub(crate) const ENTRY_SIZE: usize = 48;
/// In an entry: hash of the path.
pub(crate) const HASH: usize = 0;
/// In an entry: size of the program that is replaced.
pub(crate) const SIZE: usize = 8;
/// In an entry: its modification time in seconds.
pub(crate) const MTIME: usize = 16;
/// In an entry: its path.
pub(crate) const PATH: usize = 24;
/// In an entry: the path of the twin.
pub(crate) const PROGRAM: usize = 28;
/// In an entry: its rules: a list of records of three numbers, kind and two strings. 0 is none.
pub(crate) const RULES: usize = 32;
/// In an entry: strings `NAME=VALUE` for the environment: a list.
pub(crate) const ENVIRONMENT: usize = 36;

/// In an entry: 1 if the twin is started by execve(2), as its machine is another one than the emulator's own.
pub(crate) const EXECUTED: usize = 40;
/// In an entry: 1 if the twin is only tried: where it fails, the emulated program runs.
pub(crate) const TRIED: usize = 44;

/// Rule: not with an argument that is this string.
pub(crate) const ARGUMENT_IS: u32 = 1;
/// Rule: not with an argument that begins like this.
pub(crate) const ARGUMENT_STARTS: u32 = 2;
/// Rule: not with an argument that ends like this.
pub(crate) const ARGUMENT_ENDS: u32 = 3;
/// Rule: not where this variable is set and not empty; with a second string, unless an argument is a word of that.
pub(crate) const VARIABLE_SET: u32 = 4;
/// Rule: only where the first argument begins like this, or like that of another rule of this kind.
pub(crate) const ONLY_FIRST_STARTS: u32 = 5;
/// Not a rule: an argument that is the first string becomes the second.
pub(crate) const REPLACE_ARGUMENT: u32 = 6;
/// Rule: not where the value of this variable has the second string in it.
pub(crate) const VARIABLE_HAS: u32 = 7;
/// Rule: not with an argument that has this in it.
pub(crate) const ARGUMENT_HAS: u32 = 8;

/// Rule: not with an argument that begins like this, unless there is also one that is a word of the second string.
pub(crate) const ARGUMENT_STARTS_WITHOUT: u32 = 9;

/// Rule: not where one of the folders that this variable names has one of the files that the second string names.
/// Folders, with a slash first, may stand before the files: there they are of no matter.
pub(crate) const FOLDERS_HAVE: u32 = 10;

/// Rule: only where the value of this variable is a word of the second string.
pub(crate) const VARIABLE_IS_NOT: u32 = 11;

/// Rule: not with an argument that has this in it, unless there is also one that is a word of the second string.
pub(crate) const ARGUMENT_HAS_WITHOUT: u32 = 13;

/// Rule: not where the path that the program was started by begins with none of these words.
pub(crate) const STARTED_OUTSIDE: u32 = 14;

/// Rule: only where what is behind options that are words of the string is `-c` or a script, and no test; or where the
/// first argument is as a rule of [`ONLY_FIRST_STARTS`] has it.
pub(crate) const ONLY_SCRIPT: u32 = 15;

/// Not a rule: the first string is added to the arguments where none begins like a word of the second.
pub(crate) const ADD_ARGUMENT: u32 = 12;

/// One step of the hash of a path: FNV-1a with 64 bits, from [`HASH_START`] over its bytes without the zero.
pub(crate) const fn hash_step(hash: u64, byte: u8) -> u64 {
    (hash ^ byte as u64).wrapping_mul(0x0000_0100_0000_01b3)
}

/// What the hash of a path starts from.
pub(crate) const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;
