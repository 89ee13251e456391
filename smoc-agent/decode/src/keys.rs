//! Keys of MPTCP, overwritten in a captured frame: whoever knows both may join the connection or end it.

use smoc_common::wire::{
    Bytes, Frame as _,
    mptcp::{KIND, subtype},
    tcp,
};

use super::layers::{self, LinkType};

/// Where the keys of MP_CAPABLE stand in the option, and that of MP_FASTCLOSE (RFC 8684, 3.1 and 3.5).
const KEYS: (usize, usize) = (4, 20);

/// Overwrites with zeros the keys in an Ethernet frame, of which these bytes may be all, also in tunnels, and where hosts would
/// ignore the option; whether there were any. The checksum of TCP is wrong from then on. Options that are spread over
/// fragments are not found.
pub fn blank_keys(bytes: &mut [u8], is_whole: bool) -> bool {
    // To look at a packet may change its length field.
    let mut looked_at = bytes.to_vec();
    let Ok(found) = layers::find(LinkType::Ethernet, &mut looked_at, is_whole) else { return false };
    let frame = Bytes(&mut looked_at[found.start..]);
    let Some([offset]) = frame.read::<1>(found.packet.payload + 12) else { return false };
    let start = found.start + found.packet.payload;
    let end = (start + usize::from(offset >> 4) * 4).min(bytes.len());
    bytes.get_mut(start + tcp::HEADER..end).is_some_and(blank)
}

/// The same in the options of a segment, of which these bytes may be all.
fn blank(options: &mut [u8]) -> bool {
    let (mut at, mut is_blanked) = (0, false);
    while let Some(&kind) = options.get(at) {
        let length = match kind {
            0 => break,
            1 => 1,
            _ => options.get(at + 1).map_or(0, |length| usize::from(*length)),
        };
        let is_of =
            |subtypes: [u8; 2]| options.get(at + 2).is_some_and(|byte| subtypes.contains(&(byte >> 4)));
        if kind == KIND && is_of([subtype::CAPABLE, subtype::FASTCLOSE]) {
            // One whose length cannot be right goes on to the end.
            let length = if length < 2 { options.len() - at } else { length };
            let end = (at + length.min(KEYS.1)).min(options.len());
            if let Some(keys) = options.get_mut(at + KEYS.0..end).filter(|keys| !keys.is_empty()) {
                keys.fill(0);
                is_blanked = true;
            }
        }
        if length == 0 || kind > 1 && length < 2 {
            break;
        }
        at += length;
    }
    is_blanked
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPABLE: [u8; 20] = [30, 20, 1, 0x81, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];

    fn blanked(options: &[u8]) -> (bool, Vec<u8>) {
        let mut options = options.to_vec();
        (blank(&mut options), options)
    }

    #[test]
    fn keys_are_zeros_and_everything_else_is_as_it_was() {
        let before = [&[1, 1, 2, 4, 5, 0xb4][..], &CAPABLE, &[3, 3, 7]].concat();
        let mut wanted = before.clone();
        wanted[10..26].fill(0);
        assert_eq!(blanked(&before), (true, wanted));
        let fast_close = [30, 12, 0x70, 0, 1, 2, 3, 4, 5, 6, 7, 8, 1, 9];
        assert_eq!(blanked(&fast_close), (true, vec![30, 12, 0x70, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 9]));
    }

    #[test]
    fn what_carries_no_key_is_as_it_was() {
        for options in
            [&[30, 4, 1, 0x81][..], &[30, 12, 0x10, 1, 1, 2, 3, 4, 5, 6, 7, 8], &[0, 30, 12, 0], &[]]
        {
            assert_eq!(blanked(options), (false, options.to_vec()));
        }
    }

    #[test]
    fn data_length_and_checksum_behind_the_keys_stay() {
        let before = [&[30, 24][..], &CAPABLE[2..], &[0, 100, 0xab, 0xcd]].concat();
        assert_eq!(blanked(&before).1[20..], [0, 100, 0xab, 0xcd]);
    }

    #[test]
    fn keys_of_an_option_that_is_cut_off_or_has_a_wrong_length_are_zeros_too() {
        assert_eq!(blanked(&CAPABLE[..9]), (true, vec![30, 20, 1, 0x81, 0, 0, 0, 0, 0]));
        for length in [0, 1, 40, 255] {
            let before = [&[30, length][..], &CAPABLE[2..]].concat();
            let (is_blanked, after) = blanked(&before);
            assert!(is_blanked && after[4..].iter().all(|byte| *byte == 0), "{length}: {after:?}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_fail(mut bytes: Vec<u8>, is_whole: bool) {
            let length = bytes.len();
            blank_keys(&mut bytes, is_whole);
            prop_assert_eq!(bytes.len(), length);
        }
    }
}
