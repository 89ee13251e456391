//! Frames made by hand, a file per protocol; what they share stands here.

extern crate std;

use std::{vec, vec::Vec};

use super::{
    Bytes, Frame as _,
    ip::Packet,
    mptcp::{self, Place, WINDOW},
    tcp::OPTIONS_LENGTH,
};

mod captures;
mod ethernet;
mod ip;
mod mptcp_options;
mod option_walk;
mod signal;
mod tcp;

/// Shows a copy of these bytes as a frame.
fn with_frame<R>(bytes: &[u8], look: impl FnOnce(Bytes) -> R) -> R {
    look(Bytes(&mut bytes.to_vec()))
}

/// All MPTCP options among `options`, as the packet path finds them.
fn walk(options: &[u8]) -> Vec<Place> {
    let length = options.len();
    let look = |buffer: &_| {
        let (mut places, mut at) = (vec![], 0);
        while let Some(place) = mptcp::next::<Bytes<'_>>(buffer, at, length) {
            places.push(place);
            at = place.at + place.length;
        }
        places
    };
    with_frame(options, |frame| frame.options(0, length, &mut [0; _]).map(look)).unwrap_or_default()
}

/// An option and, behind it, noise where the packet path may have anything.
fn window(option: &[u8]) -> [u8; WINDOW] {
    let mut window = [0xa5; WINDOW];
    let length = option.len().min(WINDOW);
    window[..length].copy_from_slice(&option[..length]);
    window
}

/// The bytes 1, 2, 3 and so on, `N` of them: no two fields alike.
fn counted<const N: usize>() -> [u8; N] {
    std::array::from_fn(|at| at as u8 + 1)
}

/// An IPv4 packet with `options` words of options and this payload.
fn v4(options: u8, protocol: u8, payload: &[u8]) -> Vec<u8> {
    let header = 20 + 4 * usize::from(options);
    let length = ((header + payload.len()) as u16).to_be_bytes();
    let mut packet = vec![0x45 + options, 0, length[0], length[1], 0, 7, 0, 0, 64, protocol, 0, 0];
    packet.extend([10, 0, 0, 1, 10, 0, 0, 2]);
    packet.resize(header, 1);
    packet.extend(payload);
    packet
}

/// An IPv6 packet with this next header and payload.
fn v6(next: u8, payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u16).to_be_bytes();
    let mut packet = vec![0x60, 0, 0, 0, length[0], length[1], next, 64];
    packet.extend(counted::<32>());
    packet.extend(payload);
    packet
}

fn parse_v4(bytes: &[u8]) -> Option<Packet> {
    with_frame(bytes, |frame| Packet::parse_v4(&frame, 0))
}

fn parse_v6(bytes: &[u8]) -> Option<Packet> {
    with_frame(bytes, |frame| Packet::parse_v6(&frame, 0))
}

#[test]
fn bytes_end_where_they_end() {
    with_frame(&counted::<8>(), |mut frame| {
        assert_eq!((frame.read(6), frame.read::<2>(7)), (Some([7, 8]), None));
        assert_eq!((frame.read::<1>(usize::MAX), frame.read(8)), (None, Some([])));
        assert_eq!((frame.halves(6), frame.halves::<1>(7)), (Some([0x0708]), None));
        assert_eq!((frame.words(4), frame.words::<1>(6)), (Some([0x0506_0708]), None));
        assert_eq!((frame.write(7, [0]), frame.write(usize::MAX, [0])), (None, None));
        assert_eq!((frame.write(6, [0x0909]), frame.read(5)), (Some(()), Some([6, 9, 9])));
    });
}

#[test]
fn options_are_copied_only_if_the_frame_has_them_all() {
    with_frame(&[5; 50], |frame| {
        for (offset, length, is_there) in [
            (0, OPTIONS_LENGTH, true),
            (10, OPTIONS_LENGTH, true),
            (11, OPTIONS_LENGTH, false),
            (0, OPTIONS_LENGTH + 1, false),
            (0, 0, false),
            (49, 1, true),
            (50, 1, false),
            (usize::MAX, 1, false),
        ] {
            let mut room = [0; _];
            let seen = frame.options(offset, length, &mut room);
            let seen = seen.map(|buffer| buffer[..length] == [5; 50][..length]);
            assert_eq!(seen, is_there.then_some(true), "{length} bytes at {offset}");
        }
    });
}
