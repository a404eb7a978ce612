//! Prints what is installed to build source packages, from index files on disk.
//!
//! `solve_one [--arch A] [--foreign A]... [--host A] [--profiles a,b] [--all] [--any-version] [--indep]
//! [--base] [--why] [--new] [--quiet] [--dsc] --packages FILE... --sources FILE... -- [NAME...]`

use std::collections::HashMap;
use std::error::Error;
use std::process::ExitCode;
use std::time::Instant;

use archmill_deb::{Arch, Relations};
use archmill_solve::{
    Alternatives, Base, IndexText, InstallSet, Request, Selected, Solver, Universe, Versions,
};

#[derive(Default)]
#[allow(clippy::struct_excessive_bools)]
struct Options {
    arch: String,
    foreign: Vec<String>,
    host: Option<String>,
    profiles: Vec<String>,
    packages: Vec<String>,
    sources: Vec<String>,
    names: Vec<String>,
    all_alternatives: bool,
    any_version: bool,
    base_only: bool,
    why: bool,
    new_only: bool,
    quiet: bool,
    indep: bool,
    dsc: bool,
}

fn options() -> Options {
    let mut options = Options { arch: "arm64".to_owned(), ..Options::default() };
    let mut arguments = std::env::args().skip(1);
    let mut list = "";
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().unwrap_or_default();
        match argument.as_str() {
            "--arch" => options.arch = value(),
            "--host" => options.host = Some(value()),
            "--foreign" => options.foreign.push(value()),
            "--profiles" => options.profiles = value().split(',').map(str::to_owned).collect(),
            "--all" => options.all_alternatives = true,
            "--any-version" => options.any_version = true,
            "--base" => options.base_only = true,
            "--why" => options.why = true,
            "--new" => options.new_only = true,
            "--quiet" => options.quiet = true,
            "--indep" => options.indep = true,
            "--dsc" => options.dsc = true,
            "--packages" => list = "packages",
            "--sources" => list = "sources",
            "--" => list = "",
            _ if list == "packages" => options.packages.push(argument),
            _ if list == "sources" => options.sources.push(argument),
            _ => options.names.push(argument),
        }
    }
    options
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let options = options();
    let texts: Result<Vec<_>, _> = options.packages.iter().map(std::fs::read_to_string).collect();
    let origins = options.packages.iter().map(|path| path.rsplit('/').nth(1).unwrap_or(path).to_owned());
    let indices: Vec<_> =
        texts?.into_iter().zip(origins).map(|(text, origin)| IndexText::new(text, origin)).collect();
    let native: Arch = options.arch.parse()?;
    let foreign: Vec<Arch> =
        options.foreign.iter().chain(&options.host).map(|arch| arch.parse()).collect::<Result<_, _>>()?;
    let start = Instant::now();
    let universe = Universe::new(indices, &native, &foreign);
    eprintln!("{} packages in {:.3?}", universe.len(), start.elapsed());
    for problem in universe.problems() {
        eprintln!("{problem}");
    }
    let solver = Solver::new(&universe);
    let start = Instant::now();
    let base = solver.base(&Base::buildd())?;
    eprintln!("base set of {} packages in {:.3?}", base.packages.len(), start.elapsed());
    if options.base_only {
        print(&options, &base.packages.iter().collect::<Vec<_>>());
        return Ok(ExitCode::SUCCESS);
    }
    let sources: Vec<String> =
        options.sources.iter().map(std::fs::read_to_string).collect::<Result<_, _>>()?;
    let known = source_packages(&sources);
    let mut failed = false;
    let everything: Vec<&str> = if options.names.is_empty() {
        sorted(&known)
    } else {
        options.names.iter().map(String::as_str).collect()
    };
    for name in everything {
        let Some(fields) = known.get(name) else { return Err(format!("no source package {name}").into()) };
        let request = request(&options, name, fields)?;
        if options.dsc {
            print!("{}", dsc(name, &request));
            continue;
        }
        let start = Instant::now();
        let result = solver.solve(&request);
        let time = start.elapsed();
        match result {
            Ok(set) => report(&options, name, &set, time),
            Err(reason) => {
                failed = true;
                println!("# {name}: {reason} ({time:.3?})");
            }
        }
    }
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// A .dsc with the relations of a request as they count, for apt to solve.
fn dsc(name: &str, request: &Request) -> String {
    let relations = request.wanted.iter().map(|wanted| request.counting(wanted).to_string());
    let depends = relations.collect::<Vec<_>>().join(", ");
    let conflicts = request.conflicts.to_string();
    let stanza =
        format!("Format: 1.0\nSource: {name}\nVersion: 1\nArchitecture: any\nBuild-Depends: {depends}\n");
    if conflicts.is_empty() { stanza } else { format!("{stanza}Build-Conflicts: {conflicts}\n") }
}

fn sorted<'a>(known: &HashMap<&'a str, HashMap<&'a str, &'a str>>) -> Vec<&'a str> {
    let mut names: Vec<&str> = known.keys().copied().collect();
    names.sort_unstable();
    names
}

fn report(options: &Options, name: &str, set: &InstallSet, time: std::time::Duration) {
    println!("# {name}: {} packages, {} new, in {time:.3?}", set.packages.len(), set.rest().count());
    for removed in &set.removed_from_base {
        println!("- {} {}", removed.name, removed.version);
    }
    if !options.quiet {
        print(
            options,
            &if options.new_only { set.rest().collect() } else { set.packages.iter().collect::<Vec<_>>() },
        );
    }
}

fn print(options: &Options, packages: &[&Selected]) {
    for package in packages {
        if options.why {
            let by = &package.installed_by;
            println!(
                "{} {} {} <- {} {}: {}",
                package.name, package.version, package.arch, by.by, by.field, by.relation
            );
        } else {
            println!("{} {} {}", package.name, package.version, package.arch);
        }
    }
}

fn request(options: &Options, name: &str, fields: &HashMap<&str, &str>) -> Result<Request, Box<dyn Error>> {
    let host: Arch = options.host.as_ref().unwrap_or(&options.arch).parse()?;
    let relations = |names: [&str; 3]| -> Result<Relations, Box<dyn Error>> {
        let mut all = Relations(Vec::new());
        for name in names {
            if options.indep || !name.ends_with("-indep") {
                all.0.extend(
                    Relations::parse(fields.get(name).unwrap_or(&""))
                        .map_err(|error| format!("{name}: {error}"))?
                        .0,
                );
            }
        }
        Ok(all.reduce(&host, &options.profiles))
    };
    let mut request =
        Request::build(name, relations(["build-depends", "build-depends-indep", "build-depends-arch"])?);
    request.conflicts = relations(["build-conflicts", "build-conflicts-indep", "build-conflicts-arch"])?;
    request.arch = options.host.is_some().then_some(host);
    if options.all_alternatives {
        request.alternatives = Alternatives::All;
    }
    if options.any_version {
        request.versions = Versions::Any;
    }
    Ok(request)
}

/// The fields of each source package, names in lower case; the last stanza of a name counts.
fn source_packages(sources: &[String]) -> HashMap<&str, HashMap<&str, &str>> {
    const WANTED: [&str; 7] = [
        "package",
        "build-depends",
        "build-depends-indep",
        "build-depends-arch",
        "build-conflicts",
        "build-conflicts-indep",
        "build-conflicts-arch",
    ];
    let mut found = HashMap::new();
    for stanza in sources.iter().flat_map(|text| text.split("\n\n")) {
        let mut fields = HashMap::new();
        let mut rest = stanza;
        while !rest.is_empty() {
            let mut end = rest.find('\n').unwrap_or(rest.len());
            while rest[end..].starts_with("\n ") {
                end += 1 + rest[end + 1..].find('\n').unwrap_or(rest.len() - end - 1);
            }
            if let Some((key, value)) = rest[..end].split_once(':')
                && let Some(key) = WANTED.iter().find(|wanted| key.eq_ignore_ascii_case(wanted))
            {
                fields.insert(*key, value.trim());
            }
            rest = rest.get(end + 1..).unwrap_or_default();
        }
        if let Some(&name) = fields.get("package")
            && !stanza.contains("\nExtra-Source-Only: yes")
        {
            found.insert(name, fields);
        }
    }
    found
}
