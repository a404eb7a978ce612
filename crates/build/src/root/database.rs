//! The dpkg database of packages that have been unpacked and not yet configured.
//!
//! Formats: deb-conffiles(5), deb-triggers(5), dpkg's own doc/triggers.txt for `triggers/File` and
//! `triggers/Unincorp`, and what dpkg itself writes (a test compares a whole root with apt's).

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::hash::BuildHasher;
use std::path::{Path, PathBuf};

use super::manifest::Manifest;

/// Folder of the database, below the root.
pub const FOLDER: &str = "var/lib/dpkg";

/// One diversion, paths without leading slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diversion {
    /// The diverted path.
    pub from: PathBuf,
    /// Where files of other packages go instead.
    pub to: PathBuf,
    /// The package that made it, unless it is local.
    pub package: Option<String>,
}

/// Reads `diversions`: three lines each, from, to and package (`:` if local).
pub fn parse_diversions(text: &str) -> Vec<Diversion> {
    let lines: Vec<&str> = text.lines().collect();
    let relative = |path: &str| PathBuf::from(path.trim_start_matches('/'));
    lines
        .chunks_exact(3)
        .map(|record| Diversion {
            from: relative(record[0]),
            to: relative(record[1]),
            package: (record[2] != ":").then(|| record[2].to_owned()),
        })
        .collect()
}

/// A line of a package's `conffiles` member (deb-conffiles(5)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conffile {
    /// Path without leading slash.
    pub path: PathBuf,
    /// Whether it is only there to be removed when an older version shipped it.
    pub remove_on_upgrade: bool,
}

/// The conffiles of a package from its `conffiles` member.
pub fn parse_conffiles(text: &str) -> Vec<Conffile> {
    text.lines()
        .filter_map(|line| {
            let line = line.trim_end();
            let removed = line.strip_prefix("remove-on-upgrade ").map(str::trim_start);
            let path = removed.unwrap_or(line).strip_prefix('/')?;
            Some(Conffile { path: path.into(), remove_on_upgrade: removed.is_some() })
        })
        .collect()
}

/// The name under which dpkg files a package: with its architecture where several can be installed together.
pub fn info_name(name: &str, arch: &str, multi_arch: Option<&str>) -> String {
    if multi_arch == Some("same") { format!("{name}:{arch}") } else { name.to_owned() }
}

/// The stanza in `status` of a package that is unpacked: its control file with two more fields.
pub fn status_stanza(control: &str, conffiles: &[Conffile]) -> String {
    let mut stanza = String::with_capacity(control.len() + 128);
    for line in control.lines().filter(|line| !line.trim().is_empty()) {
        let _ = writeln!(stanza, "{line}");
        if line.starts_with("Package:") {
            stanza.push_str("Status: install ok unpacked\n");
        }
    }
    if !conffiles.is_empty() {
        stanza.push_str("Conffiles:\n");
        for conffile in conffiles {
            let flag = if conffile.remove_on_upgrade { " remove-on-upgrade" } else { "" };
            let _ = writeln!(stanza, " /{} newconffile{flag}", conffile.path.display());
        }
    }
    stanza.push('\n');
    stanza
}

/// A package's file list, in the order of its archive, without what other packages took over.
pub fn file_list(manifest: &Manifest, lost: &HashSet<PathBuf, impl BuildHasher>) -> Vec<u8> {
    use std::os::unix::ffi::OsStrExt as _;
    let mut text = b"/.\n".to_vec();
    for entry in manifest.entries.iter().filter(|entry| !lost.contains(entry.path.as_path())) {
        text.push(b'/');
        text.extend_from_slice(entry.path.as_path().as_os_str().as_bytes());
        text.push(b'\n');
    }
    text
}

/// What packages wait for: the `triggers/` folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Triggers {
    /// Interests in paths: path, then the package with `/noawait` where it is so; in the order made.
    pub files: Vec<(String, String)>,
    /// Interests in named triggers.
    pub named: BTreeMap<String, Vec<String>>,
}

impl Triggers {
    /// Reads `triggers/File`.
    pub fn parse_files(text: &str) -> Vec<(String, String)> {
        let pair =
            |line: &str| line.split_once(' ').map(|(path, package)| (path.to_owned(), package.to_owned()));
        text.lines().filter_map(pair).collect()
    }

    /// Adds the interests of a package's `triggers` member.
    pub fn add(&mut self, package: &str, member: &str) {
        for line in member.lines().map(|line| line.split('#').next().unwrap_or("")) {
            let mut words = line.split_whitespace();
            let (Some(directive), Some(trigger)) = (words.next(), words.next()) else { continue };
            let interested = match directive {
                "interest" | "interest-await" => package.to_owned(),
                "interest-noawait" => format!("{package}/noawait"),
                _ => continue,
            };
            if trigger.starts_with('/') {
                self.files.push((trigger.to_owned(), interested));
            } else {
                self.named.entry(trigger.to_owned()).or_default().push(interested);
            }
        }
    }

    /// `triggers/File`.
    pub fn files_text(&self) -> String {
        self.files.iter().fold(String::new(), |mut text, (path, package)| {
            let _ = writeln!(text, "{path} {package}");
            text
        })
    }
}

/// `triggers/Unincorp`: the path triggers of already configured packages that newly unpacked files
/// set off. dpkg takes them up when it starts and lets the postinst scripts deal with them.
pub fn activated<'a>(interests: &[(String, String)], paths: impl Iterator<Item = &'a Path>) -> String {
    let wanted: BTreeSet<&str> = interests.iter().map(|(path, _)| path.as_str()).collect();
    let mut hit = BTreeSet::new();
    for path in paths.filter(|_| !wanted.is_empty()) {
        let Some(path) = path.to_str() else { continue };
        let full = format!("/{path}");
        let ends = full.match_indices('/').map(|(end, _)| end).filter(|end| *end > 0).chain([full.len()]);
        for end in ends {
            if let Some(trigger) = wanted.get(&full[..end]) {
                hit.insert((*trigger).to_owned());
            }
        }
    }
    hit.into_iter().fold(String::new(), |text, trigger| text + &trigger + " -\n")
}

/// Splits `status` into stanzas and says which packages are not "install ok installed", with the
/// status each has.
pub fn not_installed(status: &str) -> Vec<(String, String)> {
    let value = |stanza: &str, field: &str| -> String {
        let line = stanza.lines().find_map(|line| line.strip_prefix(field));
        line.unwrap_or("").trim().to_owned()
    };
    status
        .split("\n\n")
        .filter(|stanza| !stanza.trim().is_empty())
        .map(|stanza| (value(stanza, "Package:"), value(stanza, "Status:")))
        .filter(|(_, status)| status != "install ok installed")
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn diversions_are_read_three_lines_each() {
        let text = "/lib64/ld.so\n/lib64/ld.so.usr-is-merged\nlibc6\n/a\n/b\n:\n";
        let read = parse_diversions(text);
        assert_eq!(read.len(), 2);
        assert_eq!(read[0].package.as_deref(), Some("libc6"));
        assert_eq!(read[1], Diversion { from: "a".into(), to: "b".into(), package: None });
    }

    #[test]
    fn conffiles_to_be_removed_are_told_apart() {
        let conffile = |path: &str, remove_on_upgrade| Conffile { path: path.into(), remove_on_upgrade };
        assert_eq!(
            parse_conffiles("/etc/a\nremove-on-upgrade /etc/b\nrelative\n"),
            [conffile("etc/a", false), conffile("etc/b", true)]
        );
    }

    #[test]
    fn a_status_stanza_is_the_control_file_with_status_and_conffiles() {
        let conffiles = parse_conffiles("/etc/a\nremove-on-upgrade /etc/b\n");
        let stanza = status_stanza("Package: a\nVersion: 1\n", &conffiles);
        assert_eq!(
            stanza,
            "Package: a\nStatus: install ok unpacked\nVersion: 1\nConffiles:\n /etc/a newconffile\n \
             /etc/b newconffile remove-on-upgrade\n\n"
        );
    }

    #[test]
    fn interests_are_filed_by_path_and_by_name() {
        let mut triggers = Triggers::default();
        triggers.add("libc-bin", "interest ldconfig\n# comment\nactivate-noawait x\n");
        triggers.add("base-files", "interest-noawait /usr/lib32\n");
        assert_eq!(triggers.files_text(), "/usr/lib32 base-files/noawait\n");
        assert_eq!(triggers.named["ldconfig"], ["libc-bin"]);
    }

    #[test]
    fn a_file_sets_off_the_triggers_of_all_folders_above_it() {
        let interests =
            [("/usr/share/info".to_owned(), "install-info".to_owned()), ("/usr/lib".into(), "x".into())];
        let paths = [Path::new("usr/share/info/a.gz"), Path::new("usr/share/information")];
        assert_eq!(activated(&interests, paths.into_iter()), "/usr/share/info -\n");
    }

    #[test]
    fn only_packages_that_are_not_installed_are_named() {
        let status =
            "Package: a\nStatus: install ok installed\n\nPackage: b\nStatus: install ok half-configured\n";
        assert_eq!(not_installed(status), [("b".to_owned(), "install ok half-configured".to_owned())]);
    }
}
