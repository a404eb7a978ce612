//! What is wrong with the numbers and times of farm.toml, before anything takes time.

use anyhow::{Context as _, anyhow, bail, ensure};

use super::FarmConfig;
use crate::units::duration;

impl FarmConfig {
    /// Refuses values that mean nothing.
    pub(crate) fn check(&self) -> anyhow::Result<()> {
        for component in &self.component {
            let share = component.share.unwrap_or(1.0);
            positive(share).with_context(|| format!("component {:?}: share", component.name))?;
        }
        for (name, machine) in &self.machines {
            ensure!(
                machine.cost.is_finite() && machine.cost >= 0.0,
                "farm.machines.{name}: cost: {} is no price",
                machine.cost
            );
            ensure!(
                machine.slots > 0,
                "farm.machines.{name}: say with slots = N how many builds it runs at a time"
            );
        }
        ensure!(self.max_width != Some(0), "farm.max-width: a build has one slot at least");
        ensure!(
            self.ladder.as_ref().is_none_or(|rungs| !rungs.is_empty()),
            "farm.ladder: without a mode nothing can be built for other architectures; leave it out, or set policy = \"native-only\""
        );
        ensure!(
            self.keep.results != Some(0),
            "farm.keep.results: the last results of a package are always kept; write 1 or more"
        );
        let penalties = [
            ("accelerated", self.penalties.accelerated),
            ("emulated", self.penalties.emulated),
            ("other-qemu", self.penalties.other_qemu),
            ("patience", self.penalties.patience),
        ];
        for (name, value) in penalties {
            positive(value.unwrap_or(1.0)).with_context(|| format!("farm.penalties.{name}"))?;
        }
        self.check_times()?;
        self.check_world().map_err(|error| anyhow!("farm.simulate.{error:#}"))
    }

    fn check_times(&self) -> anyhow::Result<()> {
        let times = [
            ("wide-from", &self.wide_from),
            ("retry.first", &self.retry.first),
            ("retry.longest", &self.retry.longest),
            ("settle.first", &self.settle.first),
            ("settle.longest", &self.settle.longest),
            ("keep.logs", &self.keep.logs),
            ("simulate.median", &self.simulate.median),
        ];
        for (name, text) in times {
            text.as_ref().map(|text| duration(text)).transpose().with_context(|| format!("farm.{name}"))?;
        }
        Ok(())
    }

    fn check_world(&self) -> anyhow::Result<()> {
        let of = &self.simulate;
        let unexplained = of.unexplained.unwrap_or(1.0);
        ensure!((0.0..=5.0).contains(&unexplained), "unexplained: {unexplained} is not between 0 and 5");
        let chances = [
            ("parallel", of.parallel.unwrap_or(0.0)),
            ("fails", of.fails),
            ("needs-patience", of.needs_patience),
            ("needs-other-qemu", of.needs_other_qemu),
            ("needs-native", of.needs_native),
            ("transient", of.transient),
        ];
        for (name, value) in chances {
            ensure!((0.0..=1.0).contains(&value), "{name}: {value} is not between 0 and 1");
        }
        if of.transient > 0.9 {
            bail!(
                "transient: {} of all builds would come to nothing, again and again; the most is 0.9",
                of.transient
            );
        }
        Ok(())
    }
}

fn positive(value: f64) -> anyhow::Result<()> {
    ensure!(value.is_finite() && value > 0.0 && value <= 1e6, "{value} is not above 0, or too large");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(text: &str) -> String {
        let farm: FarmConfig = toml::from_str(text).unwrap();
        farm.check().map_or_else(|error| format!("{error:#}"), |()| String::new())
    }

    #[test]
    fn numbers_that_mean_nothing_are_named() {
        for (text, part) in [
            ("[penalties]\naccelerated = -1.0", "farm.penalties.accelerated: -1 is not above 0"),
            ("[penalties]\nemulated = nan", "farm.penalties.emulated"),
            ("[simulate]\ntransient = 1.0", "farm.simulate.transient: 1 of all"),
            ("[simulate]\nfails = 1.5", "farm.simulate.fails: 1.5 is not between 0 and 1"),
            ("[simulate]\nunexplained = 1000.0", "farm.simulate.unexplained"),
            ("[simulate]\nparallel = 7.0", "farm.simulate.parallel"),
            ("[simulate]\nmedian = \"soon\"", "farm.simulate.median: \"soon\" is no time"),
            ("[keep]\nlogs = \"x\"", "farm.keep.logs"),
            ("[keep]\nresults = 0", "farm.keep.results"),
            ("[machines.x86_64]\nslots = 0", "farm.machines.x86_64: say with slots"),
            ("[machines.x86_64]\nslots = 1\ncost = -1.0", "farm.machines.x86_64: cost: -1"),
            ("max-width = 0", "farm.max-width"),
            ("ladder = []", "farm.ladder"),
            ("[[component]]\nname = \"x\"\narchitectures = []\nshare = -1.0", "component \"x\": share: -1"),
        ] {
            assert!(said(text).contains(part), "{text}: {}", said(text));
        }
        assert_eq!(said("[simulate]\ntransient = 0.5\nparallel = 1.0\n[penalties]\nemulated = 4.5"), "");
    }
}
