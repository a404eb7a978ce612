//! Functions that run as root of a namespace with the host's mounts.

use std::path::PathBuf;
use std::time::Duration;

use archmill_sandbox::{Canceller, HostEntries, Task, TaskError, run_task, run_task_until};
use serde_json::{Value, json};

use crate::world::{base, is_root, map};

pub(crate) const TASKS: &[(&str, Task)] = &[
    ("remove", remove),
    ("count", count),
    ("fail", |_, _| Err("as it should".to_owned())),
    ("panic", |_, _| panic!("with a message")),
    ("abort", |_, _| std::process::abort()),
    ("wait", wait),
    ("own", own),
    ("host-binfmt", crate::binfmt::in_a_namespace),
];

fn remove(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let folder: PathBuf = serde_json::from_value(args).map_err(|error| error.to_string())?;
    for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
        let removed = if entry.path().is_dir() && !entry.path().is_symlink() {
            std::fs::remove_dir_all(entry.path())
        } else {
            std::fs::remove_file(entry.path())
        };
        if let Err(error) = removed {
            eprintln!("{}: {error}", entry.path().display());
        }
    }
    Ok(Value::Null)
}

fn count(args: Value, emit: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let to = args.as_u64().ok_or("no number")?;
    for number in 0..to {
        emit(json!(number));
    }
    Ok(json!({ "counted": to, "text": "x".repeat(1 << 20) }))
}

fn wait(args: Value, emit: &mut dyn FnMut(Value)) -> Result<Value, String> {
    emit(json!(std::process::id()));
    std::thread::sleep(Duration::from_secs(args.as_u64().unwrap_or(600)));
    Ok(Value::Null)
}

fn own(args: Value, _: &mut dyn FnMut(Value)) -> Result<Value, String> {
    let path = args.as_str().ok_or("no path")?;
    std::fs::write(path, "").map_err(|error| error.to_string())?;
    std::os::unix::fs::chown(path, Some(2952), Some(12)).map_err(|error| error.to_string())?;
    Ok(json!([rustix::process::getuid().as_raw(), rustix::process::getgid().as_raw()]))
}

fn a_task_tells_of_its_progress_and_its_result_may_be_long() {
    let mut events = Vec::new();
    let result = run_task(&map(), "count", &json!(1000), &mut |event| events.push(event)).unwrap();
    assert_eq!(result["counted"], 1000);
    assert_eq!(result["text"].as_str().unwrap().len(), 1 << 20);
    assert_eq!(events, (0..1000).map(Value::from).collect::<Vec<_>>());
}

fn a_task_is_root_that_owns_files_of_any_id_and_is_nobody_outside() {
    use std::os::unix::fs::MetadataExt as _;
    let folder = base().join("task-owner");
    map().create_folder(&folder).unwrap();
    let path = folder.join("file");
    assert_eq!(run_task(&map(), "own", &json!(path), &mut |_| {}).unwrap(), json!([0, 0]));
    let meta = std::fs::metadata(&path).unwrap();
    assert_eq!((meta.uid(), meta.gid()), (map().host_uid(2952), map().host_gid(12)));
    if is_root() {
        assert!(run_task(&map(), "own", &json!("/etc/archmill-must-not-be"), &mut |_| {}).is_err());
        assert!(!std::path::Path::new("/etc/archmill-must-not-be").exists());
    }
}

fn errors_and_panics_and_deaths_of_a_task_are_told_apart() {
    let error = |name: &str| run_task(&map(), name, &Value::Null, &mut |_| {}).unwrap_err();
    assert!(matches!(error("fail"), TaskError::Failed(text) if text == "as it should"));
    assert!(matches!(error("panic"), TaskError::Failed(text) if text == "panic panicked: with a message"));
    let died = error("abort");
    assert!(matches!(died, TaskError::Died(..)), "{died}");
    assert!(died.to_string().contains("SIGABRT"), "{died}");
    assert!(matches!(error("unknown"), TaskError::Failed(text) if text == "there is no task unknown"));
}

fn a_task_ends_when_its_caller_wants_it() {
    let canceller = Canceller::default();
    let result = run_task_until(&map(), "wait", &json!(600), &mut |_| canceller.cancel(), &canceller);
    assert!(matches!(result, Err(TaskError::Cancelled)), "{result:?}");
}

/// For the type that the tests of binfmt need.
pub(crate) type Entries = HostEntries;

crate::tests![
    a_task_tells_of_its_progress_and_its_result_may_be_long,
    a_task_is_root_that_owns_files_of_any_id_and_is_nobody_outside,
    errors_and_panics_and_deaths_of_a_task_are_told_apart,
    a_task_ends_when_its_caller_wants_it,
];
