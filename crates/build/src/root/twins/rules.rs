//! What the table says of when a twin runs, from what the data files say.

use std::path::Path;

use archmill_dispatch::Rule;
use archmill_emulate::twins::{Condition, Twin};

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
        Condition::ArgumentEnds(text) => Rule::ArgumentEnds(text),
        Condition::ArgumentHas(text) => Rule::ArgumentHas(text),
        Condition::Variable(name) => Rule::VariableSet(name),
        Condition::VariableHas(name, part) => Rule::VariableHas(name, part),
        Condition::Only(text) => Rule::OnlyFirstStarts(text),
        Condition::Replace(from, to) => Rule::ReplaceArgument(from, to),
    }
}
