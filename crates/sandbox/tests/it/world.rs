//! A root of busybox, and sandboxes over it.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock};

use archmill_sandbox::{
    Canceller, Command, Exit, GAIN_ROOT_CLIENT, GainRoot, HostUse, IdMap, Limits, Mount, MountSource, RootFs,
    Sandbox, SandboxError, SandboxSpec, Status, Upper, run_task,
};

/// The build user.
pub(crate) const USER: u32 = 2952;

static BASE: OnceLock<PathBuf> = OnceLock::new();
static COUNT: Mutex<u32> = Mutex::new(0);

pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub(crate) fn map() -> IdMap {
    IdMap::detect().expect("an id mapping")
}

/// The folder of this run, and the root in it.
pub(crate) fn base() -> &'static Path {
    BASE.get_or_init(|| {
        let base = std::env::temp_dir().join(format!("archmill-it-{}", std::process::id()));
        let map = map();
        map.create_folder(&base).unwrap();
        make_root(&base.join("root"));
        base
    })
}

fn make_root(root: &Path) {
    for name in ["bin", "etc", "build", "tmp", "run", "lib", "usr", "root", "var/tmp", "host"] {
        fs::create_dir_all(root.join(name)).unwrap();
    }
    fs::set_permissions(root.join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    let busybox = ["/usr/bin/busybox", "/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    let busybox = busybox.expect("busybox-static must be installed: apt-get install busybox-static");
    fs::copy(busybox, root.join("bin/busybox")).unwrap();
    let list = std::process::Command::new(busybox).arg("--list").output().unwrap();
    for applet in String::from_utf8(list.stdout).unwrap().lines().filter(|name| *name != "busybox") {
        symlink("busybox", root.join("bin").join(applet)).unwrap();
    }
    fs::write(root.join("etc/passwd"), "root:x:0:0::/root:/bin/sh\nbuildd:x:2952:2952::/build:/bin/sh\n")
        .unwrap();
    fs::write(root.join("etc/group"), "root:x:0:\nbuildd:x:2952:\n").unwrap();
    symlink("usr/lib64", root.join("lib64")).unwrap();
    fs::remove_dir(root.join("lib")).unwrap();
    symlink("usr/lib", root.join("lib")).unwrap();
    if is_root() {
        // As layers are: of the namespace's root.
        let owner = format!("{}:{}", map().host_uid(0), map().host_gid(0));
        let status = std::process::Command::new("chown").args(["-Rh", &owner]).arg(root).status();
        assert!(status.unwrap().success());
    }
}

/// Removes it all. Files of mapped owners need a task.
pub(crate) fn clean() {
    if let Some(base) = BASE.get() {
        remove(base);
    }
}

pub(crate) fn remove(folder: &Path) {
    if !is_root() {
        run_task(&map(), "remove", &serde_json::json!(folder), &mut |_| {}).unwrap();
    }
    let _ = fs::remove_dir_all(folder);
    assert!(!folder.exists(), "{} is still there", folder.display());
}

/// What a sandbox is made of; changed as a test likes.
pub(crate) struct World {
    pub(crate) folder: PathBuf,
    pub(crate) spec: SandboxSpec,
    pub(crate) host: HostUse,
    pub(crate) canceller: Canceller,
}

impl World {
    pub(crate) fn new() -> Self {
        let number = {
            let mut count = COUNT.lock().unwrap();
            *count += 1;
            *count
        };
        let folder = base().join(format!("world-{number}"));
        let map = map();
        map.create_folder(&folder).unwrap();
        let part = |name: &str| {
            let path = folder.join(name);
            map.create_folder(&path).unwrap();
            path
        };
        let spec = SandboxSpec {
            root: RootFs {
                lower: vec![base().join("root")],
                mountpoint: part("mnt"),
                upper: Upper::Folder { upper: part("upper"), work: part("work"), volatile: true },
            },
            mounts: Vec::new(),
            hostname: "archmill".to_owned(),
            binfmt: Vec::new(),
            personality_32: false,
            account_executables: true,
            gain_root: None,
            uname: None,
            cpuinfo: None,
        };
        Self { folder, spec, host: HostUse::default(), canceller: Canceller::default() }
    }

    /// With gain-root for /build/tree, and perl for its client.
    pub(crate) fn with_gain_root() -> Self {
        let mut world = Self::new();
        let from = PathBuf::from("/usr");
        world
            .spec
            .mounts
            .push(Mount { target: "usr".into(), source: MountSource::Bind { from, writable: false } });
        world.spec.gain_root = Some(GainRoot { uid: USER, gid: USER, tree: "/build/tree".into() });
        world
    }

    pub(crate) fn without_cgroups(mut self) -> Self {
        self.host.control_groups = false;
        self
    }

    pub(crate) fn start(&self) -> Sandbox {
        self.try_start().unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn try_start(&self) -> Result<Sandbox, SandboxError> {
        let sandbox = Sandbox::start_with(&map(), &self.spec, self.canceller.clone(), &self.host)?;
        if self.spec.gain_root.is_some() {
            sandbox.write("/bin/gain-root", GAIN_ROOT_CLIENT.as_bytes(), 0o755, (0, 0)).unwrap();
            sandbox.make_folder("/build/tree", 0o755, (USER, USER)).unwrap();
        }
        Ok(sandbox)
    }
}

/// A shell script of the build user's.
pub(crate) fn script(text: &str) -> Command {
    command(&["sh", "-c", text])
}

pub(crate) fn command(argv: &[&str]) -> Command {
    Command {
        argv: argv.iter().map(|word| (*word).to_owned()).collect(),
        env: vec![("PATH".to_owned(), "/bin:/usr/bin".to_owned())],
        cwd: "/".into(),
        uid: USER,
        gid: USER,
        umask: 0o22,
        limits: Limits::default(),
    }
}

/// A shell script of root's.
pub(crate) fn root_script(text: &str) -> Command {
    Command { uid: 0, gid: 0, ..script(text) }
}

pub(crate) fn run(sandbox: &mut Sandbox, command: &Command) -> (Exit, String) {
    let mut output = Vec::new();
    let exit = sandbox
        .run(command, &mut |bytes| output.extend_from_slice(bytes))
        .unwrap_or_else(|error| panic!("{error}"));
    (exit, String::from_utf8_lossy(&output).into_owned())
}

/// Output of a script that must succeed.
pub(crate) fn output(sandbox: &mut Sandbox, command: &Command) -> String {
    let (exit, output) = run(sandbox, command);
    assert_eq!(exit.status, Status::Exited(0), "{output}");
    output
}

/// Waits for something that must come.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = std::time::Instant::now();
    while !holds() {
        assert!(began.elapsed() < std::time::Duration::from_secs(300), "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

/// Says loudly that a test did not run.
pub(crate) fn skipped(reason: &str) {
    println!("SKIPPED {reason}");
}
