//! Verdicts for all source packages, kept true while packages change.
//!
//! A verdict is kept as long as what it rests on stays. That its dependencies can be installed rests on a
//! set of packages: whatever comes or goes besides, the set remains one. That they cannot, because
//! something is missing, rests on relations that nothing satisfies; that they cannot, because relations
//! contradict each other, on those that the search looked at.

mod turnover;

use std::sync::Arc;

use rustc_hash::{FxHashMap, FxHashSet};

use crate::base::SolvedBase;
use crate::check::{CheckRules, Decision, Engine, Needs, Verdict, numbers};
use crate::graph::{Dead, Effects, GONE, Marker, NEGATIVE};
use crate::ids::{ArchId, NameId, PackageId};
use crate::provides;
use crate::search::is_usable;
use crate::solver::Solver;
use crate::sources::{SourceStanza, Sources};
use crate::universe::Universe;
use crate::unsatisfiable::Unsatisfiable;
use crate::update::{Change, Renumbered};
use turnover::{Pair, Turnover, replaced};

/// Name and architecture.
type SlotKey = (NameId, ArchId);

/// The verdict for each of a list of source packages.
#[derive(Debug)]
pub struct Verdicts {
    universe: Universe,
    sources: Sources,
    engine: Engine,
    base: Arc<SolvedBase>,
    /// Whether `base` has the numbers of the universe as it is.
    base_is_current: bool,
    /// Whether there was no base after the last change, so that no verdict is of use.
    broken: bool,
    entries: Vec<Entry>,
    /// A number of each package that stays the same, also when another version replaces it that does as
    /// well; by package.
    lasting: Vec<u32>,
    /// Which verdicts rest on a package, by its lasting number; also some that did once.
    users: Vec<Vec<u32>>,
    /// By package.
    usable: Vec<bool>,
}

#[derive(Debug)]
struct Entry {
    /// Number among all sources.
    source: u32,
    verdict: Verdict,
    rests_on: RestsOn,
}

#[derive(Debug)]
enum RestsOn {
    /// The packages that have it among their `users`; or the architecture.
    Packages,
    /// That one of these groups cannot be satisfied.
    Groups(Box<[u32]>),
    /// Relations of these packages, by lasting numbers, and its own, which are these groups.
    Relations(Box<[u32]>, Box<[u32]>),
}

/// What an update did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updated {
    /// How many source packages were solved again.
    pub solved: usize,
    /// Source packages that have another verdict than before, by their place in [`Verdicts::iter`].
    pub changed: Vec<usize>,
    /// Whether the base set is another, so that everything was solved again.
    pub base_changed: bool,
}

impl Verdicts {
    /// Solves all current sources (see [`Sources::current`]). Fails if there can be no base.
    pub fn new(universe: Universe, sources: Sources, rules: CheckRules) -> Result<Self, Unsatisfiable> {
        let base = Solver::new(&universe).solved_base(&rules.base, rules.versions)?;
        let engine = Engine::new(&universe, rules, &base);
        let entry =
            |source| Entry { source, verdict: Verdict::OtherArchitecture, rests_on: RestsOn::Packages };
        let entries: Vec<Entry> = sources.current_numbers().map(entry).collect();
        let lasting: Vec<u32> = (0..).take(universe.len()).collect();
        let users = vec![Vec::new(); lasting.len()];
        let mut verdicts = Self {
            usable: usable(&universe, &engine),
            universe,
            sources,
            engine,
            base,
            base_is_current: true,
            broken: false,
            entries,
            lasting,
            users,
        };
        for number in 0..verdicts.entries.len() {
            verdicts.solve(number);
        }
        verdicts.engine.dead.extend(&verdicts.engine.graph);
        Ok(verdicts)
    }

    /// Source packages and their verdicts, ordered by name.
    pub fn iter(&self) -> impl Iterator<Item = (SourceStanza<'_>, Verdict)> {
        self.entries.iter().map(|entry| (self.sources.number(entry.source), entry.verdict))
    }

    /// The packages that the verdicts are about now.
    pub fn universe(&self) -> &Universe {
        &self.universe
    }

    /// Takes a change in and solves again whatever rests on what changed. The verdicts are those that the
    /// changed indices give from the start.
    ///
    /// Fails if there can be no base any more; then the verdicts are of no use until another change
    /// makes one possible.
    pub fn update(&mut self, change: &Change) -> Result<Updated, Unsatisfiable> {
        let key = |&package: &PackageId| (self.universe.name_of(package), self.universe.arch_of(package));
        let removed: FxHashMap<u32, SlotKey> =
            change.removed.iter().map(|package| (package.0, key(package))).collect();
        let renumbered = self.universe.renumber(change);
        let before = std::mem::take(&mut self.usable);
        self.usable = usable(&self.universe, &self.engine);
        let mut turnover = self.turnover(&renumbered, &removed, &before);
        let replaced = replaced(&renumbered, &turnover);
        for pair in &mut turnover.pairs {
            pair.groups.extend(self.engine.graph.groups_of(pair.old));
            pair.refused.extend(self.engine.graph.refused_by(pair.old).map(|one| replaced[one as usize]));
        }
        let base: Vec<u32> = self.base.packages.iter().map(|package| self.lasting[package.index()]).collect();
        let touches_base = self.broken || self.touches_base(&renumbered, &turnover, &base);
        let effects = self.engine.update_graph(&self.universe, &renumbered, &replaced);
        let fallen = self.renumber_lasting(&renumbered, &turnover, &effects);
        self.update_dead(&turnover, &effects, &replaced);
        let base_changed = self.update_base(&base, touches_base)?;
        let stale = if base_changed {
            (0..self.entries.len()).collect()
        } else {
            self.stale(&fallen, &effects, touches_base)
        };
        let mut changed = Vec::new();
        for &number in &stale {
            let before = self.entries[number].verdict;
            self.solve(number);
            if self.entries[number].verdict != before {
                changed.push(number);
            }
        }
        self.engine.dead.extend(&self.engine.graph);
        Ok(Updated { solved: stale.len(), changed, base_changed })
    }

    /// Whether the base set may be another one.
    fn touches_base(&self, renumbered: &Renumbered, turnover: &Turnover, base: &[u32]) -> bool {
        let of_base: FxHashSet<u32> = base.iter().copied().collect();
        let rules = &self.engine.rules.base;
        let named = |name: &str| rules.packages.iter().chain(&rules.preferred).any(|one| one == name);
        let is_base = |package: PackageId| {
            let row = self.universe.row(package);
            row.essential || (rules.required && row.priority == 1)
        };
        let provides = |package: u32| {
            let provides = self.universe.package(PackageId(package)).field("Provides").unwrap_or_default();
            provides::parse(provides).any(|provided| named(provided.name))
        };
        turnover.gone.iter().any(|&old| of_base.contains(&self.lasting[old as usize]))
            || renumbered.slots.iter().any(|&slot| {
                named(self.universe.names.get(self.universe.slot(slot).name))
                    || self.universe.packages_in(slot).any(is_base)
            })
            || turnover.come.iter().any(|&new| provides(new))
    }

    /// Gives lasting numbers to what came; returns those on which nothing may rest any more.
    // There are fewer packages than bytes of the texts.
    #[allow(clippy::cast_possible_truncation)]
    fn renumber_lasting(
        &mut self,
        renumbered: &Renumbered,
        turnover: &Turnover,
        effects: &Effects,
    ) -> Vec<u32> {
        let old = std::mem::replace(&mut self.lasting, vec![GONE; self.universe.len()]);
        for (number, new) in renumbered.new_of.iter().enumerate() {
            if let Some(new) = new {
                self.lasting[new.index()] = old[number];
            }
        }
        let mut fallen: FxHashSet<u32> = turnover.gone.iter().map(|&gone| old[gone as usize]).collect();
        let equal: Vec<&Pair> =
            turnover.pairs.iter().filter(|pair| self.does_as_well(pair, effects)).collect();
        for pair in equal {
            // What is kept though it cannot be taken needs a number of its own.
            if let Some(kept) = renumbered.new_of[pair.old as usize] {
                self.lasting[kept.index()] = GONE;
            }
            self.lasting[pair.new as usize] = old[pair.old as usize];
            fallen.remove(&old[pair.old as usize]);
        }
        for lasting in self.lasting.iter_mut().filter(|lasting| **lasting == GONE) {
            *lasting = self.users.len() as u32;
            self.users.push(Vec::new());
        }
        let mut fallen: Vec<u32> = fallen.into_iter().collect();
        fallen.sort_unstable();
        fallen
    }

    fn update_dead(&mut self, turnover: &Turnover, effects: &Effects, replaced: &[u32]) {
        let Engine { graph, dead, .. } = &mut self.engine;
        let may_revive = effects.changed.iter().any(|&group| dead.knows_dead_group(group))
            || turnover.pairs.iter().any(|pair| dead.is_dead(pair.old));
        if may_revive {
            *dead = Dead::new(graph);
        } else {
            dead.renumber(graph, replaced);
        }
    }

    /// Whether the base is another.
    fn update_base(&mut self, before: &[u32], touched: bool) -> Result<bool, Unsatisfiable> {
        self.base_is_current = false;
        let was_broken = std::mem::replace(&mut self.broken, false);
        if touched && let Err(why) = self.refresh_base() {
            self.broken = true;
            self.base = Arc::new(SolvedBase { roots: Vec::new(), packages: Vec::new(), asked: Vec::new() });
            return Err(why);
        }
        let lasting: FxHashSet<u32> = before.iter().copied().collect();
        let packages: Vec<u32> = if touched {
            numbers(&self.base.packages)
        } else {
            let numbered = (0..).zip(&self.lasting);
            numbered.filter(|(_, number)| lasting.contains(number)).map(|(package, _)| package).collect()
        };
        self.engine.marker = Marker::new(&self.engine.graph, &packages);
        let same = packages.len() == lasting.len()
            && packages.iter().all(|&package| lasting.contains(&self.lasting[package as usize]));
        if !touched {
            // Its relations are looked up again when a search needs them.
            let base = SolvedBase {
                roots: Vec::new(),
                packages: packages.into_iter().map(PackageId).collect(),
                asked: Vec::new(),
            };
            self.base = Arc::new(base);
        }
        Ok(was_broken || !same)
    }

    fn refresh_base(&mut self) -> Result<(), Unsatisfiable> {
        let rules = &self.engine.rules;
        self.base = Solver::new(&self.universe).solved_base(&rules.base, rules.versions)?;
        self.base_is_current = true;
        Ok(())
    }

    /// Verdicts of which what they rest on is not as it was.
    fn stale(&mut self, fallen: &[u32], effects: &Effects, touches_base: bool) -> Vec<usize> {
        let mut stale: Vec<usize> = Vec::new();
        for &lasting in fallen {
            stale.extend(
                std::mem::take(&mut self.users[lasting as usize]).into_iter().map(|user| user as usize),
            );
        }
        let weaker: FxHashSet<u32> = effects
            .weaker
            .iter()
            .map(|&package| self.lasting[package as usize])
            .chain(fallen.iter().copied())
            .collect();
        let Engine { graph, dead, .. } = &self.engine;
        for (number, entry) in self.entries.iter().enumerate() {
            let holds = match &entry.rests_on {
                RestsOn::Packages => true,
                RestsOn::Groups(groups) => {
                    groups.iter().any(|&group| dead.group_rank(graph, group).is_some())
                }
                RestsOn::Relations(packages, own) => {
                    !touches_base
                        && !packages.iter().any(|package| weaker.contains(package))
                        && !own.iter().any(|group| effects.gained.contains(group))
                }
            };
            if !holds {
                stale.push(number);
            }
        }
        stale.sort_unstable();
        stale.dedup();
        stale
    }

    // There are fewer sources than bytes of the texts.
    #[allow(clippy::cast_possible_truncation)]
    fn solve(&mut self, number: usize) {
        let source = self.sources.number(self.entries[number].source);
        if !self.engine.builds_for(&source) {
            return;
        }
        let mut needs = Needs::default();
        self.engine.read_needs(&self.universe, &source, &mut needs);
        let quick = self.engine.quickly(&needs);
        if quick.is_none() && !self.base_is_current {
            // The base itself was looked at before; here only its relations get their new numbers.
            let _ = self.refresh_base();
        }
        let source = self.sources.number(self.entries[number].source);
        let decision = quick.unwrap_or_else(|| self.engine.by_search(&self.universe, &self.base, &source));
        let verdict = decision.verdict();
        let rests_on = match decision {
            Decision::Marked => {
                for &package in self.engine.marker.found() {
                    self.users[self.lasting[package as usize] as usize].push(number as u32);
                }
                RestsOn::Packages
            }
            Decision::Found(packages) => {
                for package in packages {
                    self.users[self.lasting[package.index()] as usize].push(number as u32);
                }
                RestsOn::Packages
            }
            Decision::Dead => RestsOn::Groups(needs.groups.into()),
            Decision::Contradiction(facts) => {
                let mut owners: Vec<u32> = facts
                    .iter()
                    .filter_map(|fact| fact.owner.map(|package| self.lasting[package.index()]))
                    .collect();
                owners.dedup();
                let own = needs.groups.into_iter().chain(needs.negatives.iter().map(|one| one | NEGATIVE));
                RestsOn::Relations(owners.into(), own.collect())
            }
        };
        let entry = &mut self.entries[number];
        (entry.verdict, entry.rests_on) = (verdict, rests_on);
    }
}

fn usable(universe: &Universe, engine: &Engine) -> Vec<bool> {
    universe.packages().map(|package| is_usable(universe, engine.rules.versions, package.id())).collect()
}
