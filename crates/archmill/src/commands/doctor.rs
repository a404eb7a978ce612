//! `archmill doctor`

use archmill_build::classify::ExitCode;
use archmill_build::job::default_cache;

use crate::cli::DoctorArgs;

/// Tests every need and prints what was found.
pub(crate) fn run(args: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let findings = archmill_sandbox::probe::all(&default_cache().join("work"));
    let mirror = archmill_archive::Mirror::of_host(std::path::Path::new("/etc/apt"));
    if args.json {
        println!("{}", serde_json::to_string_pretty(&findings)?);
    } else {
        for finding in &findings {
            let (mark, text) = match &finding.result {
                Ok(text) => ("ok  ", text),
                Err(text) if finding.required => ("FAIL", text),
                Err(text) => ("note", text),
            };
            println!("{mark} {}: {text}", finding.need);
        }
        match mirror {
            Ok(mirror) => println!("ok   Debian mirror: {}, security {}", mirror.archive, mirror.security),
            Err(error) => println!("note Debian mirror: {error}"),
        }
    }
    let failed = findings.iter().any(|finding| finding.required && finding.result.is_err());
    Ok(if failed { ExitCode::Host } else { ExitCode::Success })
}
