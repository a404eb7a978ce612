//! Properties of graphs.

use std::time::Duration;

use archmill_plan::graph::{Graph, longest_paths};
use proptest::prelude::*;

use crate::world::{any_parts, graph, id};

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

proptest! {
    #[test]
    fn every_job_comes_after_what_it_needs(parts in any_parts()) {
        let graph = Graph::new(parts);
        prop_assert_eq!(graph.order().len(), graph.len());
        let mut place = vec![0; graph.len()];
        for (number, job) in graph.order().iter().enumerate() {
            place[job.index()] = number;
        }
        for (job, _) in graph.jobs() {
            prop_assert!(graph.needs(job).iter().all(|on| place[on.index()] < place[job.index()]));
        }
    }

    #[test]
    fn only_needs_within_a_cycle_are_broken_and_none_is_lost(parts in any_parts()) {
        let graph = Graph::new(parts.clone());
        let cycles = graph.cycles();
        for &(job, on) in &cycles.broken {
            let together = |set: &Vec<_>| set.contains(&job) && set.contains(&on);
            prop_assert!(cycles.components.iter().any(together));
            prop_assert!(!graph.needs(job).contains(&on));
        }
        prop_assert_eq!(graph.edges() + cycles.broken.len(), parts.needs.entries());
    }

    #[test]
    fn the_same_archive_is_cut_in_the_same_places(parts in any_parts()) {
        let (one, other) = (Graph::new(parts.clone()), Graph::new(parts));
        prop_assert_eq!(one.cycles(), other.cycles());
        prop_assert_eq!(one.order(), other.order());
    }
}

#[test]
fn the_critical_path_is_that_with_the_longest_durations() {
    // 3 needs 1 and 2, which need 0.
    let graph = graph(&[&[], &[0], &[0], &[1, 2]]);
    let paths = longest_paths(&graph, |job| seconds([1, 5, 2, 1][job.index()]));
    assert_eq!(paths.critical(), seconds(7));
    assert_eq!(paths.critical_path(&graph), [id(0), id(1), id(3)]);
    assert_eq!(paths.to_end, [7, 6, 3, 1].map(seconds));
    assert_eq!(paths.earliest_end, [1, 6, 3, 7].map(seconds));
}
