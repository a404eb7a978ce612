//! Events to come.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use crate::moment::Moment;
use crate::scheduler::Event;

/// Events by moment; those of one moment in the order in which they were put in.
#[derive(Debug, Default)]
pub(super) struct Queue {
    moments: BinaryHeap<Reverse<(Moment, u64)>>,
    /// Events in the order in which they were put in, from `first` on.
    events: VecDeque<Option<Event>>,
    first: u64,
    next: u64,
}

impl Queue {
    pub(super) fn push(&mut self, moment: Moment, event: Event) {
        self.moments.push(Reverse((moment, self.next)));
        self.events.push_back(Some(event));
        self.next += 1;
    }

    pub(super) fn pop(&mut self) -> Option<(Moment, Event)> {
        let Reverse((moment, number)) = self.moments.pop()?;
        let place = usize::try_from(number - self.first).ok()?;
        let event = self.events.get_mut(place)?.take();
        while self.events.front().is_some_and(Option::is_none) {
            self.events.pop_front();
            self.first += 1;
        }
        event.map(|event| (moment, event))
    }
}
