//! A capture run through the packet path: what a switch would do with each of its frames.

use std::io::Cursor;

use smoc_common::{
    event::{Note, Outcome},
    map::{FlowKey, THIS_EDGE},
    memory::{Side, Switch},
    route::{Label, PushedRoute, Rank, Route},
    wire::{Bytes, Frame, headers::Headers},
};

use super::{
    Damage, Error,
    capture::{Capture, Captured},
    layers::LinkType,
};

/// What became of a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    /// Its place in the capture, from 1.
    pub frame: u64,
    /// What the switch does with it; `None` if it was not captured on Ethernet and so cannot come in.
    pub outcome: Option<Outcome>,
    /// What was noted beside that.
    pub notes: Vec<Note>,
    /// The port that it leaves through; 0 if it leaves through none.
    pub port: u16,
    /// The rank of the path that it goes on, or that it came on; `None` if it is on no path.
    pub rank: Option<u8>,
}

/// What became of a capture.
#[derive(Debug, Default)]
pub struct Replay {
    /// Its frames, in order.
    pub frames: Vec<Replayed>,
    /// Why it was not read to its end, if it was not.
    pub damage: Option<Damage>,
}

/// Runs the frames of a capture (pcap or pcapng, as bytes) through a switch, at the times when they were captured; `switch`
/// learns from them as a switch does.
///
/// The capture may be of a port to another switch, with pushed routes, or of a host's port: there a frame that a host
/// behind another edge sent to one here has lost its route, and comes in on the rank of its subflow, or on rank 0.
///
/// # Errors
/// It is no capture.
pub fn replay(capture: Vec<u8>, switch: &mut Switch) -> Result<Replay, Error> {
    let mut replay = Replay::default();
    let started = switch.clock;
    let mut first = None;
    let capture = Capture::open(Cursor::new(capture))?;
    let read = capture.for_each(|captured| {
        if let Some(at) = captured.at {
            let since = at.saturating_sub(*first.get_or_insert(at));
            switch.clock = switch.clock.max(started.saturating_add(since));
        }
        replay.frames.push(one(&captured, switch));
    });
    replay.damage = read.err();
    Ok(replay)
}

fn one(captured: &Captured<'_>, switch: &mut Switch) -> Replayed {
    let frame = captured.number;
    if captured.link != Ok(LinkType::Ethernet) {
        return Replayed { frame, outcome: None, notes: vec![], port: 0, rank: None };
    }
    let mut bytes = captured.bytes.to_vec();
    let side = side(&mut bytes, switch);
    let run = switch.run(side, &mut bytes);
    Replayed {
        frame,
        outcome: Some(run.verdict.outcome),
        notes: run.notes,
        port: run.verdict.port,
        rank: run.label.map(|label| label.rank().get()),
    }
}

/// Where a frame comes in. One that came off the fabric and has lost its route gets it back.
fn side(bytes: &mut [u8], switch: &Switch) -> Side {
    let mut frame = Bytes(bytes);
    if frame.ethernet().is_some_and(|(addresses, _)| PushedRoute::parse(addresses).is_some()) {
        return Side::Fabric;
    }
    let mut room = Headers::default();
    let Some(&Headers { packet, segment, .. }) = frame.headers(&mut room) else { return Side::Host };
    let is_here = |address| switch.hosts.get(address).map(|host| host.attachment.edge == THIS_EDGE);
    if is_here(&packet.source) != Some(false) || is_here(&packet.destination) != Some(true) {
        return Side::Host;
    }
    let key = FlowKey::new(packet.destination, segment.destination_port, packet.source, segment.source_port);
    let established = switch.flows.entries.get(&key);
    let flow = established.or_else(|| switch.half_open.entries.get(&key).map(|half| &half.flow));
    let rank = Rank::new(flow.map_or(0, |flow| flow.rank));
    // The frame has addresses, or its headers could not have been read.
    let _ = frame.set_addresses(PushedRoute { label: Label::new(rank, false), route: Route::END }.words());
    Side::Fabric
}

#[cfg(test)]
mod tests {
    use smoc_common::{
        frames::Build,
        testing::scene::*,
        token::{Version, derive},
        wire::tcp::SYN,
    };

    use super::*;

    /// A pcap file of microseconds with these frames.
    fn pcap(link: u32, frames: &[(u32, Vec<u8>)]) -> Vec<u8> {
        let mut file = 0xa1b2_c3d4u32.to_le_bytes().to_vec();
        file.extend([2, 0, 4, 0]);
        file.extend([0; 8]);
        file.extend(65_535u32.to_le_bytes());
        file.extend(link.to_le_bytes());
        for (milliseconds, frame) in frames {
            let stamp = [1_700_000_000 + milliseconds / 1000, milliseconds % 1000 * 1000];
            let length = frame.len() as u32;
            file.extend(stamp.into_iter().chain([length; 2]).flat_map(u32::to_le_bytes));
            file.extend(frame);
        }
        file
    }

    #[test]
    fn both_directions_of_a_host_port_make_the_switch_learn_as_it_did() {
        let keys = [5, 6];
        let connection = handshake(Version::V1, [A, B], keys).map(|(_, frame)| frame);
        let join = join_handshake(A_OTHER, B_OTHER, derive(Version::V1, keys[1])).map(|(_, frame)| frame);
        let data = Build::tcp(A_OTHER, B_OTHER).payload(b"data").frame();
        let frames: Vec<_> =
            connection.into_iter().chain(join).chain([data]).map(|frame| (0, frame)).collect();
        let mut switch = edge(0);
        let replay = replay(pcap(1, &frames), &mut switch).unwrap();
        let outcomes: Vec<_> =
            replay.frames.iter().map(|it| (it.outcome.unwrap(), it.rank, it.port)).collect();
        let (sent, delivered) = (Outcome::Handshake, Outcome::Delivered);
        assert_eq!(
            outcomes,
            [
                (sent, Some(0), 1),
                (delivered, Some(0), FIRST),
                (sent, Some(0), 1),
                (sent, Some(1), 2),
                (delivered, Some(1), FIRST),
                (sent, Some(1), 2),
                (Outcome::Established, Some(1), 2),
            ]
        );
        assert_eq!((replay.frames[2].notes.as_slice(), replay.frames[6].frame), (&[Note::Bound][..], 7));
        assert_eq!(switch.connections.entries.len(), 1);
    }

    #[test]
    fn time_passes_as_it_did_when_it_was_captured() {
        let syn =
            Build::tcp(A, B).flags(SYN).options(&smoc_common::frames::capable(Version::V1, &[])).frame();
        let frames = [(0, syn.clone()), (100, syn.clone()), (1_300, syn)];
        let replay = replay(pcap(1, &frames), &mut edge(0)).unwrap();
        let notes: Vec<_> = replay.frames.iter().map(|it| (it.rank, it.notes.clone())).collect();
        assert_eq!(
            notes,
            [(Some(0), vec![]), (Some(0), vec![Note::SynAgain]), (Some(1), vec![Note::SynMoved])]
        );
    }

    #[test]
    fn what_cannot_come_in_or_is_no_capture_is_said_to_be_so() {
        let frames = [(0, Build::udp(A, B).frame())];
        let cut = pcap(1, &frames);
        let damaged = replay(cut[..cut.len() - 1].to_vec(), &mut edge(0)).unwrap();
        assert!(damaged.frames.is_empty() && damaged.damage.is_some());
        assert_eq!(replay(pcap(101, &frames), &mut edge(0)).unwrap().frames[0].outcome, None);
        assert!(matches!(replay(b"nothing".to_vec(), &mut edge(0)), Err(Error::NotACapture)));
    }
}
