//! Strings, words of rules, and arguments held against them. No I/O.
//!
//! Strings end with a zero, words of a string are separated by a space, and a null ends arguments.

pub unsafe fn length(string: *const u8) -> usize {
    let mut at = 0;
    while *string.add(at) != 0 {
        at += 1;
    }
    at
}

pub unsafe fn equal(a: *const u8, b: *const u8) -> bool {
    let mut at = 0;
    while *a.add(at) == *b.add(at) {
        if *a.add(at) == 0 {
            return true;
        }
        at += 1;
    }
    false
}

pub unsafe fn starts(string: *const u8, prefix: *const u8) -> bool {
    let mut at = 0;
    while *prefix.add(at) != 0 {
        if *string.add(at) != *prefix.add(at) {
            return false;
        }
        at += 1;
    }
    true
}

pub unsafe fn ends(string: *const u8, suffix: *const u8) -> bool {
    let (all, part) = (length(string), length(suffix));
    all >= part && equal(string.add(all - part), suffix)
}

pub unsafe fn has(mut string: *const u8, part: *const u8) -> bool {
    loop {
        if starts(string, part) {
            return true;
        }
        if *string == 0 {
            return false;
        }
        string = string.add(1);
    }
}

/// The word behind the first; a space separates them.
pub unsafe fn next_word(mut words: *const u8) -> Option<*const u8> {
    while *words != 0 && *words != b' ' {
        words = words.add(1);
    }
    if *words == 0 { None } else { Some(words.add(1)) }
}

/// Whether it is one of the words.
pub unsafe fn is_word_of(argument: *const u8, mut words: *const u8) -> bool {
    loop {
        let mut at = 0;
        while *argument.add(at) != 0 && *argument.add(at) == *words.add(at) {
            at += 1;
        }
        let end = *words.add(at);
        if *argument.add(at) == 0 && (end == b' ' || end == 0) {
            return true;
        }
        match next_word(words) {
            Some(next) => words = next,
            None => return false,
        }
    }
}

/// Whether an argument begins like one of the words.
pub unsafe fn begins_like_word_of(argument: *const u8, mut word: *const u8) -> bool {
    loop {
        let mut at = 0;
        while *word.add(at) != 0 && *word.add(at) != b' ' && *argument.add(at) == *word.add(at) {
            at += 1;
        }
        if at > 0 && (*word.add(at) == b' ' || *word.add(at) == 0) {
            return true;
        }
        match next_word(word) {
            Some(next) => word = next,
            None => return false,
        }
    }
}

/// Where the text has two words, the first is the whole argument, and the second the beginning of the next.
pub unsafe fn first_starts(arguments: *mut *const u8, text: *const u8) -> bool {
    let mut at = 0;
    while *text.add(at) != 0 && *text.add(at) != b' ' {
        if *(*arguments).add(at) != *text.add(at) {
            return false;
        }
        at += 1;
    }
    if *text.add(at) == 0 {
        return true;
    }
    let next = *arguments.add(1);
    *(*arguments).add(at) == 0 && !next.is_null() && starts(next, text.add(at + 1))
}

/// Whether "test" is how a part of a path begins, or what is to be run: not so in `gen-installed-test.py`.
unsafe fn is_test(path: *const u8) -> bool {
    let mut at = 0;
    while *path.add(at) != 0 {
        if starts(path.add(at), c"test".as_ptr().cast()) {
            let before = |words: &[&[u8]]| {
                words.iter().any(|word| {
                    at >= word.len()
                        && (0..word.len()).all(|place| *path.add(at - word.len() + place) == word[place])
                })
            };
            if at == 0 || before(&[b"/", b"run", b"run-", b"run_", b"py", b"py.", b"unit", b"nose", b"s"]) {
                return true;
            }
        }
        at += 1;
    }
    false
}

/// Whether the arguments, behind options of those words, are `-c` and what to do, or a script; a test is none.
pub unsafe fn is_script(mut argument: *mut *const u8, options: *const u8) -> bool {
    while !(*argument).is_null() {
        let (text, next) = (*argument, *argument.add(1));
        if equal(text, c"-c".as_ptr().cast()) {
            return !next.is_null() && !has(next, c"test".as_ptr().cast());
        }
        if *text != b'-' {
            return *text != 0 && !is_test(text) && (next.is_null() || !is_test(next));
        }
        if !is_word_of(text, options) {
            return false;
        }
        argument = argument.add(1);
    }
    false
}
