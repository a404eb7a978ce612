//! farm.toml: what is the same for every build on a host.
//!
//! Read from `--config`, else the file that `ARCHMILL_CONFIG` names, else `~/.config/archmill/farm.toml`, else
//! `/etc/archmill/farm.toml`; none is fine too. An option on the command line wins over the file.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use archmill_build::job::default_cache;
use serde::Deserialize;

use crate::cli::{PlaceArgs, StateArgs};
use crate::farm::FarmConfig;
use crate::setup::{Mistake, WrongOption};
use crate::units::{duration, size};

/// The file. Unknown keys are errors: a misspelt key that is silently ignored costs a night's rebuild.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct Config {
    /// Debian mirror, such as "http://deb.example.org/debian".
    pub(crate) mirror: Option<String>,
    /// Mirror of the security suites.
    pub(crate) security_mirror: Option<String>,
    /// Keys to verify archives with.
    pub(crate) keyring: Option<PathBuf>,
    /// Further repositories, one line each as in sources.list, or paths of .sources files.
    pub(crate) repositories: Vec<String>,
    /// Folder for downloads and build roots.
    pub(crate) cache: Option<PathBuf>,
    /// Space on its disk, such as "20G", that is to stay free: what was not used for longest makes room.
    pub(crate) cache_keep_free: Option<String>,
    /// Folder of the farm: its database, logs and results.
    pub(crate) state: Option<PathBuf>,
    /// Suite to take QEMU from.
    pub(crate) qemu_suite: Option<String>,
    /// Parallel jobs of a build.
    pub(crate) jobs: Option<NonZeroUsize>,
    /// Limits of every build.
    pub(crate) limits: LimitConfig,
    /// Rebuilds of whole archives.
    pub(crate) farm: Option<FarmConfig>,
}

/// `[limits]`: times such as "6h", sizes such as "8G".
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct LimitConfig {
    /// Whole build.
    pub(crate) time: Option<String>,
    /// Without output.
    pub(crate) silence: Option<String>,
    /// All processes together.
    pub(crate) memory: Option<String>,
    /// At a time.
    pub(crate) processes: Option<u64>,
    /// The build's own files.
    pub(crate) disk: Option<String>,
    /// Length of the log.
    pub(crate) log: Option<String>,
}

impl LimitConfig {
    fn check(&self) -> anyhow::Result<()> {
        for (name, text) in [("time", &self.time), ("silence", &self.silence)] {
            text.as_ref().map(|text| duration(text)).transpose().with_context(|| format!("limits.{name}"))?;
        }
        for (name, text) in [("memory", &self.memory), ("disk", &self.disk), ("log", &self.log)] {
            text.as_ref().map(|text| size(text)).transpose().with_context(|| format!("limits.{name}"))?;
        }
        anyhow::ensure!(self.processes != Some(0), "limits.processes: no build can run without a process");
        Ok(())
    }
}

impl PlaceArgs {
    /// The configuration that counts.
    pub(crate) fn config(&self) -> anyhow::Result<Config> {
        load(self.config.clone().or_else(|| variable("ARCHMILL_CONFIG")).as_deref())
    }

    /// The folder for downloads and build roots.
    pub(crate) fn cache(&self, config: &Config) -> PathBuf {
        let given = self.cache.clone().or_else(|| variable("ARCHMILL_CACHE"));
        given.or_else(|| config.cache.clone()).unwrap_or_else(default_cache)
    }

    /// Bytes that are to stay free on its disk, if somebody said.
    pub(crate) fn keep_free(&self, config: &Config) -> anyhow::Result<Option<u64>> {
        let given = self.cache_keep_free.as_ref();
        if let Some(text) = given {
            return room(text).context(WrongOption("--cache-keep-free")).map(Some);
        }
        config.cache_keep_free.as_ref().map(|text| room(text)).transpose()
    }
}

impl StateArgs {
    /// The folder of the farm.
    pub(crate) fn folder(&self, config: &Config) -> PathBuf {
        let given = self.state.clone().or_else(|| config.state.clone());
        given.unwrap_or_else(|| {
            if rustix::process::geteuid().is_root() {
                return PathBuf::from("/var/lib/archmill");
            }
            let home = || variable("HOME").unwrap_or_default().join(".local/share");
            variable("XDG_DATA_HOME").unwrap_or_else(home).join("archmill")
        })
    }
}

/// A size, or `0` for none.
fn room(text: &str) -> anyhow::Result<u64> {
    if text == "0" { Ok(0) } else { size(text) }
}

/// A path in the environment; an empty one is none.
fn variable(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Reads the configuration; `explicit` must exist, the others need not.
fn load(explicit: Option<&Path>) -> anyhow::Result<Config> {
    let candidates = match explicit {
        Some(path) => vec![path.to_owned()],
        None => defaults(),
    };
    for path in &candidates {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                return parse(&text)
                    .map_err(|error| Mistake(format!("cannot use {}: {error:#}", path.display())).into());
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && explicit.is_none() => {}
            Err(error) => {
                return Err(
                    Mistake(format!("cannot read the configuration {}: {error}", path.display())).into()
                );
            }
        }
    }
    Ok(Config::default())
}

fn parse(text: &str) -> anyhow::Result<Config> {
    let config: Config =
        toml::from_str(text).map_err(|error| anyhow::anyhow!("{error}{}", suggestion(error.message())))?;
    config.cache_keep_free.as_ref().map(|text| room(text)).transpose().context("cache-keep-free")?;
    config.limits.check()?;
    config.farm.as_ref().map(FarmConfig::check).transpose()?;
    Ok(config)
}

/// For `unknown field `mirrror`` and `unknown variant `hybird``: what was probably meant.
fn suggestion(message: &str) -> String {
    let mut quoted = message.split('`').skip(1).step_by(2);
    let Some(wrong) = quoted.next().filter(|_| message.starts_with("unknown ")) else {
        return String::new();
    };
    quoted
        .min_by_key(|known| strsim::damerau_levenshtein(wrong, known))
        .filter(|known| strsim::damerau_levenshtein(wrong, known) <= 3)
        .map(|known| format!("did you mean `{known}`?"))
        .unwrap_or_default()
}

fn defaults() -> Vec<PathBuf> {
    let home = variable("XDG_CONFIG_HOME").or_else(|| variable("HOME").map(|home| home.join(".config")));
    let user = home.map(|home| home.join("archmill/farm.toml"));
    user.into_iter().chain([PathBuf::from("/etc/archmill/farm.toml")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_misspelt_key_is_an_error_that_names_the_right_one() {
        let error = format!("{:#}", parse("mirrror = \"x\"").unwrap_err());
        assert!(error.contains("mirrror") && error.contains("did you mean `mirror`?"), "{error}");
    }

    #[test]
    fn keys_of_the_farm_are_looked_at_just_as_closely() {
        for (wrong, right) in [
            ("[farm]\npolcy = \"hybrid\"", "policy"),
            ("[farm]\npolicy = \"hybird\"", "hybrid"),
            ("[farm.machines.x86_64]\nslot = 3", "slots"),
            ("[[farm.component]]\nname = \"x\"\narchitecture = []", "architectures"),
        ] {
            let error = format!("{:#}", parse(wrong).unwrap_err());
            assert!(error.contains(&format!("did you mean `{right}`?")), "{error}");
        }
    }

    #[test]
    fn the_examples_are_read() {
        for example in [
            include_str!("../../../examples/farm.toml"),
            include_str!("../../../examples/apertis.toml"),
            include_str!("../../../examples/sixty.toml"),
        ] {
            let farm = parse(example).unwrap().farm.unwrap();
            assert!(!farm.component.is_empty() && !farm.machines.is_empty());
            farm.settings().unwrap();
            farm.world().unwrap();
        }
    }

    #[test]
    fn components_of_several_suites_are_a_farm_for_each() {
        let component = |name: &str, suite: &str| {
            format!("[[farm.component]]\nname = \"{name}\"\n{suite}architectures = [\"arm64\"]\n")
        };
        let text = format!(
            "[farm]\nsuite = \"trixie\"\n{}{}{}[farm.machines.x86_64]\nslots = 1\n",
            component("old", "suite = \"bookworm\"\n"),
            component("one", ""),
            component("other", "suite = \"trixie\"\n")
        );
        let farms = parse(&text).unwrap().farm.unwrap().by_suite();
        let told: Vec<_> = farms
            .iter()
            .map(|farm| {
                let names: Vec<_> = farm.component.iter().map(|component| component.name.as_str()).collect();
                (farm.suite.as_deref().unwrap(), names)
            })
            .collect();
        assert_eq!(told, [("bookworm", vec!["old"]), ("trixie", vec!["one", "other"])]);
        assert!(farms.iter().all(|farm| farm.machines.len() == 1));
    }

    #[test]
    fn twins_are_prepared_only_where_the_ladder_has_them() {
        let accelerates = |text: &str| parse(&format!("[farm]\n{text}")).unwrap().farm.unwrap().accelerates();
        assert!(accelerates(""));
        assert!(accelerates("ladder = [\"emulated\", \"accelerated+patience\"]\n"));
        assert!(!accelerates("ladder = [\"emulated\", \"other-qemu\"]\n"));
        assert!(!accelerates("policy = \"native-only\"\n"));
    }

    #[test]
    fn every_key_is_read() {
        let config =
            parse("mirror = \"http://deb.example.org/debian\"\njobs = 4\n[limits]\ntime = \"6h\"\n").unwrap();
        assert_eq!((config.jobs, config.limits.time.as_deref()), (NonZeroUsize::new(4), Some("6h")));
        assert!(parse("jobs = 0\n").is_err());
        assert!(parse("cache-keep-free = \"20G\"\n").is_ok());
        assert!(parse("cache-keep-free = \"much\"\n").is_err());
    }
}
