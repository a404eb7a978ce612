//! What differs between two packages, file by file.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use archmill_deb::members::Bounds;
use sha2::{Digest as _, Sha256};

use super::{ArtifactError, Package};

/// Content is compared in pieces of so many bytes, so that packages of any size are compared in little memory.
const BLOCK: usize = 4096;
/// What is shown before and after the first byte that differs.
const BEFORE: usize = 16;
const AFTER: usize = 24;

/// One line for each difference of two .debs; of files with other content, what kind they are and where that begins.
pub fn differences(one: &Path, other: &Path) -> Result<Vec<String>, ArtifactError> {
    let (first, second) = (members(one)?, members(other)?);
    let differing: BTreeMap<&str, usize> = first
        .iter()
        .filter_map(|(path, member)| {
            let same = second.get(path)?;
            (same.blocks != member.blocks).then(|| (path.as_str(), member.first_difference(same)))
        })
        .collect();
    let (ours, theirs) = (pieces(one, &differing)?, pieces(other, &differing)?);
    let nothing = Vec::new();
    let piece = |pieces: &BTreeMap<String, Vec<u8>>, path: &str| pieces.get(path).unwrap_or(&nothing).clone();
    let mut lines = Vec::new();
    for (path, member) in &first {
        match second.get(path) {
            None => lines.push(format!("{path} is in the first alone")),
            Some(same) => match differing.get(path.as_str()) {
                Some(block) => {
                    let told = content(*block, &piece(&ours, path), &piece(&theirs, path));
                    lines.push(format!("{path}: {} and {} bytes, {told}", member.size, same.size));
                }
                None if same.header == member.header => {}
                None => lines.push(format!("{path}: {} and {}", member.header, same.header)),
            },
        }
    }
    lines.extend(
        second
            .keys()
            .filter(|path| !first.contains_key(*path))
            .map(|path| format!("{path} is in the second alone")),
    );
    Ok(lines)
}

struct Member {
    header: String,
    size: u64,
    /// The first bytes of the hash of each block.
    blocks: Vec<[u8; 16]>,
}

impl Member {
    fn new(header: String, content: &mut dyn Read) -> std::io::Result<Self> {
        let (mut size, mut blocks) = (0, Vec::new());
        loop {
            let mut block = Vec::with_capacity(BLOCK);
            content.take(BLOCK as u64).read_to_end(&mut block)?;
            if block.is_empty() {
                return Ok(Self { header, size, blocks });
            }
            size += block.len() as u64;
            let mut hash = [0; 16];
            hash.copy_from_slice(&Sha256::digest(&block)[..16]);
            blocks.push(hash);
        }
    }

    fn first_difference(&self, other: &Self) -> usize {
        let at = self.blocks.iter().zip(&other.blocks).position(|(a, b)| a != b);
        at.unwrap_or_else(|| self.blocks.len().min(other.blocks.len()))
    }
}

/// Where two files begin to differ, if they do so in this block.
fn content(block: usize, one: &[u8], other: &[u8]) -> String {
    let at = one.iter().zip(other).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| one.len().min(other.len()));
    let around = |bytes: &[u8]| {
        let part = &bytes[at.saturating_sub(BEFORE)..bytes.len().min(at + AFTER)];
        String::from_utf8_lossy(part).escape_debug().to_string()
    };
    format!(
        "the first difference at {}: \"{}\" and \"{}\"",
        start(block) + at as u64,
        around(one),
        around(other)
    )
}

/// Where the piece of a block starts: a little before it.
const fn start(block: usize) -> u64 {
    (block as u64 * BLOCK as u64).saturating_sub(BEFORE as u64)
}

/// Each member of a package.
fn members(path: &Path) -> Result<BTreeMap<String, Member>, ArtifactError> {
    let mut members = BTreeMap::new();
    each(path, |name, header, content| {
        members.insert(name, Member::new(header, content)?);
        Ok(())
    })?;
    Ok(members)
}

/// The given block of each of the given members, with what is around it.
fn pieces(path: &Path, wanted: &BTreeMap<&str, usize>) -> Result<BTreeMap<String, Vec<u8>>, ArtifactError> {
    let mut pieces = BTreeMap::new();
    if wanted.is_empty() {
        return Ok(pieces);
    }
    each(path, |name, _, content| {
        if let Some(block) = wanted.get(name.as_str()) {
            let mut piece = Vec::new();
            std::io::copy(&mut content.take(start(*block)), &mut std::io::sink())?;
            content.take((BEFORE + BLOCK + AFTER) as u64).read_to_end(&mut piece)?;
            pieces.insert(name, piece);
        }
        Ok(())
    })?;
    Ok(pieces)
}

/// Calls `visit` with name, header in words and content of each control file and each file of a package.
fn each(
    path: &Path,
    mut visit: impl FnMut(String, String, &mut dyn Read) -> std::io::Result<()>,
) -> Result<(), ArtifactError> {
    let mut package = Package::open(path)?;
    for (name, (mode, bytes)) in package.control()?.files {
        visit(format!("control file {name}"), format!("mode {mode:o}"), &mut bytes.as_slice())
            .map_err(|source| ArtifactError::Io { path: path.to_owned(), source })?;
    }
    package.each_member(Bounds::default(), |member| {
        let header = super::line(member)?;
        Ok(visit(member.path.display().to_string(), header, member.content)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(one: &[u8], other: &[u8]) -> Option<String> {
        let member = |mut bytes: &[u8]| Member::new(String::new(), &mut bytes).unwrap();
        let (first, second) = (member(one), member(other));
        if first.blocks == second.blocks {
            return None;
        }
        let block = first.first_difference(&second);
        let piece = |bytes: &[u8]| {
            let from = usize::try_from(start(block)).unwrap();
            bytes[from..bytes.len().min(from + BEFORE + BLOCK + AFTER)].to_vec()
        };
        Some(content(block, &piece(one), &piece(other)))
    }

    #[test]
    fn the_first_difference_is_found_wherever_it_is() {
        let long: Vec<u8> = (0..3 * BLOCK).map(|at| b'a' + u8::try_from(at % 26).unwrap()).collect();
        assert_eq!(told(&long, &long), None);
        for at in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK - 1] {
            let mut other = long.clone();
            other[at] = b'X';
            let told = told(&long, &other).unwrap();
            assert!(told.starts_with(&format!("the first difference at {at}: ")), "{told}");
            assert!(told.contains('X'), "{told}");
        }
        for length in [0, 1, BLOCK, BLOCK + 1] {
            let told = told(&long, &long[..length]).unwrap();
            assert!(told.starts_with(&format!("the first difference at {length}: ")), "{told}");
        }
    }
}
