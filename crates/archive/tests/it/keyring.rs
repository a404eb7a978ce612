//! Signatures and keys that do not count.

use std::fs;
use std::path::Path;
use std::time::SystemTime;

use archmill_archive::{Keyring, KeyringError};
use jiff::Timestamp;
use pgp::composed::{
    ArmorOptions, CleartextSignedMessage, Deserializable as _, DetachedSignature, KeyType,
    SecretKeyParamsBuilder, SignedPublicKey, SignedSecretKey,
};
use pgp::crypto::hash::HashAlgorithm;
use pgp::packet::{SignatureConfig, SignatureType, Subpacket, SubpacketData};
use pgp::types::{Duration, KeyDetails as _, Password};

use crate::support::recorded::{fixtures, sign, test_key};

const TEXT: &str = "Codename: trixie\nDate: Sat, 21 Nov 2026 09:15:44 UTC\n";

fn test_secret() -> SignedSecretKey {
    let text = fs::read_to_string(fixtures().join("test-secret-key.asc")).unwrap();
    SignedSecretKey::from_string(&text).unwrap().0
}

/// A detached signature by the test key.
pub(crate) fn detached(text: &str) -> String {
    let (rng, key) = (rand::thread_rng(), test_secret());
    let signature = DetachedSignature::sign_binary_data(
        rng,
        &key.primary_key,
        &Password::empty(),
        HashAlgorithm::Sha512,
        text.as_bytes(),
    );
    signature.unwrap().to_armored_string(ArmorOptions::default()).unwrap()
}

/// A signature of TEXT by the test key, with another hash or an end.
fn signed(hash: HashAlgorithm, lifetime: Option<u32>) -> String {
    signed_by(&test_secret(), hash, lifetime)
}

fn new_key(kind: KeyType) -> SignedSecretKey {
    let mut params = SecretKeyParamsBuilder::default();
    params.key_type(kind).can_sign(true).can_certify(true).primary_user_id("A <a@b.example>".into());
    params.build().unwrap().generate(rand::thread_rng()).unwrap()
}

fn signed_by(key: &SignedSecretKey, hash: HashAlgorithm, lifetime: Option<u32>) -> String {
    let sign = |text: &str| {
        let mut config =
            SignatureConfig::from_key(rand::thread_rng(), &key.primary_key, SignatureType::Text)?;
        config.hash_alg = hash;
        let mut subpackets = vec![
            Subpacket::regular(SubpacketData::SignatureCreationTime(pgp::types::Timestamp::now()))?,
            Subpacket::regular(SubpacketData::IssuerFingerprint(key.primary_key.fingerprint()))?,
        ];
        if let Some(seconds) = lifetime {
            subpackets.push(Subpacket::regular(SubpacketData::SignatureExpirationTime(
                Duration::from_secs(seconds),
            ))?);
        }
        config.hashed_subpackets = subpackets;
        Ok(vec![config.sign(&key.primary_key, &Password::empty(), text.as_bytes())?])
    };
    let message = CleartextSignedMessage::new_many(TEXT, sign).unwrap();
    message.to_armored_string(ArmorOptions::default()).unwrap()
}

fn keyring() -> Keyring {
    Keyring::open(&test_key()).unwrap()
}

fn in_a_year() -> Timestamp {
    Timestamp::now() + jiff::SignedDuration::from_hours(366 * 24)
}

fn armored(key: &SignedPublicKey) -> Keyring {
    let text = key.to_armored_string(ArmorOptions::default()).unwrap();
    Keyring::parse(text.as_bytes(), "a test's keyring", Path::new("(test)")).unwrap()
}

#[test]
fn the_text_that_is_signed_comes_out_and_nothing_else() {
    let secret = fs::read_to_string(fixtures().join("test-secret-key.asc")).unwrap();
    let document = sign(TEXT, &secret);
    let text = keyring().verify_cleartext(&document, Timestamp::now()).unwrap();
    assert_eq!(text.trim_end(), TEXT.trim_end());
    assert_eq!(
        keyring()
            .verify_cleartext(&signed(HashAlgorithm::Sha256, None), Timestamp::now())
            .unwrap()
            .trim_end(),
        TEXT.trim_end()
    );
}

#[test]
fn a_signature_counts_until_its_end() {
    let document = signed(HashAlgorithm::Sha512, Some(3600));
    keyring().verify_cleartext(&document, Timestamp::now()).unwrap();
    let error = keyring().verify_cleartext(&document, in_a_year()).unwrap_err();
    assert!(matches!(error, KeyringError::Unusable { reason: "it has expired", .. }), "{error}");
}

#[test]
fn a_signature_over_a_weak_hash_does_not_count() {
    // rPGP itself makes none with an elliptic curve.
    let key = new_key(KeyType::Rsa(2048));
    let keyring = armored(&key.to_public_key());
    keyring.verify_cleartext(&signed_by(&key, HashAlgorithm::Sha512, None), Timestamp::now()).unwrap();
    let error =
        keyring.verify_cleartext(&signed_by(&key, HashAlgorithm::Sha1, None), Timestamp::now()).unwrap_err();
    assert!(error.to_string().contains("too weak"), "{error}");
}

#[test]
fn a_key_counts_until_its_end() {
    let key = new_key(KeyType::Ed25519Legacy);
    // Signs its name again, with an end.
    let public = key.to_public_key();
    let keyring_without_end = armored(&public);
    let user = &public.details.users[0];
    let mut config =
        SignatureConfig::from_key(rand::thread_rng(), &key.primary_key, SignatureType::CertPositive).unwrap();
    let soon = SystemTime::now() + std::time::Duration::from_secs(2);
    config.hashed_subpackets = vec![
        Subpacket::regular(SubpacketData::SignatureCreationTime(soon.try_into().unwrap())).unwrap(),
        Subpacket::regular(SubpacketData::IssuerFingerprint(key.primary_key.fingerprint())).unwrap(),
        Subpacket::regular(SubpacketData::KeyExpirationTime(Duration::from_secs(3600))).unwrap(),
    ];
    let own = config
        .sign_certification(
            &key.primary_key,
            &public.primary_key,
            &Password::empty(),
            pgp::types::Tag::UserId,
            &user.id,
        )
        .unwrap();
    let mut with_end = public.clone();
    with_end.details.users[0].signatures.push(own);
    let document =
        CleartextSignedMessage::sign(rand::thread_rng(), TEXT, &key.primary_key, &Password::empty()).unwrap();
    let document = document.to_armored_string(ArmorOptions::default()).unwrap();
    armored(&with_end).verify_cleartext(&document, Timestamp::now()).unwrap();
    keyring_without_end.verify_cleartext(&document, in_a_year()).unwrap();
    let error = armored(&with_end).verify_cleartext(&document, in_a_year()).unwrap_err();
    assert!(error.to_string().contains("the key has expired"), "{error}");
}

#[test]
fn a_file_that_is_no_keyring_says_so() {
    for bytes in [
        &b"no key"[..],
        b"",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nxyz\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ] {
        let error = Keyring::parse(bytes, "x", Path::new("/etc/x.gpg")).unwrap_err().to_string();
        assert!(error.contains("/etc/x.gpg"), "{error}");
    }
    assert!(Keyring::open(Path::new("/nowhere.gpg")).unwrap_err().to_string().contains("/nowhere.gpg"));
}

#[test]
fn the_keys_that_archmill_ships_can_be_read() {
    Keyring::debian().unwrap();
}
