//! Sandboxes out of Linux namespaces: user, mount, PID, IPC, UTS, network and cgroup, for root and for ordinary users.
//!
//! It knows nothing of Debian. The process tree, which the modules follow:
//!
//! - the caller: [`Sandbox`] and [`run_task`], with [`IdMap`] for the ids that a namespace gets;
//! - a copy of the program in new namespaces ([`init`]), which either runs a [`Task`] with the host's mounts, or
//! - sets up mounts and forks PID 1, the supervisor, which runs commands, watches limits, accounts for CPU time by
//!   executable, and serves gain-root ([`GAIN_ROOT_CLIENT`]).
//!
//! When the caller dies its end of a socket closes, the supervisor ends, and with PID 1 the kernel ends all the rest.

mod accounting;
mod broker;
mod cgroup;
pub mod cleanup;
mod disk;
mod files;
mod gain_root;
mod hierarchy;
mod host;
mod host_binfmt;
mod idmap;
mod inside;
mod kernel;
mod launch;
mod memory;
mod mounts;
pub mod probe;
mod process;
mod program;
mod protocol;
mod reexec;
mod remote_files;
mod sandbox;
mod seccomp;
mod socket;
mod spec;
mod supervisor;
mod task;
mod terminal;
mod tree;
mod uname;
mod watch;

pub use gain_root::{CLIENT as GAIN_ROOT_CLIENT, SOCKET as GAIN_ROOT_SOCKET};
pub use host_binfmt::{HostBinfmtError, HostEntries, remove_stale as remove_stale_host_entries};
pub use idmap::{IdMap, IdMapError};
pub use kernel::KernelVersion;
pub use process::cpu_used;
pub use reexec::{StartError, init};
pub use sandbox::{Canceller, HostUse, Sandbox, SandboxError};
pub use spec::{
    Binfmt, Command, ExecutableUsage, Exit, GainRoot, LimitKind, Limits, Mount, MountSource, RootFs,
    SandboxSpec, Status, Uname, Upper,
};
pub use task::{Task, TaskError, run_task, run_task_until};
