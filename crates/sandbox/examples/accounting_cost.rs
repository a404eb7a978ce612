//! What accounting by executable costs: the CPU time of 5,000 short-lived static programs with and without it.
//! `cargo run --release -p archmill-sandbox --example accounting_cost` (needs busybox-static)

use archmill_sandbox::{Canceller, Command, IdMap, Limits, RootFs, Sandbox, SandboxSpec, Upper};

const LOOP: &str = "i=0; while [ $i -lt 5000 ]; do /bin/busybox true; i=$((i+1)); done";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    archmill_sandbox::init(&[]);
    let map = IdMap::detect()?;
    let base = std::env::temp_dir().join(format!("archmill-cost-{}", std::process::id()));
    map.create_folder(&base)?;
    std::fs::create_dir_all(base.join("root/bin"))?;
    std::fs::copy("/usr/bin/busybox", base.join("root/bin/busybox"))?;
    for _ in 0..3 {
        for account in [false, true] {
            let exit = once(&map, &base, account)?;
            let cpu = (exit.cpu_user + exit.cpu_system).as_secs_f64();
            println!("accounting {account}: {cpu:.2} s CPU inside, {:.2} s wall", exit.wall.as_secs_f64());
        }
    }
    std::fs::remove_dir_all(&base)?;
    Ok(())
}

fn once(
    map: &IdMap,
    base: &std::path::Path,
    account: bool,
) -> Result<archmill_sandbox::Exit, Box<dyn std::error::Error>> {
    let mountpoint = base.join("mnt");
    map.create_folder(&mountpoint)?;
    let spec = SandboxSpec {
        root: RootFs { lower: vec![base.join("root")], mountpoint, upper: Upper::Memory(64 << 20) },
        mounts: Vec::new(),
        hostname: "archmill".to_owned(),
        binfmt: Vec::new(),
        personality_32: false,
        account_executables: account,
        gain_root: None,
        uname: None,
        cpuinfo: None,
    };
    let command = Command {
        argv: ["/bin/busybox", "sh", "-c", LOOP].map(str::to_owned).to_vec(),
        env: Vec::new(),
        cwd: "/".into(),
        uid: 0,
        gid: 0,
        umask: 0o22,
        limits: Limits::default(),
    };
    Ok(Sandbox::start(map, &spec, Canceller::default())?.run(&command, &mut |_| {})?)
}
