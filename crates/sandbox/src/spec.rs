//! What a sandbox is made of, and what is run in it. Everything here crosses to the re-executed copy as JSON.

use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The root file system: read-only layers and a writable one on top.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RootFs {
    /// Layers, the topmost first.
    pub lower: Vec<PathBuf>,
    /// An empty folder owned by the namespace's root, where the root is mounted.
    pub mountpoint: PathBuf,
    /// Where writes go.
    pub upper: Upper,
}

/// The writable layer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Upper {
    /// Two folders on one file system, owned by the namespace's root.
    Folder {
        /// What is written.
        upper: PathBuf,
        /// overlayfs' own; empty.
        work: PathBuf,
        /// Leave out all syncing: a crash of the machine makes the folder useless.
        volatile: bool,
    },
    /// Memory, gone with the sandbox.
    Memory {
        /// At most so many bytes. Where there is a limit on disk space, see [`Upper::memory_above`].
        size: u64,
        /// Folders below the root that are this memory itself, empty at first, and no part of the overlay. In an overlay over
        /// two file systems a new file has another device number than its folder, and `tar --one-file-system` or `find -xdev`
        /// leave it out.
        own: Vec<PathBuf>,
    },
}

impl Upper {
    /// Memory, for builds with this limit on disk space in bytes: there is somewhat more, so that who writes too much
    /// is ended by the limit before it fails for want of space.
    pub fn memory_above(limit: u64, own: Vec<PathBuf>) -> Self {
        Self::Memory { size: limit.saturating_add((limit / 8).max(64 << 20)), own }
    }
}

/// Something mounted in the root besides /proc, /sys and /dev.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// Where, below the root, without leading slash. Made if it is not there.
    pub target: PathBuf,
    /// What.
    pub source: MountSource,
}

/// What is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountSource {
    /// A file or folder of the host.
    Bind {
        /// Its path on the host.
        from: PathBuf,
        /// Whether it may be written to. If so, it counts as disk space.
        writable: bool,
    },
    /// A tmpfs of at most so many bytes, with permission bits.
    Tmpfs {
        /// Size in bytes.
        size: u64,
        /// Permission bits of its root folder.
        mode: u32,
    },
}

/// An entry for the namespace's own binfmt_misc.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binfmt {
    /// Name of the entry.
    pub name: String,
    /// The whole line for the `register` file.
    pub line: String,
    /// The interpreter in that line, a path on the host.
    pub interpreter: PathBuf,
}

/// All of a sandbox.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SandboxSpec {
    /// Root file system.
    pub root: RootFs,
    /// Further mounts.
    pub mounts: Vec<Mount>,
    /// Host name inside.
    pub hostname: String,
    /// binfmt_misc entries; none leaves the kernel's binfmt_misc alone.
    pub binfmt: Vec<Binfmt>,
    /// Run as 32-bit personality (`uname -m` answers for the 32-bit sibling of the CPU).
    pub personality_32: bool,
    /// Account CPU time by executable.
    pub account_executables: bool,
    /// Who may ask for root with the gain-root client, and which tree goes with it.
    pub gain_root: Option<GainRoot>,
    /// What uname(2) answers to native programs, where it is not what the kernel says.
    #[serde(default)]
    pub uname: Option<Uname>,
    /// What is in /proc/cpuinfo, where it is not what the kernel says.
    #[serde(default)]
    pub cpuinfo: Option<String>,
}

/// Names of the system, for native programs in a root of another architecture. The others stay the kernel's: QEMU's user
/// emulation passes those on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Uname {
    /// The machine (`uname -m`), at most 64 bytes.
    pub machine: String,
}

/// The gain-root service.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GainRoot {
    /// The build user.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
    /// Tree that belongs to root while a command runs as root, and to the build user again afterwards.
    pub tree: PathBuf,
}

/// A command to run inside.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Command {
    /// Program (searched in PATH of `env`) and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    pub env: Vec<(String, String)>,
    /// Working folder.
    pub cwd: PathBuf,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// File mode creation mask.
    pub umask: u32,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
}

/// What a command may use.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time altogether.
    pub total: Option<Duration>,
    /// Time without output.
    pub silence: Option<Duration>,
    /// Memory of all processes, in bytes: what the control group counts, and what processes have that no file
    /// stands behind.
    pub memory: Option<u64>,
    /// Processes and threads at a time.
    pub processes: Option<u64>,
    /// Bytes that the upper layer and writable mounts hold.
    pub disk: Option<u64>,
    /// Bytes of output.
    pub log: Option<u64>,
}

/// Which limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitKind {
    /// Total time.
    Total,
    /// Silence.
    Silence,
    /// Memory.
    Memory,
    /// Processes.
    Processes,
    /// Disk.
    Disk,
    /// Log size.
    Log,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// By itself, with this code.
    Exited(i32),
    /// By this signal.
    Signaled(i32),
    /// It reached a limit and was ended.
    Limit(LimitKind),
    /// The caller cancelled it.
    Cancelled,
}

impl Status {
    /// Whether it exited with 0.
    pub fn success(self) -> bool {
        self == Self::Exited(0)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited(code) => write!(f, "exit status {code}"),
            Self::Signaled(signal) => write!(f, "killed by signal {signal}"),
            Self::Limit(kind) => write!(
                f,
                "ended by the limit on {}",
                match kind {
                    LimitKind::Total => "total time",
                    LimitKind::Silence => "time without output",
                    LimitKind::Memory => "memory",
                    LimitKind::Processes => "processes",
                    LimitKind::Disk => "disk space",
                    LimitKind::Log => "log size",
                }
            ),
            Self::Cancelled => f.write_str("cancelled"),
        }
    }
}

/// What a command used.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Exit {
    /// How it ended.
    pub status: Status,
    /// Time from start to end.
    pub wall: Duration,
    /// User CPU time, all processes and the supervisor.
    pub cpu_user: Duration,
    /// System CPU time, all processes and the supervisor.
    pub cpu_system: Duration,
    /// Most memory of all processes together, in bytes. With a control group it is the kernel's own count
    /// (memory.max_usage_in_bytes, memory.peak), which has files in memory in it that could have been dropped; without, a
    /// sample four times a second of what no file stands behind.
    pub peak_memory: u64,
    /// What was written and is still there when the command ends, in bytes on disk; counted where executables are
    /// accounted for, else 0.
    pub disk: u64,
    /// CPU time by executable, the costliest first.
    pub executables: Vec<ExecutableUsage>,
}

/// CPU time of all processes of one program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExecutableUsage {
    /// Path inside the root; of emulated programs that of the program, not of the emulator.
    pub path: String,
    /// How many processes.
    pub count: u64,
    /// User and system CPU time.
    pub cpu: Duration,
    /// Whether the CPU ran it itself. False for what emulators ran, and for what was not seen.
    #[serde(default)]
    pub native: bool,
}
