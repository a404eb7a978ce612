//! Whose signature makes an archive's metadata good.

use std::path::{Path, PathBuf};

use pgp::composed::{CleartextSignedMessage, Deserializable as _, DetachedSignature, SignedPublicKey};
use pgp::packet::Signature;

/// The Debian archive's keys; data/README.md tells where they come from.
const DEBIAN: &[u8] = include_bytes!("../data/debian-archive-keyring.gpg");

/// Keys that may sign.
#[derive(Debug, Clone)]
pub struct Keyring {
    keys: Vec<SignedPublicKey>,
    name: String,
}

/// Why there is no good signature, or no keyring to judge it with.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// A keyring that cannot be read.
    #[error("cannot read the keyring {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// No signature at all.
    #[error("it is not signed")]
    Unsigned,
    /// Signed by nobody that is known.
    #[error("none of its signatures (by key {signers}) is by a key in {keyring}")]
    UnknownKey {
        /// Who signed.
        signers: String,
        /// Name of the keyring.
        keyring: String,
    },
    /// A known key, and the signature does not fit the text.
    #[error("the signature by key {signer} does not fit its content: it was changed after it was signed")]
    Bad {
        /// Who signed.
        signer: String,
    },
}

impl Keyring {
    /// The keys of the Debian archive, as shipped with archmill.
    pub fn debian() -> Result<Self, KeyringError> {
        Self::parse(DEBIAN, "the Debian archive keyring", Path::new("(built in)"))
    }

    /// Reads a keyring, armored or not.
    pub fn open(path: &Path) -> Result<Self, KeyringError> {
        let unreadable = |error: std::io::Error| KeyringError::Unreadable {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        Self::parse(&std::fs::read(path).map_err(unreadable)?, &path.display().to_string(), path)
    }

    /// Reads the text of a keyring.
    pub fn parse(bytes: &[u8], name: &str, path: &Path) -> Result<Self, KeyringError> {
        let bad = |reason: String| KeyringError::Unreadable { path: path.to_owned(), reason };
        let armored = bytes.starts_with(b"-----BEGIN");
        let keys: Vec<SignedPublicKey> = if armored {
            let (keys, _) =
                SignedPublicKey::from_armor_many(bytes).map_err(|error| bad(error.to_string()))?;
            keys.filter_map(Result::ok).collect()
        } else {
            let keys = SignedPublicKey::from_bytes_many(bytes).map_err(|error| bad(error.to_string()))?;
            keys.filter_map(Result::ok).collect()
        };
        if keys.is_empty() {
            return Err(bad("there is no OpenPGP public key in it".to_owned()));
        }
        Ok(Self { keys, name: name.to_owned() })
    }

    /// Checks a cleartext-signed document and gives the text that is signed, and nothing around it.
    pub fn verify_cleartext(&self, document: &str) -> Result<String, KeyringError> {
        if !document.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
            return Err(KeyringError::Unsigned);
        }
        let (message, _) =
            CleartextSignedMessage::from_string(document).map_err(|_| KeyringError::Unsigned)?;
        let signed = message.signed_text();
        let signatures: Vec<&Signature> = message.signatures().iter().collect();
        self.judge(&signatures, signed.as_bytes())?;
        Ok(signed.replace("\r\n", "\n"))
    }

    /// Checks a detached signature.
    pub fn verify_detached(&self, content: &[u8], signature: &str) -> Result<(), KeyringError> {
        let (signatures, _) =
            DetachedSignature::from_armor_many(signature.as_bytes()).map_err(|_| KeyringError::Unsigned)?;
        let signatures: Vec<DetachedSignature> = signatures.filter_map(Result::ok).collect();
        let signatures: Vec<&Signature> = signatures.iter().map(|signature| &signature.signature).collect();
        self.judge(&signatures, content)
    }

    /// One good signature by a key that is known is enough (as for apt); Debian's are signed by several.
    fn judge(&self, signatures: &[&Signature], content: &[u8]) -> Result<(), KeyringError> {
        if signatures.is_empty() {
            return Err(KeyringError::Unsigned);
        }
        let mut known = None;
        for signature in signatures {
            for key in &self.keys {
                match check(key, signature, content) {
                    Verdict::Good => return Ok(()),
                    Verdict::Bad(signer) => known = Some(signer),
                    Verdict::OtherKey => {}
                }
            }
        }
        match known {
            Some(signer) => Err(KeyringError::Bad { signer }),
            None => {
                Err(KeyringError::UnknownKey { signers: signers(signatures), keyring: self.name.clone() })
            }
        }
    }
}

enum Verdict {
    Good,
    Bad(String),
    OtherKey,
}

/// Tries the primary key and every subkey that may sign. Revoked keys and subkeys that are not bound to their
/// primary key count as unknown.
fn check(key: &SignedPublicKey, signature: &Signature, content: &[u8]) -> Verdict {
    use pgp::types::KeyDetails as _;
    let named = |fingerprint: &pgp::types::Fingerprint, id: &pgp::types::KeyId| {
        signature.issuer_fingerprint().contains(&fingerprint) || signature.issuer_key_id().contains(&id)
    };
    if !key.details.revocation_signatures.is_empty() {
        return Verdict::OtherKey;
    }
    let primary = &key.primary_key;
    if named(&primary.fingerprint(), &primary.legacy_key_id()) {
        return match signature.verify(primary, content) {
            Ok(()) => Verdict::Good,
            Err(_) => Verdict::Bad(primary.fingerprint().to_string()),
        };
    }
    for subkey in &key.public_subkeys {
        let may_sign = subkey.signatures.iter().any(|binding| binding.key_flags().sign());
        if named(&subkey.key.fingerprint(), &subkey.key.legacy_key_id()) && may_sign {
            if subkey.verify_bindings(primary).is_err() {
                return Verdict::OtherKey;
            }
            return match signature.verify(&subkey.key, content) {
                Ok(()) => Verdict::Good,
                Err(_) => Verdict::Bad(subkey.key.fingerprint().to_string()),
            };
        }
    }
    Verdict::OtherKey
}

fn signers(signatures: &[&Signature]) -> String {
    let names: Vec<String> =
        signatures.iter().flat_map(|signature| signature.issuer_key_id()).map(ToString::to_string).collect();
    if names.is_empty() { "unknown".to_owned() } else { names.join(", ") }
}
