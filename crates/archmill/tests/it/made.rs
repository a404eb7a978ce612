//! Sources and packages that tests make.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::support::Recorded;
use crate::support::recorded::SourcePackage;
use crate::support::recorded::sha256;

/// A source tree of a package that is built by shell commands, each a line of a recipe.
pub(crate) struct Tree<'a> {
    pub(crate) name: &'a str,
    pub(crate) version: &'a str,
    /// `Build-Depends`.
    pub(crate) needs: &'a str,
    /// Recipe of `debian/rules build`.
    pub(crate) build: &'a str,
    /// More of the recipe of `binary`, before the package is made of debian/NAME.
    pub(crate) install: &'a str,
}

impl<'a> Tree<'a> {
    pub(crate) fn new(name: &'a str, build: &'a str) -> Self {
        Self { name, version: "1.0", needs: "", build, install: "" }
    }

    /// Writes it below `folder`; gives `./NAME`.
    pub(crate) fn write(&self, folder: &Path) -> String {
        let (name, version) = (self.name, self.version);
        let put = |file: &str, text: String| {
            let path = folder.join(name).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
            path
        };
        let recipe = |text: &str| text.lines().map(|line| format!("\t{line}\n")).collect::<Vec<_>>().concat();
        put(
            "debian/changelog",
            format!(
                "{name} ({version}) unstable; urgency=medium\n\n  * Test.\n\n -- A B <a@b.example>  Sun, 01 Nov 2026 00:00:00 +0000\n"
            ),
        );
        let needs =
            if self.needs.is_empty() { String::new() } else { format!("Build-Depends: {}\n", self.needs) };
        put(
            "debian/control",
            format!(
                "Source: {name}\nSection: misc\nPriority: optional\nMaintainer: A B <a@b.example>\n{needs}Rules-Requires-Root: binary-targets\n\
                 Standards-Version: 4.7.2\n\nPackage: {name}\nArchitecture: any\nDescription: a test\n Made by a test.\n"
            ),
        );
        put("debian/source/format", "3.0 (native)\n".to_owned());
        let place = format!("debian/{name}/usr/share/{name}");
        let rules = put(
            "debian/rules",
            format!(
                "#!/usr/bin/make -f\nbuild build-arch build-indep:\n{}binary binary-arch binary-indep:\n\
                 \tmkdir -p debian/{name}/DEBIAN {place}\n\techo content > {place}/file\n\tchown -R 0:0 debian/{name}\n\
                 {}\tdpkg-gencontrol -p{name} -Pdebian/{name}\n\tdpkg-deb --build debian/{name} ..\n\
                 clean:\n\trm -rf debian/{name} debian/files debian/substvars\n",
                recipe(self.build),
                recipe(self.install)
            ),
        );
        fs::set_permissions(rules, fs::Permissions::from_mode(0o755)).unwrap();
        format!("./{name}")
    }
}

/// Puts trees into the archive, as source packages; other versions of them are no longer there.
pub(crate) fn publish(recorded: &Recorded, trees: &[Tree<'_>]) {
    let folder = tempfile::tempdir().unwrap();
    let source = |tree: &Tree<'_>| {
        tree.write(folder.path());
        let mut builder = tar::Builder::new(Vec::new());
        builder.append_dir_all(tree.name, folder.path().join(tree.name)).unwrap();
        let dsc = source_package_of(folder.path(), tree.name, tree.version, &builder.into_inner().unwrap());
        let files = [dsc, folder.path().join(format!("{}_{}.tar.xz", tree.name, tree.version))];
        let file = |path: &PathBuf| {
            (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap())
        };
        let needs =
            if tree.needs.is_empty() { String::new() } else { format!("\nBuild-Depends: {}", tree.needs) };
        let fields = format!(
            "Package: {name}\nBinary: {name}\nArchitecture: any\nVersion: {version}\nFormat: 3.0 (native){needs}\n\
             Package-List:\n {name} deb misc optional arch=any",
            name = tree.name,
            version = tree.version
        );
        SourcePackage { fields, files: files.iter().map(file).collect() }
    };
    recorded.edit_index("trixie", "main/source/Sources", |text| {
        let is_new = |stanza: &&str| {
            trees.iter().all(|tree| !stanza.starts_with(&format!("Package: {}\n", tree.name)))
        };
        text.trim().split("\n\n").filter(is_new).collect::<Vec<_>>().join("\n\n") + "\n"
    });
    recorded.add_sources(&trees.iter().map(source).collect::<Vec<_>>());
}

/// A source package NAME 1.0 of format 3.0 (native) with this tarball, packed with xz. Gives the .dsc.
pub(crate) fn source_package(folder: &Path, name: &str, tarball: &[u8]) -> PathBuf {
    source_package_of(folder, name, "1.0", tarball)
}

fn source_package_of(folder: &Path, name: &str, version: &str, tarball: &[u8]) -> PathBuf {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(tarball).unwrap();
    let packed = encoder.finish().unwrap();
    let file = format!("{name}_{version}.tar.xz");
    fs::write(folder.join(&file), &packed).unwrap();
    dsc_of(folder, name, version, &[(&file, &packed)])
}

/// The .dsc of a source package with these files.
pub(crate) fn dsc(folder: &Path, name: &str, files: &[(&str, &[u8])]) -> PathBuf {
    dsc_of(folder, name, "1.0", files)
}

fn dsc_of(folder: &Path, name: &str, version: &str, files: &[(&str, &[u8])]) -> PathBuf {
    let line = |(file, content): &(&str, &[u8])| format!(" {} {} {file}", sha256(content), content.len());
    // dpkg-source wants these; nobody believes MD5.
    let weak = |(file, content): &(&str, &[u8])| format!(" {} {} {file}", "0".repeat(32), content.len());
    let text = format!(
        "Format: 3.0 (native)\nSource: {name}\nBinary: {name}\nArchitecture: any\nVersion: {version}\nMaintainer: A B <a@b.example>\n\
         Checksums-Sha256:\n{}\nFiles:\n{}\n",
        files.iter().map(line).collect::<Vec<_>>().join("\n"),
        files.iter().map(weak).collect::<Vec<_>>().join("\n")
    );
    let path = folder.join(format!("{name}_{version}.dsc"));
    fs::write(&path, text).unwrap();
    path
}

/// A member of a tar archive, just as it is said.
pub(crate) enum Member<'a> {
    Folder(&'a str),
    File(&'a str, &'a [u8]),
    Script(&'a str, &'a [u8]),
    Link(&'a str, &'a str),
    Device(&'a str),
}

/// A tar archive, with names that the tar crate would not write.
pub(crate) fn tarball(members: &[Member<'_>]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for member in members {
        let mut header = tar::Header::new_gnu();
        let (name, kind, mode, content): (&str, _, _, &[u8]) = match member {
            Member::Folder(name) => (name, tar::EntryType::Directory, 0o755, b""),
            Member::File(name, content) => (name, tar::EntryType::Regular, 0o644, content),
            Member::Script(name, content) => (name, tar::EntryType::Regular, 0o755, content),
            Member::Link(name, target) => {
                header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
                (name, tar::EntryType::Symlink, 0o777, b"")
            }
            Member::Device(name) => {
                header.set_device_major(1).unwrap();
                header.set_device_minor(3).unwrap();
                (name, tar::EntryType::Char, 0o666, b"")
            }
        };
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(1_793_491_200);
        header.set_size(content.len() as u64);
        header.set_cksum();
        builder.append(&header, content).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The control file of a package that tests make.
pub(crate) fn control(name: &str, version: &str, depends: &str) -> String {
    let depends = if depends.is_empty() { String::new() } else { format!("Depends: {depends}\n") };
    format!(
        "Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: A B <a@b.example>\n{depends}Description: a test\n Made by a test.\n"
    )
}

/// A binary package (deb(5)).
pub(crate) fn deb(control: &str, members: &[Member<'_>]) -> Vec<u8> {
    let control = tarball(&[Member::Folder("./"), Member::File("./control", control.as_bytes())]);
    let data = tarball(members);
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in [("debian-binary", &b"2.0\n"[..]), ("control.tar", &control), ("data.tar", &data)]
    {
        writeln!(
            archive,
            "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`",
            1_793_491_200,
            0,
            0,
            100_644,
            content.len()
        )
        .unwrap();
        archive.extend_from_slice(content);
        if content.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}
