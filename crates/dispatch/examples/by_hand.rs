use archmill_dispatch::*;
use std::os::unix::fs::MetadataExt as _;
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let qemu = std::fs::read(&args[1]).unwrap();
    std::fs::write(format!("{}/qemu", args[2]), combine(&qemu).unwrap()).unwrap();
    let entry = |path: &str| {
        let meta = std::fs::metadata(format!("{}{path}", args[3])).unwrap();
        Entry {
            path: path.into(),
            size: meta.size(),
            mtime: meta.mtime(),
            program: format!("/dev/.twins{path}"),
            rules: vec![Rule::ArgumentIs("--emulated".into())],
            environment: vec![
                ("HOSTTYPE".into(), "aarch64".into()),
                ("MACHTYPE".into(), "aarch64-unknown".into()),
                ("X".into(), "Y".into()),
            ][..path.len() % 3 + 1]
                .to_vec(),
        }
    };
    let table = Table {
        entries: args[4..].iter().map(|p| entry(p)).collect(),
        loader: "/dev/.twins/ld.so".into(),
        rules: vec![Rule::VariableSet("LD_PRELOAD".into())],
    };
    std::fs::write(format!("{}/table", args[2]), table.encode()).unwrap();
}
