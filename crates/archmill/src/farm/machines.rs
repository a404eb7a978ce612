//! From names of machines to what they build.

use std::collections::BTreeMap;

use anyhow::Context as _;
use archmill_deb::Arch;
use archmill_emulate::{Execution, HostCpu};
use archmill_plan::TargetId;
use archmill_plan::scheduler::MachineKind;

use super::MachineConfig;
use crate::setup::Mistake;

/// The machine that emulates the others, and builds packages for all.
const X86: &str = "x86_64";

/// Reads `x86_64=30,aarch64=15`.
pub(crate) fn slots(text: &str) -> anyhow::Result<BTreeMap<String, u32>> {
    let pair = |part: &str| -> anyhow::Result<(String, u32)> {
        let wrong =
            || Mistake(format!("{part:?} is no number of slots; write for instance x86_64=30,aarch64=15"));
        let (name, count) = part.split_once('=').with_context(wrong)?;
        Ok((name.trim().to_owned(), count.trim().parse().with_context(wrong)?))
    };
    let mut slots = BTreeMap::new();
    for part in text.split(',') {
        let (name, count) = pair(part)?;
        if count == 0 {
            return Err(
                Mistake(format!("--slots: {part:?} has none; leave machines without slots out")).into()
            );
        }
        if slots.insert(name, count).is_some() {
            return Err(Mistake(format!("--slots names the machines of {part:?} twice")).into());
        }
    }
    Ok(slots)
}

/// The kinds of machines; `given` slots are all that there are, if any are given.
pub(crate) fn machines(
    config: &BTreeMap<String, MachineConfig>,
    given: Option<&BTreeMap<String, u32>>,
    targets: &[Arch],
) -> anyhow::Result<Vec<MachineKind>> {
    let names = given.map_or_else(|| config.keys().collect::<Vec<_>>(), |given| given.keys().collect());
    if names.is_empty() {
        return Err(Mistake(
            "the farm has no machines; write [farm.machines.x86_64] with slots = N, or give --slots x86_64=N"
                .to_owned(),
        )
        .into());
    }
    let kind = |name: &String| {
        let mut machine = config.get(name).cloned().unwrap_or_default();
        if let Some(slots) = given.and_then(|given| given.get(name)) {
            machine.slots = *slots;
        }
        kind(name, &machine, targets)
    };
    names.into_iter().map(kind).collect()
}

fn kind(name: &str, config: &MachineConfig, targets: &[Arch]) -> anyhow::Result<MachineKind> {
    let machine = config.cpu.as_deref().unwrap_or(name);
    // Any architecture's machine name will do, and none that only looks like one.
    archmill_emulate::find(machine).map_err(|error| {
        Mistake(format!("machines {name:?}: cpu is an OBS name such as x86_64 or aarch64: {error}"))
    })?;
    let cpu = HostCpu { machine: machine.to_owned(), aarch32: config.aarch32 };
    let only: Option<Vec<&str>> =
        config.architectures.as_ref().map(|names| architectures(names)).transpose()?;
    let (mut native, mut emulated) = (Vec::new(), Vec::new());
    for (place, target) in targets.iter().enumerate() {
        let Some(id) = TargetId::new(place) else { continue };
        // Packages for all are built where amd64's are.
        let of = if *target == Arch::ALL { "amd64" } else { target.as_str() };
        if only.as_ref().is_some_and(|only| !only.contains(&of)) {
            continue;
        }
        match cpu.execution(archmill_emulate::find(of)?) {
            Execution::Native { .. } => native.push(id),
            Execution::Emulated if machine == X86 => emulated.push(id),
            Execution::Emulated => {}
        }
    }
    Ok(MachineKind { name: name.to_owned(), is_x86: machine == X86, slots: config.slots, native, emulated })
}

/// Debian's names of architectures, by any of their names.
pub(super) fn architectures(names: &[String]) -> anyhow::Result<Vec<&'static str>> {
    names.iter().map(|name| Ok(archmill_emulate::find(name)?.debian)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn targets() -> Vec<Arch> {
        ["all", "amd64", "arm64", "armhf"].map(|name| name.parse().unwrap()).into()
    }

    fn kinds(text: &str) -> Vec<(String, usize, usize)> {
        let kinds = machines(&BTreeMap::new(), Some(&slots(text).unwrap()), &targets()).unwrap();
        kinds.into_iter().map(|kind| (kind.name, kind.native.len(), kind.emulated.len())).collect()
    }

    #[test]
    fn a_machine_builds_what_its_cpu_executes_and_x86_64_emulates_the_rest() {
        assert_eq!(
            kinds("x86_64=30,aarch64=15"),
            [("aarch64".to_owned(), 1, 0), ("x86_64".to_owned(), 2, 2)]
        );
    }

    #[test]
    fn what_is_no_number_of_slots_is_refused_with_an_example() {
        for wrong in ["x86_64", "x86_64=", "x86_64=-1", ""] {
            assert!(
                slots(wrong).unwrap_err().to_string().contains("write for instance x86_64=30"),
                "{wrong}"
            );
        }
        let unknown = slots("amd128=3").unwrap();
        let error = machines(&BTreeMap::new(), Some(&unknown), &targets()).unwrap_err();
        assert!(format!("{error:#}").contains("amd128"), "{error:#}");
    }
}
