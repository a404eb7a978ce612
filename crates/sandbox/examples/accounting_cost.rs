//! What accounting by executable costs: the CPU time of short-lived programs with and without it, for a static
//! program that hardly calls the kernel and for perl, which does so some hundred times, alone and two at a time. And how
//! much of it is the supervisor's own, which is less at the mercy of what else runs on the machine.
//! `cargo run --release -p archmill-sandbox --example accounting_cost [ROUNDS]` (needs busybox-static)

use std::path::Path;

use archmill_sandbox::{
    Canceller, Command, Exit, IdMap, Limits, Mount, MountSource, RootFs, Sandbox, SandboxSpec, Upper,
};

/// Name, processes, script.
const LOOPS: [(&str, u32, &str); 3] = [
    ("busybox true", 3000, "i=0; while [ $i -lt 3000 ]; do /bin/busybox true; i=$((i+1)); done"),
    (
        "busybox true, two at a time",
        3000,
        "l() { i=0; while [ $i -lt 1500 ]; do /bin/busybox true; i=$((i+1)); done; }; l & l; wait",
    ),
    ("perl -e 1", 600, "i=0; while [ $i -lt 600 ]; do /usr/bin/perl -e 1; i=$((i+1)); done"),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    archmill_sandbox::init(&[]);
    let rounds = std::env::args().nth(1).map_or(Ok(5), |word| word.parse::<usize>())?;
    let map = IdMap::detect()?;
    let base = std::env::temp_dir().join(format!("archmill-cost-{}", std::process::id()));
    map.create_folder(&base)?;
    for name in ["bin", "usr/lib", "usr/lib64"] {
        std::fs::create_dir_all(base.join("root").join(name))?;
    }
    for name in ["lib", "lib64"] {
        std::os::unix::fs::symlink(format!("usr/{name}"), base.join("root").join(name))?;
    }
    std::fs::copy("/usr/bin/busybox", base.join("root/bin/busybox"))?;
    for (name, processes, script) in LOOPS {
        // In turns, as other load on the machine comes and goes; the least of each is what it costs.
        let (mut least, mut supervisor) = ([f64::INFINITY; 2], f64::INFINITY);
        for _ in 0..rounds {
            for account in [false, true] {
                let (exit, own) = once(&map, &base, account, script)?;
                let cpu = (exit.cpu_user + exit.cpu_system).as_secs_f64() * 1e6 / f64::from(processes);
                if account {
                    supervisor = supervisor.min(own / 1e3 / f64::from(processes));
                }
                let slot = &mut least[usize::from(account)];
                *slot = slot.min(cpu);
            }
        }
        let [without, with] = least;
        println!(
            "{name}: {without:.1} us per process, accounted for {with:.1} us: {:+.1} us; supervisor {supervisor:.1} us",
            with - without
        );
    }
    std::fs::remove_dir_all(&base)?;
    Ok(())
}

fn once(
    map: &IdMap,
    base: &Path,
    account: bool,
    script: &str,
) -> Result<(Exit, f64), Box<dyn std::error::Error>> {
    let mountpoint = base.join("mnt");
    map.create_folder(&mountpoint)?;
    let usr = MountSource::Bind { from: "/usr".into(), writable: false };
    let spec = SandboxSpec {
        root: RootFs {
            lower: vec![base.join("root")],
            mountpoint,
            upper: Upper::Memory { size: 64 << 20, own: Vec::new() },
        },
        mounts: vec![Mount { target: "usr".into(), source: usr }],
        hostname: "archmill".to_owned(),
        binfmt: Vec::new(),
        personality_32: false,
        account_executables: account,
        gain_root: None,
        uname: None,
        cpuinfo: None,
    };
    // Its CPU time in nanoseconds comes first there.
    let read = "read -r n rest </proc/1/schedstat; echo $n";
    let script = format!("{read}; {script}; {read}");
    let command = Command {
        argv: ["/bin/busybox".to_owned(), "sh".to_owned(), "-c".to_owned(), script].to_vec(),
        env: Vec::new(),
        cwd: "/".into(),
        uid: 0,
        gid: 0,
        umask: 0o22,
        limits: Limits::default(),
    };
    let mut output = Vec::new();
    let exit = Sandbox::start(map, &spec, Canceller::default())?
        .run(&command, &mut |bytes| output.extend_from_slice(bytes))?;
    let times: Vec<f64> = String::from_utf8(output)?.lines().map(str::parse).collect::<Result<_, _>>()?;
    Ok((exit, times.last().unwrap_or(&0.0) - times.first().unwrap_or(&0.0)))
}
