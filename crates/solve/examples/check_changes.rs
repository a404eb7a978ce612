//! Measures how long verdicts take from the start and after ten packages changed, drawn at random; and how
//! long it takes to read kept tables back and to find one install set.
//!
//! `check_changes ARCH PACKAGES SOURCES [DRAWS]`
//!
//! Of the ten, some get another version, some lose a relation as well, some are removed. Every change
//! is taken back before the next; in the end the verdicts must be those of the start. Times are CPU time.

use std::error::Error;

use archmill_deb::Arch;
use archmill_solve::{
    Alternatives, Base, BuildKinds, Change, CheckRules, IndexText, PackageId, PackageRef, Request, Sources,
    Universe, Verdict, Verdicts, Versions, solve,
};

/// Nanoseconds that this thread was on a CPU (proc(5)).
fn cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Numbers that look random and are the same in each run (Knuth's MMIX generator).
struct Draw(u64);

impl Draw {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or(0) % end
    }
}

/// One draw: how long it took, what there was to do and which packages changed.
struct Sample {
    time: u64,
    cause: String,
    names: String,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [arch, packages, sources, rest @ ..] = &arguments[..] else {
        return Err("usage: check_changes ARCH PACKAGES SOURCES [DRAWS]".into());
    };
    let draws = rest.first().map_or(Ok(100), |text| text.parse::<u32>())?;
    let read =
        |path: &String| Ok::<_, std::io::Error>(IndexText::new(std::fs::read_to_string(path)?, "suite"));
    let (packages, sources) = (read(packages)?, read(sources)?);
    let rules = CheckRules {
        host: None,
        profiles: Vec::new(),
        kinds: BuildKinds::FULL,
        base: Base::build_essential(None),
        alternatives: Alternatives::All,
        versions: Versions::Candidate,
    };
    kept(&packages, &sources, arch, &rules)?;
    let start = cpu();
    let universe = Universe::new(vec![packages], &arch.parse()?, &[]);
    let mut verdicts = Verdicts::new(universe, Sources::new(vec![sources]), rules)?;
    let full = cpu() - start;
    let before: Vec<Verdict> = verdicts.iter().map(|(_, verdict)| verdict).collect();
    println!("from the start: {} ms, {} source packages", full / 1_000_000, before.len());
    // The first change also makes the index by name.
    let start = cpu();
    verdicts.update(&Change::default())?;
    println!("getting ready for changes: {} ms", (cpu() - start) / 1_000_000);
    let mut draw = Draw(1);
    let mut samples = Vec::new();
    for _ in 0..draws {
        samples.push(sample(&mut verdicts, &mut draw)?);
    }
    let after: Vec<Verdict> = verdicts.iter().map(|(_, verdict)| verdict).collect();
    if after != before {
        return Err("the verdicts are not those of the start although all changes were taken back".into());
    }
    samples.sort_by_key(|sample| sample.time);
    let percent = |sample: &Sample| sample.time * 10_000 / full;
    let line = |what: &str, sample: &Sample| {
        println!(
            "{what}: {} us, {}.{:02} % of the start; {}; changed: {}",
            sample.time / 1000,
            percent(sample) / 100,
            percent(sample) % 100,
            sample.cause,
            sample.names
        );
    };
    line("median", &samples[samples.len() / 2]);
    line("90 of 100", &samples[samples.len() * 9 / 10]);
    for worst in samples.iter().rev().take(3) {
        line("worst", worst);
    }
    Ok(())
}

/// What tables that are kept between runs save, and how long one install set takes after that.
fn kept(
    packages: &IndexText,
    sources: &IndexText,
    arch: &str,
    rules: &CheckRules,
) -> Result<(), Box<dyn Error>> {
    let arch: Arch = arch.parse()?;
    let bytes = Universe::new(vec![packages.clone()], &arch, &[]).to_bytes();
    let start = cpu();
    let universe = Universe::from_bytes(&bytes, vec![packages.clone()], &arch, &[])?;
    println!("tables of {} packages read back: {} ms", universe.len(), (cpu() - start) / 1_000_000);
    let sources = Sources::new(vec![sources.clone()]);
    for name in ["hello", "dash", "gtk4", "apache-mime4j"] {
        let Some(source) = sources.find(name) else { continue };
        let request = Request { base: Base::buildd(), ..rules.request(&source, &arch) };
        let start = cpu();
        let set = solve(&universe, &request)?;
        println!(
            "install set of {name}, {} packages: {} ms",
            set.packages.len(),
            (cpu() - start) / 1_000_000
        );
    }
    Ok(())
}

fn sample(verdicts: &mut Verdicts, draw: &mut Draw) -> Result<Sample, Box<dyn Error>> {
    let universe = verdicts.universe();
    let mut removed: Vec<PackageId> = Vec::new();
    let all: Vec<PackageId> = universe.packages().map(PackageRef::id).collect();
    while removed.len() < 10 {
        let package = all[draw.below(all.len())];
        if !removed.contains(&package) {
            removed.push(package);
        }
    }
    let names: Vec<&str> = removed.iter().map(|&package| universe.package(package).name()).collect();
    let names = names.join(" ");
    let old: Vec<String> =
        removed.iter().map(|&package| universe.package(package).stanza().to_owned()).collect();
    let new: Vec<String> =
        old.iter().enumerate().filter_map(|(at, stanza)| changed(stanza, at % 3)).collect();
    let start = cpu();
    let added = vec![IndexText::new(new.join("\n\n"), "suite")];
    let updated = verdicts.update(&Change { removed, added });
    let time = cpu() - start;
    let cause = match &updated {
        Err(why) => format!("the base cannot be installed any more: {why}"),
        Ok(updated) if updated.base_changed => "the base is another".to_owned(),
        Ok(updated) => format!("{} source packages solved again", updated.solved),
    };
    let is_new = |package: &PackageRef<'_>| new.iter().any(|stanza| stanza == package.stanza());
    let removed = verdicts.universe().packages().filter(is_new).map(PackageRef::id).collect();
    verdicts.update(&Change { removed, added: vec![IndexText::new(old.join("\n\n"), "suite")] })?;
    Ok(Sample { time, cause, names })
}

/// The stanza with another version (0), also without its last relation (1), or nothing (2).
fn changed(stanza: &str, how: usize) -> Option<String> {
    let line = |line: &str| {
        if line.starts_with("Version: ") {
            return format!("{line}+b9");
        }
        match line.rsplit_once(", ") {
            Some((rest, _)) if how == 1 && line.starts_with("Depends: ") => rest.to_owned(),
            _ => line.to_owned(),
        }
    };
    (how != 2).then(|| stanza.lines().map(line).collect::<Vec<_>>().join("\n"))
}
