//! `archmill doctor`

use std::path::Path;
use std::sync::mpsc;
use std::time::Duration;

use archmill_archive::{Fetcher, Mirror};
use archmill_build::classify::ExitCode;
use archmill_sandbox::probe::{self, Finding};
use serde::Serialize;

use crate::cli::DoctorArgs;
use crate::config::Config;

/// How long a mirror may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// A file that every Debian mirror has.
const ASKED: &str = "dists/stable/InRelease";
/// Longest InRelease file.
const LONGEST: u64 = 1 << 20;

/// What `--json` prints of a finding.
#[derive(Serialize)]
struct Told<'f> {
    need: &'f str,
    required: bool,
    met: bool,
    text: &'f str,
}

impl<'f> From<&'f Finding> for Told<'f> {
    fn from(finding: &'f Finding) -> Self {
        let (met, text) = match &finding.result {
            Ok(text) => (true, text),
            Err(text) => (false, text),
        };
        Self { need: finding.need, required: finding.required, met, text }
    }
}

/// Tests every need and prints what was found.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let config = args.places.config()?;
    let cache = args.places.cache(&config);
    let mut findings = probe::all(&cache.join("work"));
    findings.push(Finding { need: "Debian mirror", required: false, result: mirror(&config) });
    let failed = findings.iter().any(|finding| finding.required && finding.result.is_err());
    if args.json {
        let told: Vec<Told<'_>> = findings.iter().map(Told::from).collect();
        answer!("{}", serde_json::to_string_pretty(&told)?);
    } else {
        print(&findings, failed);
    }
    Ok(if failed { ExitCode::Host } else { ExitCode::Success })
}

fn print(findings: &[Finding], failed: bool) {
    let width = findings.iter().map(|finding| finding.need.len()).max().unwrap_or(0);
    for finding in findings {
        let (mark, text) = match &finding.result {
            Ok(text) => ("ok  ", text),
            Err(text) if finding.required => ("FAIL", text),
            Err(text) => ("note", text),
        };
        answer!("{mark} {:width$}  {text}", finding.need);
    }
    let foreign = findings.iter().any(|finding| finding.need == "binfmt_misc" && finding.result.is_ok());
    answer!("");
    if failed {
        answer!("This host cannot build yet: mend what is marked FAIL, and run archmill doctor again.");
    } else if foreign {
        answer!("This host can build for its own and for foreign architectures.");
    } else {
        answer!("This host can build for its own architecture; for foreign ones see binfmt_misc above.");
    }
}

/// The mirror that builds would use, and whether it answers.
fn mirror(config: &Config) -> Result<String, String> {
    let mirror = match &config.mirror {
        Some(given) => Mirror::given(given, config.security_mirror.as_deref()),
        None => Mirror::of_host(Path::new("/etc/apt")).map_err(|error| error.to_string())?,
    };
    let url = format!("{}/{ASKED}", mirror.archive);
    let (sender, receiver) = mpsc::channel();
    let asked = url.clone();
    // The fetcher has patience of its own, for downloads; here nobody waits that long.
    std::thread::spawn(move || sender.send(Fetcher::new().document(&asked, None, LONGEST).map(|_| ())));
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(())) => Ok(format!("{} answers; security {}", mirror.archive, mirror.security)),
        Ok(Err(error)) => Err(format!("{error}; choose another with --mirror")),
        Err(_) => {
            let seconds = PATIENCE.as_secs();
            Err(format!(
                "{url} does not answer within {seconds} seconds; choose another with --mirror, or see http_proxy"
            ))
        }
    }
}
