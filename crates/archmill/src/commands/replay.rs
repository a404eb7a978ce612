//! `archmill replay`

use archmill_build::classify::ExitCode;
use archmill_build::job::{self, Hooks, Request, Session};
use archmill_build::record::{self, Artifact, BuildRecord};

use super::build::{Output, build};
use crate::cli::ReplayArgs;
use crate::setup;
use crate::ui::Terminal;

/// Builds from the inputs of a record, and compares what comes out with what came out then.
pub(crate) fn run(args: &ReplayArgs) -> anyhow::Result<ExitCode> {
    setup::results(args.out.as_deref())?;
    let recorded = record::read(&args.record).map_err(|error| setup::Mistake(error.to_string()))?;
    let request = Request::of_record(&recorded)?;
    let setup = setup::named_inputs(&args.places)?;
    let mirror = setup::mirror_instead(args.mirror.as_deref(), args.security_mirror.as_deref())?;
    let terminal = Terminal::new(args.quiet, args.json);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    let hooks = Hooks { list: hooks_in_the_root(&recorded) };
    let output = Output { out: args.out.clone(), json: args.json, shell_on_failure: false };
    let (code, made) = build(&session, &request, &hooks, &output, &terminal, &|session, request, draft| {
        job::plan_of_record(session, request, &recorded, mirror.as_ref(), draft)
    })?;
    if code == ExitCode::Success {
        compare(&recorded, &made);
    }
    Ok(code)
}

/// Hooks of the recorded build, without those that ran on its host: a record may be anybody's, and reading one must not
/// run commands here.
fn hooks_in_the_root(recorded: &BuildRecord) -> Vec<(String, String)> {
    let (on_host, in_root): (Vec<_>, Vec<_>) =
        recorded.request.hooks.iter().cloned().partition(|(phase, _)| phase.starts_with("host-"));
    for (phase, command) in on_host {
        remark!("archmill: a hook that the record has for its host is not run here: {phase}={command}");
    }
    in_root
}

/// Says whether the packages are the same to the bit; .changes and .buildinfo hold the time of the build.
fn compare(recorded: &BuildRecord, made: &BuildRecord) {
    let package =
        |artifact: &&Artifact| [".deb", ".udeb", ".ddeb"].iter().any(|end| artifact.name.ends_with(end));
    for old in recorded.artifacts.iter().filter(package) {
        match made.artifacts.iter().find(|new| new.name == old.name) {
            Some(new) if new.sha256 == old.sha256 => remark!("archmill: {}: the same bits", old.name),
            Some(_) => remark!("archmill: {}: differs from the recorded build", old.name),
            None => remark!("archmill: {}: was not built this time", old.name),
        }
    }
}
