//! Made-up graphs.

use archmill_deb::Arch;
use archmill_plan::graph::{Adjacency, Graph, Parts};
use archmill_plan::predict::Traits;
use archmill_plan::{ComponentId, Job, JobId, JobKind, TargetId};
use proptest::prelude::*;

pub(crate) fn id(index: usize) -> JobId {
    JobId::new(index).unwrap()
}

pub(crate) fn package(number: usize) -> Job {
    Job {
        source: format!("p{number}").into(),
        version: "1".into(),
        target: TargetId::default(),
        component: ComponentId::default(),
        kind: JobKind::Package,
        traits: Traits { source_bytes: 1 << 20, installs: 10 },
    }
}

/// Packages for amd64 that need each other as told.
pub(crate) fn parts(needs: Vec<Vec<usize>>) -> Parts {
    let jobs = needs.len();
    Parts {
        targets: vec![Arch::AMD64],
        components: vec!["main".to_owned()],
        jobs: (0..jobs).map(package).collect(),
        needs: Adjacency::from_lists(needs.into_iter().map(|list| list.into_iter().map(id).collect())),
        wants: Adjacency::empty(jobs),
    }
}

/// Up to 40 packages that need each other at random, cycles included; some are base sets.
pub(crate) fn any_parts() -> impl Strategy<Value = Parts> {
    let lists = (1usize..40).prop_flat_map(|jobs| {
        let list = proptest::collection::vec(0..jobs, 0..5);
        (proptest::collection::vec(list, jobs), proptest::option::of(0..jobs))
    });
    lists.prop_map(|(needs, base)| {
        let mut parts = parts(needs);
        if let Some(base) = base {
            parts.jobs[base].kind = JobKind::BaseSet;
        }
        parts
    })
}

pub(crate) fn graph(needs: &[&[usize]]) -> Graph {
    Graph::new(parts(needs.iter().map(|list| list.to_vec()).collect()))
}
