//! Rules of an entry: when the emulated program runs all the same, and what the twin is told.

use crate::Table;
use crate::format::{self, HEADER_SIZE};
use crate::stack::Stack;
use crate::sys;
use crate::text::{self, begins_like_word_of, first_starts, is_script, is_word_of, next_word};

/// A list in the table: its length, and its first word.
unsafe fn list(table: &Table, record: *const u8, at: usize) -> (usize, *const u8) {
    let offset = record.add(at).cast::<u32>().read_unaligned() as usize;
    if offset < HEADER_SIZE || offset + 4 > table.size {
        return (0, table.start);
    }
    let start = table.start.add(offset);
    (start.cast::<u32>().read_unaligned() as usize, start.add(4))
}

/// Why the twin may not run: what a rule is about, or the first argument where only some may be that.
pub unsafe fn against(stack: &Stack, table: &Table, entry: *const u8) -> Option<*const u8> {
    match check(stack, table, table.start, format::COMMON) {
        Some(reason) => Some(reason),
        None => check(stack, table, entry, format::RULES),
    }
}

unsafe fn check(stack: &Stack, table: &Table, record: *const u8, at: usize) -> Option<*const u8> {
    let (count, first) = list(table, record, at);
    let (mut only, mut found) = (false, false);
    let mut number = 0;
    while number < count {
        let rule = first.add(number * 12);
        let kind = rule.cast::<u32>().read_unaligned();
        let text = table.string(rule, 4)?;
        let met = match kind {
            format::VARIABLE_SET => match stack.variable(text) {
                Some(value) if *value != 0 => match table.string(rule, 8) {
                    Some(words) => !argument_meets(stack, format::ARGUMENT_STARTS_WITHOUT, words),
                    None => true,
                },
                _ => false,
            },
            format::VARIABLE_HAS => match (stack.variable(text), table.string(rule, 8)) {
                (Some(value), Some(part)) => text::has(value, part),
                _ => false,
            },
            format::VARIABLE_IS_NOT => match (stack.variable(text), table.string(rule, 8)) {
                (Some(value), Some(words)) => !is_word_of(value, words),
                _ => true,
            },
            format::FOLDERS_HAVE => match (stack.variable(text), table.string(rule, 8)) {
                (Some(value), Some(names)) => *value != 0 && folders_have(value, names),
                _ => false,
            },
            format::ONLY_FIRST_STARTS => {
                only = true;
                found |= stack.argc() > 3 && first_starts(stack.arguments().add(1), text);
                false
            }
            format::ONLY_SCRIPT => {
                only = true;
                found |= is_script(stack.arguments().add(1), text);
                false
            }
            format::REPLACE_ARGUMENT | format::ADD_ARGUMENT => false,
            format::STARTED_OUTSIDE => {
                let path = stack.path();
                if !begins_like_word_of(path, text) {
                    return Some(path);
                }
                false
            }
            format::ARGUMENT_STARTS_WITHOUT | format::ARGUMENT_HAS_WITHOUT => {
                let words = table.string(rule, 8)?;
                let starts = kind == format::ARGUMENT_STARTS_WITHOUT;
                let other = if starts { format::ARGUMENT_STARTS } else { format::ARGUMENT_HAS };
                argument_meets(stack, other, text) && !argument_meets(stack, kind, words)
            }
            _ => argument_meets(stack, kind, text),
        };
        if met {
            return Some(text);
        }
        number += 1;
    }
    if !only || found {
        return None;
    }
    let first = *stack.arguments().add(1);
    Some(if first.is_null() { c"no argument".as_ptr().cast() } else { first })
}

/// Whether one of the folders has a file of one of the names. What the dynamic linker would have to work out is met.
unsafe fn folders_have(mut folder: *const u8, names: *const u8) -> bool {
    loop {
        let mut size = 0;
        while *folder.add(size) != 0 && *folder.add(size) != b':' && *folder.add(size) != b';' {
            if *folder.add(size) == b'$' {
                return true;
            }
            size += 1;
        }
        if !is_known(folder, size, names) && folder_has(folder, size, names) {
            return true;
        }
        if *folder.add(size) == 0 {
            return false;
        }
        folder = folder.add(size + 1);
    }
}

/// Whether it is one of the folders, words that begin with a slash.
unsafe fn is_known(folder: *const u8, mut size: usize, mut words: *const u8) -> bool {
    while size > 1 && *folder.add(size - 1) == b'/' {
        size -= 1;
    }
    while *words == b'/' {
        let mut at = 0;
        while at < size && *folder.add(at) == *words.add(at) {
            at += 1;
        }
        if at == size && size > 0 && (*words.add(at) == b' ' || *words.add(at) == 0) {
            return true;
        }
        match next_word(words) {
            Some(next) => words = next,
            None => return false,
        }
    }
    false
}

unsafe fn folder_has(folder: *const u8, size: usize, mut names: *const u8) -> bool {
    const ROOM: usize = 1024;
    let mut path = core::mem::MaybeUninit::<[u8; ROOM]>::uninit();
    let start = path.as_mut_ptr().cast::<u8>();
    // An empty one is the current folder.
    let (folder, size) = if size == 0 { (c".".as_ptr().cast(), 1) } else { (folder, size) };
    if size > ROOM / 2 {
        return true;
    }
    sys::copy_bytes(folder, start, size);
    *start.add(size) = b'/';
    loop {
        let mut length = 0;
        while *names.add(length) != 0 && *names.add(length) != b' ' {
            length += 1;
        }
        if length >= ROOM / 2 - 2 {
            return true;
        }
        sys::copy_bytes(names, start.add(size + 1), length);
        *start.add(size + 1 + length) = 0;
        if length > 0 && *names != b'/' && sys::exists(start) {
            return true;
        }
        if *names.add(length) == 0 {
            return false;
        }
        names = names.add(length + 1);
    }
}

unsafe fn argument_meets(stack: &Stack, kind: u32, text: *const u8) -> bool {
    let mut argument = stack.arguments().add(1);
    while !(*argument).is_null() {
        let meets = match kind {
            format::ARGUMENT_IS => text::equal(*argument, text),
            format::ARGUMENT_STARTS => text::starts(*argument, text),
            format::ARGUMENT_ENDS => text::ends(*argument, text),
            format::ARGUMENT_HAS => text::has(*argument, text),
            format::ARGUMENT_STARTS_WITHOUT | format::ARGUMENT_HAS_WITHOUT => is_word_of(*argument, text),
            format::ADD_ARGUMENT => begins_like_word_of(*argument, text),
            _ => false,
        };
        if meets {
            return true;
        }
        argument = argument.add(1);
    }
    false
}

/// Whether the program is to read its standard input: "-" is an argument, and not what `-o` names.
pub unsafe fn reads_input(stack: &Stack) -> bool {
    let mut argument = stack.arguments();
    while !(*argument).is_null() {
        let next = *argument.add(1);
        if !next.is_null() && text::equal(next, c"-".as_ptr().cast()) && !text::equal(*argument, c"-o".as_ptr().cast()) {
            return true;
        }
        argument = argument.add(1);
    }
    false
}

/// Adds what the twin is told.
pub unsafe fn environment(stack: &mut Stack, table: &Table, entry: *const u8) {
    let (count, first) = list(table, entry, format::ENVIRONMENT);
    if count > 0 {
        stack.add(count, |number| {
            table.start.add(first.add(number * 4).cast::<u32>().read_unaligned() as usize)
        });
    }
}

/// Takes out what an earlier twin was told and handed on.
pub unsafe fn strip(stack: &mut Stack, table: &Table) {
    let (count, first) = list(table, table.start, format::STRIP);
    let mut number = 0;
    while number < count {
        let text = table.start.add(first.add(number * 4).cast::<u32>().read_unaligned() as usize);
        let mut at = stack.environment;
        while !(*at).is_null() && !text::equal(*at, text) {
            at = at.add(1);
        }
        if !(*at).is_null() {
            stack.remove(at);
        }
        number += 1;
    }
}

/// Replaces arguments, and adds some.
pub unsafe fn arguments(stack: &mut Stack, table: &Table, entry: *const u8) {
    let (count, first) = list(table, entry, format::RULES);
    let mut number = 0;
    while number < count {
        let rule = first.add(number * 12);
        let kind = rule.cast::<u32>().read_unaligned();
        if kind == format::ADD_ARGUMENT
            && let (Some(added), Some(unless)) = (table.string(rule, 4), table.string(rule, 8))
            && !argument_meets(stack, kind, unless)
        {
            stack.append(added);
        }
        if kind == format::REPLACE_ARGUMENT
            && let (Some(from), Some(to)) = (table.string(rule, 4), table.string(rule, 8))
        {
            let mut argument = stack.arguments().add(1);
            while !(*argument).is_null() {
                if text::equal(*argument, from) {
                    *argument = to;
                    stack.keeps_table = true;
                }
                argument = argument.add(1);
            }
        }
        number += 1;
    }
}

/// Copies the first line of a text, or the beginning of it; gives its length.
unsafe fn copy_line(text: *const u8, to: *mut u8) -> usize {
    let mut size = 0;
    while size < 200 && *text.add(size) != 0 && *text.add(size) != b'\n' {
        size += 1;
    }
    sys::copy_bytes(text, to, size);
    size
}

/// Notes a choice for an opened file.
pub unsafe fn log_of(stack: &Stack, file: i32, reason: *const u8) {
    let mut buffer = [core::mem::MaybeUninit::<u8>::uninit(); 1024];
    if let Some(path) = sys::path_of(file, &mut buffer) {
        log(stack, path, reason);
    }
}

/// Notes a choice: the program and what spoke against its twin, one line. The write is one call, so that lines of
/// several processes do not mix.
pub unsafe fn log(stack: &Stack, path: *const u8, reason: *const u8) {
    let Some(file) = sys::open_to_append(format::CHOICES_PATH.as_ptr()) else { return };
    let mut line = core::mem::MaybeUninit::<[u8; 2048]>::uninit();
    let start = line.as_mut_ptr().cast::<u8>();
    let mut size = text::length(path).min(1024);
    sys::copy_bytes(path, start, size);
    *start.add(size) = b'\t';
    size += 1;
    size += copy_line(reason, start.add(size));
    // An option says little without what it is about, as `-m pytest`.
    let first = *stack.arguments().add(1);
    if reason == first && *first == b'-' && !(*stack.arguments().add(2)).is_null() {
        *start.add(size) = b' ';
        size += 1;
        size += copy_line(*stack.arguments().add(2), start.add(size));
    }
    *start.add(size) = b'\n';
    sys::write(file, start, size + 1);
    sys::close(file);
}
