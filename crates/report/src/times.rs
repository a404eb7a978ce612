//! Times of native builds, as other build systems tell them.

use std::collections::BTreeMap;
use std::time::Duration;

use archmill_deb::Version;
use archmill_store::NativeTime;
use serde::Deserialize;

/// A line of the file; other columns are left alone.
#[derive(Deserialize)]
struct Line {
    package: String,
    #[serde(alias = "arch")]
    architecture: String,
    seconds: f64,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    cpu_seconds: Option<f64>,
}

/// A file of times cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TimesError {
    /// It is not such a file.
    #[error(
        "{0}; the first line names the columns: package,architecture,seconds and, if known, version,cpu_seconds"
    )]
    Format(#[from] csv::Error),
    /// It is no XML.
    #[error("it cannot be read as XML: {0}")]
    Xml(#[from] roxmltree::Error),
    /// It is some other document.
    #[error(
        "it is a <{0}> and no <jobhistlist>; what is needed is .../build/PROJECT/REPOSITORY/ARCHITECTURE/_jobhistory"
    )]
    NoHistory(String),
    /// It has no line, not even that with the names.
    #[error(
        "there are no times in it; the first line names the columns: package,architecture,seconds and, if known, version,cpu_seconds"
    )]
    Empty,
    /// The first line is none of names.
    #[error(
        "its first line names no {0}; it names the columns: package,architecture,seconds and, if known, version,cpu_seconds"
    )]
    Columns(&'static str),
    /// One of its lines makes no sense.
    #[error("line {line}: {what}")]
    Line {
        /// Its number, from 1.
        line: u64,
        /// What is wrong.
        what: String,
    },
}

/// Reads comma-separated values. `architecture` gives Debian's name of an architecture, or says what is wrong with one.
pub fn native_times(
    text: &[u8],
    architecture: &dyn Fn(&str) -> Result<String, String>,
) -> Result<Vec<NativeTime>, TimesError> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text);
    let names = reader.headers()?.clone();
    if names.is_empty() {
        return Err(TimesError::Empty);
    }
    for (column, other) in [("package", ""), ("architecture", "arch"), ("seconds", "")] {
        if !names.iter().any(|name| name == column || name == other) {
            return Err(TimesError::Columns(column));
        }
    }
    let mut seen = BTreeMap::new();
    let mut record = csv::StringRecord::new();
    let mut times = Vec::new();
    while reader.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |what: String| TimesError::Line { line, what };
        let read: Line = record.deserialize(Some(&names))?;
        if read.package.is_empty() {
            return Err(wrong("it names no package".to_owned()));
        }
        if !is_package(&read.package) {
            return Err(wrong(format!("{:?} is no name of a source package", read.package)));
        }
        let time = |seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|time| !time.is_zero())
                .ok_or_else(|| wrong(format!("{seconds} is no number of seconds above 0")))
        };
        let version = read.version.filter(|version| !version.is_empty());
        if let Some(Err(error)) = version.as_ref().map(|version| version.parse::<Version>()) {
            return Err(wrong(error.to_string()));
        }
        let time = NativeTime {
            source: read.package,
            target: architecture(&read.architecture).map_err(wrong)?,
            version,
            wall: time(read.seconds)?,
            cpu: read.cpu_seconds.map(time).transpose()?,
        };
        let key = (time.source.clone(), time.target.clone(), time.version.clone());
        if let Some(before) = seen.insert(key, line) {
            return Err(wrong(format!("it is about the same build as line {before}")));
        }
        times.push(time);
    }
    if times.is_empty() {
        return Err(TimesError::Empty);
    }
    Ok(times)
}

/// Policy 5.6.1.
fn is_package(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte);
    name.len() > 1 && name.bytes().all(fits) && name.as_bytes()[0].is_ascii_alphanumeric()
}

/// What a job history of OBS tells.
#[derive(Debug)]
pub struct JobHistory {
    /// Of each package the median of its builds that succeeded natively.
    pub times: Vec<NativeTime>,
    /// How many other builds succeeded, on workers that had to emulate.
    pub emulated: usize,
}

/// Reads the job history of OBS, of one architecture. `native` tells whether a worker whose own architecture (OBS's `hostarch`)
/// is this one executes the architecture's programs itself.
///
/// Its `versrel` has a number of OBS's own at its end, so times hold for any version.
pub fn job_history(
    text: &str,
    target: &str,
    native: &dyn Fn(&str) -> bool,
) -> Result<JobHistory, TimesError> {
    let document = roxmltree::Document::parse(text)?;
    let root = document.root_element();
    if !root.has_tag_name("jobhistlist") {
        return Err(TimesError::NoHistory(root.tag_name().name().to_owned()));
    }
    let mut builds: BTreeMap<&str, Vec<Duration>> = BTreeMap::new();
    let mut emulated = 0;
    for job in root.children().filter(|node| node.has_tag_name("jobhist")) {
        // Unchanged: it was built, and the results are those from before.
        if !matches!(job.attribute("code"), Some("succeeded" | "unchanged")) {
            continue;
        }
        // Fleets that emulate have workers of another architecture, whose times would hide what emulation costs.
        if job.attribute("hostarch").is_some_and(|host| !native(host)) {
            emulated += 1;
            continue;
        }
        let second = |name: &str| job.attribute(name)?.parse::<u64>().ok();
        let (Some(package), Some(start), Some(end)) =
            (job.attribute("package"), second("starttime"), second("endtime"))
        else {
            let line = u64::from(document.text_pos_at(job.range().start).row);
            let what = "a job has no package, starttime or endtime".to_owned();
            return Err(TimesError::Line { line, what });
        };
        // A multibuild's flavours are builds of the same source.
        let package = package.split(':').next().unwrap_or(package);
        if let Some(took) = end.checked_sub(start).filter(|seconds| *seconds > 0) {
            builds.entry(package).or_default().push(Duration::from_secs(took));
        }
    }
    let time = |(source, mut took): (&str, Vec<Duration>)| {
        took.sort_unstable();
        let middle = |place: usize| took.get(place).copied();
        let wall = (middle(took.len() / 2)? + middle((took.len() - 1) / 2)?) / 2;
        let (source, target) = (source.to_owned(), target.to_owned());
        Some(NativeTime { source, target, version: None, wall, cpu: None })
    };
    Ok(JobHistory { times: builds.into_iter().filter_map(time).collect(), emulated })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn read(text: &str) -> Result<Vec<NativeTime>, String> {
        let known = |name: &str| match name {
            "arm64" | "aarch64" => Ok("arm64".to_owned()),
            _ => Err(format!("there is no architecture {name:?}")),
        };
        native_times(text.as_bytes(), &known).map_err(|error| error.to_string())
    }

    #[test]
    fn columns_are_told_by_their_names() {
        let times = read("seconds,worker,package,arch\n61.5,w1,dash,aarch64\n").unwrap();
        assert_eq!(times.len(), 1);
        assert_eq!((times[0].target.as_str(), times[0].wall.as_millis()), ("arm64", 61_500));
        assert_eq!((&times[0].version, times[0].cpu), (&None, None));
        let times =
            read("package,architecture,seconds,version,cpu_seconds\ndash,arm64,2,1:0.5-1,\n").unwrap();
        assert_eq!((times[0].version.as_deref(), times[0].cpu), (Some("1:0.5-1"), None));
    }

    #[test]
    fn a_history_of_jobs_gives_the_median_of_what_succeeded() {
        let on = |host: &str, package: &str, start: u64, end: u64, code: &str| {
            format!(
                "  <jobhist package=\"{package}\" rev=\"1\" versrel=\"1-1\" bcnt=\"1\" readytime=\"1\" \
                 starttime=\"{start}\" endtime=\"{end}\" code=\"{code}\" workerid=\"w:1\" hostarch=\"{host}\"/>\n"
            )
        };
        let job = |package: &str, start: u64, end: u64, code: &str| on("aarch64", package, start, end, code);
        let jobs = [
            job("dash", 100, 160, "succeeded"),
            job("dash", 200, 230, "unchanged"),
            job("dash:extra", 300, 390, "succeeded"),
            job("dash", 400, 401, "failed"),
            job("hello", 100, 100, "succeeded"),
            on("x86_64", "dash", 100, 400, "succeeded"),
        ];
        let native = |host: &str| host == "aarch64";
        let text = format!("<jobhistlist>\n{}</jobhistlist>\n", jobs.concat());
        let JobHistory { times, emulated } = job_history(&text, "arm64", &native).unwrap();
        assert_eq!(emulated, 1);
        assert_eq!(times.len(), 1, "{times:?}");
        assert_eq!((times[0].source.as_str(), times[0].target.as_str()), ("dash", "arm64"));
        assert_eq!(times[0].wall.as_secs(), 60, "of 30, 60 and 90");
        let said = |text: &str| job_history(text, "arm64", &native).unwrap_err().to_string();
        assert!(said("<status code=\"404\"/>").contains("<status> and no <jobhistlist>"));
        assert!(
            said("<jobhistlist>\n<jobhist code=\"succeeded\"/></jobhistlist>")
                .contains("line 2: a job has no")
        );
        assert!(said("nonsense").contains("as XML"));
    }

    #[test]
    fn mistakes_name_their_line() {
        let head = "package,architecture,seconds\n";
        for (text, expected) in [
            ("package,seconds\ndash,3\n".to_owned(), "its first line names no architecture"),
            (format!("{head}dash,arm64,1\ndash,sparc,2\n"), "line 3: there is no architecture"),
            (format!("{head}dash,arm64,-4\n"), "line 2: -4"),
            (format!("{head}dash,arm64,NaN\n"), "line 2: NaN"),
            (format!("{head}dash,arm64,long\n"), "line: 2"),
            (format!("{head},arm64,2\n"), "line 2: it names no package"),
            (format!("{head}da sh,arm64,2\n"), "line 2: \"da sh\" is no name"),
            (format!("{head}dash,arm64,2\ndash,aarch64,3\n"), "line 3: it is about the same build as line 2"),
            ("package,arch,seconds,version\ndash,arm64,2,not a version\n".to_owned(), "line 2:"),
            (String::new(), "no times in it"),
            (head.to_owned(), "no times in it"),
            ("dash,arm64,61.5\n".to_owned(), "names no package"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
