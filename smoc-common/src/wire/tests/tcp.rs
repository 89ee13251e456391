//! Fields and bounds.

use super::{counted, with_frame};
use crate::wire::tcp::{ACK, FIN, OPTIONS_LENGTH, RST, SYN, Segment};

fn parse(bytes: &[u8], offset: usize) -> Option<Segment> {
    with_frame(bytes, |frame| Segment::parse(&frame, offset))
}

#[test]
fn fields() {
    let mut bytes = counted::<24>();
    bytes[16] = 0x5f;
    let expected = Segment {
        source_port: 0x0506,
        destination_port: 0x0708,
        sequence: 0x090a_0b0c,
        acknowledgment: 0x0d0e_0f10,
        flags: 18,
        options: 24,
        options_length: 0,
        data: 0,
    };
    assert_eq!(parse(&bytes, 4), Some(expected));
}

#[test]
fn data_offset_is_five_words_or_more() {
    for words in 0..16_u8 {
        let mut bytes = [0; 60];
        // The lower bits are flags and no part of it.
        bytes[12] = words << 4 | 0x0f;
        let length = parse(&bytes, 0).map(|segment| segment.options_length);
        assert_eq!(length, (words >= 5).then(|| usize::from(words) * 4 - 20), "{words} words");
        assert!(length.is_none_or(|length| length <= OPTIONS_LENGTH));
    }
}

#[test]
fn segment_cut_within_its_fixed_header_is_none() {
    let mut bytes = [0; 30];
    bytes[12] = 0x70;
    for kept in 0..=30 {
        assert_eq!(parse(&bytes[..kept], 0).is_some(), kept >= 20, "{kept} bytes");
    }
    assert_eq!(parse(&bytes, 11), None);
    assert_eq!(parse(&bytes, usize::MAX), None);
}

#[test]
fn has_means_all_of_them() {
    let mut bytes = [0; 20];
    (bytes[12], bytes[13]) = (0x50, SYN | ACK);
    let segment = parse(&bytes, 0).unwrap();
    assert!(segment.has(SYN) && segment.has(ACK) && segment.has(SYN | ACK) && segment.has(0));
    assert!(!segment.has(RST) && !segment.has(SYN | FIN));
}
