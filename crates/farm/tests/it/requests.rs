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
async fn a_toolchain_is_built_like_a_package_and_nothing_fails_for_want_of_it() {
    for (exits_with, kind, state) in [
        (0, EndKind::Built, Code::Succeeded),
        // It does not compile.
        (1, EndKind::Failed, Code::Failed),
        // Somebody asked for what there is not.
        (2, EndKind::Failed, Code::Failed),
    ] {
        let made = Made::new(vec![Goes::Well]).with_toolchain(exits_with);
        let store = made.store().await;
        assert_eq!(made.rebuild(&store).await.builds, 3);
        let row = store.packages(Some("gcc-12-toolchain")).await.unwrap().remove(0);
        assert_eq!((row.planned.target.as_str(), row.state), ("arm64", state));
        assert_eq!(ends(&store, "gcc-12-toolchain").await, [kind]);
        assert_eq!(ends(&store, "p0").await, [EndKind::Built; 2]);
        assert_eq!(made.rebuild(&store).await.builds, 0, "what failed is not tried again");
    }
    // The mirror does not answer: no fault of the toolchain's.
    let made = Made::new(vec![]).with_toolchain(4);
    let store = made.store().await;
    made.rebuild(&store).await;
    assert_eq!(ends(&store, "gcc-12-toolchain").await[..3], [EndKind::Transient; 3]);
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
async fn what_was_built_before_it_was_held_is_there_when_it_is_released() {
    for made in [Made::new(vec![Goes::Well]), Made::self_hosted(vec![Goes::Well])] {
        let store = made.store().await;
        assert_eq!(made.rebuild(&store).await.builds, 2);
        for (kind, state) in [(RequestKind::Hold, Code::Locked), (RequestKind::Release, Code::Succeeded)] {
            store.ask(kind, "p0", None, "a test", Moment(1)).await.unwrap();
            for _ in 0..2 {
                assert_eq!(made.rebuild(&store).await.builds, 0);
                let rows = store.packages(Some("p0")).await.unwrap();
                assert!(rows.iter().all(|row| row.state == state), "{rows:?}");
            }
        }
    }
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
