//! Headings: boxes for sections, underlined lines inside them.

use jiff::Timestamp;

/// Width of the text inside a box whose lines are 80 columns wide.
const INNER: usize = 76;

/// A section of the log, in the order in which a build goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Section {
    /// Package indexes are brought up to date.
    UpdateChroot,
    /// The source package is fetched and checked.
    FetchSource,
    /// Build dependencies are resolved, fetched and installed.
    InstallDependencies,
    /// Architectures that build dependencies name are looked at.
    CheckArchitectures,
    /// What the build runs in: kernel and package versions.
    BuildEnvironment,
    /// The source is unpacked and dpkg-buildpackage runs.
    Build,
    /// The .changes file.
    Changes,
    /// The .buildinfo file.
    Buildinfo,
    /// Control data and files of every package built.
    PackageContents,
    /// Checks on the packages built.
    PostBuild,
    /// The build root is taken down.
    Cleanup,
    /// The result, field by field.
    Summary,
}

impl Section {
    /// The heading that sbuild gives this section.
    pub const fn title(self) -> &'static str {
        match self {
            Self::UpdateChroot => "Update chroot",
            Self::FetchSource => "Fetch source files",
            Self::InstallDependencies => "Install package build dependencies",
            Self::CheckArchitectures => "Check architectures",
            Self::BuildEnvironment => "Build environment",
            Self::Build => "Build",
            Self::Changes => "Changes",
            Self::Buildinfo => "Buildinfo",
            Self::PackageContents => "Package contents",
            Self::PostBuild => "Post Build",
            Self::Cleanup => "Cleanup",
            Self::Summary => "Summary",
        }
    }
}

/// The box at the top of the log: a blank line, then `text` at the left and `at` at the right between
/// lines of `=`, then a blank line.
pub fn title_box(text: &str, at: Timestamp) -> String {
    boxed('=', &dated(text, at))
}

/// The box that opens a section, drawn with `-`.
pub fn section_box(text: &str, at: Timestamp) -> String {
    boxed('-', &dated(text, at))
}

/// A heading inside a section, underlined.
pub fn subheading(text: &str) -> String {
    format!("\n{text}\n{}\n\n", "-".repeat(text.chars().count()))
}

/// The line that separates the build's output from what follows.
pub fn separator() -> String {
    format!("{}\n", "-".repeat(80))
}

/// `2026-11-23T21:26:00Z`: how the log's own sentences give a time.
pub fn iso_time(at: Timestamp) -> String {
    utc(at).strftime("%FT%TZ").to_string()
}

fn utc(at: Timestamp) -> jiff::Zoned {
    at.to_zoned(jiff::tz::TimeZone::UTC)
}

/// `text` padded so that the date ends at the right edge; text that is too long is followed by the
/// date at once, as sbuild does.
fn dated(text: &str, at: Timestamp) -> String {
    let date = utc(at).strftime("%a, %d %b %Y %H:%M:%S +0000").to_string();
    let padding = INNER.saturating_sub(text.chars().count() + date.chars().count());
    format!("{text}{}{date}", " ".repeat(padding))
}

fn boxed(line: char, text: &str) -> String {
    let width = text.chars().count().max(INNER);
    let padding = " ".repeat(width - text.chars().count());
    let edge: String = std::iter::repeat_n(line, width + 2).collect();
    format!("\n+{edge}+\n| {text}{padding} |\n+{edge}+\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noon() -> Timestamp {
        "2026-11-23T12:00:05Z".parse().unwrap()
    }

    #[test]
    fn boxes_are_eighty_columns_wide() {
        for text in ["", "Build", "Install package build dependencies"] {
            for line in section_box(text, noon()).lines().filter(|line| !line.is_empty()) {
                assert_eq!(line.len(), 80, "{line}");
            }
        }
    }

    #[test]
    fn headings_look_as_sbuild_draws_them() {
        let mut text = title_box("dash 0.5.12-12 (arm64) ", noon());
        text += &section_box(Section::Build.title(), noon());
        text += &subheading("Unpack source");
        insta::assert_snapshot!(text, @r"

        +==============================================================================+
        | dash 0.5.12-12 (arm64)                       Mon, 23 Nov 2026 12:00:05 +0000 |
        +==============================================================================+


        +------------------------------------------------------------------------------+
        | Build                                        Mon, 23 Nov 2026 12:00:05 +0000 |
        +------------------------------------------------------------------------------+


        Unpack source
        -------------
        ");
    }

    #[test]
    fn a_long_title_widens_its_box() {
        let name = "golang-github-googlecloudplatform-guest-logging-go 0.0~git20200113.1-2 (arm64) ";
        let text = title_box(name, noon());
        let widths: Vec<usize> = text.lines().filter(|line| !line.is_empty()).map(str::len).collect();
        assert_eq!(widths, [name.len() + 31 + 4; 3]);
    }

    #[test]
    fn times_are_utc() {
        assert_eq!(iso_time(noon()), "2026-11-23T12:00:05Z");
    }
}
