//! The keys of a fabric: whoever has one may say something as a switch of it.
//!
//! A tag is HMAC-SHA-256 (RFC 2104, FIPS 180-4) of what was said, of which the first 16 bytes are sent (RFC 2104, 5). While keys
//! are rolled a switch has two: it signs with the first and accepts both. So one is added at the end everywhere, then moved
//! to the front everywhere, then the other one is removed.
//!
//! A first key comes the same way: while it is *introduced* a switch signs all it says and believes what has no tag too. Whoever
//! has no key believes what is signed so: of LLDP because it says that it is introduced, of all else because it does not look.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use smoc_common::{map::HelloKeys, tag::TagKey, wire::probe::switch_id};

/// Where what is signed of a frame begins: each switch on the way sends it from an address of its own.
const ADDRESSES: usize = 12;
/// What a fabric's key signs to give the key of hellos and probes, which programs hold: who reads that knows no more.
const OF_HELLOS: &[u8] = b"smoc: hellos and probes, 1";
/// A shorter frame would be padded behind its tag.
const SHORTEST: usize = 60;

/// Bytes of a tag.
pub const TAG: usize = 16;

/// What a frame between agents says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened<'a> {
    /// The frame without its tag; one that is not signed may have something behind what it says.
    pub said: &'a [u8],
    /// Whether one of the keys made its tag.
    pub is_signed: bool,
}

/// The keys of a fabric, the one to sign with first; none if whoever speaks is believed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Keys {
    all: Vec<Vec<u8>>,
    /// What has no tag is believed as well.
    introduced: bool,
}

impl std::fmt::Debug for Keys {
    /// Keys are secrets: how many there are.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} keys", self.all.len())
    }
}

impl Keys {
    /// These keys.
    pub fn new(keys: Vec<Vec<u8>>) -> Self {
        Self { all: keys, introduced: false }
    }

    /// These keys while they are introduced: what has no tag is believed too.
    pub fn introduced(self) -> Self {
        Self { introduced: !self.all.is_empty(), ..self }
    }

    /// Whether what has no tag is believed although there is a key.
    pub fn are_introduced(&self) -> bool {
        self.introduced
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Whether nothing is believed without a tag.
    pub fn are_strict(&self) -> bool {
        !self.is_empty() && !self.introduced
    }

    /// The tag of what is said; `None` without a key.
    pub fn sign(&self, said: &[u8]) -> Option<[u8; TAG]> {
        let whole = made_with(self.all.first()?, said)?.finalize().into_bytes();
        whole[..TAG].try_into().ok()
    }

    /// A frame between agents as it is sent: with the tag of all but its addresses as its last bytes, if there is a key.
    pub fn seal(&self, mut frame: Vec<u8>) -> Vec<u8> {
        if !self.is_empty() {
            // A zero at least: who has no key takes the tag for padding.
            frame.resize((frame.len() + 1).max(SHORTEST - TAG), 0);
            let tag = self.sign(&frame[ADDRESSES..]);
            frame.extend(tag.iter().flatten());
        }
        frame
    }

    /// A frame between agents without its tag; `None` if it should have one and has none that is right.
    pub fn open<'a>(&self, frame: &'a [u8]) -> Option<Opened<'a>> {
        if self.is_empty() {
            return Some(Opened { said: frame, is_signed: false });
        }
        match self.opened(frame) {
            Some(said) => Some(Opened { said, is_signed: true }),
            None => self.introduced.then_some(Opened { said: frame, is_signed: false }),
        }
    }

    fn opened<'a>(&self, frame: &'a [u8]) -> Option<&'a [u8]> {
        let (said, tag) = frame.split_last_chunk::<TAG>()?;
        self.accept(said.get(ADDRESSES..)?, *tag).then_some(said)
    }

    /// What hellos and probes are signed with, the key to sign with first; [`TagKey::NONE`] for those that are missing.
    pub fn tag_keys(&self) -> [TagKey; 2] {
        let derived = |key: &Vec<u8>| {
            let whole = made_with(key, OF_HELLOS)?.finalize().into_bytes();
            Some(TagKey::new(whole[..TAG].try_into().ok()?))
        };
        [0, 1].map(|place| self.all.get(place).and_then(derived).unwrap_or_default())
    }

    /// What the programs of a switch answer hellos and probes with; all zero without a key.
    pub fn hello_keys(&self, switch: &str) -> HelloKeys {
        let keys = self.tag_keys();
        let responder = if keys[0].is_none() { 0 } else { switch_id(switch) };
        HelloKeys { keys, responder, reserved: 0 }
    }

    /// Whether one of the keys made the tag, found out in a time that does not tell how much of it is right.
    pub fn accept(&self, said: &[u8], tag: [u8; TAG]) -> bool {
        let is_of =
            |key: &Vec<u8>| made_with(key, said).is_some_and(|mac| mac.verify_truncated_left(&tag).is_ok());
        self.all.iter().any(is_of)
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
    fn a_sealed_frame_is_opened_with_the_key_and_as_it_was_sent_alone() {
        let keys = Keys::new(vec![b"new".to_vec(), b"old".to_vec()]);
        for length in [14, 43, 44, 60, 1400] {
            let frame: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let sealed = keys.seal(frame.clone());
            assert!(sealed.len() >= SHORTEST && keys.open(&sealed).unwrap().said.starts_with(&frame));
            let from_elsewhere = [&[7; 12][..], &sealed[12..]].concat();
            assert!(keys.open(&from_elsewhere).is_some(), "passed on from another address");
            for at in 12..sealed.len() {
                let mut changed = sealed.clone();
                changed[at] ^= 1;
                assert_eq!(keys.open(&changed), None, "byte {at}");
            }
            assert_eq!(keys.open(&frame), None);
            assert_eq!(Keys::default().seal(frame.clone()), frame);
            assert_eq!(Keys::default().open(&frame), Some(Opened { said: &frame, is_signed: false }));
        }
        assert!((0..28).all(|length| keys.open(&vec![0; length]).is_none()));
    }

    #[test]
    fn while_a_key_is_introduced_what_has_no_tag_is_believed_and_told_apart() {
        let keys = Keys::new(vec![b"new".to_vec()]);
        let introduced = keys.clone().introduced();
        let frame = [3; 60];
        let sealed = introduced.seal(frame.to_vec());
        assert_eq!(introduced.open(&frame), Some(Opened { said: &frame, is_signed: false }));
        assert!(introduced.open(&sealed).unwrap().is_signed && keys.open(&sealed).unwrap().is_signed);
        assert_eq!(keys.open(&frame), None);
        assert_eq!(sealed[..61], [&frame[..], &[0]].concat(), "a zero is between what is said and the tag");
        assert!(!Keys::default().introduced().are_introduced());
    }

    #[test]
    fn the_keys_of_hellos_are_in_the_order_of_the_keys_and_are_not_these() {
        let both = Keys::new(vec![b"0123456789abcdef".to_vec(), b"old".to_vec()]).tag_keys();
        let turned = Keys::new(vec![b"old".to_vec(), b"0123456789abcdef".to_vec()]).tag_keys();
        assert_eq!([both[1], both[0]], turned);
        assert!(both[0] != both[1] && both[0] != TagKey::new(*b"0123456789abcdef"));
        assert_eq!(Keys::default().hello_keys("e1"), HelloKeys::default());
        let one = Keys::new(vec![b"old".to_vec()]).hello_keys("e1");
        assert_eq!((one.keys, one.responder), ([both[1], TagKey::NONE], switch_id("e1")));
    }

    #[test]
    fn a_key_is_not_shown() {
        assert_eq!(format!("{:?}", Keys::new(vec![b"secret".to_vec()])), "1 keys");
    }
}
