//! More time for a package's tests: their runners have limits of their own, made for machines that execute them natively.
//!
//! Many runners take a factor from the environment (rules/patience.toml). The two that most packages use do not: meson takes it as
//! an option of `meson test`, ctest has limits in files that cmake writes. So where patience is asked for, these two programs of
//! the root are replaced by ones that see to it. Nothing else of the root is another, and nothing but tests looks at any of this.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use archmill_sandbox::Sandbox;
use serde::Deserialize;

use super::error::{During as _, JobError};
use crate::classify::Phase;

const RULES: &str = include_str!("../../rules/patience.toml");
const MESON: &str = "/usr/bin/meson";
const CTEST: &str = "/usr/bin/ctest";
/// Beside it, as it looks for its files by its own place.
const REAL_CTEST: &str = "/usr/bin/ctest.impatient";
const LARGEST_PROGRAM: u64 = 256 << 20;
/// What ctest gives a test that says nothing, seconds.
const CTEST_DEFAULT: u64 = 1500;

#[derive(Deserialize)]
struct Rules {
    variable: Vec<Variable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Variable {
    name: String,
    times: u64,
    #[allow(dead_code, reason = "for people")]
    unit: String,
    #[allow(dead_code, reason = "for people")]
    runner: String,
    #[allow(dead_code, reason = "for people")]
    source: String,
}

/// The file is part of the program; a test reads it.
static VARIABLES: LazyLock<Vec<Variable>> =
    LazyLock::new(|| toml::from_str::<Rules>(RULES).map(|rules| rules.variable).unwrap_or_default());

/// Environment variables that give tests so many times as long.
pub(super) fn variables(factor: NonZeroU32) -> impl Iterator<Item = (String, String)> {
    let value = move |times: u64| times.saturating_mul(u64::from(factor.get())).to_string();
    VARIABLES.iter().map(move |variable| (variable.name.clone(), value(variable.times)))
}

/// Lets the root's meson and ctest, if it has them, give tests so many times as long.
pub(super) fn stretch_runners(sandbox: &Sandbox, factor: NonZeroU32) -> Result<(), JobError> {
    let program = |path: &str| sandbox.read(path, LARGEST_PROGRAM).ok().filter(|bytes| !bytes.is_empty());
    let put = |path: &str, content: &[u8]| {
        // Not through a link, and not into a file that a layer has.
        sandbox.remove(path).and_then(|()| sandbox.write(path, content, 0o755, (0, 0))).during(Phase::Root)
    };
    if let Some(script) = program(MESON).and_then(|bytes| patient_meson(&bytes, factor)) {
        put(MESON, script.as_bytes())?;
    }
    if let Some(ctest) = program(CTEST).filter(|bytes| bytes.starts_with(b"\x7fELF")) {
        sandbox.write(REAL_CTEST, &ctest, 0o755, (0, 0)).during(Phase::Root)?;
        put(CTEST, patient_ctest(factor).as_bytes())?;
    }
    Ok(())
}

/// meson is a script of Python. A factor that the package gives is multiplied; 0 is none at all.
fn patient_meson(script: &[u8], factor: NonZeroU32) -> Option<String> {
    let text = std::str::from_utf8(script).ok()?;
    let (shebang, rest) =
        text.split_once('\n').filter(|(first, _)| first.starts_with("#!") && first.contains("python"))?;
    Some(format!(
        "{shebang}\n\
         import sys\n\
         def _patient(words):\n    \
         for place, word in enumerate(words):\n        \
         name, _, value = word.partition('=')\n        \
         if name in ('-t', '--timeout-multiplier'):\n            \
         given = float(value or words[place + 1])\n            \
         end = place + (1 if value else 2)\n            \
         return words[:place] + [f'--timeout-multiplier={{given * {factor}:g}}'] + words[end:]\n    \
         return words + ['--timeout-multiplier={factor}']\n\
         if sys.argv[1:2] == ['test']:\n    \
         sys.argv[2:] = _patient(sys.argv[2:])\n\
         {rest}"
    ))
}

/// Limits of single tests are in files that cmake wrote; each of these is changed once.
fn patient_ctest(factor: NonZeroU32) -> String {
    let default = CTEST_DEFAULT * u64::from(factor.get());
    format!(
        "#!/bin/sh\n\
         # archmill: more time for tests\n\
         for word in \"$@\"; do\n    \
         [ \"$word\" != --timeout ] || given=yes\n\
         done\n\
         for folder in . \"$@\"; do\n    \
         [ -d \"$folder\" ] || continue\n    \
         find \"$folder\" -name CTestTestfile.cmake -o -name '*_tests*.cmake' | while read -r file; do\n        \
         grep -q '^# archmill: patient' \"$file\" && continue\n        \
         perl -pi -e 's/(\\bTIMEOUT \"?)([0-9.]+)/$1 . $2 * {factor}/ge' \"$file\"\n        \
         echo '# archmill: patient' >> \"$file\"\n    \
         done\n\
         done\n\
         [ -n \"$given\" ] || set -- --timeout {default} \"$@\"\n\
         exec {REAL_CTEST} \"$@\"\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: NonZeroU32 = NonZeroU32::new(10).unwrap();

    #[test]
    fn every_variable_has_a_source_and_a_value() {
        let rules: Rules = toml::from_str(RULES).unwrap();
        for variable in &rules.variable {
            assert!(
                variable.source.starts_with("https://") && !variable.runner.is_empty(),
                "{}",
                variable.name
            );
            assert!(["factor", "ms", "s"].contains(&variable.unit.as_str()), "{}", variable.name);
        }
        let values: Vec<_> = variables(TEN).collect();
        assert!(values.contains(&("CK_TIMEOUT_MULTIPLIER".to_owned(), "10".to_owned())));
        assert!(values.contains(&("QTEST_FUNCTION_TIMEOUT".to_owned(), "3000000".to_owned())));
    }

    /// What a program of Python's, changed so, has for arguments.
    fn meson_with(words: &[&str]) -> String {
        let script = "#!/usr/bin/python3\nprint(' '.join(sys.argv[1:]))\n";
        let changed = patient_meson(script.as_bytes(), TEN).unwrap();
        let output =
            std::process::Command::new("python3").arg("-c").arg(&changed).args(words).output().unwrap();
        assert!(output.status.success(), "{changed}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn meson_multiplies_what_it_is_given() {
        assert_eq!(meson_with(&["test", "--verbose"]), "test --verbose --timeout-multiplier=10");
        assert_eq!(meson_with(&["test", "-t", "3", "x"]), "test --timeout-multiplier=30 x");
        assert_eq!(meson_with(&["test", "--timeout-multiplier=0.5"]), "test --timeout-multiplier=5");
        assert_eq!(meson_with(&["test", "-t", "0"]), "test --timeout-multiplier=0", "no limit at all");
        assert_eq!(meson_with(&["setup", "-t", "3"]), "setup -t 3");
        assert_eq!(patient_meson(b"\x7fELF", TEN), None);
        assert_eq!(patient_meson(b"#!/bin/sh\nexec x\n", TEN), None);
    }

    #[test]
    fn ctest_has_its_limits_changed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("CTestTestfile.cmake");
        let line = "set_tests_properties([=[a]=] PROPERTIES  TIMEOUT \"1.5\" _BACKTRACE_TRIPLES \"x\")\n";
        std::fs::write(&path, line).unwrap();
        let script = patient_ctest(TEN).replace(&format!("exec {REAL_CTEST}"), "echo");
        let told = |words: &[&str]| {
            let mut command = std::process::Command::new("sh");
            command.args(["-c", &script, "ctest"]).args(words).current_dir(folder.path());
            String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
        };
        assert_eq!(told(&["-V"]), "--timeout 15000 -V");
        assert_eq!(told(&["--timeout", "7"]), "--timeout 7");
        let changed = std::fs::read_to_string(&path).unwrap();
        assert!(changed.starts_with(&line.replace("\"1.5\"", "\"15\"")), "{changed}");
    }
}
