//! Writes pcapng (draft-ietf-opsawg-pcapng), block by block: what comes of it can be read while it grows.

use std::{borrow::Cow, io};

use pcap_parser::{
    EnhancedPacketBlock, InterfaceDescriptionBlock, InterfaceStatisticsBlock, Linktype, OptionCode,
    PcapNGOption, SectionHeaderBlock, ToVec,
};

/// Options of an Enhanced Packet Block that pcap_parser has no names for.
const EPB_FLAGS: OptionCode = OptionCode(2);
const EPB_DROPCOUNT: OptionCode = OptionCode(4);
/// Time stamps count 10^-9 s.
const NANOSECONDS: u8 = 9;
/// What an option has room for.
const LONGEST_OPTION: usize = 0xfff0;

/// A frame as it is written.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// The interface, by the order in which they were written, from 0.
    pub interface: u32,
    /// Nanoseconds since 1970.
    pub at: u64,
    /// Whether the interface sends it; else it has come in there.
    pub is_outbound: bool,
    /// What is kept of it.
    pub bytes: &'a [u8],
    /// How long it was.
    pub length: u32,
    /// How many frames were lost since the one before.
    pub lost: u64,
    /// For people.
    pub comment: &'a str,
}

/// The block that a file begins with, with the name of the program that writes it and a comment.
///
/// # Errors
/// It cannot be put together.
pub fn section(program: &str, comment: &str) -> io::Result<Vec<u8>> {
    bytes(SectionHeaderBlock {
        block_type: 0,
        block_len1: 0,
        bom: 0,
        major_version: 0,
        minor_version: 0,
        section_len: -1,
        options: vec![text(OptionCode::ShbUserAppl, program), text(OptionCode::Comment, comment)],
        block_len2: 0,
    })
}

/// An Ethernet interface of which so many bytes of each frame are kept.
///
/// # Errors
/// It cannot be put together.
pub fn interface(name: &str, description: &str, snaplen: u32) -> io::Result<Vec<u8>> {
    bytes(InterfaceDescriptionBlock {
        block_type: 0,
        block_len1: 0,
        linktype: Linktype::ETHERNET,
        reserved: 0,
        snaplen,
        options: vec![text(OptionCode::IfName, name), text(OptionCode::IfDescription, description)],
        block_len2: 0,
        if_tsresol: NANOSECONDS,
        if_tsoffset: 0,
    })
}

/// A frame.
///
/// # Errors
/// It cannot be put together.
pub fn packet(packet: &Packet) -> io::Result<Vec<u8>> {
    let direction: u32 = if packet.is_outbound { 2 } else { 1 };
    let mut options = vec![number(EPB_FLAGS, direction.to_le_bytes().to_vec())];
    if packet.lost > 0 {
        options.push(number(EPB_DROPCOUNT, packet.lost.to_le_bytes().to_vec()));
    }
    options.push(text(OptionCode::Comment, packet.comment));
    bytes(EnhancedPacketBlock {
        block_type: 0,
        block_len1: 0,
        if_id: packet.interface,
        ts_high: (packet.at >> 32) as u32,
        ts_low: packet.at as u32,
        caplen: packet.bytes.len() as u32,
        origlen: packet.length,
        data: packet.bytes,
        options,
        block_len2: 0,
    })
}

/// How many frames an interface had that were captured or lost, and how many of them were lost, at this time.
///
/// # Errors
/// It cannot be put together.
pub fn statistics(interface: u32, at: u64, all: u64, lost: u64) -> io::Result<Vec<u8>> {
    bytes(InterfaceStatisticsBlock {
        block_type: 0,
        block_len1: 0,
        if_id: interface,
        ts_high: (at >> 32) as u32,
        ts_low: at as u32,
        options: vec![
            number(OptionCode::IsbFilterAccept, all.to_le_bytes().to_vec()),
            number(OptionCode::IsbOsDrop, lost.to_le_bytes().to_vec()),
        ],
        block_len2: 0,
    })
}

fn text(code: OptionCode, text: &str) -> PcapNGOption<'_> {
    let mut end = text.len().min(LONGEST_OPTION);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    PcapNGOption { code, len: end as u16, value: Cow::Borrowed(&text.as_bytes()[..end]) }
}

fn number(code: OptionCode, bytes: Vec<u8>) -> PcapNGOption<'static> {
    PcapNGOption { code, len: bytes.len() as u16, value: Cow::Owned(bytes) }
}

fn bytes(mut block: impl ToVec) -> io::Result<Vec<u8>> {
    block.to_vec().map_err(|error| io::Error::other(format!("a block of pcapng: {error:?}")))
}

#[cfg(test)]
mod tests {
    use pcap_parser::{Block, PcapBlockOwned, PcapNGReader, traits::PcapReaderIterator};

    use super::*;

    /// What stands in a block, by pcap_parser's own reader.
    fn read(file: &[u8]) -> Vec<String> {
        let mut reader = PcapNGReader::new(1 << 16, file).unwrap();
        let mut told = Vec::new();
        while let Ok((length, PcapBlockOwned::NG(block))) = reader.next() {
            told.push(match block {
                Block::SectionHeader(_) => "section".to_owned(),
                Block::InterfaceDescription(block) => {
                    format!("{:?} {:?} {}", block.if_name(), block.if_description(), block.if_tsresol)
                }
                Block::EnhancedPacket(block) => {
                    let options: Vec<_> = block.options.iter().map(|it| (it.code.0, it.as_bytes())).collect();
                    let at = u64::from(block.ts_high) << 32 | u64::from(block.ts_low);
                    let bytes = &block.data[..block.caplen as usize];
                    format!("{} {at} {bytes:?} of {} {options:?}", block.if_id, block.origlen)
                }
                Block::InterfaceStatistics(block) => format!("lost {:?}", block.isb_osdrop()),
                _ => "other".to_owned(),
            });
            reader.consume(length);
        }
        told
    }

    #[test]
    fn a_file_says_when_where_which_way_how_much_was_lost_and_why() {
        let frame = Packet {
            interface: 0,
            at: 1_790_000_000_123_456_789,
            is_outbound: true,
            bytes: &[1, 2, 3, 4, 5],
            length: 9,
            lost: 7,
            comment: "rank 1",
        };
        let parts = [
            section("smoc", "e1").unwrap(),
            interface("p1", "e1:1, to m1:1", 100).unwrap(),
            packet(&frame).unwrap(),
            packet(&Packet { lost: 0, is_outbound: false, bytes: &[1, 2, 3, 4], ..frame }).unwrap(),
            statistics(0, 1, 9, 7).unwrap(),
        ];
        assert!(parts.iter().all(|part| part.len() % 4 == 0));
        let told = read(&parts.concat());
        assert_eq!(told[1], "Some(Ok(\"p1\")) Some(Ok(\"e1:1, to m1:1\")) 9");
        assert_eq!(
            told[2],
            "0 1790000000123456789 [1, 2, 3, 4, 5] of 9 [(2, Ok([2, 0, 0, 0])), (4, Ok([7, 0, 0, 0, 0, 0, 0, 0])), \
             (1, Ok([114, 97, 110, 107, 32, 49])), (0, Ok([]))]"
        );
        assert!(told[3].contains("[(2, Ok([1, 0, 0, 0])), (1,"), "{}", told[3]);
        assert_eq!(told[4], "lost Some(Ok(7))");
        assert_eq!(told.len(), 5);
    }

    #[test]
    fn a_comment_that_is_too_long_is_cut_between_characters() {
        let long = "ä".repeat(40_000);
        let frame =
            Packet { interface: 0, at: 0, is_outbound: true, bytes: &[], length: 0, lost: 0, comment: &long };
        let file =
            [section("", "").unwrap(), interface("", "", 0).unwrap(), packet(&frame).unwrap()].concat();
        let told = crate::decode(&file[..]).unwrap();
        assert_eq!((told.counts.frames, told.damage), (1, None));
    }
}
