use super::*;
use crate::table::find;
use crate::twins::parse;

/// Offers by name.
struct Made(Vec<Offer>);

impl Offers for Made {
    fn versions(&self, name: &str) -> Vec<Offer> {
        self.0.iter().filter(|offer| offer.name == name).cloned().collect()
    }
}

fn installed(name: &str, version: &str, source: &str, source_version: &str, depends: &str) -> Installed {
    Installed {
        name: name.to_owned(),
        version: version.to_owned(),
        of_target: true,
        source: source.to_owned(),
        source_version: source_version.to_owned(),
        depends: depends.to_owned(),
    }
}

fn offer(name: &str, version: &str, source: &str, source_version: &str, depends: &str) -> Offer {
    Offer {
        arch: "amd64".to_owned(),
        folder: None,
        name: name.to_owned(),
        version: version.to_owned(),
        source: source.to_owned(),
        source_version: source_version.to_owned(),
        depends: depends.to_owned(),
        built_using: String::new(),
        filename: format!("pool/{name}_{version}_amd64.deb"),
        size: 1,
        sha256: format!("{name} {version}"),
        index: 0,
    }
}

fn host<'a>(arch: &str, offers: &'a Made) -> Host<'a> {
    Host { arch: find(arch).unwrap(), offers, fuses: arch == "amd64" }
}

fn planned(target: &str, root: &[Installed], offers: Vec<Offer>, rules: &[&str]) -> AccelerationPlan {
    let families: Vec<Family> =
        rules.iter().map(|text| parse("test.toml", &format!("family = \"test\"\n{text}")).unwrap()).collect();
    let offers = Made(offers);
    plan(find(target).unwrap(), &[host("amd64", &offers)], root, &families)
}

fn twins(plan: &AccelerationPlan) -> Vec<&str> {
    plan.twins.iter().map(|twin| twin.package.as_str()).collect()
}

/// The only refusal.
fn reason(plan: &AccelerationPlan) -> &str {
    assert!(plan.twins.is_empty(), "{:?}", twins(plan));
    let [refusal] = &plan.refused[..] else { panic!("{:?}", plan.refused) };
    &refusal.reason
}

const MAKE: &str = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/make\"]\n";
const GCC: &str =
    "[[twin]]\npackage = \"gcc-#\"\ntwin = \"gcc-#-{triplet}\"\ncross = true\nprograms = [\"usr/bin/*\"]\n";
const PERL: &str = "[[twin]]\npackage = \"perl-base\"\nprograms = [\"usr/bin/perl\"]\nsame_word_size = true\nmodules = \"perlapi-\"\nwith = [\"libperl#\"]\n";

#[test]
fn a_twin_is_of_the_same_version_of_the_same_source() {
    let root = [installed("make", "4.4-2", "make-dfsg", "4.4-2", "")];
    for (version, source, source_version) in
        [("4.4-3", "make-dfsg", "4.4-3"), ("4.4-2", "make-other", "4.4-2"), ("4.4-2", "make-dfsg", "4.4-2~x")]
    {
        let plan = planned("arm64", &root, vec![offer("make", version, source, source_version, "")], &[MAKE]);
        let expected =
            format!("make for amd64 is of {source} {source_version}, and the root has make-dfsg 4.4-2");
        assert_eq!(reason(&plan), expected);
        assert_eq!(plan.refused[0].package, "make 4.4-2");
    }
    let plan = planned("arm64", &root, Vec::new(), &[MAKE]);
    assert_eq!(reason(&plan), "there is no make for amd64");
}

#[test]
fn a_binary_rebuild_on_either_side_does_not_matter() {
    let root = [installed("make", "4.4-2+b3", "make-dfsg", "4.4-2", "")];
    let plan = planned("arm64", &root, vec![offer("make", "4.4-2+b1", "make-dfsg", "4.4-2", "")], &[MAKE]);
    assert_eq!(twins(&plan), ["make"]);
    assert_eq!(plan.twins[0].offer.version, "4.4-2+b1");
}

#[test]
fn an_older_version_that_is_still_offered_is_found() {
    let root = [installed("make", "4.4-2", "make-dfsg", "4.4-2", "")];
    let offers = vec![
        offer("make", "4.5-1", "make-dfsg", "4.5-1", ""),
        offer("make", "4.4-2", "make-dfsg", "4.4-2", ""),
    ];
    let plan = planned("arm64", &root, offers, &[MAKE]);
    assert_eq!(plan.twins[0].offer.version, "4.4-2");
}

#[test]
fn links_that_another_package_would_find_are_not_made() {
    let rule = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/make\"]\nlinks = { \"usr/x\" = \"y\" }\nlinks_found_by = [\"clang-#\"]\n";
    let make = || installed("make", "4.4-2", "make-dfsg", "4.4-2", "");
    let offers = || vec![offer("make", "4.4-2", "make-dfsg", "4.4-2", "")];
    let alone = planned("arm64", &[make()], offers(), &[rule]);
    assert_eq!((twins(&alone), alone.links.len()), (vec!["make"], 1));
    let clang = installed("clang-19", "1:19.1.7-3", "llvm-toolchain-19", "1:19.1.7-3", "");
    let both = planned("arm64", &[make(), clang], offers(), &[rule]);
    assert_eq!(reason(&both), "it needs links in the root, which clang-19 would find");
    assert!(both.twins.is_empty() && both.links.is_empty());
}

#[test]
fn what_is_for_all_architectures_needs_no_twin() {
    let mut root = [installed("make", "4.4-2", "make-dfsg", "4.4-2", "")];
    root[0].of_target = false;
    let plan = planned("arm64", &root, vec![offer("make", "4.4-2", "make-dfsg", "4.4-2", "")], &[MAKE]);
    assert_eq!(plan, AccelerationPlan::default());
}

fn cross(built_using: &str) -> Offer {
    let name = "gcc-14-aarch64-linux-gnu";
    Offer { built_using: built_using.to_owned(), ..offer(name, "14.2.0-19cross1", "gcc-14-cross", "9", "") }
}

#[test]
fn a_cross_compiler_is_held_against_what_it_was_built_from() {
    let root = [installed("gcc-14", "14.2.0-19", "gcc-14", "14.2.0-19", "")];
    let same = "gcc-14 (= 14.2.0-19)";
    let many = format!("glibc (= 2.41-4),{same} , linux (= 6.12.9-1)");
    for built_using in [same, &many] {
        let plan = planned("arm64", &root, vec![cross(built_using)], &[GCC]);
        assert_eq!(twins(&plan), ["gcc-14"]);
        assert_eq!(plan.twins[0].offer.name, "gcc-14-aarch64-linux-gnu");
    }
}

#[test]
fn a_cross_compiler_out_of_step_is_refused_and_the_way_out_named() {
    let root = [installed("gcc-14", "14.2.0-19", "gcc-14", "14.2.0-19", "")];
    for other in ["gcc-14 (= 14.2.0-19.1)", "gcc-14 (= 14.2.0-1)", "gcc-14-doc (= 14.2.0-19)", ""] {
        let plan = planned("arm64", &root, vec![cross(other)], &[GCC]);
        let reason = reason(&plan);
        assert!(reason.contains("archmill toolchain build gcc-14 --for arm64"), "{reason}");
        let told = if other.is_empty() { "nothing that it names" } else { other };
        assert!(reason.contains(told) && reason.contains("the root has gcc-14 14.2.0-19"), "{reason}");
    }
    // The same version of the cross compiler itself is no excuse.
    let plan = planned("arm64", &root, vec![Offer { source: "gcc-14".into(), ..cross("") }], &[GCC]);
    assert_eq!(plan.refused.len(), 1);
    assert_eq!(
        reason(&planned("arm64", &root, Vec::new(), &[GCC])),
        "there is no gcc-14-aarch64-linux-gnu for amd64"
    );
}

#[test]
fn libraries_that_shape_its_output_are_of_the_roots_version() {
    let root = [
        installed("make", "4.4-2", "make-dfsg", "4.4-2", "libguile-3.0-1"),
        installed("libguile-3.0-1", "3.0.10", "guile", "3.0.10", "libgc1"),
        installed("libgc1", "8.2", "libgc", "8.2", ""),
    ];
    let make = || offer("make", "4.4-2", "make-dfsg", "4.4-2", "libguile-3.0-1 (>= 3), libnew2, bash");
    let guile = |version: &str| offer("libguile-3.0-1", version, "guile", version, "libgc1 (>= 8)");
    let gc = |version: &str| offer("libgc1", version, "libgc", version, "");
    let new = || offer("libnew2", "1", "new", "1", "");
    let plan = planned("arm64", &root, vec![make(), guile("3.0.10"), gc("8.2"), new()], &[MAKE]);
    let libraries: Vec<&str> = plan.libraries.iter().map(|offer| offer.name.as_str()).collect();
    assert_eq!(libraries, ["libgc1", "libguile-3.0-1", "libnew2"]);
    // One that a library needs counts as well.
    for (offers, name) in [
        (vec![make(), guile("3.0.11"), gc("8.2")], "libguile-3.0-1"),
        (vec![make(), guile("3.0.10"), gc("8.3")], "libgc1"),
    ] {
        let plan = planned("arm64", &root, offers, &[MAKE]);
        assert!(reason(&plan).starts_with(&format!("{name} for amd64 is of ")), "{}", reason(&plan));
    }
}

#[test]
fn a_twin_that_is_found_to_be_of_no_use_is_among_the_refused() {
    let root =
        [installed("make", "4.4-2", "make-dfsg", "4.4-2", ""), installed("sed", "4.9-2", "sed", "4.9-2", "")];
    let offers =
        vec![offer("make", "4.4-2", "make-dfsg", "4.4-2", ""), offer("sed", "4.9-2", "sed", "4.9-2", "")];
    let plan = planned("arm64", &root, offers, &[MAKE, &MAKE.replace("make", "sed")]);
    assert_eq!(twins(&plan), ["make", "sed"]);
    let plan = plan.without(&[("make".to_owned(), "it has no such string".to_owned())].into());
    assert_eq!(twins(&plan), ["sed"]);
    let refused: Vec<_> = plan.refused.iter().map(|refusal| (&*refusal.package, &*refusal.reason)).collect();
    assert_eq!(refused, [("make 4.4-2", "it has no such string")]);
}

#[test]
fn every_module_of_an_interpreter_needs_a_twin() {
    let root = |module: &str| {
        [
            installed("perl-base", "5.40.1-6", "perl", "5.40.1-6", ""),
            installed("libperl5.40", "5.40.1-6", "perl", "5.40.1-6", ""),
            installed("libjson-xs-perl", module, "libjson-xs-perl", module, "perl, perlapi-5.40.1"),
            installed("libpure-perl", "1", "libpure-perl", "1", "perl"),
        ]
    };
    let offers = vec![
        offer("perl-base", "5.40.1-6", "perl", "5.40.1-6", ""),
        offer("libperl5.40", "5.40.1-6", "perl", "5.40.1-6", ""),
        offer("libjson-xs-perl", "4.0-2", "libjson-xs-perl", "4.0-2", "perl, perlapi-5.40.1"),
    ];
    let plan = planned("arm64", &root("4.0-2"), offers.clone(), &[PERL]);
    assert_eq!(twins(&plan), ["perl-base"]);
    let libraries: Vec<&str> = plan.libraries.iter().map(|offer| offer.name.as_str()).collect();
    assert_eq!(libraries, ["libjson-xs-perl", "libperl5.40"]);
    let plan = planned("arm64", &root("4.0-1"), offers, &[PERL]);
    let expected = "libjson-xs-perl has modules for it, and libjson-xs-perl for amd64 is of libjson-xs-perl 4.0-2, \
                    and the root has libjson-xs-perl 4.0-1";
    assert_eq!(reason(&plan), expected);
}

#[test]
fn modules_of_an_interpreter_that_can_do_without_are_brought_where_they_are_in_step() {
    let rule = "[[twin]]\npackage = \"python3.#-minimal\"\nprograms = [\"usr/bin/python3*\"]\n\
                with_if_there = [\"python3-lxml\"]\nextensions = \"python/lib/python3.#\"\n";
    let root = |lxml: &str| {
        [
            installed("python3.13-minimal", "3.13.5-2", "python3.13", "3.13.5-2", ""),
            installed("python3-lxml", lxml, "lxml", lxml, ""),
            installed("libxml2", "2", "libxml2", "2", ""),
        ]
    };
    let offers = vec![
        offer("python3.13-minimal", "3.13.5-2", "python3.13", "3.13.5-2", ""),
        offer("python3-lxml", "5.4", "lxml", "5.4", "libxml2"),
        offer("libxml2", "2", "libxml2", "2", ""),
    ];
    let named =
        |plan: &AccelerationPlan| plan.libraries.iter().map(|offer| offer.name.clone()).collect::<Vec<_>>();
    let plan = planned("arm64", &root("5.4"), offers.clone(), &[rule]);
    assert_eq!(plan.twins[0].extensions.as_deref(), Some("python/lib/python3.13"));
    assert_eq!(named(&plan), ["libxml2", "python3-lxml"]);
    let plan = planned("arm64", &root("5.3"), offers, &[rule]);
    assert_eq!(twins(&plan), ["python3.13-minimal"]);
    assert!(named(&plan).is_empty() && plan.refused.is_empty());
}

#[test]
fn word_size_and_byte_order_are_the_hosts() {
    let root = [installed("perl-base", "5", "perl", "5", ""), installed("make", "4", "make-dfsg", "4", "")];
    let offers = || vec![offer("perl-base", "5", "perl", "5", ""), offer("make", "4", "make-dfsg", "4", "")];
    assert_eq!(twins(&planned("arm64", &root, offers(), &[PERL, MAKE])), ["make", "perl-base"]);
    let plan = planned("armhf", &root, offers(), &[PERL, MAKE]);
    assert_eq!(twins(&plan), ["make"]);
    assert!(plan.refused[0].reason.contains("32 bits for armhf, 64 for amd64"), "{:?}", plan.refused);
    let plan = planned("s390x", &root, offers(), &[PERL, MAKE]);
    assert_eq!(twins(&plan), Vec::<&str>::new());
    assert!(plan.refused.iter().all(|refusal| refusal.reason.contains("byte order")), "{:?}", plan.refused);
}

#[test]
fn a_program_may_have_a_twin_on_64_bits_alone() {
    let rule = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/*\"]\nexcept = [\"usr/bin/a\"]\n\
                except_for_32_bits = [\"usr/bin/{triplet}-as\"]\n";
    let root = [installed("make", "4", "make-dfsg", "4", "")];
    let except = |target: &str| {
        let plan = planned(target, &root, vec![offer("make", "4", "make-dfsg", "4", "")], &[rule]);
        plan.twins[0].except.clone()
    };
    assert_eq!(except("arm64"), ["usr/bin/a"]);
    assert_eq!(except("armhf"), ["usr/bin/a", "usr/bin/arm-linux-gnueabihf-as"]);
}

#[test]
fn a_program_that_one_rule_leaves_out_may_have_a_twin_of_another_machine() {
    let family = "family = \"test\"\n[[twin]]\npackage = \"tools\"\nprograms = [\"usr/bin/*\"]\nexcept_for_32_bits = [\"usr/bin/as\"]\n\
                  [[twin]]\npackage = \"tools\"\nprograms = [\"usr/bin/as\"]\ntarget_bits = 32\nsame_word_size = true\nbeside = true\n";
    let families = [parse("test.toml", family).unwrap()];
    let root = [installed("tools", "1", "tools", "1", "")];
    let large = Made(vec![offer("tools", "1", "tools", "1", "")]);
    let small = |version| {
        Made(vec![Offer { arch: "i386".to_owned(), ..offer("tools", version, "tools", version, "") }])
    };
    let planned = |target: &str, small: &Made| {
        let hosts = [host("amd64", &large), host("i386", small)];
        plan(find(target).unwrap(), &hosts, &root, &families)
    };
    let of = |plan: &AccelerationPlan| -> Vec<(String, String, Vec<String>)> {
        let twin = |twin: &Twin| (twin.offer.arch.clone(), twin.programs.join(" "), twin.except.clone());
        plan.twins.iter().map(twin).collect()
    };
    let is = |arch: &str, programs: &str, except: &[&str]| {
        let except = except.iter().map(|&path| path.to_owned()).collect();
        (arch.to_owned(), programs.to_owned(), except)
    };
    assert_eq!(of(&planned("arm64", &small("1"))), [is("amd64", "usr/bin/*", &[])]);
    let both = [is("i386", "usr/bin/as", &[]), is("amd64", "usr/bin/*", &["usr/bin/as"])];
    assert_eq!(of(&planned("armhf", &small("1"))), both);
    // Where there is none of that version, the program is emulated.
    let alone = planned("armhf", &small("2"));
    assert_eq!(of(&alone), both[1..]);
    assert_eq!(alone.refused.len(), 1);
}

#[test]
fn a_later_rule_for_a_package_wins() {
    let root = [installed("make", "4", "make-dfsg", "4", "")];
    let offers = || vec![offer("make", "4", "make-dfsg", "4", "")];
    let own = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/gmake\"]\nsame_word_size = true\n";
    let plan = planned("arm64", &root, offers(), &[MAKE, own]);
    assert_eq!(plan.twins[0].programs, ["usr/bin/gmake"]);
    // Also where it refuses: the earlier one is no way round it.
    assert!(reason(&planned("armhf", &root, offers(), &[MAKE, own])).contains("32 bits"));
    let twice = format!("{own}{MAKE}");
    assert_eq!(planned("arm64", &root, offers(), &[&twice]).twins[0].programs, ["usr/bin/make"]);
}

#[test]
fn words_of_rules_are_filled_in_and_the_same_input_gives_the_same_plan() {
    let rule = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/make\"]\nenvironment = { HOST = \"{cpu}-{system}\" }\n\
                strings = [[\"usr/bin/make\", \"x86_64\", \"{cpu}\"]]\nlinks = { \"usr/{triplet}\" = \"lib\" }\n\
                unless = [{ argument = \"-x\" }, { argument_starts = \"-f\", without = \"-c\" }, { argument_has = \"b\", without = \"-i\" }, { started_outside = \"/usr/bin/ /bin/\" }, { variable = \"V\", has = \"{cpu}\" }, { variable = \"GOARCH\", is_not = \"{go}\" }]\n\
                only = [\"-m\"]\nonly_if_rounding_differs = [\"-s\"]\nonly_if_rounding_agrees = [\"-l\"]\nscripts_if_rounding_agrees = \"-B -u\"\narguments = { a = \"{prefix}/b\" }\n";
    let root = [installed("make", "4", "make-dfsg", "4", "")];
    let made = || planned("arm64", &root, vec![offer("make", "4", "make-dfsg", "4", "")], &[rule]);
    let plan = made();
    assert_eq!(plan, made());
    let twin = &plan.twins[0];
    assert_eq!(twin.environment, [("HOST".to_owned(), "aarch64-linux-gnu".to_owned())]);
    assert_eq!(twin.strings[0].2, "aarch64");
    assert_eq!(plan.links["usr/aarch64-linux-gnu"], "lib");
    let conditions: Vec<&Condition> = twin.rules.iter().map(|guard| &guard.condition).collect();
    let text = |text: &str| text.to_owned();
    assert_eq!(
        conditions,
        [
            &Condition::Argument(text("-x")),
            &Condition::ArgumentStartsWithout(text("-f"), text("-c")),
            &Condition::ArgumentHasWithout(text("b"), text("-i")),
            &Condition::StartedOutside(text("/usr/bin/ /bin/")),
            &Condition::VariableHas(text("V"), text("aarch64")),
            &Condition::VariableIsNot(text("GOARCH"), text("arm64")),
            &Condition::Only(text("-m")),
            &Condition::Only(text("-l")),
            &Condition::OnlyScript(text("-B -u")),
            &Condition::Replace(text("a"), text("/dev/.twins/b")),
        ]
    );
    let written = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<AccelerationPlan>(&written).unwrap().twins[0].rules, twin.rules);
}

#[test]
fn what_speaks_against_a_twin_may_be_for_targets_of_some_bits_only() {
    let rule = "[[twin]]\npackage = \"make\"\nprograms = [\"usr/bin/make\"]\n\
                unless = [{ target_bits = 32, variable = \"GOARM\", is_not = \"5 6 7\" }]\n";
    let root = [installed("make", "4", "make-dfsg", "4", "")];
    let rules = |arch| {
        let plan = planned(arch, &root, vec![offer("make", "4", "make-dfsg", "4", "")], &[rule]);
        plan.twins[0].rules.iter().map(|guard| guard.condition.clone()).collect::<Vec<_>>()
    };
    assert_eq!(rules("arm64"), []);
    assert_eq!(rules("armhf"), [Condition::VariableIsNot("GOARM".to_owned(), "5 6 7".to_owned())]);
}

#[test]
fn what_computes_has_a_twin_only_where_the_last_bit_is_the_same() {
    let family = "family = \"test\"\n[[twin]]\npackage = \"clang\"\nprograms = [\"usr/bin/*\"]\nsame_rounding = true\n";
    let families = [parse("test.toml", family).unwrap()];
    let root = [installed("clang", "1", "clang", "1", "")];
    let offers = Made(vec![offer("clang", "1", "clang", "1", "")]);
    let planned_where = |target: &str, fuses| {
        let host = Host { fuses, ..host("amd64", &offers) };
        plan(find(target).unwrap(), &[host], &root, &families)
    };
    assert_eq!(twins(&planned_where("arm64", true)), ["clang"]);
    assert!(planned_where("arm64", true).rounds_alike);
    assert!(reason(&planned_where("arm64", false)).contains("FMA"));
    assert!(reason(&planned_where("armhf", true)).contains("do not round as those of armhf do"));
    // A plan of twins that do not compute may be used on any processor.
    let root = [installed("make", "4", "make-dfsg", "4", "")];
    assert!(!planned("arm64", &root, vec![offer("make", "4", "make-dfsg", "4", "")], &[MAKE]).rounds_alike);
}
