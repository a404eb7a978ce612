//! A table with a line for every package.

use crate::Report;

/// Comma-separated values (RFC 4180), with a line of names.
pub fn csv(report: &Report) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "suite",
        "component",
        "source",
        "version",
        "architecture",
        "outcome",
        "state",
        "class",
        "mode",
        "builds",
        "wall_seconds",
        "cpu_seconds",
        "build_cpu_seconds",
        "compiler_emulated",
        "peak_memory_bytes",
        "penalty",
        "penalty_baseline",
        "nocheck",
        "reason",
    ])?;
    for package in &report.packages {
        let last = package.success().or_else(|| package.failure());
        #[allow(clippy::cast_precision_loss)]
        let seconds = |ms: Option<u64>| ms.map(|ms| format!("{:.3}", ms as f64 / 1e3)).unwrap_or_default();
        writer.write_record([
            package.suite.as_str(),
            &package.component,
            &package.source,
            &package.version,
            &package.target,
            package.outcome.words(),
            &package.state,
            package.class.as_deref().unwrap_or_default(),
            &last.map(|build| build.mode.to_string()).unwrap_or_default(),
            &package.builds.len().to_string(),
            &seconds(last.and_then(|build| build.wall_ms)),
            &seconds(last.and_then(|build| build.cpu_ms)),
            &seconds(last.and_then(|build| build.build_cpu_ms)),
            if last.is_some_and(|build| build.compiler_emulated) { "yes" } else { "no" },
            &last
                .and_then(|build| build.peak_memory_bytes)
                .map(|bytes| bytes.to_string())
                .unwrap_or_default(),
            &package.penalty.map(|penalty| format!("{:.2}", penalty.times)).unwrap_or_default(),
            package.penalty.map_or("", |penalty| penalty.baseline.words()),
            if package.nocheck { "yes" } else { "no" },
            &package.reason,
        ])?;
    }
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}
