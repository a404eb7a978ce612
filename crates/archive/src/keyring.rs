//! Whose signature makes an archive's metadata good.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use pgp::composed::{CleartextSignedMessage, Deserializable as _, DetachedSignature, SignedPublicKey};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::Signature;
use pgp::types::{Duration, KeyDetails as _, Tag};

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
    /// A known key, and its signature counts no more, or never did.
    #[error("the signature by key {signer} does not count: {reason}")]
    Unusable {
        /// Who signed.
        signer: String,
        /// What is wrong with it.
        reason: &'static str,
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

    /// Checks a cleartext-signed document at the time `now` and gives the text that is signed, and nothing around it.
    pub fn verify_cleartext(&self, document: &str, now: Timestamp) -> Result<String, KeyringError> {
        if !document.starts_with("-----BEGIN PGP SIGNED MESSAGE-----") {
            return Err(KeyringError::Unsigned);
        }
        let (message, _) =
            CleartextSignedMessage::from_string(document).map_err(|_| KeyringError::Unsigned)?;
        let signed = message.signed_text();
        let signatures: Vec<&Signature> = message.signatures().iter().collect();
        self.judge(&signatures, signed.as_bytes(), now)?;
        Ok(signed.replace("\r\n", "\n"))
    }

    /// Checks a detached signature at the time `now`.
    pub fn verify_detached(
        &self,
        content: &[u8],
        signature: &str,
        now: Timestamp,
    ) -> Result<(), KeyringError> {
        let (signatures, _) =
            DetachedSignature::from_armor_many(signature.as_bytes()).map_err(|_| KeyringError::Unsigned)?;
        let signatures: Vec<DetachedSignature> = signatures.filter_map(Result::ok).collect();
        let signatures: Vec<&Signature> = signatures.iter().map(|signature| &signature.signature).collect();
        self.judge(&signatures, content, now)
    }

    /// One good signature by a key that is known is enough (as for apt); Debian's are signed by several.
    fn judge(&self, signatures: &[&Signature], content: &[u8], now: Timestamp) -> Result<(), KeyringError> {
        if signatures.is_empty() {
            return Err(KeyringError::Unsigned);
        }
        let mut refusal = None;
        for signature in signatures {
            for key in &self.keys {
                match check(key, signature, content, now) {
                    Verdict::Good => return Ok(()),
                    Verdict::Refused(error) => refusal = Some(error),
                    Verdict::OtherKey => {}
                }
            }
        }
        Err(refusal.unwrap_or_else(|| KeyringError::UnknownKey {
            signers: signers(signatures),
            keyring: self.name.clone(),
        }))
    }
}

enum Verdict {
    Good,
    Refused(KeyringError),
    OtherKey,
}

/// Tries the primary key and every subkey that may sign. Revoked keys and subkeys that are not bound to their
/// primary key count as unknown.
fn check(key: &SignedPublicKey, signature: &Signature, content: &[u8], now: Timestamp) -> Verdict {
    let named = |fingerprint: &pgp::types::Fingerprint, id: &pgp::types::KeyId| {
        signature.issuer_fingerprint().contains(&fingerprint) || signature.issuer_key_id().contains(&id)
    };
    if !key.details.revocation_signatures.is_empty() {
        return Verdict::OtherKey;
    }
    let primary = &key.primary_key;
    let key_over = has_passed(primary.created_at().as_secs(), lifetime(key), now);
    let judge = |signer: String, fits: bool, signer_over: bool| {
        let reason = match () {
            () if !fits => return Verdict::Refused(KeyringError::Bad { signer }),
            () if signer_over => "the key has expired",
            () => match unusable(signature, now) {
                Some(reason) => reason,
                None => return Verdict::Good,
            },
        };
        Verdict::Refused(KeyringError::Unusable { signer, reason })
    };
    if named(&primary.fingerprint(), &primary.legacy_key_id()) {
        let fits = signature.verify(primary, content).is_ok();
        return judge(primary.fingerprint().to_string(), fits, key_over);
    }
    for subkey in &key.public_subkeys {
        let may_sign = subkey.signatures.iter().any(|binding| binding.key_flags().sign());
        if named(&subkey.key.fingerprint(), &subkey.key.legacy_key_id()) && may_sign {
            if subkey.verify_bindings(primary).is_err() {
                return Verdict::OtherKey;
            }
            let fits = signature.verify(&subkey.key, content).is_ok();
            let own = newest(subkey.signatures.iter()).and_then(Signature::key_expiration_time);
            let over = key_over || has_passed(subkey.key.created_at().as_secs(), own, now);
            return judge(subkey.key.fingerprint().to_string(), fits, over);
        }
    }
    Verdict::OtherKey
}

/// How long a key lives after it was made, by the newest good signature that it made over itself.
fn lifetime(key: &SignedPublicKey) -> Option<Duration> {
    let primary = &key.primary_key;
    let direct = key.details.direct_signatures.iter().filter(|own| own.verify_key(primary).is_ok());
    let over_names = key.details.users.iter().flat_map(|user| {
        user.signatures.iter().filter(|own| own.verify_certification(primary, Tag::UserId, &user.id).is_ok())
    });
    newest(direct.chain(over_names)).and_then(Signature::key_expiration_time)
}

fn newest<'s>(signatures: impl Iterator<Item = &'s Signature>) -> Option<&'s Signature> {
    signatures.max_by_key(|signature| signature.created().map_or(0, pgp::types::Timestamp::as_secs))
}

/// Why a signature that fits does not count all the same: gpgv and apt refuse these too.
fn unusable(signature: &Signature, now: Timestamp) -> Option<&'static str> {
    let strong = matches!(
        signature.hash_alg(),
        Some(HashAlgorithm::Sha256 | HashAlgorithm::Sha384 | HashAlgorithm::Sha512)
    );
    let made = signature.created().map_or(0, pgp::types::Timestamp::as_secs);
    if !strong {
        Some("it is made with a hash that is too weak, such as SHA-1")
    } else if has_passed(made, signature.signature_expiration_time(), now) {
        Some("it has expired")
    } else {
        None
    }
}

/// Whether `lifetime` after `made` is before `now`; a lifetime of 0 is none.
fn has_passed(made: u32, lifetime: Option<Duration>, now: Timestamp) -> bool {
    let end = lifetime
        .filter(|lifetime| lifetime.as_secs() > 0)
        .map(|lifetime| i64::from(made) + i64::from(lifetime.as_secs()));
    end.is_some_and(|end| end < now.as_second())
}

fn signers(signatures: &[&Signature]) -> String {
    let names: Vec<String> =
        signatures.iter().flat_map(|signature| signature.issuer_key_id()).map(ToString::to_string).collect();
    if names.is_empty() { "unknown".to_owned() } else { names.join(", ") }
}
