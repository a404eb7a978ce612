//! `archmill shell`

use anyhow::Context as _;
use archmill_build::job::{self, Draft, Session};
use archmill_sandbox::cleanup::WorkFolder;

use super::End;
use crate::cli::ShellArgs;
use crate::setup;
use crate::ui::Terminal;

/// A shell where the package would be built, with its source unpacked.
pub(crate) fn run(args: &ShellArgs) -> anyhow::Result<End> {
    setup::terminal_for("shell", &args.command)?;
    let (setup, config) = setup::setup(&args.archive)?;
    let request = setup::request(&args.source, &args.archive, &config)?;
    job::check(&setup, &request)?;
    let terminal = Terminal::new(true, true);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    let mut draft = Draft::default();
    let plan = job::plan(&session, &request, &mut draft)?;
    let mut log = Vec::new();
    let root = job::make_root(&session, &request, &plan, &mut draft.phases, &mut |bytes| {
        log.extend_from_slice(bytes);
    });
    let root = root.inspect_err(|_| remark!("{}", String::from_utf8_lossy(&log).trim_end()))?;
    let work =
        WorkFolder::create(&session.folder("work"), &session.map).context("cannot make a working folder")?;
    let mut sandbox = job::open_sandbox(&session, &request, &plan, &root, &work)?;
    let folder = if args.no_source {
        "/build".into()
    } else {
        job::unpack_source(&session, &request, &plan, &mut sandbox, &mut |_| {})?.0
    };
    let environment = job::build_environment(&request, &plan, &folder);
    let status = job::interactive(&mut sandbox, &environment, &folder, args.root, &args.command);
    sandbox.finish();
    session.remove(&[work.path().to_owned()]).map_err(anyhow::Error::msg)?;
    Ok(End::of(status?))
}
