//! A copy of the recorded archive, to tamper with and to sign again.

use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use pgp::composed::{CleartextSignedMessage, Deserializable as _, SignedSecretKey};
use pgp::types::Password;
use sha2::{Digest as _, Sha256};

/// Where the recorded files are: fixtures/README.md tells where they come from.
pub fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../archmill/tests/it/fixtures").canonicalize().unwrap()
}

/// The public half of the key that signs it.
pub fn test_key() -> PathBuf {
    fixtures().join("test-key.asc")
}

/// A copy; it goes when dropped.
pub struct Recorded {
    folder: tempfile::TempDir,
}

impl Recorded {
    /// A fresh copy.
    pub fn copy() -> Self {
        let folder = tempfile::tempdir().unwrap();
        copy_tree(&fixtures().join("archive"), folder.path());
        Self { folder }
    }

    /// The folder with `debian` and `debian-security`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A file below `debian`.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path().join("debian").join(name)
    }

    /// The file of a package or source below `debian/pool` whose name starts with `start`.
    pub fn pool(&self, start: &str) -> PathBuf {
        let mut folders = vec![self.file("pool")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.file_name().unwrap().to_str().unwrap().starts_with(start) {
                    return path;
                }
            }
        }
        panic!("the recorded archive has no file {start}*");
    }

    /// The signed text of a suite.
    pub fn release(&self, suite: &str) -> String {
        let document = fs::read_to_string(self.in_release(suite)).unwrap();
        let (message, _) = CleartextSignedMessage::from_string(&document).unwrap();
        message.signed_text().replace("\r\n", "\n")
    }

    /// The path of a suite's InRelease.
    pub fn in_release(&self, suite: &str) -> PathBuf {
        let archive = if suite.ends_with("-security") { "debian-security" } else { "debian" };
        self.path().join(archive).join("dists").join(suite).join("InRelease")
    }

    /// Changes the Release text and signs it again with the test key.
    pub fn resign(&self, suite: &str, change: impl FnOnce(String) -> String) {
        let text = change(self.release(suite));
        fs::write(
            self.in_release(suite),
            sign(&text, &fs::read_to_string(fixtures().join("test-secret-key.asc")).unwrap()),
        )
        .unwrap();
    }

    /// Changes the text of an index (`main/binary-amd64/Packages`) and everything that names it, signature included.
    pub fn edit_index(&self, suite: &str, name: &str, change: impl FnOnce(String) -> String) {
        let dist = self.in_release(suite).with_file_name("");
        let path = dist.join(format!("{name}.xz"));
        let mut text = String::new();
        let packed = fs::read(&path).unwrap();
        liblzma::read::XzDecoder::new(packed.as_slice()).read_to_string(&mut text).unwrap();
        let text = change(text);
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(text.as_bytes()).unwrap();
        let packed = encoder.finish().unwrap();
        fs::write(&path, &packed).unwrap();
        let by_hash = path.with_file_name("by-hash").join("SHA256");
        fs::remove_dir_all(&by_hash).unwrap();
        fs::create_dir_all(&by_hash).unwrap();
        fs::write(by_hash.join(sha256(&packed)), &packed).unwrap();
        self.resign(suite, |release| {
            let other =
                |line: &&str| !line.ends_with(&format!(" {name}")) && !line.ends_with(&format!(" {name}.xz"));
            let mut lines: Vec<String> = release.lines().filter(other).map(str::to_owned).collect();
            lines.push(format!(" {} {} {name}", sha256(text.as_bytes()), text.len()));
            lines.push(format!(" {} {} {name}.xz", sha256(&packed), packed.len()));
            lines.join("\n") + "\n"
        });
    }

    /// Puts a package into the pool and the index of trixie; `stanza` is its control file.
    pub fn add_package(&self, file: &str, stanza: &str, content: &[u8]) {
        let filename = format!("pool/main/t/test/{file}");
        let path = self.file(&filename);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        let stanza = format!(
            "{}\nFilename: {filename}\nSize: {}\nSHA256: {}\n",
            stanza.trim_end(),
            content.len(),
            sha256(content)
        );
        self.edit_index("trixie", "main/binary-amd64/Packages", |text| text + "\n" + &stanza);
    }

    /// Puts source packages into the pool and the index of trixie.
    pub fn add_sources(&self, sources: &[SourcePackage]) {
        let folder = self.file("pool/main/t/test");
        fs::create_dir_all(&folder).unwrap();
        let mut stanzas = String::new();
        for SourcePackage { fields, files } in sources {
            let fields = fields.trim_end();
            write!(stanzas, "\n{fields}\nDirectory: pool/main/t/test\nChecksums-Sha256:\n").unwrap();
            for (name, content) in files {
                fs::write(folder.join(name), content).unwrap();
                writeln!(stanzas, " {} {} {name}", sha256(content), content.len()).unwrap();
            }
        }
        self.edit_index("trixie", "main/source/Sources", |text| text.trim_end().to_owned() + "\n" + &stanzas);
    }
}

/// A source package of [`Recorded::add_sources`].
pub struct SourcePackage {
    /// Of its stanza in Sources.
    pub fields: String,
    /// Names and contents.
    pub files: Vec<(String, Vec<u8>)>,
}

/// Signs a text with an armored secret key.
pub fn sign(text: &str, secret_key: &str) -> String {
    let (key, _) = SignedSecretKey::from_string(secret_key).unwrap();
    let message =
        CleartextSignedMessage::sign(rand::thread_rng(), text, &key.primary_key, &Password::empty()).unwrap();
    message.to_armored_string(pgp::composed::ArmorOptions::default()).unwrap()
}

/// In hexadecimal.
pub fn sha256(content: &[u8]) -> String {
    hex::encode(Sha256::digest(content))
}

/// Copies a folder with all that is in it.
pub fn copy_tree(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_tree(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}
