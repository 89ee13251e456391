//! What floods, frame by frame: the n-th frame of a kind is always the same.

use clap::ValueEnum;
use serde::Serialize;
use smoc_common::frames::{Build, End, capable, join};
use smoc_common::route::{Label, PortNumber, PushedRoute, Rank, Route};
use smoc_common::testing::scene::handshake;
use smoc_common::token::Version;
use smoc_common::wire::ethernet::MacAddress;
use smoc_common::wire::probe::Probe;
use smoc_common::wire::tcp::{ACK, FIN, RST, SYN};
use smoc_control::base_network::{Epoch, Statement};
use smoc_control::clock::Nanos;
use smoc_control::discovery::announcement::{self, Lists};
use smoc_control::hosts::Sighting;
use smoc_control::plan::DownPort;

use super::live::Connections;
use crate::chance::Numbers;

/// A port that every switch has.
const ONE: PortNumber = PortNumber::new(1).unwrap();

/// What floods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Flood {
    /// SYNs with MP_CAPABLE, no two of one 4-tuple, that nobody answers.
    Syns,
    /// SYNs with MP_JOIN that carry one valid token, from 9,000 sources.
    Joins,
    /// UDP datagrams, no two of one flow.
    Udp,
    /// ARP requests and neighbour solicitations from changing addresses.
    Neighbours,
    /// RSTs and FINs for the 4-tuples of living connections, with random numbers, as if from either end.
    Resets,
    /// Frames that only smoc sends: routes, probes, hellos, announcements.
    Forged,
    /// Whole handshakes, over IPv4 and IPv6: every table of the packet path runs full.
    Connections,
}

/// A frame and the end of the living connections that sends it.
pub type Sent = (usize, Vec<u8>);

impl Flood {
    /// All of them.
    pub const ALL: [Self; 7] =
        [Self::Syns, Self::Joins, Self::Udp, Self::Neighbours, Self::Resets, Self::Forged, Self::Connections];

    /// How many frames one in so many parts of a flood has.
    pub const fn frames(self, part: u32) -> u64 {
        let part = part as u64;
        match self {
            Self::Syns | Self::Udp | Self::Resets => 1_000_000 / part,
            // All of them have a token and sources to tell apart.
            Self::Joins => 10_000,
            Self::Neighbours | Self::Forged => 200_000 / part,
            // More connections than any table has room for.
            Self::Connections if part == 1 => 3 * 300_000,
            Self::Connections => 3 * 70_000,
        }
    }

    /// The n-th frame.
    pub fn frame(self, number: u64, live: &Connections) -> Sent {
        let n = number as usize;
        let ends = |is_v4, server| [live.places[0].end(is_v4, n), live.places[1].end(is_v4, server)];
        // No port of a living connection among them.
        let ports = |n: u64| (1_024 + (n % 16_000) as u16, 1_000 + (n / 16_000) as u16);
        match self {
            Self::Syns => {
                let ([client, server], (from, to)) = (ends(!n.is_multiple_of(8), 0), ports(number));
                let syn = Build::tcp(client.at(from), server.at(to)).flags(SYN).numbers(number as u32, 0);
                (0, syn.options(&capable(Version::V1, &[])).frame())
            }
            Self::Joins => {
                let target = live.live(1);
                let (source, is_v4) = (number % 9_000, target.ends[1].address.v4().is_some());
                let client = live.places[0].end(is_v4, source as usize).at(40_000 + source as u16);
                let syn = Build::tcp(client, target.ends[1]).flags(SYN).numbers(number as u32, 0);
                (0, syn.options(&join(target.token(), source as u8)).frame())
            }
            Self::Udp => {
                let ([client, server], (from, to)) = (ends(!n.is_multiple_of(8), 0), ports(number));
                (0, Build::udp(client.at(from), server.at(to)).payload(b"flood").frame())
            }
            Self::Neighbours => (0, neighbour(number)),
            Self::Resets => reset(number, live),
            Self::Forged => (n % 2, forged(number, live)),
            Self::Connections => {
                let (connection, step) = (number / 3, (number % 3) as usize);
                let is_v4 = connection.is_multiple_of(2);
                let (from, to) = (ports(connection).0, 2_000 + ports(connection).1);
                let client = live.places[0].end(is_v4, connection as usize).at(from);
                let server = live.places[1].end(is_v4, 0).at(to);
                let keys = [connection << 1 | 1 << 50, connection << 1 | 1 << 51];
                let steps = handshake(Version::V1, [client, server], keys);
                (step % 2, steps[step].1.clone())
            }
        }
    }
}

/// Who-has, from ever other addresses.
fn neighbour(number: u64) -> Vec<u8> {
    let [.., a, b, c] = number.to_be_bytes();
    let mac = [0x0a, 0, 0, a, b, c];
    if number.is_multiple_of(2) {
        let (group, head) = ([0xff; 6], [0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
        return [&group[..], &mac, &head, &mac, &[10, 77, b, c], &[0; 6], &[10, 77, c, b]].concat();
    }
    // RFC 4861, 4.3, from fd77::b:c for fd77::c:b.
    let address = |x: u8, y: u8| [0xfd, 0x77, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, x, 0, y];
    let group: [u8; 16] = [0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, b, 0, c];
    let message = [&[135, 0, 0, 0, 0, 0, 0, 0][..], &address(c, b), &[1, 1], &mac].concat();
    let ip = [&[0x60, 0, 0, 0, 0, message.len() as u8, 58, 255][..], &address(b, c), &group].concat();
    let mut message = message;
    let sum = smoc_common::frames::checksum(&[&ip[8..], &[0, 0, 0, 32, 0, 0, 0, 58], &message[..]].concat());
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    [&[0x33, 0x33, 0xff, b, 0, c][..], &mac, &[0x86, 0xdd], &ip, &message].concat()
}

fn reset(number: u64, live: &Connections) -> Sent {
    let mut numbers = Numbers(number);
    numbers.below(1);
    let target = live.live(numbers.below(live.count()));
    let from = numbers.below(2);
    let flags = numbers.pick(&[RST, RST, RST | ACK, FIN | ACK]);
    let mut random = || (numbers.below(1 << 16) << 16 | numbers.below(1 << 16)) as u32;
    let end = Build::tcp(target.ends[from], target.ends[1 - from]).flags(flags);
    (from, end.numbers(random(), random()).frame())
}

fn forged(number: u64, live: &Connections) -> Vec<u8> {
    let [from, to]: [End; 2] = [0, 1].map(|place: usize| live.places[place].end(true, 0).at(7));
    let mut numbers = Numbers(number);
    numbers.below(1);
    let bits = numbers.pick(&[1, 0x5, 0x6, 0x9, 0x12, 0x19, 0x3fff_ffff_ffff_ffff]);
    let route = Route::from_bits(bits);
    match numbers.below(4) {
        0 => {
            let mut frame = Build::udp(from, to).payload(b"forged").frame();
            let label = Label::new(Rank::new(numbers.below(8) as u8), false);
            let words = PushedRoute { label, route }.words();
            frame[..12].copy_from_slice(words.map(u32::to_be_bytes).as_flattened());
            frame
        }
        1 | 2 => {
            let flags = numbers.pick(&[0, Probe::HELLO, Probe::HELLO | Probe::HEARS]);
            let probe = Probe {
                back_route: 1,
                back_port: numbers.below(12) as u32,
                flags,
                subject: numbers.below(12) as u32,
                sequence: number as u32,
                link: number as u32,
                ..Probe::default()
            };
            let mut frame = probe.frame(route);
            frame[3] |= numbers.pick(&[0, 0x80]);
            frame.to_vec()
        }
        _ => told(number),
    }
}

/// What agents tell each other: that a port is down and a host elsewhere, a question, and a wish for another tree.
fn told(number: u64) -> Vec<u8> {
    let source = MacAddress::new([2, 0, 0, 0, 9, number as u8]);
    match number % 3 {
        0 => {
            let host = Sighting { address: [10, 0, 2, 1].into(), mac: source, port: ONE, seen: Nanos(0) };
            let down = DownPort { number: ONE, unanswered: false };
            let lists = Lists { hosts: vec![host], down: vec![down], ..Lists::default() };
            announcement::parts("m1", (u64::MAX, number), &lists)[0].frame(source, Nanos(0))
        }
        1 => announcement::question(source),
        _ => {
            let epoch = Epoch { boot: u64::MAX, sequence: number };
            let wish = Statement {
                switch: "m1".into(),
                port: ONE,
                digest: number,
                epoch,
                heard: epoch,
                synced: true,
            };
            announcement::statement(source, &wish)
        }
    }
}
