//! `archmill debug`

use anyhow::{Context as _, bail};
use archmill_build::job::{self, Kept, Session};
use archmill_sandbox::cleanup::WorkFolder;

use super::End;
use crate::cli::DebugArgs;
use crate::setup;
use crate::ui::Terminal;

/// Where QEMU waits for gdb, in the sandbox: a folder that the build user may write to.
const SOCKET: &str = "/tmp/archmill-gdb";

/// A shell, or a command, in the root that the last failed build left.
pub(crate) fn run(args: &DebugArgs) -> anyhow::Result<End> {
    let setup = setup::named_inputs(&args.places)?;
    let terminal = Terminal::new(true, true);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    let arch = args.arch.as_deref().map(|name| setup::architecture(Some(name))).transpose()?;
    let (kept, folder) =
        Kept::last(&session, args.source.as_deref(), arch.map(|arch| arch.debian)).map_err(setup::Mistake)?;
    setup::terminal_for("debug", &args.command)?;
    if (args.strace || args.gdb) && !kept.emulated() {
        bail!(
            "{} for {} runs without QEMU: use gdb and strace of the root, or of this host",
            kept.package,
            kept.arch
        );
    }
    let mut settings = kept.settings();
    if args.strace {
        settings.push(("QEMU_STRACE".to_owned(), "1".to_owned()));
    }
    if args.gdb {
        settings.push(("QEMU_GDB".to_owned(), SOCKET.to_owned()));
    }
    let work =
        WorkFolder::create(&session.folder("work"), &session.map).context("cannot make a working folder")?;
    let status = kept.open(&session, &folder, &work).and_then(|mut sandbox| {
        // What an earlier session left would be in the way.
        let _ = sandbox.remove(SOCKET);
        introduce(&kept, args.command.first().filter(|_| args.gdb), sandbox.pid());
        let status = job::interactive(&mut sandbox, &settings, &kept.folder, args.root, &args.command);
        sandbox.finish();
        status
    });
    session.remove(&[work.path().to_owned()]).map_err(anyhow::Error::msg)?;
    Ok(End::of(status?))
}

/// `traced` is the program that waits for gdb.
fn introduce(kept: &Kept, traced: Option<&String>, pid: u32) {
    remark!("{} {} for {} failed so:", kept.package, kept.version, kept.arch);
    for line in &kept.relevant_lines {
        remark!("  {line}");
    }
    remark!("command: {}", kept.argv.join(" "));
    remark!("folder:  {}", kept.folder.display());
    if let Some(program) = traced {
        let root = format!("/proc/{pid}/root");
        // One that is looked up in PATH, or from the folder, is for the reader to find.
        let program = if program.starts_with('/') { program } else { "/PATH/OF/PROGRAM" };
        remark!(
            "gdb, on this host: gdb-multiarch -ex 'set sysroot {root}' -ex 'target remote {root}{SOCKET}' {root}{program}"
        );
    } else if kept.emulated() {
        remark!(
            "QEMU prints system calls of what runs with QEMU_STRACE=1 set, and waits for gdb with QEMU_GDB=SOCKET;"
        );
        remark!(
            "seen from this host SOCKET is below /proc/{pid}/root, for gdb-multiarch's \"target remote\"."
        );
    }
}
