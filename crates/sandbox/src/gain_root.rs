//! Root for `dpkg-buildpackage -r`, without fakeroot and without set-uid: a client inside asks the supervisor.
//!
//! A client can be hostile, and gets no more than root of a command's own namespaces, in a root file system that the
//! supervisor itself lives in: no path, however it is raced with links, leads anywhere else. Each client has a broker,
//! a child of the supervisor, which alone listens to it.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixListener;

use crate::broker::{Broker, Turns};
use crate::launch::Inner;
use crate::process::{close_all_but, fork_with};
use crate::seccomp::Watch;
use crate::socket::Channel;
use crate::spec::GainRoot;

/// Where the client finds the supervisor.
pub const SOCKET: &str = "/run/archmill/root";

/// The client, a script for the perl that every Debian root has (perl-base is essential), so that no program of
/// the host's needs to be in the root. It sends its arguments, passes signals on and ends as the command ended.
pub const CLIENT: &str = r#"#!/usr/bin/perl
use strict;
use Socket;
use Errno;
@ARGV or die "usage: gain-root COMMAND [ARGUMENT...]\n";
socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die "gain-root: socket: $!\n";
connect($socket, pack_sockaddr_un("/run/archmill/root")) or die "gain-root: cannot reach the supervisor: $!\n";
$SIG{PIPE} = "IGNORE";
sub all { my ($bytes) = @_; while (length $bytes) { my $n = syswrite($socket, $bytes) // ($!{EINTR} ? 0 : return); substr($bytes, 0, $n) = ""; } }
my $words = join("\0", @ARGV);
all(pack("N", length($words)) . $words);
foreach my $name (qw(HUP INT QUIT TERM USR1 USR2)) { $SIG{$name} = sub { all("$name\n"); }; }
my $answer = "";
while (1) {
    my $n = sysread($socket, my $part, 64);
    if (!defined $n) { next if $!{EINTR}; last; }
    last if $n == 0;
    $answer .= $part;
}
if ($answer =~ /^exit (\d+)/) { exit $1; }
if ($answer =~ /^signal (\d+)/) { $SIG{$_} = "DEFAULT" foreach (qw(HUP INT QUIT TERM USR1 USR2)); kill $1, $$; sleep 1; exit 128 + $1; }
die "gain-root: " . ($answer || "the supervisor is gone") . "\n";
"#;

/// Clients that are served at a time; others wait in the socket's queue.
const MOST_CLIENTS: usize = 64;

pub(crate) struct Service {
    config: GainRoot,
    listener: UnixListener,
    turns: Turns,
    watch: Watch,
    /// By process id; the channel brings the listener of the command's processes.
    brokers: HashMap<i32, Channel>,
}

impl Service {
    pub(crate) fn new(config: GainRoot, watch: Watch) -> io::Result<Self> {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::create_dir_all("/run/archmill")?;
        // The root of a failed build still has that of its own sandbox.
        let _ = std::fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET)?;
        listener.set_nonblocking(true)?;
        std::fs::set_permissions(SOCKET, std::fs::Permissions::from_mode(0o666))?;
        Ok(Self { config, listener, turns: Turns::new()?, watch, brokers: HashMap::new() })
    }

    /// What to wait on for clients, unless there are enough.
    pub(crate) fn listener(&self) -> Option<BorrowedFd<'_>> {
        (self.brokers.len() < MOST_CLIENTS).then(|| self.listener.as_fd())
    }

    /// What to wait on for words of brokers.
    pub(crate) fn channels(&self) -> impl Iterator<Item = (i32, BorrowedFd<'_>)> {
        self.brokers.iter().map(|(pid, channel)| (*pid, channel.as_fd()))
    }

    /// Takes a client and starts its broker, for a command in the namespaces `inner`.
    pub(crate) fn accept(&mut self, inner: &Inner) {
        let Ok((client, _)) = self.listener.accept() else { return };
        let Ok((ours, theirs)) = Channel::pair() else { return };
        let mut kept: Vec<i32> = [client.as_fd(), theirs.as_fd()]
            .into_iter()
            .chain(self.turns.fds())
            .chain(inner.fds())
            .map(|fd| fd.as_raw_fd())
            .collect();
        let (config, turns, watch) = (&self.config, &self.turns, self.watch);
        let broker = fork_with(move || {
            close_all_but(&mut kept);
            Broker { client, config, turns, inner, watch, channel: theirs }.run()
        });
        if let Ok(pid) = broker {
            self.brokers.insert(pid, ours);
        }
    }

    /// A word of a broker: the listener for its command's processes.
    pub(crate) fn listener_of(&mut self, pid: i32) -> Option<OwnedFd> {
        let channel = self.brokers.get(&pid)?;
        match channel.receive::<()>() {
            Ok(Some(((), mut fds))) => fds.pop(),
            // The broker will be reaped.
            _ => None,
        }
    }

    /// A process ended; whether it was a broker.
    pub(crate) fn finished(&mut self, pid: i32) -> bool {
        self.brokers.remove(&pid).is_some()
    }

    /// All processes are gone: what brokers that were killed left half done is put right.
    pub(crate) fn put_right(&mut self) {
        self.brokers.clear();
        let _ = self.turns.leave(&self.config);
    }
}
