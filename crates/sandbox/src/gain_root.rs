//! Root for `dpkg-buildpackage -r`, without fakeroot and without set-uid: a client inside asks the supervisor.
//!
//! A client can be hostile, and gets no more than root of a namespace that is nobody outside, in a root file
//! system that the supervisor itself lives in: no path, however it is raced with links, leads anywhere else.

use std::collections::HashMap;
use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use crate::files::change_owner;
use crate::process::{fork_with, steal_fd};
use crate::spec::GainRoot;

/// Where the client finds the supervisor.
pub const SOCKET: &str = "/run/archmill/root";

/// The client, a script for the perl that every Debian root has (perl-base is essential), so that no program of
/// the host's needs to be in the root. It sends its arguments and ends as the command ended.
pub const CLIENT: &str = r#"#!/usr/bin/perl
use strict;
use Socket;
@ARGV or die "usage: gain-root COMMAND [ARGUMENT...]\n";
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "gain-root: socket: $!\n";
connect($socket, pack_sockaddr_un("/run/archmill/root")) or die "gain-root: cannot reach the supervisor: $!\n";
my $words = join("\0", @ARGV);
syswrite($socket, pack("N", length($words)) . $words) // die "gain-root: $!\n";
my $answer = "";
while (sysread($socket, my $part, 64)) { $answer .= $part; }
if ($answer =~ /^exit (\d+)/) { exit $1; }
if ($answer =~ /^signal (\d+)/) { kill $1, $$; sleep 1; exit 128 + $1; }
die "gain-root: " . ($answer || "the supervisor is gone") . "\n";
"#;

/// Longest command line.
const LONGEST: u32 = 1 << 20;

pub(crate) struct Service {
    config: GainRoot,
    listener: UnixListener,
    waiting: HashMap<i32, Waiting>,
}

struct Waiting {
    client: UnixStream,
    /// Whether the tree was given to root for this command.
    owns_tree: bool,
}

struct Ask {
    argv: Vec<String>,
    env: Vec<(String, String)>,
    cwd: PathBuf,
    fds: [OwnedFd; 3],
    uid: u32,
}

impl Service {
    pub(crate) fn new(config: GainRoot) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::create_dir_all("/run/archmill")?;
        // The root of a failed build still has that of its own sandbox.
        let _ = std::fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET)?;
        std::fs::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o666))?;
        Ok(Self { config, listener, waiting: HashMap::new() })
    }

    /// Takes a client and starts its command.
    pub(crate) fn accept(&mut self, _account: bool) {
        let Ok((mut client, _)) = self.listener.accept() else { return };
        match self.ask(&mut client).and_then(|ask| self.start(ask)) {
            Ok((pid, owns_tree)) => {
                self.waiting.insert(pid, Waiting { client, owns_tree });
            }
            Err(error) => {
                let _ = write!(client, "{error}");
            }
        }
    }

    fn ask(&self, client: &mut UnixStream) -> io::Result<Ask> {
        // A client that connects and says nothing must not hold up the supervisor.
        client.set_read_timeout(Some(Duration::from_secs(5)))?;
        let peer = rustix::net::sockopt::socket_peercred(&*client)?;
        let (pid, uid) = (peer.pid.as_raw_nonzero().get(), peer.uid.as_raw());
        if uid != self.config.uid && uid != 0 {
            return Err(io::Error::other("only the build user may ask for root"));
        }
        let mut length = [0; 4];
        client.read_exact(&mut length)?;
        let length = u32::from_be_bytes(length);
        if length > LONGEST {
            return Err(io::Error::other("the command line is too long"));
        }
        let mut words = vec![0; length as usize];
        client.read_exact(&mut words)?;
        let text = |bytes: &[u8]| {
            String::from_utf8(bytes.to_vec())
                .map_err(|_| io::Error::other("a word of the command is not UTF-8"))
        };
        let environ = std::fs::read(format!("/proc/{pid}/environ"))?;
        let env = environ.split(|byte| *byte == 0).filter_map(|entry| {
            let entry = std::str::from_utf8(entry).ok()?;
            entry.split_once('=').map(|(name, value)| (name.to_owned(), value.to_owned()))
        });
        Ok(Ask {
            argv: words.split(|byte| *byte == 0).map(text).collect::<Result<_, _>>()?,
            env: env.collect(),
            cwd: std::fs::read_link(format!("/proc/{pid}/cwd"))?,
            fds: [steal_fd(pid, 0)?, steal_fd(pid, 1)?, steal_fd(pid, 2)?],
            uid,
        })
    }

    fn start(&self, ask: Ask) -> io::Result<(i32, bool)> {
        let owns_tree = ask.uid != 0 && !self.waiting.values().any(|waiting| waiting.owns_tree);
        if owns_tree {
            let GainRoot { uid, gid, tree } = &self.config;
            change_owner(tree, (*uid, *gid), (0, 0));
        }
        let pid = fork_with(move || run(ask))?;
        Ok((pid, owns_tree))
    }

    /// A process ended; whether it was one of these.
    pub(crate) fn finished(&mut self, pid: i32, wait_status: i32) -> bool {
        let Some(mut waiting) = self.waiting.remove(&pid) else { return false };
        if waiting.owns_tree {
            let GainRoot { uid, gid, tree } = &self.config;
            change_owner(tree, (0, 0), (*uid, *gid));
        }
        let _ = if libc::WIFSIGNALED(wait_status) {
            write!(waiting.client, "signal {}", libc::WTERMSIG(wait_status))
        } else {
            write!(waiting.client, "exit {}", libc::WEXITSTATUS(wait_status))
        };
        true
    }
}

impl AsFd for Service {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.listener.as_fd()
    }
}

/// In the child: the command as root, with what the client lent.
fn run(ask: Ask) -> io::Error {
    use std::os::unix::process::CommandExt as _;
    let [stdin, stdout, stderr] = ask.fds;
    let Some((program, args)) = ask.argv.split_first() else { return io::Error::other("no command") };
    std::process::Command::new(program)
        .args(args)
        .env_clear()
        .envs(ask.env)
        .current_dir(ask.cwd)
        .stdin(stdin)
        .stdout(stdout)
        .stderr(stderr)
        .exec()
}
