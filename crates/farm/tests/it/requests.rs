//! What people ask for, and what changes between runs.

use archmill_plan::Moment;
use archmill_plan::scheduler::Code;
use archmill_store::{EndKind, RequestKind, Store};

use crate::made::{Goes, Made};

/// Ends of all builds of a package, for both architectures.
async fn ends(store: &Store, source: &str) -> Vec<EndKind> {
    let mut ends = Vec::new();
    for row in store.packages(Some(source)).await.unwrap() {
        for build in store.builds_of(row.id).await.unwrap() {
            ends.push(build.end.unwrap().kind);
        }
    }
    ends
}

#[tokio::test]
async fn what_ended_is_left_alone_until_something_that_goes_in_changes() {
    let mut made = Made::new(vec![Goes::Well, Goes::Badly]);
    let store = made.store().await;
    assert_eq!(made.rebuild(&store).await.builds, 4);
    assert_eq!(made.rebuild(&store).await.builds, 0);
    made.upload("2");
    assert_eq!(made.rebuild(&store).await.builds, 4);
    assert_eq!(ends(&store, "p0").await, [EndKind::Built; 4]);
    assert_eq!(ends(&store, "p1").await, [EndKind::Failed; 4]);
}

#[tokio::test]
async fn what_is_given_back_is_tried_from_the_start_of_the_ladder() {
    let made = Made::new(vec![Goes::Slowly, Goes::Badly]);
    let store = made.store().await;
    made.rebuild(&store).await;
    assert_eq!(ends(&store, "p0").await, [EndKind::Built, EndKind::Failed, EndKind::Built]);
    for source in ["p0", "p1"] {
        store.ask(RequestKind::GiveBack, source, Some("arm64"), "", Moment(1)).await.unwrap();
    }
    made.rebuild(&store).await;
    assert!(store.requests().await.unwrap().is_empty());
    let rungs = |source: &'static str| {
        let store = &store;
        async move {
            let rows = store.packages(Some(source)).await.unwrap();
            let arm64 = rows.iter().find(|row| row.planned.target == "arm64").unwrap();
            let builds = store.builds_of(arm64.id).await.unwrap();
            builds.iter().map(|build| build.new.rung.to_string()).collect::<Vec<_>>()
        }
    };
    assert_eq!(rungs("p1").await, ["accelerated", "accelerated"]);
    // What was built stays.
    assert_eq!(rungs("p0").await, ["accelerated", "accelerated+patience"]);
}

#[tokio::test]
async fn a_hold_outlives_the_run_and_requests_for_nothing_are_taken() {
    let made = Made::new(vec![Goes::Well, Goes::Well]);
    let store = made.store().await;
    for (kind, source) in [(RequestKind::Hold, "p0"), (RequestKind::Hold, "nothing")] {
        store.ask(kind, source, None, "the moon is full", Moment(1)).await.unwrap();
    }
    for _ in 0..2 {
        made.rebuild(&store).await;
        let rows = store.packages(Some("p0")).await.unwrap();
        assert!(rows.iter().all(|row| row.state == Code::Locked && row.reason.contains("the moon is full")));
        assert!(store.requests().await.unwrap().is_empty());
    }
    assert_eq!(ends(&store, "p0").await, []);
    store.ask(RequestKind::Release, "p0", None, "", Moment(2)).await.unwrap();
    made.rebuild(&store).await;
    assert_eq!(ends(&store, "p0").await, [EndKind::Built; 2]);
}
