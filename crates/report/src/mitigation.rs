//! What the ladder gained.

use archmill_plan::ladder::Rung;
use archmill_store::EndKind;
use serde::{Deserialize, Serialize};

use crate::package::Package;
use crate::share::Outcome;

/// What one mode made possible after others had failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mitigation {
    /// The mode.
    pub mode: Rung,
    /// Packages that had failed in another mode and then were built in this.
    pub repaired: Vec<String>,
    /// Packages that had failed in another mode, and failed in this, too.
    pub in_vain: usize,
    /// CPU time that was spent in this mode after others had failed.
    pub cpu_ms: u64,
}

pub(crate) fn mitigations(packages: &[Package]) -> Vec<Mitigation> {
    let mut mitigations: Vec<Mitigation> = Vec::new();
    for package in packages {
        // Versions are apart: what an old one failed in says nothing of a new one.
        let mut version = None;
        let mut failed_in: Vec<Rung> = Vec::new();
        for build in &package.builds {
            if version != Some(&build.version) {
                version = Some(&build.version);
                failed_in.clear();
            }
            if failed_in.iter().any(|mode| *mode != build.mode) && !failed_in.contains(&build.mode) {
                let place = mitigations.iter().position(|mitigation| mitigation.mode == build.mode);
                let place = place.unwrap_or_else(|| {
                    mitigations.push(Mitigation {
                        mode: build.mode,
                        repaired: Vec::new(),
                        in_vain: 0,
                        cpu_ms: 0,
                    });
                    mitigations.len() - 1
                });
                let Some(mitigation) = mitigations.get_mut(place) else { continue };
                mitigation.cpu_ms += build.cpu_ms.unwrap_or(0);
                match build.result {
                    EndKind::Built if matches!(package.outcome, Outcome::Built | Outcome::Imported) => {
                        mitigation.repaired.push(format!("{} {}", package.source, package.target));
                    }
                    EndKind::Failed => mitigation.in_vain += 1,
                    _ => {}
                }
            }
            if build.result == EndKind::Failed {
                failed_in.push(build.mode);
            }
        }
    }
    mitigations
}
