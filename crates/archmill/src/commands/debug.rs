//! `archmill debug`

use anyhow::{Context as _, bail};
use archmill_archive::Mirror;
use archmill_build::classify::ExitCode;
use archmill_build::job::{self, Kept, Session, Setup, default_cache};
use archmill_sandbox::{Status, cleanup::WorkFolder};

use crate::cli::DebugArgs;
use crate::setup;
use crate::ui::Terminal;

/// Where QEMU waits for gdb, in the sandbox: a folder that the build user may write to.
const SOCKET: &str = "/tmp/archmill-gdb";

/// A shell, or a command, in the root that the last failed build left.
pub(crate) fn run(args: &DebugArgs) -> anyhow::Result<ExitCode> {
    let setup = Setup {
        cache: args.cache.clone().unwrap_or_else(default_cache),
        mirror: Mirror::given("", None),
        keyring: None,
        repositories: Vec::new(),
        extra_packages: Vec::new(),
        ignore_valid_until: false,
        allow_unsigned: false,
        qemu_suite: None,
        qemu_cpu: None,
        twin_rules: Vec::new(),
        without_twins: Vec::new(),
    };
    let terminal = Terminal::new(true, true);
    let session = Session::open(setup, &terminal, setup::canceller())?;
    let arch = args.arch.as_deref().map(|name| setup::architecture(Some(name))).transpose()?;
    let (kept, folder) = Kept::last(&session, args.source.as_deref(), arch.map(|arch| arch.debian))
        .map_err(anyhow::Error::msg)?;
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
        introduce(&kept, args.gdb, sandbox.pid());
        let status = job::interactive(&mut sandbox, &settings, &kept.folder, args.root, &args.command);
        sandbox.finish();
        status
    });
    session.remove(&[work.path().to_owned()]).map_err(anyhow::Error::msg)?;
    Ok(match status? {
        Status::Exited(0) => ExitCode::Success,
        Status::Cancelled => ExitCode::Cancelled,
        _ => ExitCode::Other,
    })
}

fn introduce(kept: &Kept, gdb: bool, pid: u32) {
    eprintln!("{} {} for {} failed so:", kept.package, kept.version, kept.arch);
    for line in &kept.relevant_lines {
        eprintln!("  {line}");
    }
    eprintln!("command: {}", kept.argv.join(" "));
    eprintln!("folder:  {}", kept.folder.display());
    if gdb {
        let root = format!("/proc/{pid}/root");
        eprintln!(
            "gdb, on this host: gdb-multiarch -ex 'set sysroot {root}' -ex 'target remote {root}{SOCKET}' {root}PROGRAM"
        );
    } else if kept.emulated() {
        eprintln!(
            "QEMU prints system calls of what runs with QEMU_STRACE=1 set, and waits for gdb with QEMU_GDB=SOCKET;"
        );
        eprintln!(
            "seen from this host SOCKET is below /proc/{pid}/root, for gdb-multiarch's \"target remote\"."
        );
    }
}
