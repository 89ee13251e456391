//! The frames by which switches find each other ([`crate::wire::presence`]), at ports of either kind, open or closed.

use super::Verdict;
use crate::{
    event::Outcome,
    wire::{
        Frame,
        presence::{ANSWER, ETHER_TYPE, FORWARDED, KIND, LINK, QUESTION, VERSION},
    },
};

/// A destination as it stands in the first two words of a frame.
const fn words([a, b, c, d, e, f]: [u8; 6]) -> [u32; 2] {
    [u32::from_be_bytes([a, b, c, d]), u32::from_be_bytes([e, f, 0, 0])]
}

const TO_LINK: [u32; 2] = words(LINK);
const TO_ALL: [u32; 2] = words(FORWARDED);
const LOW: u32 = 0xffff;

/// Answers a question, and keeps a loop probe off the bridge; `None` if the frame is neither.
#[inline(always)]
pub(super) fn meet(frame: &mut impl Frame, addresses: [u32; 3], ether_type: u16) -> Option<Verdict> {
    if ether_type != ETHER_TYPE {
        return None;
    }
    let to = [addresses[0], addresses[1] & !LOW];
    if to == TO_ALL {
        frame.set_addresses([TO_LINK[0], TO_LINK[1] | addresses[1] & LOW, addresses[2]])?;
        return Some(Verdict::staying(Outcome::LoopProbe));
    }
    let [head] = frame.untagged()?;
    if to != TO_LINK || head != (VERSION as u32) << 16 | QUESTION as u32 {
        return None;
    }
    frame.write(KIND, [ANSWER])?;
    Some(Verdict::staying(Outcome::Answered))
}
