//! Rebuilds that are cut short at any moment.

use std::collections::BTreeMap;
use std::time::Duration;

use archmill_farm::replay;
use archmill_plan::scheduler::Code;
use archmill_store::{EndKind, PackageRow, RequestKind, Store};
use rand::{Rng as _, SeedableRng as _};
use tokio::sync::mpsc::unbounded_channel;

use crate::made::{Goes, Made};

/// What ends of its builds a package may have had before the last.
fn is_in_order(goes: Goes, target: &str, before: &[EndKind], last: EndKind) -> bool {
    // One that was cut short while it started may have been told of and not have begun.
    let count = |kind| before.iter().filter(|end| **end == kind).count();
    let others = before.len() - count(EndKind::Lost);
    match goes {
        Goes::Well => last == EndKind::Built && others == 0,
        Goes::Badly => last == EndKind::Failed && others == 0,
        Goes::Slowly if target == "amd64" => last == EndKind::Built && others == 0,
        Goes::Slowly => last == EndKind::Built && others == 1 && count(EndKind::Failed) == 1,
        // Whether somebody saw it die or not.
        Goes::Nowhere => last == EndKind::Built && others == count(EndKind::Transient) && others <= 1,
    }
}

/// The states in the store are those of a scheduler that is told the same again.
async fn assert_told_again(made: &Made, store: &Store, run: i64, rows: &[PackageRow]) {
    let scheduler = replay(store, run, made.farm()).await.unwrap();
    let told: BTreeMap<(String, String), Code> = scheduler
        .graph()
        .jobs()
        .map(|(id, job)| {
            let target = scheduler.graph().made_for(id).to_string();
            ((job.source.to_string(), target), scheduler.state(id).code())
        })
        .collect();
    for row in rows {
        let planned = &row.planned;
        assert_eq!(
            told[&(planned.source.clone(), planned.target.clone())],
            row.state,
            "{planned:?} in run {run}"
        );
    }
}

/// What was built is in the archive, once, and nothing else is.
async fn assert_published(made: &Made, store: &Store) {
    let rows = store.packages(None).await.unwrap();
    let mut published: Vec<_> =
        store.published("made").await.unwrap().iter().map(|row| row.publication.package).collect();
    published.sort_unstable();
    // A toolchain is no package.
    let built = |row: &&PackageRow| row.state == Code::Succeeded && row.planned.source.starts_with('p');
    let mut expected: Vec<_> = rows.iter().filter(built).map(|row| row.id).collect();
    expected.sort_unstable();
    assert_eq!(published, expected);
    for arch in ["amd64", "arm64"] {
        let of_arch = rows.iter().filter(built).filter(|row| row.planned.target == arch);
        let mut sources: Vec<&str> = of_arch.map(|row| row.planned.source.as_str()).collect();
        sources.sort_unstable();
        assert_eq!(made.listed(arch), sources);
    }
}

#[tokio::test]
async fn nothing_is_lost_and_nothing_repeated_and_events_told_again_come_to_the_same() {
    let mut random = rand::rngs::StdRng::seed_from_u64(7);
    let (mut cuts, mut replays, mut farms) = (0, 0, 0);
    // How often one is cut short depends on how fast the machine is.
    while farms < 12 || cuts < 50 {
        farms += 1;
        assert!(farms < 200, "only {cuts} runs of {farms} farms were cut short");
        let goes = [Goes::Well, Goes::Well, Goes::Well, Goes::Badly, Goes::Slowly, Goes::Nowhere];
        // Where each waits for the one before, fewer take as long.
        let self_hosted = farms % 2 == 0;
        let count = if self_hosted { 4 } else { 8 };
        let packages: Vec<Goes> = (0..count).map(|_| goes[random.gen_range(0..goes.len())]).collect();
        let made =
            if self_hosted { Made::self_hosted(packages.clone()) } else { Made::new(packages.clone()) };
        let made = if farms % 3 == 0 { made.with_toolchain(0) } else { made };
        let mut last_run = 0;
        for number in 0.. {
            assert!(number < 1000, "a farm does not come to an end");
            let store = made.store().await;
            let (_sender, mut stops) = unbounded_channel();
            let patience = Duration::from_micros(random.gen_range(0..120_000));
            let run = tokio::time::timeout(patience, made.drive(&store, &mut stops)).await;
            let is_done = run.is_ok();
            if let Ok(result) = run {
                result.unwrap();
            }
            // What the killed one was in the midst of is not finished by it.
            drop(store);
            let store = made.store().await;
            // SQLite works in a thread of its own, also on a commit that nobody waits for any more; with a transaction
            // of one's own that is over.
            store.begin().await.unwrap().commit().await.unwrap();
            let run = store.last_run().await.unwrap().unwrap_or_default();
            let rows = store.packages(None).await.unwrap();
            if run > last_run && !store.events(run).await.unwrap().is_empty() {
                assert_told_again(&made, &store, run, &rows).await;
                replays += 1;
            }
            last_run = run;
            if is_done {
                break;
            }
            cuts += 1;
            if let (Some(row), true) = (rows.first(), random.gen_bool(0.2)) {
                let now = archmill_plan::Moment(1);
                let kind = [RequestKind::Hold, RequestKind::Prioritise][random.gen_range(0..2)];
                store.ask(kind, &row.planned.source, None, "a test", now).await.unwrap();
                store.ask(RequestKind::Release, &row.planned.source, None, "", now).await.unwrap();
            }
        }
        let store = made.store().await;
        for row in store.packages(None).await.unwrap() {
            let number = row.planned.source[1..].parse::<usize>();
            let goes = number.map_or(Goes::Well, |number| packages[number]);
            let expected = if goes == Goes::Badly { Code::Failed } else { Code::Succeeded };
            assert_eq!(row.state, expected, "{row:?}");
            let builds = store.builds_of(row.id).await.unwrap();
            let mut ends: Vec<EndKind> =
                builds.iter().map(|build| build.end.as_ref().unwrap().kind).collect();
            let last = ends.pop().unwrap();
            assert!(
                is_in_order(goes, &row.planned.target, &ends, last),
                "{goes:?} {row:?}: {ends:?} {last:?}"
            );
        }
        assert!(store.underway().await.unwrap().is_empty());
        if self_hosted {
            assert_published(&made, &store).await;
        }
    }
    println!("{cuts} runs of {farms} farms were cut short, the events of {replays} told again");
}
