//! What the checker of a whole archive makes of single cases; where it differs from dose-builddebcheck
//! (docs/solve.md), which of the two is right.

use archmill_solve::{
    Alternatives, Base, BuildKinds, CheckRules, Checker, IndexText, Sources, Universe, Verdict, Versions,
};

use crate::world::{arch, universe, universe_for};

fn rules() -> CheckRules {
    CheckRules {
        host: None,
        profiles: Vec::new(),
        kinds: BuildKinds::FULL,
        base: Base { essential: true, ..Base::default() },
        alternatives: Alternatives::All,
        versions: Versions::Candidate,
    }
}

fn sources(fields: &[&str]) -> Sources {
    let stanza = |(number, fields): (usize, &&str)| {
        let version = if fields.contains("Version:") { "" } else { "Version: 1\n" };
        format!("Package: s{number}\n{version}{}\n", fields.replace("; ", "\n"))
    };
    let text = fields.iter().enumerate().map(stanza).collect::<Vec<_>>().join("\n");
    Sources::new(vec![IndexText::new(text, "Sources")])
}

/// Names of the sources that can be built.
fn buildable(universe: &Universe, rules: CheckRules, sources: &Sources) -> Vec<String> {
    let mut checker = Checker::new(universe, rules).unwrap();
    let good = sources.current().filter(|source| checker.check(source) == Verdict::Installable);
    good.map(|source| source.name.to_owned()).collect()
}

#[test]
fn fields_count_by_what_is_built() {
    let sources = sources(&[
        "Architecture: any",
        "Architecture: any all; Build-Depends-Indep: missing",
        "Architecture: any all; Build-Depends-Arch: missing",
        "Architecture: all; Build-Depends: a",
        "Architecture: any; Build-Conflicts: a; Build-Depends: a",
        "Architecture: any; Build-Depends: a [arm64] | missing [arm64], missing [amd64], missing <cross>",
    ]);
    let universe = universe("a 1");
    let kinds = |arch, indep| CheckRules { kinds: BuildKinds { arch, indep }, ..rules() };
    assert_eq!(buildable(&universe, kinds(true, true), &sources), ["s0", "s3", "s5"]);
    assert_eq!(buildable(&universe, kinds(true, false), &sources), ["s0", "s1", "s5"]);
    let profiles = CheckRules { profiles: vec!["cross".to_owned()], ..rules() };
    assert_eq!(buildable(&universe, profiles, &sources), ["s0", "s3"]);
}

#[test]
fn a_source_for_other_architectures_has_no_verdict_of_its_own() {
    let (universe, sources) =
        (universe("a 1"), sources(&["Architecture: amd64 any-i386", "Architecture: linux-any"]));
    let mut checker = Checker::new(&universe, rules()).unwrap();
    let verdicts: Vec<Verdict> = sources.current().map(|source| checker.check(&source)).collect();
    assert_eq!(verdicts, [Verdict::OtherArchitecture, Verdict::Installable]);
}

/// dose takes the essential package of either architecture for good; but the build machine's own tools
/// cannot be exchanged for those of the host architecture. (trixie: fadecut, which build-depends on gzip.)
#[test]
fn an_essential_package_of_the_host_architecture_does_not_replace_that_of_the_build_architecture() {
    let lines = "gzip 1 amd64; Essential: yes\ngzip 1 arm64; Essential: yes\na 1 arm64";
    let universe = universe_for(&["amd64", "arm64"], &[(lines, 500)]);
    let sources = sources(&["Architecture: any; Build-Depends: gzip", "Architecture: any; Build-Depends: a"]);
    let cross = CheckRules { host: Some(arch("arm64")), ..rules() };
    assert_eq!(buildable(&universe, cross.clone(), &sources), ["s1"]);
    let source = sources.find("s0").unwrap();
    let why = Checker::new(&universe, cross).unwrap().explain(&source).unwrap().to_string();
    assert!(why.contains("the base set has gzip"), "{why}");
}

/// dose chooses any version that an index has; apt, and so a build machine, only the candidate.
/// (sid: llhttp, while a package that became Architecture: all is there in two versions.)
#[test]
fn an_older_version_counts_only_where_any_version_may_be_taken() {
    let universe = universe("a 1\na 2; Depends: missing");
    let sources = sources(&["Architecture: any; Build-Depends: a"]);
    assert!(buildable(&universe, rules(), &sources).is_empty());
    assert_eq!(buildable(&universe, CheckRules { versions: Versions::Any, ..rules() }, &sources), ["s0"]);
}

/// dose means to leave these out, as its manual says, and does not: it looks for the field in lower case.
#[test]
fn sources_that_are_kept_for_the_sake_of_packages_do_not_belong_to_the_suite() {
    let text = "Package: a\nVersion: 2\nExtra-Source-Only: yes\n\nPackage: a\nVersion: 1\n\n\
                Package: b\nVersion: 1\nExtra-Source-Only: yes\n";
    let sources = Sources::new(vec![IndexText::new(text, "Sources")]);
    let list = |sources: &mut dyn Iterator<Item = archmill_solve::SourceStanza<'_>>| {
        sources.map(|source| format!("{} {}", source.name, source.version)).collect::<Vec<_>>()
    };
    assert_eq!(list(&mut sources.current()), ["a 1"]);
    assert_eq!(list(&mut sources.all()), ["a 2", "a 1", "b 1"]);
    assert!(sources.find("b").is_none());
}

#[test]
fn of_several_indices_the_one_with_the_highest_priority_has_the_source() {
    let index =
        |version: &str, origin: &str| IndexText::new(format!("Package: a\nVersion: {version}\n"), origin);
    let sources = Sources::new(vec![
        index("1", "suite"),
        index("3", "experimental").with_priority(1),
        index("2", "own"),
    ]);
    assert_eq!(sources.current().map(|source| source.origin).collect::<Vec<_>>(), ["own"]);
}

#[test]
fn a_source_that_cannot_be_read_is_reported_with_its_line_and_left_out_alone() {
    let text = "Package: a\nVersion: 1\nBuild-Depends: debhelper,\n b (>= 1\n\nPackage: c\nVersion: 1_2\n\n\
                Version: 1\n\nPackage: d\nVersion: 1\n";
    let sources = Sources::new(vec![IndexText::new(text, "Sources")]);
    assert_eq!(sources.all().map(|source| source.name).collect::<Vec<_>>(), ["d"]);
    let problems: Vec<String> = sources.problems().iter().map(ToString::to_string).collect();
    assert_eq!(
        problems[0],
        "Sources, line 3: a: field Build-Depends: cannot read the relation \"b (>= 1\": a bracket is not closed; \
         the package is left out"
    );
    assert!(problems[1].starts_with("Sources, line 6: c: version `1_2`: "), "{}", problems[1]);
    assert_eq!(
        problems[2],
        "Sources, line 9: ?: has no Package or no Version field; the package is left out"
    );
    assert_eq!(problems.len(), 3);
}

#[test]
fn packages_that_provide_each_other_or_refuse_what_they_provide_are_no_trouble() {
    let lines =
        "a 1; Provides: b, v; Conflicts: v\nb 1; Provides: a, v; Conflicts: v\nc 1; Depends: a | b, v";
    let universe = universe(lines);
    let sources = sources(&[
        "Architecture: any; Build-Depends: a, b, v",
        "Architecture: any; Build-Depends: c",
        "Architecture: any; Build-Depends: a (= 1), b (= 1)",
    ]);
    assert_eq!(buildable(&universe, rules(), &sources), ["s0", "s1"]);
}

#[test]
fn an_explanation_of_what_is_missing_goes_the_shortest_way() {
    let lines = "a 1; Depends: b, c | d\nb 1; Depends: e\ne 1; Depends: f (>= 2)\nf 1\nc 1; Depends: x\nd 1; Depends: y";
    let universe = universe(lines);
    let sources = sources(&["Architecture: any; Build-Depends: a"]);
    let mut checker = Checker::new(&universe, rules()).unwrap();
    let why = checker.explain(&sources.find("s0").unwrap()).unwrap();
    let told: Vec<String> =
        why.reasons.iter().map(|reason| format!("{} {}", reason.by, reason.relation)).collect();
    assert_eq!(told, ["s0 a", "a 1 c | d", "c 1 x", "d 1 y"]);
}
