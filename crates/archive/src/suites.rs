//! Debian's suites: which others belong to one, and where the host gets Debian from.

use std::path::Path;

use archmill_deb::nearest;

use crate::repo::{RepoSpec, parse};

/// A suite that packages are built for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suite {
    /// Name as given.
    pub name: String,
    /// Codename in the archive, of the base suite for backports.
    base: &'static str,
    kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Has updates and security suites.
    Released,
    /// Is only itself.
    Development,
    /// Over a released suite.
    Backports,
}

const RELEASED: &[(&str, &[&str])] = &[
    ("bullseye", &["oldoldstable"]),
    ("bookworm", &["oldstable"]),
    ("trixie", &["stable"]),
    ("forky", &["testing"]),
];
const DEVELOPMENT: &[(&str, &[&str])] = &[("sid", &["unstable"])];

/// No such suite.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no Debian suite {name:?}{}", suggestion(nearest))]
pub struct UnknownSuite {
    name: String,
    nearest: Vec<&'static str>,
}

fn suggestion(nearest: &[&str]) -> String {
    match nearest {
        [] => "; archmill knows bullseye, bookworm, trixie, forky and sid, and their backports; other distributions are given with --repository".to_owned(),
        names => format!("; did you mean {}?", names.join(" or ")),
    }
}

/// No Debian mirror in the host's apt configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "this host's apt configuration names no Debian mirror; give one with --mirror URL, or put a line mirror = \"URL\" into farm.toml"
)]
pub struct NoMirror;

/// Where Debian is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mirror {
    /// The archive.
    pub archive: String,
    /// The security archive.
    pub security: String,
}

impl Suite {
    /// Finds a suite by codename or by an alias such as `stable`.
    pub fn find(name: &str) -> Result<Self, UnknownSuite> {
        let (plain, backports) = match name.strip_suffix("-backports") {
            Some(plain) => (plain, true),
            None => (name, false),
        };
        let among = |list: &'static [(&'static str, &'static [&'static str])]| {
            list.iter()
                .find(|(codename, aliases)| *codename == plain || aliases.contains(&plain))
                .map(|(codename, _)| *codename)
        };
        let suite = |base, kind| Ok(Self { name: name.to_owned(), base, kind });
        match (among(RELEASED), among(DEVELOPMENT)) {
            (Some(base), _) if backports => suite(base, Kind::Backports),
            (Some(base), _) => suite(base, Kind::Released),
            (_, Some(base)) if !backports => suite(base, Kind::Development),
            _ => {
                let all = RELEASED.iter().chain(DEVELOPMENT);
                let names: Vec<&'static str> = all
                    .flat_map(|(codename, aliases)| [*codename].into_iter().chain(aliases.iter().copied()))
                    .collect();
                Err(UnknownSuite {
                    name: name.to_owned(),
                    nearest: nearest(plain, names.iter().copied())
                        .into_iter()
                        .filter_map(|near| names.iter().copied().find(|name| *name == near))
                        .collect(),
                })
            }
        }
    }

    /// Codename (of the base suite for backports).
    pub fn codename(&self) -> &'static str {
        self.base
    }

    /// The repositories that a build for this suite uses, as on Debian's build machines: the suite itself, its updates, and
    /// its security suite; backports over those of their base.
    pub fn repositories(&self, mirror: &Mirror) -> Vec<RepoSpec> {
        // By the name that was given, as in sources.list: an alias is a folder of its own on a mirror.
        let base = self.name.strip_suffix("-backports").unwrap_or(&self.name);
        let mut specs = vec![RepoSpec::new(&mirror.archive, base, &["main"])];
        if self.kind != Kind::Development {
            specs.push(RepoSpec::new(&mirror.archive, &format!("{base}-updates"), &["main"]));
            specs.push(RepoSpec::new(&mirror.security, &format!("{base}-security"), &["main"]));
        }
        if self.kind == Kind::Backports {
            specs.push(RepoSpec::new(&mirror.archive, &format!("{base}-backports"), &["main"]));
        }
        specs
    }
}

/// The repositories that a build for a suite uses: those of Debian's suite of that name, then `others`.
///
/// A name that is none of Debian's suites must be that of one of `others`: a distribution of its own is
/// described by its repositories.
pub fn repositories_for(
    suite: &str,
    mirror: &Mirror,
    others: &[RepoSpec],
) -> Result<Vec<RepoSpec>, UnknownSuite> {
    let mut specs = match Suite::find(suite) {
        Ok(suite) => suite.repositories(mirror),
        Err(_) if others.iter().any(|spec| spec.suite == suite) => Vec::new(),
        Err(error) => return Err(error),
    };
    specs.extend(others.iter().cloned());
    Ok(specs)
}

impl Mirror {
    /// A given mirror; the security archive is looked for beside it unless it is given as well.
    pub fn given(archive: &str, security: Option<&str>) -> Self {
        let archive = archive.trim_end_matches('/').to_owned();
        let security =
            security.map_or_else(|| beside(&archive), |security| security.trim_end_matches('/').to_owned());
        Self { archive, security }
    }

    /// The mirror of the host's own apt configuration below `etc_apt`.
    pub fn of_host(etc_apt: &Path) -> Result<Self, NoMirror> {
        let mut texts = vec![std::fs::read_to_string(etc_apt.join("sources.list")).unwrap_or_default()];
        let parts = std::fs::read_dir(etc_apt.join("sources.list.d")).into_iter().flatten().flatten();
        let mut paths: Vec<_> = parts.map(|entry| entry.path()).collect();
        paths.sort();
        let wanted =
            |path: &Path| path.extension().is_some_and(|ending| ending == "list" || ending == "sources");
        texts.extend(
            paths.iter().filter(|path| wanted(path)).filter_map(|path| std::fs::read_to_string(path).ok()),
        );
        Self::from_texts(&texts).ok_or(NoMirror)
    }

    /// The same, from the texts of the files. Files that cannot be read are not Debian's.
    fn from_texts(texts: &[String]) -> Option<Self> {
        let specs: Vec<RepoSpec> = texts.iter().filter_map(|text| parse(text).ok()).flatten().collect();
        let is_debian = |spec: &&RepoSpec| {
            let plain = spec
                .suite
                .trim_end_matches("-updates")
                .trim_end_matches("-backports")
                .trim_end_matches("-security");
            spec.components.iter().any(|component| component == "main") && Suite::find(plain).is_ok()
        };
        let is_security = |spec: &RepoSpec| spec.suite.contains("security") || spec.uri.contains("security");
        let debian: Vec<&RepoSpec> = specs.iter().filter(is_debian).collect();
        let archive = debian.iter().find(|spec| !is_security(spec))?.uri.clone();
        let security = debian.iter().find(|spec| is_security(spec)).map(|spec| spec.uri.clone());
        Some(Self { security: security.unwrap_or_else(|| beside(&archive)), archive })
    }
}

/// Mirrors that carry both have the security archive beside the other.
fn beside(archive: &str) -> String {
    match archive.strip_suffix("/debian") {
        Some(base) => format!("{base}/debian-security"),
        None => archive.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suites(name: &str) -> Vec<String> {
        let mirror = Mirror::given("http://deb.example.org/debian/", None);
        Suite::find(name)
            .unwrap()
            .repositories(&mirror)
            .iter()
            .map(|spec| format!("{} {}", spec.uri, spec.suite))
            .collect()
    }

    #[test]
    fn a_released_suite_comes_with_updates_and_security() {
        assert_eq!(
            suites("stable"),
            [
                "http://deb.example.org/debian stable",
                "http://deb.example.org/debian stable-updates",
                "http://deb.example.org/debian-security stable-security"
            ]
        );
        assert_eq!(suites("sid"), ["http://deb.example.org/debian sid"]);
        assert_eq!(suites("bookworm-backports").len(), 4);
    }

    #[test]
    fn an_unknown_suite_is_refused_with_the_nearest_names() {
        let error = Suite::find("trixi").unwrap_err().to_string();
        assert!(error.contains("did you mean trixie?"), "{error}");
        assert!(Suite::find("xenial").unwrap_err().to_string().contains("archmill knows"));
    }

    #[test]
    fn the_hosts_mirror_is_the_one_that_has_debian_and_third_parties_are_passed_over() {
        let texts = [
            "deb https://packages.example.com/apt cloud-sdk main\n".to_owned(),
            "Types: deb\nURIs: http://deb.example.org/debian\nSuites: bookworm bookworm-updates\nComponents: main\n\nTypes: deb\nURIs: http://sec.example.org/debian-security\nSuites: bookworm-security\nComponents: main\n".to_owned(),
        ];
        let mirror = Mirror::from_texts(&texts).unwrap();
        assert_eq!(mirror.archive, "http://deb.example.org/debian");
        assert_eq!(mirror.security, "http://sec.example.org/debian-security");
        assert_eq!(Mirror::from_texts(&texts[..1]), None);
    }
}
