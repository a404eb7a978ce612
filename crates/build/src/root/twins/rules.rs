//! What the table says of when a twin runs, from what the data files say.

use std::collections::BTreeSet;
use std::path::Path;

use archmill_dispatch::{PREFIX, Rule};
use archmill_emulate::twins::{Condition, Twin};

use super::{Layer, below_prefix};

/// When no twin runs.
pub(super) fn common_rules() -> Vec<Rule> {
    // Libraries that are to be loaded into a program are the target's; of the others the dynamic linker tells of
    // libraries and of the processor.
    let variables =
        ["LD_PRELOAD", "LD_AUDIT", "LD_TRACE_LOADED_OBJECTS", "LD_DEBUG", "LD_SHOW_AUXV", "LD_PROFILE"];
    let set = variables.map(|name| Rule::VariableSet(name.to_owned())).into_iter();
    // What the kernel tells a process of itself is in part about the emulator, which has its own answers.
    set.chain([Rule::ArgumentStarts("/proc/self/".to_owned())]).collect()
}

pub(super) fn globs(patterns: &[String]) -> Vec<glob::Pattern> {
    patterns.iter().filter_map(|pattern| glob::Pattern::new(pattern).ok()).collect()
}

pub(super) fn matches(glob: &glob::Pattern, path: &Path) -> bool {
    let options = glob::MatchOptions { require_literal_separator: true, ..glob::MatchOptions::new() };
    glob.matches_path_with(path, options)
}

/// Whether a path is one of those that a pattern of a rule means.
pub(super) fn means(pattern: &str, path: &Path) -> bool {
    glob::Pattern::new(pattern).is_ok_and(|glob| matches(&glob, path))
}

/// What decides at each start of a program.
pub(super) fn rules(twin: &Twin, path: &Path) -> Vec<Rule> {
    let guards = twin.rules.iter().filter(|guard| guard.at.as_ref().is_none_or(|at| means(at, path)));
    guards.map(|guard| rule(&guard.condition)).collect()
}

fn rule(condition: &Condition) -> Rule {
    match condition.clone() {
        Condition::Argument(text) => Rule::ArgumentIs(text),
        Condition::ArgumentStarts(text) => Rule::ArgumentStarts(text),
        Condition::ArgumentStartsWithout(text, words) => Rule::ArgumentStartsWithout(text, words),
        Condition::ArgumentHasWithout(text, words) => Rule::ArgumentHasWithout(text, words),
        Condition::ArgumentEnds(text) => Rule::ArgumentEnds(text),
        Condition::ArgumentHas(text) => Rule::ArgumentHas(text),
        Condition::StartedOutside(text) => Rule::StartedOutside(text),
        Condition::Variable(name) => Rule::VariableSet(name),
        Condition::VariableWithout(name, words) => Rule::VariableSetWithout(name, words),
        Condition::VariableHas(name, part) => Rule::VariableHas(name, part),
        Condition::VariableIsNot(name, value) => Rule::VariableIsNot(name, value),
        Condition::FoldersHave(name, words) => Rule::FoldersHave(name, words),
        Condition::Only(text) => Rule::OnlyFirstStarts(text),
        Condition::OnlyScript(options) => Rule::OnlyScript(options),
        Condition::Replace(from, to) => Rule::ReplaceArgument(from, to),
        Condition::Append(what, unless) => Rule::AddArgument(what, unless),
    }
}

impl Layer<'_> {
    /// Where a twin lacks what another one would have brought, the target's program runs, with the target's file.
    pub(super) fn heed_missing_files(&mut self) {
        let folder = &self.args.folder;
        let is_there = |pattern: &str| {
            let pattern = format!("{}/{pattern}", glob::Pattern::escape(&folder.to_string_lossy()));
            glob::glob(&pattern).is_ok_and(|mut found| found.any(|path| path.is_ok_and(|path| path.exists())))
        };
        let twins = &self.args.twins;
        self.entries.retain(|(package, entry)| {
            let path = below_prefix(&entry.program);
            let needs =
                twins.iter().filter(|(twin, _)| twin.package == *package).flat_map(|(twin, _)| &twin.needs);
            let mut needed = needs.filter(|(program, _)| means(program, path));
            needed.all(|(_, file)| is_there(file))
        });
        let expanded: Vec<Vec<Rule>> =
            self.entries.iter().map(|(_, entry)| self.expanded(&entry.rules)).collect();
        for ((_, entry), rules) in self.entries.iter_mut().zip(expanded) {
            entry.rules = rules;
        }
        for rule in self.entries.iter_mut().flat_map(|(_, entry)| &mut entry.rules) {
            if let Rule::ReplaceArgument(from, to) = rule
                && to.starts_with(PREFIX)
                && !folder.join(below_prefix(to)).exists()
            {
                *rule = Rule::ArgumentIs(std::mem::take(from));
            }
        }
    }

    /// The same with one rule for each folder that an asterisk in a path stands for, in the root or here.
    fn expanded(&self, rules: &[Rule]) -> Vec<Rule> {
        let mut expanded = Vec::new();
        for rule in rules {
            match rule {
                Rule::ReplaceArgument(from, to) if from.contains('*') => {
                    let of = |name: String| {
                        Rule::ReplaceArgument(from.replace('*', &name), to.replace('*', &name))
                    };
                    expanded.extend(self.names(from, to).into_iter().map(of));
                }
                other => expanded.push(other.clone()),
            }
        }
        expanded
    }

    /// What the asterisk of two paths stands for: in the root's packages, of the one, and here, of the other.
    fn names(&self, from: &str, to: &str) -> BTreeSet<String> {
        let of_root = self.args.root.iter().flat_map(|(_, folder)| between(&folder.join("files"), from));
        of_root.chain(between(&self.args.folder, &below_prefix(to).to_string_lossy())).collect()
    }
}

/// The names that, in place of the asterisk, make `pattern` the path of a file below `folder`.
fn between(folder: &Path, pattern: &str) -> Vec<String> {
    let Some((before, after)) = pattern.split_once('*') else { return Vec::new() };
    let entries = std::fs::read_dir(folder.join(before.trim_start_matches('/')));
    let names = entries.into_iter().flatten().flatten().map(|entry| (entry.path(), entry.file_name()));
    let there = names.filter(|(path, _)| path.join(after.trim_start_matches('/')).symlink_metadata().is_ok());
    there.map(|(_, name)| name.to_string_lossy().into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_is_what_is_there() {
        let tmp = tempfile::tempdir().unwrap();
        for version in ["14", "16"] {
            std::fs::create_dir_all(tmp.path().join("usr/libexec/gcc/t").join(version)).unwrap();
        }
        std::fs::write(tmp.path().join("usr/libexec/gcc/t/16/plugin.so"), "").unwrap();
        let pattern = "/usr/libexec/gcc/t/*/plugin.so";
        assert_eq!(between(tmp.path(), pattern), ["16"]);
        assert!(between(&tmp.path().join("none"), pattern).is_empty());
    }
}
