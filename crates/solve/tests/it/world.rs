//! Tiny universes from one line per package.

use archmill_deb::{Arch, Relations};
use archmill_solve::{
    Alternatives, Base, IndexText, InstallSet, Request, Universe, Unsatisfiable, Versions, Wanted, solve,
};

/// Stanzas from lines such as `foo 1.2 amd64; Depends: bar; Provides: baz`; arm64 if none is said.
pub(crate) fn stanzas(lines: &str) -> String {
    lines.lines().map(str::trim).filter(|line| !line.is_empty()).map(stanza).collect::<Vec<_>>().join("\n")
}

fn stanza(line: &str) -> String {
    let mut parts = line.split(';').map(str::trim);
    let mut head = parts.next().unwrap().split_whitespace();
    let (name, version) = (head.next().unwrap(), head.next().unwrap_or("1"));
    let arch = head.next().unwrap_or("arm64");
    let fields: Vec<_> = parts.filter(|field| !field.is_empty()).map(|field| format!("{field}\n")).collect();
    format!("Package: {name}\nVersion: {version}\nArchitecture: {arch}\n{}", fields.concat())
}

pub(crate) fn arch(name: &str) -> Arch {
    name.parse().unwrap()
}

pub(crate) fn universe(lines: &str) -> Universe {
    universe_for(&["arm64"], &[(lines, 500)])
}

/// A universe of several indices with priorities; the first architecture is native.
pub(crate) fn universe_for(arches: &[&str], indices: &[(&str, i32)]) -> Universe {
    let origin = |number: usize| ["suite", "updates", "overlay"][number];
    let texts = indices.iter().enumerate().map(|(number, (lines, priority))| {
        IndexText::new(stanzas(lines), origin(number)).with_priority(*priority)
    });
    let foreign: Vec<Arch> = arches[1..].iter().map(|name| arch(name)).collect();
    Universe::new(texts.collect(), &arch(arches[0]), &foreign)
}

/// A request of a source package `src` into an empty root.
pub(crate) fn request(build_depends: &str) -> Request {
    let relations = Relations::parse(build_depends).unwrap();
    Request {
        wanted: vec![Wanted::build_depends("src", relations)],
        conflicts: Relations(Vec::new()),
        base: Base::default(),
        alternatives: Alternatives::All,
        versions: Versions::Candidate,
        arch: None,
    }
}

pub(crate) fn names(set: &InstallSet) -> String {
    let names: Vec<_> = set.packages.iter().map(|package| package.name.as_str()).collect();
    names.join(" ")
}

/// The names that are installed for these build dependencies, or why none are.
pub(crate) fn installs(universe: &Universe, build_depends: &str) -> String {
    outcome(&solve(universe, &request(build_depends)))
}

pub(crate) fn outcome(result: &Result<InstallSet, Unsatisfiable>) -> String {
    match result {
        Ok(set) => names(set),
        Err(reason) => format!("! {reason}"),
    }
}
