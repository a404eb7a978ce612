//! The order of Eades, Lin and Smyth for one strongly connected component.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;

use super::Adjacency;
use super::cycles::Components;
use crate::ids::JobId;

/// The members of a component, so that most of the needs point to an earlier one.
pub(crate) fn order(needs: &Adjacency, members: &[JobId], components: &Components) -> Vec<JobId> {
    let local: FxHashMap<JobId, usize> =
        members.iter().enumerate().map(|(place, &member)| (member, place)).collect();
    let mut graph = Degrees::new(members.len());
    for (place, &member) in members.iter().enumerate() {
        for &on in needs.of(member).iter().filter(|&&on| components.together(member, on)) {
            graph.add(local[&on], place);
        }
    }
    graph.order().into_iter().map(|place| members[place]).collect()
}

/// The jobs that are not placed yet, with arrows from what is needed to what needs it.
struct Degrees {
    before: Vec<Vec<usize>>,
    after: Vec<Vec<usize>>,
    incoming: Vec<isize>,
    outgoing: Vec<isize>,
    placed: Vec<bool>,
    /// Those that neither start nor end anything, by what placing them first would gain.
    between: BTreeSet<(isize, usize)>,
    starts: BTreeSet<usize>,
    ends: BTreeSet<usize>,
}

impl Degrees {
    fn new(size: usize) -> Self {
        Self {
            before: vec![Vec::new(); size],
            after: vec![Vec::new(); size],
            incoming: vec![0; size],
            outgoing: vec![0; size],
            placed: vec![false; size],
            between: BTreeSet::new(),
            starts: BTreeSet::new(),
            ends: BTreeSet::new(),
        }
    }

    fn add(&mut self, from: usize, to: usize) {
        self.after[from].push(to);
        self.before[to].push(from);
        self.outgoing[from] += 1;
        self.incoming[to] += 1;
    }

    /// Starts go to the front and ends to the back; where there are neither, that with the most arrows out over in.
    fn order(mut self) -> Vec<usize> {
        for place in 0..self.placed.len() {
            self.file(place);
        }
        let (mut front, mut back) = (Vec::new(), Vec::new());
        loop {
            if let Some(end) = self.ends.pop_first() {
                back.push(end);
                self.take(end);
            } else if let Some(start) = self.starts.pop_first() {
                front.push(start);
                self.take(start);
            } else if let Some((_, best)) = self.between.pop_first() {
                front.push(best);
                self.take(best);
            } else {
                break;
            }
        }
        back.reverse();
        front.append(&mut back);
        front
    }

    fn file(&mut self, place: usize) {
        if self.outgoing[place] == 0 {
            self.ends.insert(place);
        } else if self.incoming[place] == 0 {
            self.starts.insert(place);
        } else {
            self.between.insert((self.incoming[place] - self.outgoing[place], place));
        }
    }

    fn unfile(&mut self, place: usize) {
        self.ends.remove(&place);
        self.starts.remove(&place);
        self.between.remove(&(self.incoming[place] - self.outgoing[place], place));
    }

    fn take(&mut self, place: usize) {
        self.placed[place] = true;
        for at in 0..self.after[place].len() {
            self.change(self.after[place][at], |degrees, other| degrees.incoming[other] -= 1);
        }
        for at in 0..self.before[place].len() {
            self.change(self.before[place][at], |degrees, other| degrees.outgoing[other] -= 1);
        }
    }

    fn change(&mut self, other: usize, change: impl FnOnce(&mut Self, usize)) {
        if !self.placed[other] {
            self.unfile(other);
            change(self, other);
            self.file(other);
        }
    }
}
