//! The parts of the log that archmill itself says: header, build environment, summary.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};

use super::heading::{iso_time, separator, title_box};

/// What is known of a build when its log is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Version of archmill.
    pub program_version: String,
    /// Name of the host, as far as the log may tell it.
    pub hostname: String,
    /// Source package.
    pub package: String,
    /// Version that is built.
    pub version: Option<String>,
    /// Version of the source, which differs from `version` in a binary-only rebuild.
    pub source_version: Option<String>,
    /// Suite that is built for.
    pub distribution: String,
    /// Debian architecture of the machine that builds.
    pub machine_arch: String,
    /// Debian architecture that packages are built for.
    pub host_arch: String,
    /// Debian architecture of the build root.
    pub build_arch: String,
    /// Build profiles.
    pub profiles: Vec<String>,
    /// Build type in the words of `dpkg-buildpackage --build`: any, all, binary or source.
    pub build_type: String,
    /// When the build began.
    pub started: Timestamp,
}

impl Header {
    /// The first line, the title box and the header fields.
    pub fn render(&self) -> String {
        let mut text =
            format!("archmill (log format of sbuild 0.91) {} on {}\n", self.program_version, self.hostname);
        let mut title = self.package.clone();
        if let Some(version) = &self.version {
            title = format!("{title} {version}");
        }
        text += &title_box(&format!("{title} ({}) ", self.host_arch), self.started);
        let mut field = |name: &str, value: Option<&str>| {
            if let Some(value) = value {
                let _ = writeln!(text, "{name}: {value}");
            }
        };
        field("Package", Some(&self.package));
        field("Version", self.version.as_deref());
        field("Source Version", self.source_version.as_deref());
        field("Distribution", Some(&self.distribution));
        field("Machine Architecture", Some(&self.machine_arch));
        field("Host Architecture", Some(&self.host_arch));
        field("Build Architecture", Some(&self.build_arch));
        let profiles = self.profiles.join(" ");
        field("Build Profiles", Some(profiles.as_str()).filter(|profiles| !profiles.is_empty()));
        field("Build Type", Some(&self.build_type));
        text.push('\n');
        text
    }
}

/// The kernel, as `uname` tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kernel {
    /// `Linux`
    pub name: String,
    /// Release, such as `6.12.57+deb13-amd64`.
    pub release: String,
    /// Version, such as `#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1`.
    pub version: String,
    /// Machine, as programs in the root see it, such as `aarch64`.
    pub machine: String,
}

/// A package of the build root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstalledPackage {
    /// Name.
    pub name: String,
    /// Version.
    pub version: String,
}

/// What the section `Build environment` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// The kernel.
    pub kernel: Kernel,
    /// Debian architecture of the machine that builds.
    pub machine_arch: String,
    /// Facts of archmill's own as name and value, such as `Execution mode`; they follow sbuild's lines.
    pub facts: Vec<(String, String)>,
    /// Every package of the build root, in any order.
    pub packages: Vec<InstalledPackage>,
}

impl Environment {
    /// The lines of the section.
    pub fn render(&self) -> String {
        let Kernel { name, release, version, machine } = &self.kernel;
        let mut packages: Vec<&InstalledPackage> = self.packages.iter().collect();
        packages.sort();
        packages.dedup();
        let mut text = format!("Kernel: {name} {release} {version} {} ({machine})\n", self.machine_arch);
        let mut list = |title: &str, wanted: fn(&str) -> bool| {
            text += title;
            for package in packages.iter().filter(|package| wanted(&package.name)) {
                let _ = write!(text, " {}_{}", package.name, package.version);
            }
            text.push('\n');
        };
        list("Toolchain package versions:", is_toolchain);
        list("Package versions:", |_| true);
        for (name, value) in &self.facts {
            let _ = writeln!(text, "{name}: {value}");
        }
        text
    }
}

/// Whether sbuild counts a package as part of the toolchain (its `TOOLCHAIN_REGEX`).
fn is_toolchain(name: &str) -> bool {
    let versioned = |prefix: &str, suffix: &str| {
        name.strip_prefix(prefix)
            .and_then(|rest| rest.strip_suffix(suffix))
            .is_some_and(|v| !v.is_empty() && v.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
    };
    matches!(name, "binutils" | "dpkg-dev" | "linux-libc-dev" | "gnumach-dev" | "hurd-dev")
        || name.starts_with("libstdc++")
        || versioned("gcc-", "")
        || versioned("g++-", "")
        || versioned("libc", "-dev")
}

/// The result of a build, as the last section of its log tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// The header's fields.
    pub header: Header,
    /// What the user asked for: a package name, or the path of a .dsc or tree.
    pub job: String,
    /// `successful`, `failed`, or another word of sbuild's.
    pub status: String,
    /// Where a build that is not successful failed, in sbuild's words (see
    /// [`Phase::fail_stage`](crate::classify::Phase::fail_stage)).
    pub fail_stage: Option<String>,
    /// When the build ended.
    pub finished: Timestamp,
    /// Time that dpkg-buildpackage took.
    pub build_time: SignedDuration,
    /// Time that installing build dependencies took.
    pub install_time: SignedDuration,
    /// Disk space of the build tree and its results, KiB; `None` when the source was never unpacked.
    pub space_kib: Option<u64>,
    /// Further fields as name and value, sorted in among the others.
    pub extra: Vec<(String, String)>,
}

impl Summary {
    /// The fields in sorted order, then the line that says when the build finished, then the time and
    /// space that it needed.
    pub fn render(&self) -> String {
        let total = self.finished.duration_since(self.header.started).max(SignedDuration::ZERO);
        let mut text = String::new();
        for (name, value) in self.fields(total) {
            let _ = writeln!(text, "{name}: {value}");
        }
        text += &separator();
        let _ = writeln!(text, "Finished at {}", iso_time(self.finished));
        let seconds = total.as_secs();
        let (hours, minutes, seconds) = (seconds / 3600, seconds % 3600 / 60, seconds % 60);
        let space = self.space_kib.map_or("no".to_owned(), |kib| format!("{kib}k"));
        let _ = writeln!(text, "Build needed {hours:02}:{minutes:02}:{seconds:02}, {space} disk space");
        text
    }

    fn fields(&self, total: SignedDuration) -> BTreeMap<String, String> {
        let header = &self.header;
        let space = self.space_kib.map_or("n/a".to_owned(), |kib| kib.to_string());
        let optional = |value: &Option<String>| value.clone().unwrap_or_default();
        let fail_stage = if self.status == "successful" { String::new() } else { optional(&self.fail_stage) };
        let pairs = [
            ("Job", self.job.clone()),
            ("Package", header.package.clone()),
            ("Version", optional(&header.version)),
            ("Source-Version", optional(&header.source_version)),
            ("Machine Architecture", header.machine_arch.clone()),
            ("Host Architecture", header.host_arch.clone()),
            ("Build Architecture", header.build_arch.clone()),
            ("Build Profiles", header.profiles.join(" ")),
            ("Build Type", header.build_type.clone()),
            ("Distribution", header.distribution.clone()),
            ("Space", space.clone()),
            ("Build-Space", space),
            ("Build-Time", self.build_time.as_secs().to_string()),
            ("Install-Time", self.install_time.as_secs().to_string()),
            ("Package-Time", total.as_secs().to_string()),
            ("Status", self.status.clone()),
            ("Fail-Stage", fail_stage),
        ];
        let own = pairs.into_iter().map(|(name, value)| (name.to_owned(), value));
        own.chain(self.extra.iter().cloned()).filter(|(_, value)| !value.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            program_version: "0.1.0".to_owned(),
            hostname: "mill".to_owned(),
            package: "dash".to_owned(),
            version: Some("0.5.12-12".to_owned()),
            source_version: Some("0.5.12-12".to_owned()),
            distribution: "trixie".to_owned(),
            machine_arch: "amd64".to_owned(),
            host_arch: "arm64".to_owned(),
            build_arch: "arm64".to_owned(),
            profiles: vec!["nocheck".to_owned(), "nodoc".to_owned()],
            build_type: "any".to_owned(),
            started: "2026-11-23T21:26:07Z".parse().unwrap(),
        }
    }

    #[test]
    fn header_has_the_fields_of_sbuild() {
        insta::assert_snapshot!(header().render());
    }

    #[test]
    fn header_of_an_unknown_version_leaves_it_out() {
        let header = Header { version: None, source_version: None, profiles: vec![], ..header() };
        let text = header.render();
        assert!(text.contains("| dash (arm64) "));
        assert!(!text.contains("Version:") && !text.contains("Profiles"));
    }

    #[test]
    fn environment_lists_the_toolchain_apart() {
        let package =
            |name: &str, version: &str| InstalledPackage { name: name.into(), version: version.into() };
        let environment = Environment {
            kernel: Kernel {
                name: "Linux".into(),
                release: "6.12.57+deb13-amd64".into(),
                version: "#1 SMP PREEMPT_DYNAMIC Debian 6.12.57-1".into(),
                machine: "aarch64".into(),
            },
            machine_arch: "amd64".into(),
            facts: vec![
                ("Execution mode".into(), "emulated".into()),
                ("Emulator".into(), "qemu-user 1:10.0.2+ds-2 (trixie), CPU cortex-a53".into()),
            ],
            packages: vec![
                package("zlib1g", "1:1.3.dfsg+really1.3.1-1+b1"),
                package("libc6-dev", "2.41-12"),
                package("libc-dev-bin", "2.41-12"),
                package("gcc-14", "14.2.0-19"),
                package("gcc-14-base", "14.2.0-19"),
                package("g++-14", "14.2.0-19"),
                package("binutils", "2.44-3"),
                package("dpkg-dev", "1.22.21"),
                package("libstdc++6", "14.2.0-19"),
                package("gcc-14-base", "14.2.0-19"),
            ],
        };
        insta::assert_snapshot!(environment.render());
    }

    fn summary() -> Summary {
        Summary {
            header: header(),
            job: "dash".to_owned(),
            status: "successful".to_owned(),
            fail_stage: Some("build".to_owned()),
            finished: "2026-11-23T22:27:30.9Z".parse().unwrap(),
            build_time: SignedDuration::from_millis(59_900),
            install_time: SignedDuration::from_secs(12),
            space_kib: Some(12_345),
            extra: vec![],
        }
    }

    #[test]
    fn summary_of_a_success() {
        insta::assert_snapshot!(summary().render());
    }

    #[test]
    fn summary_of_a_failure_before_the_source_was_unpacked() {
        let summary = Summary {
            status: "failed".to_owned(),
            fail_stage: Some("install-deps".to_owned()),
            space_kib: None,
            ..summary()
        };
        insta::assert_snapshot!(summary.render());
    }
}
