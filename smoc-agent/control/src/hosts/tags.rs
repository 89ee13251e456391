//! In which VLANs hosts speak (IEEE 802.1Q): a question with another tag than a host's frames have would not be answered.
//!
//! Of each address at a port the first tag and the latest are remembered, and who has it is asked with both. So nobody loses an
//! address because a frame in its name came with another tag, or with one where it has none.

use std::{collections::BTreeMap, net::IpAddr};

use smoc_common::{
    route::PortNumber,
    wire::ethernet::{MacAddress, UNTAGGED, is_tag},
};

use super::ADDRESSES_PER_PORT;

/// The bits of a tag that name its VLAN; the others are a priority.
const VID: u16 = 0x0fff;
/// Where a tag is in a frame.
const AT: usize = 12;

/// The tag of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tag {
    /// The EtherType of tags of this kind.
    pub tpid: u16,
    /// The VLAN.
    pub vid: u16,
}

impl Tag {
    /// The outer tag of a frame; `None` without one, or if it only states a priority.
    pub fn of(frame: &[u8]) -> Option<Self> {
        let [tpid, control] =
            [AT, UNTAGGED].map(|at| frame.get(at..at + 2).map(|two| u16::from_be_bytes([two[0], two[1]])));
        let tag = Self { tpid: tpid?, vid: control? & VID };
        (is_tag(tag.tpid) && tag.vid != 0).then_some(tag)
    }

    /// Puts the tag into a frame that has none.
    pub fn put(self, frame: &mut Vec<u8>) {
        frame.splice(AT..AT, [self.tpid.to_be_bytes(), self.vid.to_be_bytes()].concat());
    }
}

/// A host's address at a port of this switch.
pub(super) type Voice = (PortNumber, IpAddr, MacAddress);

#[derive(Clone, Copy, Debug)]
struct Spoken {
    first: Option<Tag>,
    latest: Option<Tag>,
}

/// The tags of those of whose frames any had one.
#[derive(Clone, Debug, Default)]
pub(super) struct Tags(BTreeMap<Voice, Spoken>);

impl Tags {
    /// A host has spoken; `was_known` says whether it was heard before.
    pub(super) fn hear(&mut self, voice: Voice, tag: Option<Tag>, was_known: bool) {
        if let Some(spoken) = self.0.get_mut(&voice) {
            spoken.latest = tag;
        } else if tag.is_some()
            && self.0.keys().filter(|(port, ..)| *port == voice.0).count() < ADDRESSES_PER_PORT
        {
            let first = if was_known { None } else { tag };
            self.0.insert(voice, Spoken { first, latest: tag });
        }
    }

    /// The tags to ask a host with.
    pub(super) fn of(&self, voice: Voice) -> impl Iterator<Item = Option<Tag>> + use<> {
        let (first, latest) = self.0.get(&voice).map_or((None, None), |spoken| (spoken.first, spoken.latest));
        [Some(first), (latest != first).then_some(latest)].into_iter().flatten()
    }

    /// Forgets those who are not there any more.
    pub(super) fn retain(&mut self, is_there: impl Fn(&Voice) -> bool) {
        self.0.retain(|voice, _| is_there(voice));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 7]);

    fn voice(last: u32, mac: MacAddress) -> Voice {
        (PortNumber::new(9).unwrap(), IpAddr::from((0x0a00_0000 + last).to_be_bytes()), mac)
    }

    fn vlan(vid: u16) -> Option<Tag> {
        Some(Tag { tpid: 0x8100, vid })
    }

    fn asked(tags: &Tags, mac: MacAddress) -> Vec<Option<Tag>> {
        tags.of(voice(1, mac)).collect()
    }

    #[test]
    fn a_tag_is_read_and_put_and_a_priority_is_none() {
        let plain = [[2; 12].as_slice(), &[8, 6, 0, 1]].concat();
        assert_eq!(Tag::of(&plain), None);
        for (tpid, control, tag) in [
            (0x8100u16, 0xe005u16, vlan(5)),
            (0x88a8, 7, Some(Tag { tpid: 0x88a8, vid: 7 })),
            (0x8100, 0xe000, None),
        ] {
            let mut frame = plain.clone();
            frame.splice(12..12, [tpid.to_be_bytes(), control.to_be_bytes()].concat());
            assert_eq!(Tag::of(&frame), tag);
            let mut made = plain.clone();
            tag.into_iter().for_each(|tag| tag.put(&mut made));
            assert_eq!(Tag::of(&made), tag);
        }
        (0..16).for_each(|length| assert_eq!(Tag::of(&[0x81; 16][..length]), None));
    }

    #[test]
    fn a_host_is_asked_as_it_spoke_first_and_as_it_spoke_last() {
        let mut tags = Tags::default();
        assert_eq!(asked(&tags, MAC), [None]);
        tags.hear(voice(1, MAC), None, false);
        tags.hear(voice(1, MAC), vlan(5), true);
        assert_eq!(asked(&tags, MAC), [None, vlan(5)], "it had none");
        tags.hear(voice(1, MAC), vlan(6), true);
        assert_eq!(asked(&tags, MAC), [None, vlan(6)]);
        let other = MacAddress::new([2, 0, 0, 0, 0, 8]);
        assert_eq!(asked(&tags, other), [None]);
        tags.hear(voice(1, other), vlan(5), false);
        assert_eq!(asked(&tags, other), [vlan(5)]);
        tags.hear(voice(1, other), None, true);
        assert_eq!(asked(&tags, other), [vlan(5), None]);
        tags.retain(|_| false);
        assert_eq!(asked(&tags, other), [None]);
    }

    #[test]
    fn a_port_has_no_more_of_them_than_it_has_addresses() {
        let mut tags = Tags::default();
        (0..=ADDRESSES_PER_PORT as u32).for_each(|last| tags.hear(voice(last, MAC), vlan(5), false));
        assert_eq!(tags.0.len(), ADDRESSES_PER_PORT);
    }
}
