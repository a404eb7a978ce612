//! Times of native builds, as other build systems tell them.

use std::time::Duration;

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
    let mut record = csv::StringRecord::new();
    let mut times = Vec::new();
    while reader.read_record(&mut record)? {
        let line = record.position().map_or(0, csv::Position::line);
        let wrong = |what: String| TimesError::Line { line, what };
        let read: Line = record.deserialize(Some(&names))?;
        if read.package.is_empty() {
            return Err(wrong("it names no package".to_owned()));
        }
        let time = |seconds: f64| {
            Duration::try_from_secs_f64(seconds)
                .ok()
                .filter(|time| !time.is_zero())
                .ok_or_else(|| wrong(format!("{seconds} is no number of seconds above 0")))
        };
        times.push(NativeTime {
            source: read.package,
            target: architecture(&read.architecture).map_err(wrong)?,
            version: read.version.filter(|version| !version.is_empty()),
            wall: time(read.seconds)?,
            cpu: read.cpu_seconds.map(time).transpose()?,
        });
    }
    Ok(times)
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
    fn mistakes_name_their_line() {
        let head = "package,architecture,seconds\n";
        for (text, expected) in [
            ("package,seconds\ndash,3\n".to_owned(), "the first line names the columns"),
            (format!("{head}dash,arm64,1\ndash,sparc,2\n"), "line 3: there is no architecture"),
            (format!("{head}dash,arm64,-4\n"), "line 2: -4"),
            (format!("{head}dash,arm64,NaN\n"), "line 2: NaN"),
            (format!("{head}dash,arm64,long\n"), "line: 2"),
            (format!("{head},arm64,2\n"), "line 2: it names no package"),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(expected), "{text:?}: {error}");
        }
    }
}
