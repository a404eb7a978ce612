//! What twins must not leave in a package: programs for this machine, and the path of their folder.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use archmill_deb::members::Bounds;
use sha2::{Digest as _, Sha256};

use super::{ArtifactError, Package};

/// A file in a package that may be of a twin's making.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The package.
    pub package: String,
    /// The file in it.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256.
    pub sha256: String,
    /// What is wrong with it.
    pub what: What,
}

/// What is wrong with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// It is a program or library for this machine.
    HostProgram,
    /// It has the path of the twins' folder in it.
    Prefix,
    /// It has this machine's GNU triplet in it, which the target's own tools may have put there too.
    Triplet,
}

/// How far a compressed file is looked into.
const MOST_DECOMPRESSED: u64 = 256 << 20;

/// Looks through a package; `elf_machine` and `triplet` are of this machine.
pub fn traces(
    path: &Path,
    elf_machine: u16,
    triplet: &str,
    bounds: Bounds<'_>,
) -> Result<Vec<Trace>, ArtifactError> {
    let package = Package::open(path)?;
    let name = package.name.clone();
    let mut found = Vec::new();
    package.each_member(bounds, |member| {
        if member.header.entry_type() != tar::EntryType::Regular {
            return Ok(());
        }
        let mut content = Measured { reader: &mut *member.content, hash: Sha256::new(), size: 0 };
        let Some(what) = look(&mut content, elf_machine, triplet)? else { return Ok(()) };
        io::copy(&mut content, &mut io::sink())?;
        found.push(Trace {
            package: name.clone(),
            path: member.path.strip_prefix(".").unwrap_or(&member.path).to_owned(),
            size: content.size,
            sha256: hex::encode(content.hash.finalize()),
            what,
        });
        Ok(())
    })?;
    Ok(found)
}

/// A reader that tells what came through it.
struct Measured<R> {
    reader: R,
    hash: Sha256,
    size: u64,
}

impl<R: Read> Read for Measured<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.hash.update(&buffer[..count]);
        self.size += count as u64;
        Ok(count)
    }
}

fn look(content: &mut impl Read, elf_machine: u16, triplet: &str) -> io::Result<Option<What>> {
    let mut start = Vec::new();
    content.take(64).read_to_end(&mut start)?;
    let packed = start.starts_with(&[0x1f, 0x8b]);
    let all = io::Cursor::new(start).chain(content);
    if packed {
        let mut text = flate2::read::MultiGzDecoder::new(all).take(MOST_DECOMPRESSED);
        // What cannot be decompressed is looked at as far as it can.
        return Ok(seen(&mut text, elf_machine, triplet).0);
    }
    let (what, end) = seen(all, elf_machine, triplet);
    end.map(|()| what)
}

/// Whether this is the beginning of a program, a library or an object file for the machine.
fn is_program(start: &[u8], elf_machine: u16) -> bool {
    start.starts_with(ELF) && start.get(18..20) == Some(&elf_machine.to_le_bytes())
}

const ELF: &[u8] = b"\x7fELF";
/// Bytes of an ELF file that tell its machine.
const ELF_START: usize = 20;
/// What an ar archive, as a static library is one, begins with, and what comes right before an ELF file in it.
const AR: &[u8] = b"!<arch>\n";
const AR_ELF: &[u8] = b"`\n\x7fELF";

/// What is in a content, and how reading it ended.
fn seen(mut text: impl Read, elf_machine: u16, triplet: &str) -> (Option<What>, io::Result<()>) {
    let mut start = Vec::new();
    if let Err(error) = text.by_ref().take(ELF_START as u64).read_to_end(&mut start) {
        return (None, Err(error));
    }
    if is_program(&start, elf_machine) {
        return (Some(What::HostProgram), Ok(()));
    }
    let machine = start.starts_with(AR).then_some(elf_machine);
    mentions(io::Cursor::new(start).chain(text), machine, triplet)
}

/// What a text mentions; with a machine also whether it is an ar archive with object files for that.
fn mentions(mut text: impl Read, elf_machine: Option<u16>, triplet: &str) -> (Option<What>, io::Result<()>) {
    let member = memchr::memmem::Finder::new(AR_ELF);
    let prefix = memchr::memmem::Finder::new(archmill_dispatch::PREFIX);
    let triplet = memchr::memmem::Finder::new(triplet);
    // What a word could begin with is kept before what is read next.
    let kept = prefix.needle().len().max(triplet.needle().len()).max(AR_ELF.len() + ELF_START);
    let mut buffer = vec![0; kept + (1 << 16)];
    let (mut filled, mut what) = (0, None);
    loop {
        match text.read(&mut buffer[filled..]) {
            Ok(0) => return (what, Ok(())),
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return (what, Err(error)),
        }
        if let Some(machine) = elf_machine {
            let elf = AR_ELF.len() - ELF.len();
            let mut members = member.find_iter(&buffer[..filled]);
            if members.any(|at| is_program(&buffer[at + elf..filled], machine)) {
                return (Some(What::HostProgram), Ok(()));
            }
        }
        if prefix.find(&buffer[..filled]).is_some() {
            return (Some(What::Prefix), Ok(()));
        }
        if what.is_none() && triplet.find(&buffer[..filled]).is_some() {
            what = Some(What::Triplet);
        }
        let from = filled.saturating_sub(kept);
        buffer.copy_within(from..filled, 0);
        filled -= from;
    }
}

/// Of these, files that are in the packages of a root as they are: a build may hand them on.
pub fn shipped(traces: &[Trace], unpacked: &[PathBuf]) -> HashSet<String> {
    let sizes: HashSet<u64> = traces.iter().map(|trace| trace.size).collect();
    let mut known = HashSet::new();
    for folder in unpacked {
        let manifest = std::fs::read(folder.join("manifest.json")).unwrap_or_default();
        let Ok(manifest) = serde_json::from_slice::<crate::root::manifest::Manifest>(&manifest) else {
            continue;
        };
        for entry in manifest.entries.iter().filter(|entry| sizes.contains(&entry.size) && entry.size > 0) {
            if let Ok(bytes) = std::fs::read(folder.join("files").join(entry.path.as_path())) {
                known.insert(hex::encode(Sha256::digest(&bytes)));
            }
        }
    }
    known
}

/// The same for a source, given as a tar archive of its tree.
pub fn in_source(traces: &[Trace], archive: &Path) -> HashSet<String> {
    let sizes: HashSet<u64> = traces.iter().map(|trace| trace.size).collect();
    let mut known = HashSet::new();
    let Ok(file) = std::fs::File::open(archive) else { return known };
    let mut archive = tar::Archive::new(io::BufReader::new(file));
    for member in archive.entries().into_iter().flatten().flatten() {
        let mut member = member;
        let mut bytes = Vec::new();
        if sizes.contains(&member.size()) && member.size() > 0 && member.read_to_end(&mut bytes).is_ok() {
            known.insert(hex::encode(Sha256::digest(&bytes)));
        }
    }
    known
}

/// What to say of files that mention this machine's triplet. `upstream` has, for each of the archive's own packages of these
/// versions, its files that do as well: of those there is nothing to say.
pub fn leaks(
    mentions: &[Trace],
    upstream: &BTreeMap<String, BTreeSet<PathBuf>>,
    triplet: &str,
) -> Vec<String> {
    let told = |trace: &Trace| {
        let compared = match upstream.get(&trace.package) {
            Some(paths) if paths.contains(&trace.path) => return None,
            Some(_) => "which that in the archive's package does not",
            None => "and there is no package in the archive to compare with",
        };
        Some(format!("{}: /{} mentions {triplet}, {compared}", trace.package, trace.path.display()))
    };
    mentions.iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_archives_package_mentions_too_is_no_leak() {
        let mention = |package: &str, path: &str| Trace {
            package: package.to_owned(),
            path: path.into(),
            size: 1,
            sha256: String::new(),
            what: What::Triplet,
        };
        let mentions =
            [mention("a.deb", "usr/a.pc"), mention("a.deb", "usr/b.pc"), mention("new.deb", "usr/c")];
        let upstream = BTreeMap::from([("a.deb".to_owned(), BTreeSet::from([PathBuf::from("usr/a.pc")]))]);
        assert_eq!(
            leaks(&mentions, &upstream, "x86_64-linux-gnu"),
            [
                "a.deb: /usr/b.pc mentions x86_64-linux-gnu, which that in the archive's package does not",
                "new.deb: /usr/c mentions x86_64-linux-gnu, and there is no package in the archive to compare with",
            ]
        );
    }

    #[test]
    fn programs_for_this_machine_and_paths_of_twins_are_found() {
        let look = |bytes: &[u8]| look(&mut &*bytes, 62, "x86_64-linux-gnu").unwrap();
        let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0 /usr/lib/x86_64-linux-gnu".to_vec();
        assert_eq!(look(&elf), Some(What::HostProgram));
        elf[18] = 0xb7;
        assert_eq!(look(&elf), Some(What::Triplet));
        assert_eq!(look(b"perl=/dev/.twins/usr/bin/perl"), Some(What::Prefix));
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, b"in /dev/.twins").unwrap();
        assert_eq!(look(&packed.finish().unwrap()), Some(What::Prefix));
        assert_eq!(look(b"nothing"), None);
    }

    #[test]
    fn object_files_for_this_machine_are_found_in_static_libraries_and_compressed_files() {
        let look = |bytes: &[u8]| look(&mut &*bytes, 62, "x86_64-linux-gnu").unwrap();
        let object = |machine: u8| {
            [&b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0"[..], &[machine, 0], &[0; 100]].concat()
        };
        let library = |members: &[Vec<u8>]| {
            let mut library = b"!<arch>\n".to_vec();
            for member in members {
                library.extend(format!("{:<48}{:<10}`\n", "a.o/", member.len()).bytes());
                library.extend(member);
            }
            library
        };
        for before in [0, 1, 500, 540, 545, 546, 547, 600] {
            let members = |machine| {
                let mut members = vec![object(183); before];
                members.push(object(machine));
                library(&members)
            };
            assert_eq!(look(&members(62)), Some(What::HostProgram), "{before}");
            assert_eq!(look(&members(183)), None, "{before}");
        }
        // Not at the beginning of a member, it is data.
        assert_eq!(look(&library(&[[b"data ".to_vec(), object(62)].concat()])), None);
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        io::Write::write_all(&mut packed, &object(62)).unwrap();
        assert_eq!(look(&packed.finish().unwrap()), Some(What::HostProgram));
    }

    #[test]
    fn a_word_is_found_wherever_it_is_and_the_worse_one_counts() {
        for at in [0, 63, 64, 65, 65_520, 65_536, 65_550, 131_072, 200_000] {
            let mut bytes = vec![b'.'; 300_000];
            bytes[at..at + 16].copy_from_slice(b"x86_64-linux-gnu");
            assert_eq!(look(&mut &bytes[..], 62, "x86_64-linux-gnu").unwrap(), Some(What::Triplet), "{at}");
            bytes[250_000..250_011].copy_from_slice(b"/dev/.twins");
            assert_eq!(look(&mut &bytes[..], 62, "x86_64-linux-gnu").unwrap(), Some(What::Prefix), "{at}");
        }
    }
}
