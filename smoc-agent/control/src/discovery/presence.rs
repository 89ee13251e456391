//! What agents put into the frames of [`smoc_common::wire::presence`]: questions whether a switch is at the other end of a cable,
//! which programs answer, and loop probes, which say where they were sent.
//!
//! | bytes of a loop probe | field |
//! |---|---|
//! | 0..18 | as in [`smoc_common::wire::presence`] |
//! | 18 | 1: the sender's port is open for the base network, 0: it is closed |
//! | 19 | zero |
//! | 20..22 | number of the sender's port |
//! | 22..30 | boot: a number that the sender's agent drew when it started |
//! | 30 | length of the switch's name |
//! | 31.. | name of the switch, UTF-8, 1 to 64 bytes; length and name of the fabric, likewise; zeros, and at the end with a key the tag ([`super::key`]) |

use smoc_common::{
    route::PortNumber,
    wire::{
        ethernet::MacAddress,
        presence::{ANSWER, ETHER_TYPE, FORWARDED, LINK, LOOP, QUESTION, VERSION},
    },
};

use super::{key::Keys, lldp::name};

/// Shorter frames are padded.
const SHORTEST: usize = 60;
/// Where the fields of a kind begin.
const FIELDS: usize = 18;
/// Behind it the names of a loop probe.
const NAMES: usize = 30;

/// What was heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The answer to a question with this number.
    Answer(u32),
    /// A loop probe, if one of the fabric's keys made its tag or none is asked for.
    Loop(LoopProbe),
    /// A loop probe that is not believed.
    Forged,
}

/// Says, beyond whatever forwards it, where it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoopProbe {
    /// The sender.
    pub switch: String,
    /// The port through which it was sent.
    pub port: PortNumber,
    /// The fabric that the sender belongs to.
    pub fabric: String,
    /// A number that the sender's agent drew when it started.
    pub boot: u64,
    /// Whether the port is open for the base network.
    pub is_open: bool,
}

/// Whether a frame is one of these, sound or not.
pub fn is_one(frame: &[u8]) -> bool {
    let is_group = frame.get(..6).is_some_and(|to| to == LINK || to == FORWARDED);
    is_group && frame.get(12..14) == Some(&ETHER_TYPE.to_be_bytes())
}

/// Asks whether a switch is at the other end of the cable.
pub fn question(source: MacAddress, number: u32) -> Vec<u8> {
    let mut frame = begin(LINK, source, QUESTION);
    frame.extend(number.to_be_bytes());
    frame.resize(SHORTEST, 0);
    frame
}

fn begin(to: [u8; 6], source: MacAddress, kind: u16) -> Vec<u8> {
    let numbers = [ETHER_TYPE, VERSION, kind].map(u16::to_be_bytes);
    [&to[..], &source.octets(), numbers.as_flattened()].concat()
}

impl LoopProbe {
    /// The frame, as sent from a port with this MAC address.
    pub fn frame(&self, source: MacAddress, keys: &Keys) -> Vec<u8> {
        let mut frame = begin(FORWARDED, source, LOOP);
        frame.extend([u8::from(self.is_open), 0]);
        frame.extend(self.port.get().to_be_bytes());
        frame.extend(self.boot.to_be_bytes());
        for name in [&self.switch, &self.fabric] {
            frame.push(name.len() as u8);
            frame.extend(name.as_bytes());
        }
        let mut frame = keys.seal(frame);
        frame.resize(frame.len().max(SHORTEST), 0);
        frame
    }

    fn parse(frame: &[u8]) -> Option<Self> {
        let fixed = frame.get(FIELDS..NAMES)?;
        let (switch, rest) = split_name(frame.get(NAMES..)?)?;
        let (fabric, _) = split_name(rest)?;
        Some(Self {
            switch: switch.to_owned(),
            port: PortNumber::new(u16::from_be_bytes([fixed[2], fixed[3]]))?,
            fabric: fabric.to_owned(),
            boot: u64::from_be_bytes(fixed[4..12].try_into().ok()?),
            is_open: fixed[0] == 1,
        })
    }
}

fn split_name(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((name(text)?, rest))
}

impl Heard {
    /// Reads a frame; `None` if it says nothing.
    pub fn parse(frame: &[u8], keys: &Keys) -> Option<Self> {
        let number = |at: usize| Some(u16::from_be_bytes([*frame.get(at)?, *frame.get(at + 1)?]));
        if !is_one(frame) || number(14)? != VERSION {
            return None;
        }
        match number(16)? {
            ANSWER => Some(Self::Answer(u32::from_be_bytes(frame.get(FIELDS..FIELDS + 4)?.try_into().ok()?))),
            LOOP => match keys.open(frame) {
                Some(opened) => LoopProbe::parse(opened.said).map(Self::Loop),
                None => Some(Self::Forged),
            },
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);

    fn probe() -> LoopProbe {
        LoopProbe {
            switch: "e1".into(),
            port: PortNumber::new(9).unwrap(),
            fabric: "campus".into(),
            boot: 0x0102_0304_0506_0708,
            is_open: true,
        }
    }

    fn keys(text: &str) -> Keys {
        Keys::new(vec![text.as_bytes().to_vec()])
    }

    /// What a program makes of a loop probe on its way to the agent.
    fn arrived(mut frame: Vec<u8>) -> Vec<u8> {
        frame[..6].copy_from_slice(&LINK);
        frame
    }

    #[test]
    fn an_answer_has_the_number_of_its_question_and_a_question_says_nothing() {
        let mut frame = question(MAC, 0x0a0b_0c0d);
        assert_eq!((frame.len(), Heard::parse(&frame, &Keys::default())), (60, None));
        frame[17] = ANSWER as u8;
        assert_eq!(Heard::parse(&frame, &keys("key")), Some(Heard::Answer(0x0a0b_0c0d)));
    }

    #[test]
    fn a_loop_probe_is_read_as_it_was_sent_by_who_has_the_key() {
        for (mine, yours, heard) in [
            (Keys::default(), Keys::default(), Some(Heard::Loop(probe()))),
            (keys("one"), keys("one"), Some(Heard::Loop(probe()))),
            (keys("one"), keys("two"), Some(Heard::Forged)),
            (Keys::default(), keys("two"), Some(Heard::Forged)),
        ] {
            let frame = probe().frame(MAC, &mine);
            assert!(frame.len() >= 60 && frame[..6] == FORWARDED);
            assert_eq!(Heard::parse(&arrived(frame), &yours), heard);
        }
    }

    proptest! {
        #[test]
        fn nothing_that_is_cut_off_or_damaged_is_taken_for_a_probe_where_there_is_a_key(
            cut in 0usize..90, at in 12usize..60, bit in 0u32..8,
        ) {
            let keys = keys("key");
            let frame = arrived(probe().frame(MAC, &keys));
            let is_probe = |frame: &[u8]| matches!(Heard::parse(frame, &keys), Some(Heard::Loop(_)));
            prop_assert!(is_probe(&frame));
            prop_assert!(cut >= frame.len() || !is_probe(&frame[..cut]));
            let mut damaged = frame.clone();
            damaged[at.min(frame.len() - 1)] ^= 1 << bit;
            prop_assert!(!is_probe(&damaged));
            _ = Heard::parse(&damaged, &Keys::default());
        }
    }
}
