//! Descriptions of repositories, as in sources.list(5): one line, or a deb822 stanza.

use std::path::PathBuf;

use archmill_deb::control::{Stanza, stanzas, without_comments};

/// A suite of a repository. Its switches are those of sources.list(5), independent of each other.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepoSpec {
    /// Base, without a slash at the end.
    pub uri: String,
    /// Suite or codename; ends with a slash for a flat repository.
    pub suite: String,
    /// Components; none for a flat repository.
    pub components: Vec<String>,
    /// Keyring of its own: a file, or the key itself.
    pub signed_by: Option<SignedBy>,
    /// Needs no good signature.
    pub trusted: bool,
    /// Must not be past its Valid-Until.
    pub check_valid_until: bool,
    /// Only for these architectures; any if empty.
    pub architectures: Vec<String>,
    /// Whether it has sources (`deb-src`).
    pub sources: bool,
    /// Whether it has binaries (`deb`).
    pub binaries: bool,
    /// How much its packages are preferred, as a pin priority of apt_preferences(5); as its Release file says if not given.
    /// `[priority=990]` in a line; apt has no such option.
    pub priority: Option<i32>,
}

/// `Signed-By`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SignedBy {
    /// A keyring file.
    File(PathBuf),
    /// An armored key.
    Key(String),
}

/// Why a description cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot read the repository {text:?}: {problem}; write for example: deb http://deb.example.org/debian trixie main"
)]
pub struct RepoError {
    text: String,
    problem: String,
}

impl RepoSpec {
    /// A plain one.
    pub fn new(uri: &str, suite: &str, components: &[&str]) -> Self {
        Self {
            uri: uri.trim_end_matches('/').to_owned(),
            suite: suite.to_owned(),
            components: components.iter().map(|component| (*component).to_owned()).collect(),
            signed_by: None,
            trusted: false,
            check_valid_until: true,
            architectures: Vec::new(),
            sources: true,
            binaries: true,
            priority: None,
        }
    }

    /// Whether it serves packages of `arch`.
    pub fn serves(&self, arch: &str) -> bool {
        self.architectures.is_empty() || self.architectures.iter().any(|served| served == arch)
    }
}

/// Reads a whole file in either format.
pub fn parse(text: &str) -> Result<Vec<RepoSpec>, RepoError> {
    let first = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    match first {
        None => Ok(Vec::new()),
        Some(line)
            if line.starts_with("deb ") || line.starts_with("deb-src ") || line.starts_with("deb\t") =>
        {
            text.lines()
                .map(str::trim)
                .filter(|line| !line.is_empty() && !line.starts_with('#'))
                .map(parse_line)
                .collect()
        }
        // One line is no stanza: that takes URIs and Suites.
        Some(line) if text.trim() == line => Ok(vec![parse_line(line)?]),
        Some(_) => parse_deb822(text),
    }
}

/// Reads one line.
pub fn parse_line(line: &str) -> Result<RepoSpec, RepoError> {
    let bad = |problem: &str| RepoError { text: line.to_owned(), problem: problem.to_owned() };
    let line_text = line.split(" #").next().unwrap_or(line);
    let (kind, rest) =
        line_text.trim().split_once(char::is_whitespace).ok_or_else(|| bad("it has only one word"))?;
    if kind != "deb" && kind != "deb-src" {
        return Err(bad("it starts with neither deb nor deb-src"));
    }
    let rest = rest.trim();
    let (options, rest) = match rest.strip_prefix('[') {
        None => ("", rest),
        Some(rest) => rest.split_once(']').ok_or_else(|| bad("the bracket of its options is not closed"))?,
    };
    let mut words = rest.split_whitespace();
    let uri = words.next().ok_or_else(|| bad("it has no URI"))?;
    let suite = words.next().ok_or_else(|| bad("it has no suite"))?;
    let components: Vec<&str> = words.collect();
    let mut spec = RepoSpec::new(uri, suite, &components);
    check(&spec).map_err(|problem| bad(&problem))?;
    // A line of either kind stands for both here: a farm builds what it installs from.
    (spec.binaries, spec.sources) = (kind == "deb", true);
    for option in options.split_whitespace() {
        let (name, value) = option.split_once('=').ok_or_else(|| bad("an option is not NAME=VALUE"))?;
        set_option(&mut spec, name, value).map_err(|problem| bad(&problem))?;
    }
    Ok(spec)
}

fn check(spec: &RepoSpec) -> Result<(), String> {
    let known = ["http://", "https://", "file:", "/"];
    let uri = spec.uri.strip_prefix("copy:").unwrap_or(&spec.uri);
    if !known.iter().any(|scheme| uri.starts_with(scheme)) {
        return Err(format!("{:?} is not an http, https or file URI", spec.uri));
    }
    match (spec.suite.ends_with('/'), spec.components.is_empty()) {
        (true, false) => {
            Err("a suite that ends with a slash (a flat repository) takes no components".to_owned())
        }
        (false, true) => Err("it has no component, such as main".to_owned()),
        _ => Ok(()),
    }
}

fn set_option(spec: &mut RepoSpec, name: &str, value: &str) -> Result<(), String> {
    let yes = value.eq_ignore_ascii_case("yes") || value.eq_ignore_ascii_case("true");
    match name.to_ascii_lowercase().as_str() {
        "arch" | "architectures" => {
            spec.architectures =
                value.split([',', ' ']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
        }
        "signed-by" if value.contains("-----BEGIN") => {
            spec.signed_by = Some(SignedBy::Key(unfold_key(value)));
        }
        "signed-by" => spec.signed_by = Some(SignedBy::File(value.trim().into())),
        "trusted" => spec.trusted = yes,
        "check-valid-until" => spec.check_valid_until = yes,
        "priority" => {
            let number = value.trim().parse().map_err(|_| format!("its priority {value:?} is no number"))?;
            spec.priority = Some(number);
        }
        // Others (lang, target, pdiffs, by-hash, ...) tune what apt does and not what there is.
        _ => {}
    }
    Ok(())
}

/// A key in a field: each line is indented by a blank, an empty one is a dot.
fn unfold_key(value: &str) -> String {
    let lines = value.lines().map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.map(|line| if line.trim() == "." { "\n".to_owned() } else { format!("{line}\n") }).collect()
}

fn parse_deb822(text: &str) -> Result<Vec<RepoSpec>, RepoError> {
    let text = without_comments(text);
    let mut specs = Vec::new();
    let first = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    for stanza in stanzas(&text) {
        let stanza =
            stanza.map_err(|error| RepoError { text: first.to_owned(), problem: error.to_string() })?;
        if stanza.get("Enabled").is_some_and(|value| value.eq_ignore_ascii_case("no")) {
            continue;
        }
        specs.extend(from_stanza(&stanza)?);
    }
    Ok(specs)
}

fn from_stanza(stanza: &Stanza<'_>) -> Result<Vec<RepoSpec>, RepoError> {
    let field = |name: &str| -> Vec<&str> { stanza.get(name).unwrap_or("").split_whitespace().collect() };
    let (uris, suites, components, types) =
        (field("URIs"), field("Suites"), field("Components"), field("Types"));
    let bad = |problem: &str| RepoError {
        text: format!("stanza in line {}", stanza.line()),
        problem: problem.to_owned(),
    };
    if uris.is_empty() || suites.is_empty() {
        return Err(bad("it needs the fields URIs and Suites"));
    }
    let mut specs = Vec::new();
    for uri in uris {
        for suite in &suites {
            let mut spec = RepoSpec::new(uri, suite, &components);
            check(&spec).map_err(|problem| bad(&problem))?;
            spec.binaries = types.is_empty() || types.contains(&"deb");
            for (name, value) in stanza.fields() {
                set_option(&mut spec, name, value).map_err(|problem| bad(&problem))?;
            }
            specs.push(spec);
        }
    }
    Ok(specs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_options_is_read() {
        let spec = parse_line("deb [arch=arm64,armhf signed-by=/k.gpg check-valid-until=no] http://deb.example.org/debian/ sid main contrib").unwrap();
        assert_eq!((spec.uri.as_str(), spec.suite.as_str()), ("http://deb.example.org/debian", "sid"));
        assert_eq!(spec.components, ["main", "contrib"]);
        assert_eq!(spec.architectures, ["arm64", "armhf"]);
        assert_eq!(spec.signed_by, Some(SignedBy::File("/k.gpg".into())));
        assert!(!spec.check_valid_until && !spec.trusted);
    }

    #[test]
    fn a_deb822_stanza_is_every_uri_with_every_suite() {
        let text = "# mine\nTypes: deb deb-src\nURIs: http://deb.example.org/debian\nSuites: trixie trixie-updates\nComponents: main\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n xyz\n -----END PGP PUBLIC KEY BLOCK-----\n";
        let specs = parse(text).unwrap();
        assert_eq!(
            specs.iter().map(|spec| spec.suite.as_str()).collect::<Vec<_>>(),
            ["trixie", "trixie-updates"]
        );
        assert!(
            matches!(&specs[0].signed_by, Some(SignedBy::Key(key)) if key.contains("BLOCK-----\n\nxyz\n")),
            "{specs:?}"
        );
    }

    #[test]
    fn what_is_neither_a_line_nor_a_stanza_is_quoted() {
        let error = parse("http://deb.example.org trixie main").unwrap_err().to_string();
        assert!(error.contains("\"http://deb.example.org trixie main\""), "{error}");
        let error = parse("no repository\nat all\n").unwrap_err().to_string();
        assert!(error.contains("\"no repository\""), "{error}");
    }

    #[test]
    fn bad_lines_say_what_is_wrong() {
        for (line, problem) in [
            ("deb", "only one word"),
            ("rpm http://x y z", "neither deb nor deb-src"),
            ("deb http://x trixie", "no component"),
            ("deb ftp://x trixie main", "not an http"),
            ("deb [arch=a http://x trixie main", "not closed"),
            ("deb [priority=high] http://x trixie main", "\"high\" is no number"),
        ] {
            let error = parse_line(line).unwrap_err().to_string();
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}
