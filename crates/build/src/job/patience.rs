//! More time for a package's tests: their runners have limits of their own, made for machines that execute them natively.
//!
//! Many runners take a factor from the environment (rules/patience.toml). Others do not: meson takes it as an option of `meson test`,
//! ctest has limits in files that cmake writes, autopkgtest has an option, and scripts, automake's tests among them, use timeout(1). So
//! where patience is asked for, these programs of the root are replaced by ones that see to it. Nothing else of the root is another,
//! and nothing but tests looks at any of this.

use std::num::NonZeroU32;
use std::sync::LazyLock;

use archmill_sandbox::Sandbox;
use serde::Deserialize;

use super::error::{During as _, JobError};
use crate::classify::Phase;

const RULES: &str = include_str!("../../rules/patience.toml");
const MESON: &str = "/usr/bin/meson";
const CTEST: &str = "/usr/bin/ctest";
const TIMEOUT: &str = "/usr/bin/timeout";
const AUTOPKGTEST: &str = "/usr/bin/autopkgtest";
/// What the name of a program that was replaced ends with, in the same folder, as some look for their files by their own place.
const REAL: &str = ".impatient";
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
    #[serde(default)]
    before: String,
    #[serde(default)]
    after: String,
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
    VARIABLES.iter().map(move |Variable { name, times, before, after, .. }| {
        let value = times.saturating_mul(u64::from(factor.get()));
        (name.clone(), format!("{before}{value}{after}"))
    })
}

/// Lets those of these programs that the root has give tests so many times as long.
pub(super) fn stretch_runners(sandbox: &Sandbox, factor: NonZeroU32) -> Result<(), JobError> {
    let program = |path: &str| sandbox.read(path, LARGEST_PROGRAM).ok().filter(|bytes| !bytes.is_empty());
    let put = |path: &str, content: &[u8]| {
        // Not through a link, and not into a file that a layer has.
        sandbox.remove(path).and_then(|()| sandbox.write(path, content, 0o755, (0, 0))).during(Phase::Root)
    };
    if let Some(script) = program(MESON).and_then(|bytes| patient_meson(&bytes, factor)) {
        put(MESON, script.as_bytes())?;
    }
    let wrappers = [
        (CTEST, &b"\x7fELF"[..], patient_ctest(factor)),
        (TIMEOUT, b"\x7fELF", patient_timeout(factor)),
        (AUTOPKGTEST, b"#!", patient_autopkgtest(factor)),
    ];
    for (path, magic, wrapper) in wrappers {
        if let Some(real) = program(path).filter(|bytes| bytes.starts_with(magic)) {
            sandbox.write(format!("{path}{REAL}"), &real, 0o755, (0, 0)).during(Phase::Root)?;
            put(path, wrapper.as_bytes())?;
        }
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
         exec {CTEST}{REAL} \"$@\"\n"
    )
}

/// Its limit, and when it kills, are durations: a number, and a letter for the unit. Perl is for what a shell cannot multiply.
fn patient_timeout(factor: NonZeroU32) -> String {
    format!(
        r#"#!/bin/sh
# archmill: more time for tests
longer() {{
    number=${{1%[smhd]}}
    case $number in
        '' | 0?* | *[!0-9]* | ??????????*)
            longer=$(perl -e '($_) = @ARGV; s/^([0-9]+\.?[0-9]*|\.[0-9]+)(?=[smhd]?$)/$1 * {factor}/e; print' -- "$1") ;;
        *) longer=$((number * {factor}))${{1#"$number"}} ;;
    esac
}}
next=option
for word do
    shift
    case $next,$word in
        command,*) ;;
        signal,*) next=option ;;
        kill,*) longer "$word"; word=$longer next=option ;;
        option,-s | option,--signal) next=signal ;;
        option,-k | option,--kill-after) next=kill ;;
        option,-k*) longer "${{word#-k}}"; word=-k$longer ;;
        option,--kill-after=*) longer "${{word#*=}}"; word=--kill-after=$longer ;;
        option,--) next=limit ;;
        option,-*) ;;
        *) longer "$word"; word=$longer next=command ;;
    esac
    set -- "$@" "$word"
done
exec {TIMEOUT}{REAL} "$@"
"#
    )
}

/// An option that is given again wins.
fn patient_autopkgtest(factor: NonZeroU32) -> String {
    format!("#!/bin/sh\nexec {AUTOPKGTEST}{REAL} --timeout-factor={factor} \"$@\"\n")
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
        assert!(values.contains(&("GOFLAGS".to_owned(), "-timeout=6000s".to_owned())));
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

    /// What a script of the shell prints.
    fn script_with(script: &str, folder: &std::path::Path, words: &[&str]) -> String {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script, "program"]).args(words).current_dir(folder);
        let output = command.output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[test]
    fn timeout_multiplies_its_limits_and_nothing_of_the_command() {
        let script = patient_timeout(TEN).replace(&format!("exec {TIMEOUT}{REAL}"), "printf '%s|'");
        let told = |words: &[&str]| script_with(&script, std::path::Path::new("/"), words);
        assert_eq!(told(&["5", "sleep", "30", "-k", "2"]), "50|sleep|30|-k|2|");
        assert_eq!(told(&["2m", "x", "two words", ""]), "20m|x|two words||");
        assert_eq!(
            told(&["-s", "9", "-k", "1", "--foreground", "1.5h", "x"]),
            "-s|9|-k|10|--foreground|15h|x|"
        );
        assert_eq!(told(&["--signal=9", "--kill-after=.5", "-k3s", "--", "08", "x"]), {
            "--signal=9|--kill-after=5|-k30s|--|80|x|"
        });
        assert_eq!(told(&["0", "x"]), "0|x|", "no limit at all");
        assert_eq!(told(&["1000000000", "x"]), "10000000000|x|");
        assert_eq!(told(&["soon", "x"]), "soon|x|", "for timeout to refuse");
        assert_eq!(told(&["--help"]), "--help|");
    }

    #[test]
    fn ctest_has_its_limits_changed_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("CTestTestfile.cmake");
        let line = "set_tests_properties([=[a]=] PROPERTIES  TIMEOUT \"1.5\" _BACKTRACE_TRIPLES \"x\")\n";
        std::fs::write(&path, line).unwrap();
        let script = patient_ctest(TEN).replace(&format!("exec {CTEST}{REAL}"), "echo");
        let told = |words: &[&str]| script_with(&script, folder.path(), words);
        assert_eq!(told(&["-V"]), "--timeout 15000 -V");
        assert_eq!(told(&["--timeout", "7"]), "--timeout 7");
        let changed = std::fs::read_to_string(&path).unwrap();
        assert!(changed.starts_with(&line.replace("\"1.5\"", "\"15\"")), "{changed}");
    }
}
