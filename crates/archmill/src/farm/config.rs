//! The keys of `[farm]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context as _;
use archmill_plan::graph::Model;
use archmill_plan::ladder::{Ladder, Mode, Rung};
use archmill_plan::predict::Penalties;
use archmill_plan::rebuild::Strategy;
use archmill_plan::scheduler::{Backoff, Policy, Settings, Settle};
use archmill_plan::simulate::{Chances, World};
use serde::Deserialize;

use crate::units::duration;

/// `[farm]`: what is built, where, and how.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct FarmConfig {
    /// Suite that is rebuilt.
    pub(crate) suite: Option<String>,
    /// What builds are made against.
    pub(crate) model: ModelConfig,
    /// Where builds run.
    pub(crate) policy: Policy,
    /// Modes of emulated builds, in order.
    pub(crate) ladder: Option<Vec<Rung>>,
    /// What makes packages be built again.
    pub(crate) strategy: Strategy,
    /// Who signs the changelog entries of packages that are built again without a change of source.
    pub(crate) maintainer: Option<String>,
    /// `Origin` of the farm's own archive.
    pub(crate) origin: Option<String>,
    /// Most slots of one build.
    pub(crate) max_width: Option<u32>,
    /// Builds shorter than this get one slot.
    pub(crate) wide_from: Option<String>,
    /// What is built.
    pub(crate) component: Vec<ComponentConfig>,
    /// Kinds of machines, by name.
    pub(crate) machines: BTreeMap<String, MachineConfig>,
    /// What is different for single source packages, by name.
    pub(crate) packages: BTreeMap<String, PackageConfig>,
    /// Delays after failures that are not the package's.
    pub(crate) retry: DelayConfig,
    /// Quiet period after changes.
    pub(crate) settle: DelayConfig,
    /// Files of rules for failures, before those that come with archmill.
    pub(crate) failure_rules: Vec<PathBuf>,
    /// What is kept of builds.
    pub(crate) keep: KeepConfig,
    /// What modes cost over a native build.
    pub(crate) penalties: PenaltyConfig,
    /// What simulations assume.
    pub(crate) simulate: SimulateConfig,
}

/// `model`
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ModelConfig {
    /// The upstream archive as it is.
    AgainstUpstream,
    /// The farm's own results as they come.
    #[default]
    SelfHosted,
}

/// `[[farm.component]]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct ComponentConfig {
    /// Its name.
    pub(crate) name: String,
    /// Architectures, by Debian's names or those of OBS.
    pub(crate) architectures: Vec<String>,
    /// Suite that it is of; that of the farm if not given.
    pub(crate) suite: Option<String>,
    /// Its source packages; all of the suite's if not given.
    pub(crate) packages: Option<Vec<String>>,
    /// In place of packages: so many that are made up, for simulations.
    pub(crate) made_up: Option<usize>,
    /// Its share of the machines, over those of the other components; by the work that there is if not given.
    pub(crate) share: Option<f64>,
}

/// `[farm.machines.NAME]`
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct MachineConfig {
    /// Builds that they run at a time.
    pub(crate) slots: u32,
    /// CPU, by its name in OBS; the name of the kind if not given.
    pub(crate) cpu: Option<String>,
    /// Whether a 64-bit ARM CPU executes 32-bit code too.
    pub(crate) aarch32: bool,
    /// What they build, by Debian's names or those of OBS; all that they can if not given.
    pub(crate) architectures: Option<Vec<String>>,
    /// Price of a slot for an hour, in any currency.
    pub(crate) cost: f64,
}

/// `[farm.packages.NAME]`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct PackageConfig {
    /// Where it is built.
    pub(crate) policy: Option<Policy>,
    /// Why it is not built.
    pub(crate) disabled: Option<String>,
    /// Its tests are left out.
    pub(crate) nocheck: bool,
}

/// `[farm.keep]`
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct KeepConfig {
    /// Results of so many builds of each package.
    pub(crate) results: Option<usize>,
    /// Logs and records of builds that ended no longer ago, such as "365d".
    pub(crate) logs: Option<String>,
}

/// `[farm.retry]` and `[farm.settle]`: times such as "5m".
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct DelayConfig {
    /// The first delay.
    pub(crate) first: Option<String>,
    /// The longest.
    pub(crate) longest: Option<String>,
}

/// `[farm.penalties]`: times as long as a native build.
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct PenaltyConfig {
    /// With twins.
    pub(crate) accelerated: Option<f64>,
    /// Under QEMU.
    pub(crate) emulated: Option<f64>,
    /// Under another QEMU.
    pub(crate) other_qemu: Option<f64>,
    /// What patience adds to any of them.
    pub(crate) patience: Option<f64>,
}

/// `[farm.simulate]`
#[derive(Debug, Default, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub(crate) struct SimulateConfig {
    /// Decides everything that is drawn.
    pub(crate) seed: Option<u64>,
    /// What half of the builds take at most, natively in one slot.
    pub(crate) median: Option<String>,
    /// Spread of durations that the size of a source does not explain, of the natural logarithm.
    pub(crate) unexplained: Option<f64>,
    /// Share of a build that takes less time in more slots.
    pub(crate) parallel: Option<f64>,
    /// Probability that a source does not build at all.
    pub(crate) fails: f64,
    /// That its tests need patience when emulated.
    pub(crate) needs_patience: f64,
    /// That it needs another QEMU.
    pub(crate) needs_other_qemu: f64,
    /// That it cannot be built under user-mode emulation.
    pub(crate) needs_native: f64,
    /// That a build comes to nothing for no fault of the package.
    pub(crate) transient: f64,
}

impl From<ModelConfig> for Model {
    fn from(model: ModelConfig) -> Self {
        match model {
            ModelConfig::AgainstUpstream => Self::AgainstUpstream,
            ModelConfig::SelfHosted => Self::SelfHosted,
        }
    }
}

impl FarmConfig {
    /// The scheduler's settings.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let default = Settings::default();
        let time = |text: &Option<String>, what: &str, default| match text {
            None => Ok(default),
            Some(text) => duration(text).with_context(|| format!("farm.{what} in farm.toml")),
        };
        Ok(Settings {
            policy: self.policy,
            ladder: self.ladder.as_ref().map_or(default.ladder, |rungs| Ladder::new(rungs.iter().copied())),
            strategy: self.strategy,
            retry: Backoff {
                first: time(&self.retry.first, "retry.first", default.retry.first)?,
                longest: time(&self.retry.longest, "retry.longest", default.retry.longest)?,
            },
            settle: Settle {
                quiet: time(&self.settle.first, "settle.first", default.settle.quiet)?,
                longest: time(&self.settle.longest, "settle.longest", default.settle.longest)?,
            },
            max_width: self.max_width.unwrap_or(default.max_width),
            wide_from: time(&self.wide_from, "wide-from", default.wide_from)?,
        })
    }

    /// Whether any build of it may have twins: if not, none is waited for, and no toolchain is made.
    pub(crate) fn accelerates(&self) -> bool {
        let on_ladder = |rungs: &Vec<Rung>| rungs.iter().any(|rung| rung.mode == Mode::Accelerated);
        self.policy != Policy::NativeOnly && self.ladder.as_ref().is_none_or(on_ladder)
    }

    /// What modes cost.
    pub(crate) fn penalties(&self) -> Penalties {
        let (default, of) = (Penalties::default(), &self.penalties);
        Penalties {
            accelerated: of.accelerated.unwrap_or(default.accelerated),
            emulated: of.emulated.unwrap_or(default.emulated),
            other_qemu: of.other_qemu.unwrap_or(default.other_qemu),
            patience: of.patience.unwrap_or(default.patience),
        }
    }

    /// The world of a simulation.
    pub(crate) fn world(&self) -> anyhow::Result<World> {
        let (default, of) = (World::default(), &self.simulate);
        let median =
            of.median.as_ref().map(|text| duration(text).context("farm.simulate.median in farm.toml"));
        Ok(World {
            seed: of.seed.unwrap_or(default.seed),
            median: median.transpose()?.unwrap_or(default.median),
            unexplained: of.unexplained.unwrap_or(default.unexplained),
            parallel: of.parallel.unwrap_or(default.parallel),
            penalties: self.penalties(),
            chances: Chances {
                fails: of.fails,
                needs_patience: of.needs_patience,
                needs_other_qemu: of.needs_other_qemu,
                needs_native: of.needs_native,
                transient: of.transient,
            },
        })
    }

    /// A farm for each suite that it has components of, in the order of the file.
    pub(crate) fn by_suite(&self) -> Vec<Self> {
        let mut farms: Vec<Self> = Vec::new();
        for component in &self.component {
            let suite = component.suite.as_ref().or(self.suite.as_ref());
            match farms.iter_mut().find(|farm| farm.suite.as_ref() == suite) {
                Some(farm) => farm.component.push(component.clone()),
                None => farms.push(Self {
                    suite: suite.cloned(),
                    component: vec![component.clone()],
                    ..self.clone()
                }),
            }
        }
        if farms.is_empty() {
            // Whoever opens it says that it builds nothing.
            farms.push(self.clone());
        }
        farms
    }

    /// Shares of the components, if any of them has one; those without have one part.
    pub(crate) fn shares(&self) -> Option<Vec<f64>> {
        let shares = || self.component.iter().map(|component| component.share);
        shares().any(|share| share.is_some()).then(|| shares().map(|share| share.unwrap_or(1.0)).collect())
    }
}
