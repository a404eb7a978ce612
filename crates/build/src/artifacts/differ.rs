//! What differs between two packages, file by file.

use std::collections::BTreeMap;
use std::path::Path;

use archmill_deb::members::Bounds;
use sha2::{Digest as _, Sha256};

use super::{ArtifactError, Package};

/// One line for each difference of two .debs; of files with other content, what kind they are and where that begins.
pub fn differences(one: &Path, other: &Path) -> Result<Vec<String>, ArtifactError> {
    let (one, other) = (members(one)?, members(other)?);
    let mut lines = Vec::new();
    for (path, member) in &one {
        match other.get(path) {
            None => lines.push(format!("{path} is in the first alone")),
            Some(same) if same.hash == member.hash && same.header == member.header => {}
            Some(same) if same.hash == member.hash => {
                lines.push(format!("{path}: {} and {}", member.header, same.header));
            }
            Some(same) => lines.push(format!("{path}: {}", content(member, same))),
        }
    }
    lines.extend(
        other
            .keys()
            .filter(|path| !one.contains_key(*path))
            .map(|path| format!("{path} is in the second alone")),
    );
    Ok(lines)
}

struct Member {
    header: String,
    hash: Vec<u8>,
    bytes: Vec<u8>,
}

fn content(one: &Member, other: &Member) -> String {
    let at = one.bytes.iter().zip(&other.bytes).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| one.bytes.len().min(other.bytes.len()));
    let around = |bytes: &[u8]| {
        let part = &bytes[at.saturating_sub(16)..bytes.len().min(at + 24)];
        String::from_utf8_lossy(part).escape_debug().to_string()
    };
    format!(
        "{} and {} bytes, the first difference at {at}: \"{}\" and \"{}\"",
        one.bytes.len(),
        other.bytes.len(),
        around(&one.bytes),
        around(&other.bytes)
    )
}

fn members(path: &Path) -> Result<BTreeMap<String, Member>, ArtifactError> {
    let mut package = Package::open(path)?;
    let control = package.control()?;
    let mut members: BTreeMap<String, Member> = control
        .files
        .into_iter()
        .map(|(name, (mode, bytes))| {
            let hash = Sha256::digest(&bytes).to_vec();
            (format!("control file {name}"), Member { header: format!("mode {mode:o}"), hash, bytes })
        })
        .collect();
    package.each_member(Bounds::default(), |member| {
        let header = super::line(member)?;
        let mut bytes = Vec::new();
        member.content.read_to_end(&mut bytes)?;
        let hash = Sha256::digest(&bytes).to_vec();
        members.insert(member.path.display().to_string(), Member { header, hash, bytes });
        Ok(())
    })?;
    Ok(members)
}
