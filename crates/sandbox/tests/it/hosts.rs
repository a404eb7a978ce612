//! Hosts that refuse, and what their users are told.

use std::process::{Command, ExitCode, Output};

use archmill_sandbox::{Canceller, IdMap, RootFs, Sandbox, SandboxSpec, Upper, run_task};

use crate::world::is_root;

/// As a process of its own: starts a sandbox over an empty root, and says how that went.
pub(crate) fn start() -> ExitCode {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::set_permissions(tmp.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let result = IdMap::detect().map_err(|error| error.to_string()).and_then(|map| {
        let task = run_task(&map, "count", &serde_json::json!(0), &mut |_| {});
        task.map_err(|error| error.to_string())?;
        let part = |name: &str| {
            let path = tmp.path().join(name);
            map.create_folder(&path).unwrap();
            path
        };
        let (lower, mountpoint, upper, work) =
            (vec![part("lower")], part("mnt"), part("upper"), part("work"));
        let spec = SandboxSpec {
            root: RootFs { lower, mountpoint, upper: Upper::Folder { upper, work, volatile: true } },
            mounts: Vec::new(),
            hostname: "archmill".to_owned(),
            binfmt: Vec::new(),
            personality_32: false,
            account_executables: false,
            gain_root: None,
            uname: None,
            cpuinfo: None,
        };
        Sandbox::start(&map, &spec, Canceller::default()).map_err(|error| error.to_string())
    });
    match result {
        Ok(_) => println!("started"),
        Err(error) => println!("{error}"),
    }
    ExitCode::SUCCESS
}

fn this() -> String {
    std::env::current_exe().unwrap().display().to_string()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// What is said in a shell's surroundings that `prepare` made.
fn said_after(unshare: &[&str], prepare: &str) -> String {
    let script = format!("{prepare}; exec {} --start", this());
    text(&Command::new("unshare").args(unshare).args(["sh", "-c", &script]).output().unwrap())
}

fn where_nothing_is_wrong_it_starts() {
    assert_eq!(text(&Command::new(this()).arg("--start").output().unwrap()), "started\n");
}

fn a_host_without_user_namespaces_says_which_setting_forbids_them() {
    // The limit of a namespace is that of all below it.
    let said = said_after(&["--user", "--map-root-user"], "echo 0 >/proc/sys/user/max_user_namespaces");
    assert!(said.contains("this host refuses a user namespace: No space left on device"), "{said}");
    assert!(said.contains("as root run: sysctl user.max_user_namespaces=10000"), "{said}");
}

fn a_user_without_a_range_of_ids_is_told_how_to_get_one() {
    use std::os::unix::process::CommandExt as _;
    if !is_root() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    let copy = folder.path().join("it");
    std::fs::copy(this(), &copy).unwrap();
    let output = Command::new(&copy)
        .arg("--start")
        .uid(54_321)
        .gid(54_321)
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    assert_eq!(
        text(&output),
        "user 54321 has no range of at least 65535 ids in /etc/subuid, so files of other owners cannot be made in a build root; as root run: usermod --add-subuids 100000-165535 --add-subgids 100000-165535 54321\n"
    );
}

fn a_user_without_newuidmap_is_told_what_to_install() {
    if is_root() {
        return;
    }
    let output = Command::new(this()).arg("--start").env("PATH", "/nowhere").output().unwrap();
    assert_eq!(
        text(&output),
        "newuidmap is not installed, which ordinary users need for namespaces with several ids; as root run: apt-get install uidmap\n"
    );
}

fn a_container_that_masks_proc_is_told_how_to_unmask_it() {
    if !is_root() {
        return;
    }
    let said = said_after(&["--mount"], "mount --bind /dev/null /proc/version");
    assert!(said.contains("cannot mount proc at"), "{said}");
    assert!(said.contains("in a container, /proc must not be masked"), "{said}");
}

fn a_file_system_that_overlays_cannot_be_written_on_is_named() {
    if !is_root() {
        return;
    }
    // overlayfs wants no other overlayfs as its writable side.
    let prepare = "mkdir -p /tmp/archmill-ov && mount -t tmpfs none /tmp/archmill-ov && cd /tmp/archmill-ov && mkdir l u w m && mount -t overlay overlay -o lowerdir=l,upperdir=u,workdir=w m && chmod 755 . m && export TMPDIR=/tmp/archmill-ov/m; cd /; chmod 1777 $TMPDIR; rmdir_later=1";
    let said = said_after(&["--mount"], prepare);
    let _ = std::fs::remove_dir("/tmp/archmill-ov");
    assert!(said.contains("cannot mount an overlay"), "{said}");
    assert!(said.contains("--cache"), "{said}");
}

crate::tests![
    where_nothing_is_wrong_it_starts,
    a_host_without_user_namespaces_says_which_setting_forbids_them,
    a_user_without_a_range_of_ids_is_told_how_to_get_one,
    a_user_without_newuidmap_is_told_what_to_install,
    a_container_that_masks_proc_is_told_how_to_unmask_it,
    a_file_system_that_overlays_cannot_be_written_on_is_named,
];
