//! Which hellos and answers are believed, where the fabric has a key.
//!
//! | what comes | is believed if |
//! |---|---|
//! | an answer to a hello or probe | it was sent no longer than [`ANSWERED_WITHIN`] ago, and the switch that should have turned it round has signed that it did. (That it is no answer to one that was answered before is up to [`super::Port`] and [`super::PathProbes`].) |
//! | a neighbour's hello | it is signed, was not heard before, and names a hello of this switch that was sent just now. One that names an older one, or none, counts only if it says that its sender does not hear this switch: then it cannot know better |
//!
//! A switch is not to be believed without a tag unless it has announced, with the fabric's key, that it does not make tags: an
//! earlier version of smoc. While a key is introduced every switch is: what it says without a tag counts, and so do hellos and probes
//! that come back as they were sent. What has a wrong tag never does.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use smoc_common::{
    tag::TagKey,
    wire::probe::{Probe, Way},
};

use crate::clock::Nanos;

/// What takes longer to come back is not believed: somebody may have kept it.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(1);

/// What is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trust {
    /// The keys, the one to sign with first; [`TagKey::NONE`]: whatever comes is believed.
    pub keys: [TagKey; 2],
    /// What has no tag is believed as well: not all switches have the key yet.
    pub introduced: bool,
    /// Switches of earlier versions, by [`smoc_common::wire::probe::switch_id`].
    pub untagged: Arc<BTreeSet<u32>>,
}

impl Trust {
    /// Whether tags matter.
    pub fn has_key(&self) -> bool {
        !self.keys[0].is_none()
    }

    /// One of the switches that make no tags; 0 if there is none.
    pub(super) fn any_untagged(&self) -> u32 {
        self.untagged.first().copied().unwrap_or_default()
    }

    fn is_signed(&self, probe: &Probe, way: Way) -> bool {
        self.keys.iter().any(|key| probe.is_signed(key, way))
    }

    /// Whether a neighbour's hello is signed.
    pub(super) fn signed_hello(&self, probe: &Probe) -> bool {
        self.is_signed(probe, Way::Out)
    }

    /// Whether a hello without a tag may be of this switch.
    pub(super) fn is_excused(&self, probe: &Probe, peer: u32) -> bool {
        !self.has_key() || probe.tag == 0 && (self.introduced || self.untagged.contains(&peer))
    }

    /// Whether a probe that came back was turned round by this switch, just now. An earlier version sends back what it got.
    pub(super) fn believes(&self, probe: &Probe, peer: u32, at: Nanos) -> bool {
        let by_peer = || {
            self.is_turned_by(probe, peer)
                || (self.introduced || self.untagged.contains(&peer)) && self.is_signed(probe, Way::Out)
                || self.introduced && probe.tag == 0
        };
        !self.has_key() || at.since(Nanos(probe.sent_at)) <= ANSWERED_WITHIN && by_peer()
    }

    fn is_turned_by(&self, probe: &Probe, peer: u32) -> bool {
        probe.responder == peer && self.is_signed(probe, Way::Back)
    }

    /// Whether a key is introduced and nobody has signed a hello, or that a probe was turned round.
    pub(super) fn lacks_tag(&self, probe: &Probe, is_back: bool) -> bool {
        self.introduced && if is_back { probe.responder == 0 } else { probe.tag == 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [TagKey; 2] = [TagKey { low: 1, high: 1 }, TagKey { low: 2, high: 2 }];
    const NOW: Nanos = Nanos(5_000_000_000);

    fn answered(key: &TagKey, responder: u32) -> Probe {
        let probe = Probe { responder, sent_at: NOW.0 - 1_000_000, ..Probe::default() };
        Probe { tag: probe.tag_with(key, Way::Back), ..probe }
    }

    #[test]
    fn an_answer_is_believed_of_whom_it_should_be_and_no_other() {
        let trust = Trust { keys: KEYS, introduced: false, untagged: Arc::new([9].into()) };
        for key in &KEYS {
            assert!(trust.believes(&answered(key, 7), 7, NOW));
            assert!(!trust.believes(&answered(key, 7), 8, NOW), "of another switch");
        }
        assert!(!trust.believes(&answered(&TagKey { low: 3, high: 3 }, 7), 7, NOW), "of another key");
        let kept = NOW + ANSWERED_WITHIN;
        assert!(!trust.believes(&answered(&KEYS[0], 7), 7, kept), "kept for a second");
        let sent = Probe { sent_at: NOW.0, ..Probe::default() }.signed(&KEYS[0]);
        assert!(!trust.believes(&sent, 7, NOW), "thrown back by what has no key");
        assert!(trust.believes(&sent, 9, NOW), "an earlier version does just that");
        assert!(!trust.believes(&Probe::default(), 9, NOW), "and makes up nothing");
    }

    #[test]
    fn while_a_key_is_introduced_what_has_no_tag_is_believed_and_what_has_a_wrong_one_is_not() {
        let trust = Trust { keys: KEYS, introduced: true, ..Trust::default() };
        let unsigned = Probe { sent_at: NOW.0, ..Probe::default() };
        let sent = unsigned.signed(&KEYS[0]);
        let (other, turned) = (unsigned.signed(&TagKey { low: 3, high: 3 }), answered(&KEYS[1], 7));
        for (probe, is_believed) in [(unsigned, true), (sent, true), (turned, true), (other, false)] {
            assert_eq!(trust.believes(&probe, 7, NOW), is_believed, "{probe:?}");
        }
        assert!(
            trust.is_excused(&unsigned, 7) && !trust.is_excused(&sent, 7) && !trust.is_excused(&other, 7)
        );
        assert!(!trust.believes(&turned, 8, NOW), "signed by another switch");
        assert!(trust.lacks_tag(&unsigned, false) && !trust.lacks_tag(&sent, false));
        assert!(trust.lacks_tag(&sent, true) && !trust.lacks_tag(&turned, true));
        let strict = Trust { introduced: false, ..trust };
        assert!(!strict.believes(&unsigned, 7, NOW) && !strict.believes(&sent, 7, NOW));
        assert!(!strict.lacks_tag(&unsigned, false));
    }

    #[test]
    fn without_a_key_whatever_comes_is_believed() {
        let trust = Trust::default();
        assert!(trust.believes(&Probe::default(), 7, NOW) && trust.is_excused(&Probe::default(), 7));
        let trust = Trust { keys: KEYS, ..trust };
        assert!(!trust.believes(&Probe::default(), 7, NOW) && !trust.is_excused(&Probe::default(), 7));
    }
}
