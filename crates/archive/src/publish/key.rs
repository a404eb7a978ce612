//! The key that an archive is signed with.

use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, Deserializable as _, KeyType, SecretKeyParamsBuilder,
    SignedSecretKey,
};
use pgp::types::Password;

/// A key without a passphrase, in a file that only its owner reads.
#[derive(Debug)]
pub struct SigningKey {
    key: SignedSecretKey,
}

/// There is no key to sign with.
#[derive(Debug, thiserror::Error)]
#[error("cannot sign with the key {}: {problem}", path.display())]
pub struct SigningError {
    path: PathBuf,
    problem: String,
}

impl SigningKey {
    /// Reads the key in a file, armored and without a passphrase; makes one if there is no file.
    pub fn open_or_make(path: &Path, user_id: &str) -> Result<Self, SigningError> {
        let bad = |problem: String| SigningError { path: path.to_owned(), problem };
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let (key, _) = SignedSecretKey::from_string(&text).map_err(|error| bad(error.to_string()))?;
                Ok(Self { key })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let made = Self::make(user_id).map_err(|error| bad(error.to_string()))?;
                let text = made.key.to_armored_string(ArmorOptions::default());
                let text = text.map_err(|error| bad(error.to_string()))?;
                keep_secret(path, &text).map_err(|error| bad(error.to_string()))?;
                Ok(made)
            }
            Err(error) => Err(bad(error.to_string())),
        }
    }

    fn make(user_id: &str) -> Result<Self, Box<dyn std::error::Error>> {
        let mut params = SecretKeyParamsBuilder::default();
        params
            .key_type(KeyType::Ed25519Legacy)
            .can_sign(true)
            .can_certify(true)
            .primary_user_id(user_id.to_owned());
        Ok(Self { key: params.build()?.generate(rand::thread_rng())? })
    }

    /// The public half, armored, for `Signed-By`.
    pub fn public(&self) -> io::Result<String> {
        let public = self.key.to_public_key();
        public.to_armored_string(ArmorOptions::default()).map_err(io::Error::other)
    }

    /// A text with its signature, as an InRelease file is.
    pub(super) fn sign(&self, text: &str) -> io::Result<String> {
        let message =
            CleartextSignedMessage::sign(rand::thread_rng(), text, &self.key.primary_key, &Password::empty())
                .map_err(io::Error::other)?;
        message.to_armored_string(ArmorOptions::default()).map_err(io::Error::other)
    }
}

/// Whole or not at all, and at no moment for others to read.
fn keep_secret(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.as_file().set_permissions(std::fs::Permissions::from_mode(0o600))?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist_noclobber(path).map_err(|error| error.error)?;
    Ok(())
}
