//! Archives that are only as large as real ones.

use archmill_deb::Arch;

use super::draw::Draw;
use crate::graph::{Adjacency, Parts};
use crate::ids::{ComponentId, JobId, TargetId};
use crate::job::{Job, JobKind};
use crate::predict::Traits;

/// An archive to be made up: sizes of sources and needs are drawn to be like Debian's.
#[derive(Clone, Debug)]
pub struct MadeUp {
    /// Decides everything that is drawn.
    pub seed: u64,
    /// The components; those before are needed by those after.
    pub components: Vec<MadeUpComponent>,
    /// Whether builds need each other.
    pub self_hosted: bool,
}

/// So many packages for these architectures.
#[derive(Clone, Debug)]
pub struct MadeUpComponent {
    /// Its name.
    pub name: String,
    /// How many source packages it has.
    pub sources: usize,
    /// Where they are built.
    pub architectures: Vec<Arch>,
}

/// Sources of the base set (build-essential and what is Essential: 71 in trixie).
const BASE: usize = 71;
/// Half of Debian's sources are smaller than this, KiB, and the logarithm of their sizes spreads so much.
const MEDIAN_KIB: f64 = 100.0;
const SPREAD: f64 = 1.8;
/// Sources whose packages a build root has on top of the base set, on average.
const NEEDS: usize = 40;
/// How much the first sources, libraries and tools, are needed more than the last.
const SKEW: i32 = 4;

struct Drawn {
    name: String,
    component: ComponentId,
    traits: Traits,
    /// By place among the sources.
    needs: Vec<usize>,
}

impl MadeUp {
    /// Draws it. `None` where it has more components, architectures or jobs than ids.
    pub fn parts(&self) -> Option<Parts> {
        let sources = self.draw()?;
        let mut targets = vec![Arch::ALL];
        for arch in self.components.iter().flat_map(|component| &component.architectures) {
            if !targets.contains(arch) {
                targets.push(arch.clone());
            }
        }
        let (mut jobs, mut needs) = (Vec::new(), Vec::new());
        for (number, arch) in targets.iter().enumerate().skip(1) {
            let target = TargetId::new(number)?;
            let base = JobId::new(jobs.len())?;
            jobs.push(base_set(target));
            needs.push(Vec::new());
            let mut made: Vec<Option<JobId>> = vec![None; sources.len()];
            for (place, source) in sources.iter().enumerate() {
                if !self.components[source.component.index()].architectures.contains(arch) {
                    continue;
                }
                let job = JobId::new(jobs.len())?;
                made[place] = Some(job);
                jobs.push(source.job(target));
                let mut on: Vec<JobId> = source.needs.iter().filter_map(|&need| made[need]).collect();
                if place < BASE {
                    needs[base.index()].push(job);
                } else {
                    on.push(base);
                }
                needs.push(if self.self_hosted { on } else { Vec::new() });
            }
        }
        // The seed's twins are of the very versions that are rebuilt, so nothing has to wait for new ones.
        let wants = Adjacency::empty(jobs.len());
        Some(Parts {
            targets,
            components: self.components.iter().map(|component| component.name.clone()).collect(),
            jobs,
            needs: Adjacency::from_lists(needs),
            wants,
        })
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    fn draw(&self) -> Option<Vec<Drawn>> {
        let mut sources: Vec<Drawn> = Vec::new();
        for (number, component) in self.components.iter().enumerate() {
            for source in 0..component.sources {
                let name = format!("{}-{source}", component.name);
                let mut draw = Draw::of(self.seed, &format!("made up {name}"));
                let kib = MEDIAN_KIB * (SPREAD * draw.normal()).exp();
                let place = sources.len();
                let count = if place == 0 { 0 } else { draw.below(2 * NEEDS, 1).min(place) };
                let needs: Vec<usize> = (0..count).map(|_| draw.below(place, SKEW)).collect();
                sources.push(Drawn {
                    name,
                    component: ComponentId::new(number)?,
                    traits: Traits {
                        source_bytes: (kib * 1024.0) as u64,
                        installs: u32::try_from(2 * count).unwrap_or(0),
                    },
                    needs,
                });
            }
        }
        Some(sources)
    }
}

impl Drawn {
    fn job(&self, target: TargetId) -> Job {
        Job {
            source: self.name.as_str().into(),
            version: "1".into(),
            target,
            component: self.component,
            kind: JobKind::Package,
            traits: self.traits,
        }
    }
}

fn base_set(target: TargetId) -> Job {
    Job {
        source: "".into(),
        version: "".into(),
        target,
        component: ComponentId::default(),
        kind: JobKind::BaseSet,
        traits: Traits::default(),
    }
}
