//! The keys of a fabric: whoever has one may say something as a switch of it.
//!
//! A tag is HMAC-SHA-256 (RFC 2104, FIPS 180-4) of what was said, of which the first 16 bytes are sent (RFC 2104, 5). While keys
//! are rolled a switch has two: it signs with the first and accepts both. So one is added at the end everywhere, then moved
//! to the front everywhere, then the other one is removed.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Bytes of a tag.
pub const TAG: usize = 16;

/// The keys of a fabric, the one to sign with first; none if whoever speaks is believed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys(Vec<Vec<u8>>);

impl std::fmt::Debug for Keys {
    /// Keys are secrets: how many there are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.0.len())
    }
}

impl Keys {
    /// These keys.
    pub fn new(keys: Vec<Vec<u8>>) -> Self {
        Self(keys)
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tag of what is said; `None` without a key.
    pub fn sign(&self, said: &[u8]) -> Option<[u8; TAG]> {
        let whole = made_with(self.0.first()?, said)?.finalize().into_bytes();
        whole[..TAG].try_into().ok()
    }

    /// Whether one of the keys made the tag, found out in a time that does not tell how much of it is right.
    pub fn accept(&self, said: &[u8], tag: [u8; TAG]) -> bool {
        let is_of =
            |key: &Vec<u8>| made_with(key, said).is_some_and(|mac| mac.verify_truncated_left(&tag).is_ok());
        self.0.iter().any(is_of)
    }
}

/// `None` never: HMAC takes keys of any length.
fn made_with(key: &[u8], said: &[u8]) -> Option<Hmac<Sha256>> {
    Hmac::<Sha256>::new_from_slice(key).ok().map(|mac| mac.chain_update(said))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_the_beginning_of_the_hmac_of_rfc_4231() {
        let keys = Keys::new(vec![b"Jefe".to_vec()]);
        let tag = keys.sign(b"what do ya want for nothing?").unwrap();
        let of_test_case_2 =
            [0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7];
        assert_eq!(tag, of_test_case_2);
        assert!(keys.accept(b"what do ya want for nothing?", tag));
        assert!(!keys.accept(b"what do ya want for nothing!", tag));
    }

    #[test]
    fn the_first_key_signs_and_all_are_accepted() {
        let both = Keys::new(vec![b"new".to_vec(), b"old".to_vec()]);
        let only = |key: &[u8]| Keys::new(vec![key.to_vec()]);
        assert_eq!(both.sign(b"x"), only(b"new").sign(b"x"));
        for key in [&b"new"[..], b"old"] {
            assert!(both.accept(b"x", only(key).sign(b"x").unwrap()));
        }
        assert!(!both.accept(b"x", only(b"other").sign(b"x").unwrap()));
        assert_eq!(Keys::default().sign(b"x"), None);
        assert!(!Keys::default().accept(b"x", [0; TAG]));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Keys::new(vec![b"secret".to_vec()])), "1 keys");
    }
}
