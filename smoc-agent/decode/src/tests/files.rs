//! Files that are cut off, damaged or no captures.

use std::io::{self, Read};

use smoc_common::{token::Version, wire::tcp::SYN};

use super::scene::{block, capable, decode_file, enhanced, packet, pcap, section};
use crate::{Damage, Error, Unread, decode};

const WORD: fn(u32) -> [u8; 4] = u32::to_le_bytes;

fn syns(count: usize) -> Vec<Vec<u8>> {
    let syn = |index| {
        packet(&format!("10.0.0.1:{}", index + 1), "10.0.0.2:2", SYN, [1, 0], &capable(Version::V1, &[]))
    };
    (0..count).map(syn).collect()
}

fn refuse(contents: &[u8]) -> Error {
    decode(contents).unwrap_err()
}

#[test]
fn file_cut_anywhere_shows_the_frames_before_the_cut() {
    let frames = syns(2);
    let packets: Vec<_> = frames.iter().flat_map(|frame| enhanced(0, frame, WORD)).collect();
    let head = section(&[101], WORD);
    for (file, start) in [(pcap(101, &frames, WORD), 24), ([&head[..], &packets].concat(), head.len())] {
        let each = (file.len() - start) / 2;
        for kept in start..=file.len() {
            let decoded = decode_file(&file[..kept]);
            let whole = (kept - start) / each;
            let cut =
                (!(kept - start).is_multiple_of(each)).then_some(Damage::EndsWithin { frames: whole as u64 });
            assert_eq!((decoded.options.len(), decoded.damage), (whole, cut), "{kept}");
        }
    }
}

#[test]
fn damage_ends_the_reading_and_is_told() {
    let [frame] = <[_; 1]>::try_from(syns(1)).unwrap();
    let head = section(&[101], WORD);
    let good = enhanced(0, &frame, WORD);
    let mut contradicts_itself = good.clone();
    *contradicts_itself.last_mut().unwrap() = 1;
    let too_short = block(6, &[], WORD);
    for (bad, damage) in [
        (contradicts_itself, Damage::NoBlock { frames: 1 }),
        (too_short, Damage::NoBlock { frames: 1 }),
        (enhanced(1, &frame, WORD), Damage::NoInterface { frames: 1 }),
    ] {
        let decoded = decode_file(&[&head[..], &good, &bad, &good].concat());
        assert_eq!((decoded.options.len(), decoded.damage), (1, Some(damage)));
    }
}

#[test]
fn blocks_longer_than_the_buffer_are_read() {
    let [frame] = <[_; 1]>::try_from(syns(1)).unwrap();
    let long = block(0xbad, &vec![1; 5_000_000], WORD);
    let file = [section(&[101], WORD), long, enhanced(0, &frame, WORD)].concat();
    let decoded = decode_file(&file);
    assert_eq!((decoded.options.len(), decoded.damage), (1, None));
}

/// A file whose last read fails.
struct Failing<'a>(&'a [u8]);

impl Read for Failing<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.0.read(buffer) {
            Ok(0) => Err(io::Error::other("the disk is gone")),
            other => other,
        }
    }
}

#[test]
fn file_that_cannot_be_read_on_shows_the_frames_before_and_says_why() {
    let frames = syns(3);
    let file = pcap(101, &frames, WORD);
    let end = |frames| Some(Damage::ReadFailed { frames, reason: "the disk is gone".to_owned() });
    for (kept, whole) in [(file.len(), 3), (file.len() - 1, 2), (24, 0)] {
        let decoded = decode(Failing(&file[..kept])).unwrap();
        assert_eq!((decoded.options.len(), decoded.damage), (whole, end(whole as u64)), "{kept}");
    }
    assert!(matches!(decode(Failing(&file[..23])), Err(Error::Unreadable(_))));
}

#[test]
fn what_is_no_capture_is_refused() {
    for contents in [&b""[..], b"\xd4\xc3\xb2\xa1", b"\x0a\x0d\x0d\x0a", b"links:\n  - {a: e1:1, b: e2:1}\n"]
    {
        assert!(matches!(refuse(contents), Error::NotACapture), "{contents:?}");
    }
}

#[test]
fn unknown_link_type_is_refused_alone_and_skipped_among_others() {
    let [frame] = <[_; 1]>::try_from(syns(1)).unwrap();
    let wireless = pcap(147, &[vec![0; 40]], WORD);
    assert!(matches!(refuse(&wireless), Error::LinkType { number: 147 }));
    let mixed = [section(&[147, 101], WORD), enhanced(0, &[0; 40], WORD), enhanced(1, &frame, WORD)].concat();
    let decoded = decode_file(&mixed);
    assert_eq!((decoded.options.len(), decoded.options[0].place.frame), (1, 2));
    assert_eq!(decoded.counts.unread.into_iter().collect::<Vec<_>>(), [(Unread::LinkType(147), 1)]);
}

proptest::proptest! {
    #[test]
    fn no_file_makes_it_panic(
        is_pcapng: bool,
        link in proptest::sample::select(vec![0_u16, 1, 101, 113, 276]),
        noise in proptest::collection::vec((0_usize..400, proptest::num::u8::ANY), 0..12),
    ) {
        let frames = syns(3);
        let mut file = if is_pcapng {
            let packets = frames.iter().flat_map(|frame| enhanced(0, frame, WORD));
            section(&[link], WORD).into_iter().chain(packets).collect()
        } else {
            pcap(link.into(), &frames, WORD)
        };
        for (at, byte) in noise {
            let at = at % file.len();
            file[at] = byte;
        }
        if let Ok(decoded) = decode(&file[..]) {
            proptest::prop_assert!(decoded.options.len() <= 3 * 20);
        }
    }
}
