//! The Link Layer Discovery Protocol (IEEE 802.1AB-2016): who is at the other end of a cable.
//!
//! The destination is the group address of the nearest bridge, which no bridge forwards (IEEE 802.1Q, 8.6.3): what is heard
//! was said by the device at the other end, or by one that a cable shares. Any legal frame is read ([`Heard`]); what smoc says
//! is in TLVs of its own (802.1AB, 8.6), and only they make a neighbour a switch of a fabric.
//!
//! | bytes | field |
//! |---|---|
//! | 0..6 | destination `01:80:c2:00:00:0e` |
//! | 6..12 | source: the port's MAC address |
//! | 12..14 | EtherType `0x88cc` |
//! | TLV 1 | chassis ID, subtype 7 (locally assigned): name of the switch, 1 to 64 bytes |
//! | TLV 2 | port ID, subtype 7 (locally assigned): number of the port as text |
//! | TLV 3 | seconds for which that holds |
//! | TLV 5 | system name: name of the switch |
//! | TLV 6 | system description: `smoc`, for people |
//! | TLV 127, `02:53:4d`, 1 | see below |
//! | TLV 127, `02:53:4d`, 3 | without a value; while the key is introduced: who has none need not check the tag |
//! | TLV 127, `02:53:4d`, 2 | only with a key: tag over all bytes in front of this TLV, behind the Ethernet header ([`super::key`]) |
//! | TLV 0 | end |
//!
//! | bytes of subtype 1 | field |
//! |---|---|
//! | 0 | version, 1 |
//! | 1 | width in bits of the sender's port numbers in a route |
//! | 2..4 | number of the sender's port |
//! | 4..12 | boot: a number that the sender's agent drew when it started |
//! | 12..20 | the boot of the receiver that the sender last heard of at this port; 0 if none |
//! | 20 | length of the fabric's name |
//! | 21.. | name of the fabric, UTF-8, 1 to 64 bytes |
//!
//! A TLV is a type (7 bits), a length (9 bits) and a value. Numbers are big endian.

use smoc_common::{route::PortNumber, wire::ethernet::MacAddress};

use super::key::{Keys, TAG};

/// The group address of the nearest bridge.
pub const DESTINATION: [u8; 6] = [0x01, 0x80, 0xc2, 0x00, 0x00, 0x0e];
/// The EtherType of LLDP.
pub const ETHER_TYPE: u16 = 0x88cc;

const HEADER: usize = 14;
const END: u8 = 0;
const CHASSIS: u8 = 1;
const PORT: u8 = 2;
const TIME_TO_LIVE: u8 = 3;
const SYSTEM_NAME: u8 = 5;
const SYSTEM_DESCRIPTION: u8 = 6;
const ORGANISATION: u8 = 127;
/// Subtype of a chassis ID or port ID that the sender has made up.
const LOCAL: u8 = 7;
/// Subtypes that are a MAC address: of a chassis, of a port.
const MAC_OF_CHASSIS: u8 = 4;
const MAC_OF_PORT: u8 = 3;
/// What stands for smoc where an organisation does: the first bytes of a pushed route, locally administered.
const SMOC: [u8; 3] = [0x02, 0x53, 0x4d];
const FACTS: u8 = 1;
const SIGNATURE: u8 = 2;
const INTRODUCED: u8 = 3;
const VERSION: u8 = 1;
const FIXED: usize = 21;
/// Max length of a name.
const NAME: usize = 64;
/// Shorter frames are padded.
const SHORTEST: usize = 60;

/// What a switch says at one of its ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The sender.
    pub switch: String,
    /// The port through which it says so.
    pub port: PortNumber,
    /// Seconds for which it holds; 0: no longer.
    pub time_to_live: u16,
    /// The fabric that the sender belongs to.
    pub fabric: String,
    /// Width in bits of the sender's port numbers in a route.
    pub port_width: u8,
    /// A number that the sender's agent drew when it started.
    pub boot: u64,
    /// The receiver's boot that the sender last heard of at this port; 0 if none.
    pub heard: u64,
}

/// What was heard of the other end of a cable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A switch that runs smoc; whether one of the fabric's keys made the tag, or none is asked for.
    Switch(Advertisement, Signed),
    /// A switch that runs another version of smoc, which says things that this one does not understand.
    Newer(Device),
    /// Anything else.
    Other(Device),
}

/// Whether an advertisement has the tag that it should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signed {
    /// One of the fabric's keys made it, or there is neither key nor tag.
    Well,
    /// There is none although the fabric has a key.
    Missing,
    /// Another key made it, or the frame is not as it was sent.
    Wrong,
}

/// A device that is no switch of smoc, or not known to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    /// For people: its name, or else its chassis ID.
    pub name: String,
    /// Seconds for which it is there; 0: no longer.
    pub time_to_live: u16,
}

impl Advertisement {
    /// The frame, as sent from a port with this MAC address.
    pub fn frame(&self, source: MacAddress, keys: &Keys) -> Vec<u8> {
        let mut frame = Vec::with_capacity(256);
        frame.extend(DESTINATION);
        frame.extend(source.octets());
        frame.extend(ETHER_TYPE.to_be_bytes());
        put(&mut frame, CHASSIS, &[&[LOCAL], self.switch.as_bytes()]);
        put(&mut frame, PORT, &[&[LOCAL], self.port.to_string().as_bytes()]);
        put(&mut frame, TIME_TO_LIVE, &[&self.time_to_live.to_be_bytes()]);
        put(&mut frame, SYSTEM_NAME, &[self.switch.as_bytes()]);
        put(&mut frame, SYSTEM_DESCRIPTION, &[b"smoc"]);
        let facts = [
            &[VERSION, self.port_width][..],
            &self.port.get().to_be_bytes(),
            &self.boot.to_be_bytes(),
            &self.heard.to_be_bytes(),
            &[self.fabric.len() as u8],
            self.fabric.as_bytes(),
        ];
        put(&mut frame, ORGANISATION, &[&SMOC, &[FACTS], &facts.concat()]);
        if keys.are_introduced() {
            put(&mut frame, ORGANISATION, &[&SMOC, &[INTRODUCED]]);
        }
        if let Some(tag) = keys.sign(&frame[HEADER..]) {
            put(&mut frame, ORGANISATION, &[&SMOC, &[SIGNATURE], &tag]);
        }
        put(&mut frame, END, &[]);
        frame.resize(frame.len().max(SHORTEST), 0);
        frame
    }

    fn parse(switch: &str, time_to_live: u16, facts: &[u8]) -> Option<Self> {
        let (fixed, rest) = facts.split_at_checked(FIXED)?;
        let number = |at: usize| Some(u64::from_be_bytes(fixed[at..at + 8].try_into().ok()?));
        let fabric = name(rest.get(..usize::from(fixed[20]))?)?;
        Some(Self {
            switch: switch.to_owned(),
            port: PortNumber::new(u16::from_be_bytes([fixed[2], fixed[3]]))?,
            time_to_live,
            fabric: fabric.to_owned(),
            port_width: fixed[1],
            boot: number(4)?,
            heard: number(12)?,
        })
    }
}

/// Whether a frame is LLDP, sound or not.
pub fn is_one(frame: &[u8]) -> bool {
    frame.get(12..HEADER) == Some(&ETHER_TYPE.to_be_bytes())
}

/// Appends a TLV; its value is at most 511 bytes long.
fn put(frame: &mut Vec<u8>, kind: u8, value: &[&[u8]]) {
    let length: usize = value.iter().map(|part| part.len()).sum();
    frame.extend((u16::from(kind) << 9 | length as u16 & 0x1ff).to_be_bytes());
    value.iter().for_each(|part| frame.extend(*part));
}

/// A name of ours, which may be shown to people.
pub(super) fn name(bytes: &[u8]) -> Option<&str> {
    let name = std::str::from_utf8(bytes).ok()?;
    ((1..=NAME).contains(&name.len()) && !name.contains(char::is_control)).then_some(name)
}

/// The TLVs of a frame, each with its type, its value and where it begins.
struct Tlvs<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tlvs<'a> {
    /// The next one; `None` at the end, or if it is cut off.
    fn next(&mut self) -> Option<(u8, &'a [u8], usize)> {
        let from = self.at;
        let head = self.bytes.get(from..from + 2)?;
        let head = u16::from_be_bytes([head[0], head[1]]);
        let end = from + 2 + usize::from(head & 0x1ff);
        let value = self.bytes.get(from + 2..end)?;
        self.at = end;
        Some(((head >> 9) as u8, value, from))
    }
}

impl Heard {
    /// Reads a frame; `None` if it is no legal LLDP. What is of no use here is skipped.
    pub fn parse(frame: &[u8], keys: &Keys) -> Option<Self> {
        let (header, data) = frame.split_at_checked(HEADER)?;
        if header[..6] != DESTINATION || !is_one(frame) {
            return None;
        }
        let mut tlvs = Tlvs { bytes: data, at: 0 };
        let chassis = tlvs.next().filter(|(kind, value, _)| *kind == CHASSIS && value.len() > 1)?.1;
        let port = tlvs.next().filter(|(kind, value, _)| *kind == PORT && value.len() > 1)?.1;
        let time = tlvs.next().filter(|(kind, value, _)| *kind == TIME_TO_LIVE && value.len() >= 2)?.1;
        let time_to_live = u16::from_be_bytes([time[0], time[1]]);
        let (mut system, mut facts, mut tag, mut is_introduced) = (None, None, None, false);
        loop {
            let (kind, value, at) = tlvs.next()?;
            match (kind, value) {
                (END, _) => break,
                (SYSTEM_NAME, value) => system = Some(value),
                (ORGANISATION, [a, b, c, FACTS, rest @ ..]) if [*a, *b, *c] == SMOC => facts = Some(rest),
                (ORGANISATION, [a, b, c, INTRODUCED, ..]) if [*a, *b, *c] == SMOC => is_introduced = true,
                (ORGANISATION, [a, b, c, SIGNATURE, rest @ ..]) if [*a, *b, *c] == SMOC => {
                    tag = Some((rest, at));
                }
                _ => {}
            }
        }
        let device = || Device { name: shown(system, chassis, port), time_to_live };
        let Some(facts) = facts else { return Some(Self::Other(device())) };
        if facts.first() != Some(&VERSION) || chassis[0] != LOCAL {
            return Some(Self::Newer(device()));
        }
        let said = name(&chassis[1..]).and_then(|switch| Advertisement::parse(switch, time_to_live, facts));
        let Some(said) = said else { return Some(Self::Newer(device())) };
        // Whoever has no key need not have the one that is introduced.
        let tag = tag.filter(|_| !(is_introduced && keys.is_empty()));
        Some(Self::Switch(said, signed(data, tag, keys)))
    }
}

fn signed(data: &[u8], tag: Option<(&[u8], usize)>, keys: &Keys) -> Signed {
    let tag = match tag {
        None if keys.is_empty() || keys.are_introduced() => return Signed::Well,
        None => return Signed::Missing,
        Some((tag, at)) => <[u8; TAG]>::try_from(tag).ok().map(|tag| (tag, at)),
    };
    let is_right = tag.is_some_and(|(tag, at)| keys.accept(&data[..at], tag));
    if is_right { Signed::Well } else { Signed::Wrong }
}

/// A device's name for people: as it calls itself, or by its IDs.
fn shown(system: Option<&[u8]>, chassis: &[u8], port: &[u8]) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).chars().filter(|c| !c.is_control()).collect();
    let mac = |bytes: &[u8]| <[u8; 6]>::try_from(bytes).ok().map(|mac| MacAddress::new(mac).to_string());
    let id = |id: &[u8], of_mac: u8| -> String {
        mac(&id[1..]).filter(|_| id[0] == of_mac).unwrap_or_else(|| text(&id[1..]))
    };
    let chassis = system.filter(|name| !name.is_empty()).map_or_else(|| id(chassis, MAC_OF_CHASSIS), text);
    format!("{chassis} port {}", id(port, MAC_OF_PORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: MacAddress = MacAddress::new([2, 0, 0, 0, 0, 1]);

    fn keys(texts: &[&str]) -> Keys {
        Keys::new(texts.iter().map(|text| text.as_bytes().to_vec()).collect())
    }

    fn said() -> Advertisement {
        Advertisement {
            switch: "e1".into(),
            port: PortNumber::new(3).unwrap(),
            time_to_live: 15,
            fabric: "default".into(),
            port_width: 4,
            boot: 0x0102_0304_0506_0708,
            heard: 9,
        }
    }

    /// What lldpd 1.0.16 sends, as captured: chassis and port by MAC address, name, capabilities, 802.1 and 802.3 TLVs.
    fn of_lldpd() -> Vec<u8> {
        let mut frame = Vec::new();
        frame.extend(DESTINATION);
        frame.extend([2, 0, 0, 0, 0, 7]);
        frame.extend(ETHER_TYPE.to_be_bytes());
        put(&mut frame, CHASSIS, &[&[MAC_OF_CHASSIS], &[2, 0, 0, 0, 0, 7]]);
        put(&mut frame, PORT, &[&[MAC_OF_PORT], &[2, 0, 0, 0, 0, 8]]);
        put(&mut frame, TIME_TO_LIVE, &[&[0, 120]]);
        put(&mut frame, SYSTEM_NAME, &[b"h1"]);
        put(&mut frame, SYSTEM_DESCRIPTION, &[b"Debian GNU/Linux 12 (bookworm)"]);
        put(&mut frame, 7, &[&[0, 0x9c, 0, 0x80]]);
        put(&mut frame, 8, &[&[5, 1, 10, 0, 0, 1, 2, 0, 0, 0, 2, 0]]);
        put(&mut frame, 4, &[b"eth0"]);
        put(&mut frame, ORGANISATION, &[&[0x00, 0x12, 0x0f], &[4, 5, 0xdc]]);
        put(&mut frame, END, &[]);
        frame
    }

    #[test]
    fn an_advertisement_survives_the_wire_with_and_without_a_key() {
        for keys in [keys(&[]), keys(&["secret"])] {
            let frame = said().frame(MAC, &keys);
            assert_eq!(frame.len(), frame.len().clamp(60, 1514));
            assert_eq!(Heard::parse(&frame, &keys), Some(Heard::Switch(said(), Signed::Well)));
            let mut padded = frame.clone();
            padded.resize(frame.len() + 20, 0);
            assert_eq!(Heard::parse(&padded, &keys), Some(Heard::Switch(said(), Signed::Well)));
        }
    }

    #[test]
    fn names_of_any_legal_length_survive() {
        for length in [1, 64] {
            let sent = Advertisement { switch: "s".repeat(length), fabric: "f".repeat(length), ..said() };
            let heard = Heard::parse(&sent.frame(MAC, &keys(&["k"])), &keys(&["k"]));
            assert_eq!(heard, Some(Heard::Switch(sent, Signed::Well)));
        }
        let long = Advertisement { fabric: "f".repeat(65), ..said() };
        let heard = Heard::parse(&long.frame(MAC, &keys(&[])), &keys(&[]));
        assert!(matches!(heard, Some(Heard::Newer(_))), "{heard:?}");
    }

    #[test]
    fn another_key_none_and_any_changed_byte_are_told() {
        let (ours, other) = (keys(&["new", "old"]), keys(&["other"]));
        let signed = |sender: &Keys, receiver: &Keys| match Heard::parse(&said().frame(MAC, sender), receiver)
        {
            Some(Heard::Switch(_, signed)) => signed,
            heard => panic!("{heard:?}"),
        };
        assert_eq!(signed(&keys(&["old"]), &ours), Signed::Well, "while keys are rolled");
        assert_eq!(signed(&ours, &keys(&["old"])), Signed::Wrong, "the first signs");
        assert_eq!(signed(&other, &ours), Signed::Wrong);
        assert_eq!(signed(&keys(&[]), &ours), Signed::Missing);
        assert_eq!(signed(&ours, &keys(&[])), Signed::Wrong, "who has no key cannot check one");
        let introduced = ours.clone().introduced();
        for other in [&keys(&[]), &keys(&["old", "new"]), &introduced] {
            assert_eq!(signed(other, &introduced), Signed::Well);
            assert_eq!(signed(&introduced, other), Signed::Well);
        }
        assert_eq!(signed(&other, &introduced), Signed::Wrong);
        assert_eq!(signed(&introduced, &other), Signed::Wrong);
        let good = said().frame(MAC, &ours);
        let length = good.iter().rposition(|byte| *byte != 0).unwrap();
        for at in HEADER..=length {
            for bit in 0..8 {
                let mut frame = good.clone();
                frame[at] ^= 1 << bit;
                let heard = Heard::parse(&frame, &ours);
                assert!(!matches!(heard, Some(Heard::Switch(_, Signed::Well))), "byte {at}: {heard:?}");
            }
        }
    }

    #[test]
    fn what_is_cut_off_is_refused() {
        for good in [said().frame(MAC, &keys(&["k"])), of_lldpd()] {
            let end = good.len() - if good.ends_with(&[0, 0]) { 2 } else { 0 };
            for length in 0..end {
                assert_eq!(Heard::parse(&good[..length], &keys(&["k"])), None, "{length} bytes");
            }
        }
    }

    #[test]
    fn other_devices_are_named_and_are_no_switches() {
        let heard = Heard::parse(&of_lldpd(), &keys(&[]));
        let device = Device { name: "h1 port 02:00:00:00:00:08".into(), time_to_live: 120 };
        assert_eq!(heard, Some(Heard::Other(device)));
    }

    #[test]
    fn a_later_version_is_a_switch_that_is_not_understood() {
        let mut frame = said().frame(MAC, &keys(&[]));
        let at = frame.windows(5).position(|bytes| bytes == [0x02, 0x53, 0x4d, FACTS, VERSION]).unwrap();
        frame[at + 4] = VERSION + 1;
        let device = Device { name: "e1 port 3".into(), time_to_live: 15 };
        assert_eq!(Heard::parse(&frame, &keys(&[])), Some(Heard::Newer(device)));
    }

    #[test]
    fn what_is_no_lldp_is_refused() {
        let good = said().frame(MAC, &keys(&[]));
        for (at, byte) in [(0, 3), (5, 0x0d), (12, 8), (14, 4), (15, 1), (19, 6)] {
            let mut frame = good.clone();
            frame[at] = byte;
            assert_eq!(Heard::parse(&frame, &keys(&[])), None, "byte {at}");
        }
    }
}
