//! `archmill explain`

use archmill_build::classify::ExitCode;
use archmill_deb::{Relation, Relations};
use archmill_solve::{Base, InstallSet, Request, Selected, Solver, Unsatisfiable, Wanted};
use serde::Serialize;

use crate::cli::ExplainArgs;
use crate::indices::{self, Indices};

/// Everything that `--json` prints.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Report<'r> {
    subject: &'r str,
    installable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'r Unsatisfiable>,
    #[serde(skip_serializing_if = "Option::is_none")]
    installs: Option<&'r InstallSet>,
}

/// Solves for one package and prints what came of it.
pub(crate) fn run(args: &ExplainArgs) -> anyhow::Result<ExitCode> {
    let indices = indices::open(&args.archive, &args.solve)?;
    indices.warn();
    let (subject, request) = request(&args.name, &indices)?;
    let result = Solver::new(&indices.universe).solve(&request);
    if args.json {
        let report = Report {
            subject: &subject,
            installable: result.is_ok(),
            why: result.as_ref().err(),
            installs: result.as_ref().ok().filter(|_| args.installs),
        };
        answer!("{}", serde_json::to_string_pretty(&report)?);
    } else {
        print(&subject, &result, args.installs);
    }
    Ok(if result.is_ok() { ExitCode::Success } else { ExitCode::Dependencies })
}

/// The build dependencies of the source package of a name; else the binary package.
fn request(name: &str, indices: &Indices) -> anyhow::Result<(String, Request)> {
    let mut request = Request {
        wanted: Vec::new(),
        conflicts: Relations::default(),
        base: Base::buildd(),
        alternatives: indices.rules.alternatives,
        versions: indices.rules.versions,
        arch: indices.rules.host.clone(),
    };
    let subject = if let Some(source) = indices.sources.find(name) {
        let of_source = indices.rules.request(&source, indices.host());
        (request.wanted, request.conflicts) = (of_source.wanted, of_source.conflicts);
        format!("source package {} {}", source.name, source.version)
    } else if let Some(package) = indices.universe.candidate(name, indices.host()) {
        let relation: Relation = name.parse()?;
        let relations = Relations(vec![vec![relation]]);
        request.wanted.push(Wanted { relations, by: "you".to_owned(), verb: "ask for".to_owned() });
        format!("binary package {} {}", package.name(), package.version())
    } else {
        return Err(indices.unknown_to_all(name));
    };
    // A cross build has its compiler in the root beforehand.
    request
        .base
        .packages
        .extend(indices.rules.host.iter().map(|host| format!("crossbuild-essential-{host}")));
    Ok((subject, request))
}

fn print(subject: &str, result: &Result<InstallSet, Unsatisfiable>, installs: bool) {
    match result {
        Err(why) => {
            answer!("{subject} cannot be installed:", subject = of(subject));
            for reason in &why.reasons {
                answer!("  {reason}");
            }
        }
        Ok(set) => {
            let (all, new) = (set.packages.len(), set.rest().count());
            answer!(
                "{} can be installed: {new} packages on top of the {} of the base",
                of(subject),
                all - new
            );
            for package in &set.removed_from_base {
                answer!("  {} {} is removed from the base", package.name, package.version);
            }
            for package in set.rest().filter(|_| installs) {
                answer!("  {}", line(package));
            }
        }
    }
}

fn of(subject: &str) -> String {
    if subject.starts_with("source") {
        format!("the build dependencies of {subject}")
    } else {
        subject.to_owned()
    }
}

fn line(package: &Selected) -> String {
    let by = &package.installed_by;
    format!("{} {} {} <- {} {} {}", package.name, package.version, package.arch, by.by, by.field, by.relation)
}
