//! The table of twins: what it says, and how it is written.

use std::collections::HashMap;

use crate::format;

/// Something that decides for each start of a program.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Emulated if an argument is this.
    ArgumentIs(String),
    /// Emulated if an argument begins like this.
    ArgumentStarts(String),
    /// Emulated if an argument ends like this.
    ArgumentEnds(String),
    /// Emulated if an argument has this in it.
    ArgumentHas(String),
    /// Emulated if this variable is set and not empty.
    VariableSet(String),
    /// Emulated if the variable is set and not empty, and no argument is a word of the second string.
    VariableSetWithout(String, String),
    /// Emulated if the value of the variable has the second string in it.
    VariableHas(String, String),
    /// Emulated unless the variable is set to a word of the second string.
    VariableIsNot(String, String),
    /// Emulated unless the first argument begins like this, or like that of another rule of this kind. Of two words, with
    /// one space between, the first is the first argument and the second the beginning of the next.
    OnlyFirstStarts(String),
    /// Emulated unless what is behind options that are words of this is `-c` or a script, and no test by its name or by the
    /// argument that follows; or unless a rule of [`Self::OnlyFirstStarts`] says that the twin runs.
    OnlyScript(String),
    /// Emulated if an argument begins like the first string and none is a word of the second.
    ArgumentStartsWithout(String, String),
    /// Emulated if an argument has the first string in it and none is a word of the second.
    ArgumentHasWithout(String, String),
    /// Emulated if the path that it was started by, maybe a link, begins with none of these words.
    StartedOutside(String),
    /// Emulated if a folder of those in the variable, as LD_LIBRARY_PATH has them, has a file of the names in the second
    /// string, which a space separates. Folders that the string begins with, with a slash first, are of no matter.
    FoldersHave(String, String),
    /// The twin gets the second string for an argument that is the first.
    ReplaceArgument(String, String),
    /// The twin gets the first string as one more argument, unless there is one that begins like a word of the second.
    AddArgument(String, String),
}

/// A program that has a twin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its path in the root, free of symbolic links.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its modification time in seconds.
    pub mtime: i64,
    /// The path of the twin in the root.
    pub program: String,
    /// Whether the twin is of another kind of machine than the emulator (a 32-bit one), so that the kernel has to start it.
    pub executed: bool,
    /// Whether the twin is only tried: where it fails, the emulated program runs as if nothing had been.
    pub tried: bool,
    /// What decides at each start.
    pub rules: Vec<Rule>,
    /// Variables that the twin, and nobody whom it starts, finds in its environment.
    pub environment: Vec<(String, String)>,
}

/// All that the code in front of QEMU needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Table {
    /// Programs.
    pub entries: Vec<Entry>,
    /// The dynamic linker for twins.
    pub loader: String,
    /// Rules for all of them.
    pub rules: Vec<Rule>,
}

impl Table {
    /// The table as it is mapped.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries: Vec<&Entry> = self.entries.iter().collect();
        entries.sort_by_key(|entry| hash(&entry.path));
        let size = format::HEADER_SIZE + entries.len() * format::ENTRY_SIZE;
        let mut writer = Writer { bytes: vec![0; size], known: HashMap::new() };
        writer.bytes[..8].copy_from_slice(&format::MAGIC);
        writer.put(format::COUNT, u32::try_from(entries.len()).unwrap_or(0));
        let loader = writer.string(&self.loader);
        writer.put(format::LOADER, loader);
        let mut told: Vec<&(String, String)> = entries.iter().flat_map(|entry| &entry.environment).collect();
        told.sort();
        told.dedup();
        let strip = writer.environment(&told);
        writer.put(format::STRIP, strip);
        let common = writer.rules(&self.rules);
        writer.put(format::COMMON, common);
        for (number, entry) in entries.into_iter().enumerate() {
            writer.entry(format::HEADER_SIZE + number * format::ENTRY_SIZE, entry);
        }
        writer.bytes
    }
}

struct Writer {
    bytes: Vec<u8>,
    known: HashMap<String, u32>,
}

impl Writer {
    fn entry(&mut self, at: usize, entry: &Entry) {
        let path = self.string(&entry.path);
        let program = self.string(&entry.program);
        let rules = self.rules(&entry.rules);
        let environment = self.environment(&entry.environment.iter().collect::<Vec<_>>());
        self.put_long(at + format::HASH, hash(&entry.path));
        self.put_long(at + format::SIZE, entry.size);
        self.put_long(at + format::MTIME, entry.mtime.cast_unsigned());
        self.put(at + format::PATH, path);
        self.put(at + format::PROGRAM, program);
        self.put(at + format::RULES, rules);
        self.put(at + format::ENVIRONMENT, environment);
        self.put(at + format::EXECUTED, u32::from(entry.executed));
        self.put(at + format::TRIED, u32::from(entry.tried));
    }

    fn rules(&mut self, rules: &[Rule]) -> u32 {
        let records: Vec<[u32; 3]> = rules
            .iter()
            .map(|rule| {
                let (kind, first, second) = match rule {
                    Rule::ArgumentIs(text) => (format::ARGUMENT_IS, text, None),
                    Rule::ArgumentStarts(text) => (format::ARGUMENT_STARTS, text, None),
                    Rule::ArgumentEnds(text) => (format::ARGUMENT_ENDS, text, None),
                    Rule::ArgumentHas(text) => (format::ARGUMENT_HAS, text, None),
                    Rule::VariableSet(text) => (format::VARIABLE_SET, text, None),
                    Rule::VariableSetWithout(text, words) => (format::VARIABLE_SET, text, Some(words)),
                    Rule::VariableHas(text, part) => (format::VARIABLE_HAS, text, Some(part)),
                    Rule::VariableIsNot(text, value) => (format::VARIABLE_IS_NOT, text, Some(value)),
                    Rule::OnlyFirstStarts(text) => (format::ONLY_FIRST_STARTS, text, None),
                    Rule::OnlyScript(options) => (format::ONLY_SCRIPT, options, None),
                    Rule::ArgumentStartsWithout(text, words) => {
                        (format::ARGUMENT_STARTS_WITHOUT, text, Some(words))
                    }
                    Rule::ArgumentHasWithout(text, words) => {
                        (format::ARGUMENT_HAS_WITHOUT, text, Some(words))
                    }
                    Rule::StartedOutside(text) => (format::STARTED_OUTSIDE, text, None),
                    Rule::FoldersHave(text, names) => (format::FOLDERS_HAVE, text, Some(names)),
                    Rule::ReplaceArgument(from, to) => (format::REPLACE_ARGUMENT, from, Some(to)),
                    Rule::AddArgument(added, unless) => (format::ADD_ARGUMENT, added, Some(unless)),
                };
                [kind, self.string(first), second.map_or(0, |text| self.string(text))]
            })
            .collect();
        self.list(records.len(), &records.concat())
    }

    fn environment(&mut self, variables: &[&(String, String)]) -> u32 {
        let strings: Vec<u32> =
            variables.iter().map(|(name, value)| self.string(&format!("{name}={value}"))).collect();
        self.list(strings.len(), &strings)
    }

    fn list(&mut self, length: usize, words: &[u32]) -> u32 {
        if words.is_empty() {
            return 0;
        }
        let at = self.end();
        self.bytes.extend(u32::try_from(length).unwrap_or(0).to_le_bytes());
        self.bytes.extend(words.iter().flat_map(|word| word.to_le_bytes()));
        at
    }

    fn string(&mut self, text: &str) -> u32 {
        if let Some(at) = self.known.get(text) {
            return *at;
        }
        let at = self.end();
        self.bytes.extend(text.bytes().filter(|byte| *byte != 0));
        self.bytes.push(0);
        self.known.insert(text.to_owned(), at);
        at
    }

    fn end(&self) -> u32 {
        u32::try_from(self.bytes.len()).unwrap_or(0)
    }

    fn put(&mut self, at: usize, value: u32) {
        self.bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }

    fn put_long(&mut self, at: usize, value: u64) {
        self.bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
    }
}

fn hash(path: &str) -> u64 {
    path.bytes().fold(format::HASH_START, format::hash_step)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_in_the_order_of_their_hashes_and_strings_are_shared() {
        let entry = |name: &str| Entry {
            path: format!("/usr/bin/{name}"),
            size: 7,
            mtime: -1,
            program: "/dev/.twins/same".to_owned(),
            executed: false,
            tried: false,
            rules: vec![Rule::ArgumentIs("-x".to_owned())],
            environment: Vec::new(),
        };
        let table = Table {
            entries: ["sh", "make", "perl", "cat"].map(entry).to_vec(),
            loader: "/ld.so".to_owned(),
            rules: Vec::new(),
        };
        let bytes = table.encode();
        let hashes: Vec<u64> = (0..4)
            .map(|at| format::HEADER_SIZE + at * format::ENTRY_SIZE)
            .map(|at| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap()))
            .collect();
        assert!(hashes.is_sorted(), "{hashes:x?}");
        let text = String::from_utf8_lossy(&bytes);
        assert_eq!(text.matches("/dev/.twins/same").count(), 1);
        assert!(text.contains("/usr/bin/perl\0"));
    }
}
