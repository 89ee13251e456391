//! Frames out of a pcap or pcapng file, either byte order, one block at a time.

use std::{
    cell::Cell,
    io::{self, Cursor, Read},
    rc::Rc,
};

use pcap_parser::{
    Block, InterfaceDescriptionBlock, LegacyPcapReader, PcapBlockOwned, PcapError, PcapNGReader,
    UnknownBlock,
    traits::{PcapNGPacketBlock as _, PcapReaderIterator},
};

use super::{Damage, Error, layers::LinkType};

/// How much is read ahead, and the block size to start with.
const CHUNK: usize = 1 << 18;
/// No block of a sane capture is longer; a length field beyond it is damage.
const LONGEST_BLOCK: usize = 1 << 26;
/// pcap keeps other things than the link type in the upper half of that field.
const LINK_TYPE_MASK: i32 = 0xffff;

/// One captured frame.
pub struct Captured<'a> {
    /// Its place in the file, from 1, over all interfaces and sections.
    pub number: u64,
    /// When it was captured, in nanoseconds since 1970; `None` if the file does not say.
    pub at: Option<u64>,
    /// What the interface captures; `Err` holds the number of a link type that smoc cannot read.
    pub link: Result<LinkType, u16>,
    /// The bytes that the capture kept of it.
    pub bytes: &'a [u8],
    /// Whether these are all that it had.
    pub is_whole: bool,
}

/// What a pcapng section says of an interface; a pcap file has exactly one.
struct Interface {
    link: Result<LinkType, u16>,
    snap_length: usize,
    /// Time stamps count so many in a second, from so many seconds after 1970.
    clock: (u64, i64),
}

impl Interface {
    fn new(link: i32, snap_length: u32, clock: (u64, i64)) -> Self {
        let number = (link & LINK_TYPE_MASK) as u16;
        let snap_length = if snap_length == 0 { usize::MAX } else { snap_length as usize };
        Self { link: LinkType::from_number(number).ok_or(number), snap_length, clock }
    }
}

impl Interface {
    /// A time stamp in nanoseconds since 1970.
    fn nanos(&self, stamp: u64) -> Option<u64> {
        let (resolution, offset) = self.clock;
        let nanos = u128::from(stamp) * 1_000_000_000 / u128::from(resolution.max(1));
        u64::try_from(i128::try_from(nanos).ok()? + i128::from(offset) * 1_000_000_000).ok()
    }
}

/// A file that ends where reading it fails; what the failure was is kept beside it.
struct UntilFailure<R> {
    file: R,
    failure: Rc<Cell<Option<io::Error>>>,
    has_failed: bool,
}

impl<R: Read> Read for UntilFailure<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.has_failed {
            return Ok(0);
        }
        match self.file.read(buffer) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                self.has_failed = true;
                self.failure.set(Some(error));
                Ok(0)
            }
            other => other,
        }
    }
}

/// An open capture file.
pub struct Capture<'a> {
    reader: Box<dyn PcapReaderIterator + 'a>,
    failure: Rc<Cell<Option<io::Error>>>,
    blocks: Blocks,
}

impl<'a> Capture<'a> {
    /// Reads the first block of a file.
    ///
    /// # Errors
    /// The file cannot be read, or it is neither pcap nor pcapng.
    pub fn open(file: impl Read + 'a) -> Result<Self, Error> {
        let failure = Rc::default();
        let mut file = UntilFailure { file, failure: Rc::clone(&failure), has_failed: false };
        let mut head = Vec::with_capacity(CHUNK);
        file.by_ref().take(CHUNK as u64).read_to_end(&mut head).map_err(Error::Unreadable)?;
        let is_pcapng = head.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]);
        let whole = Cursor::new(head).chain(file);
        let reader = if is_pcapng {
            PcapNGReader::new(CHUNK, whole).map(|reader| Box::new(reader) as Box<dyn PcapReaderIterator + 'a>)
        } else {
            LegacyPcapReader::new(CHUNK, whole).map(|reader| Box::new(reader) as _)
        };
        match reader {
            Ok(reader) => Ok(Self { reader, failure, blocks: Blocks::default() }),
            Err(_) => Err(failure.take().map_or(Error::NotACapture, Error::Unreadable)),
        }
    }

    /// Shows every frame to `see`, in the order of the file.
    ///
    /// # Errors
    /// The file ends, cannot be read or stops making sense within a block; all frames before it have been shown.
    pub fn for_each(mut self, see: impl FnMut(Captured)) -> Result<(), Damage> {
        let read = self.read_blocks(see);
        let frames = self.blocks.frames;
        match self.failure.take() {
            Some(error) => Err(Damage::ReadFailed { frames, reason: error.to_string() }),
            None => read,
        }
    }

    fn read_blocks(&mut self, mut see: impl FnMut(Captured)) -> Result<(), Damage> {
        let mut capacity = CHUNK;
        loop {
            let frames = self.blocks.frames;
            let needs_room = match self.reader.next() {
                Ok((length, block)) => {
                    self.blocks.take(block, &mut see)?;
                    self.reader.consume(length);
                    continue;
                }
                Err(PcapError::Eof) => return Ok(()),
                Err(PcapError::Incomplete(_)) => false,
                Err(PcapError::BufferTooSmall) => true,
                Err(PcapError::UnexpectedEof) => return Err(Damage::EndsWithin { frames }),
                Err(_) => return Err(Damage::NoBlock { frames }),
            };
            if needs_room && capacity < LONGEST_BLOCK {
                capacity *= 2;
                self.reader.grow(capacity);
            } else if needs_room && self.reader.data().len() >= capacity {
                return Err(Damage::NoBlock { frames });
            }
            self.reader.refill().map_err(|_| Damage::EndsWithin { frames })?;
        }
    }
}

/// What has to be remembered from one block to the next.
#[derive(Default)]
struct Blocks {
    interfaces: Vec<Interface>,
    is_big_endian: bool,
    frames: u64,
}

impl Blocks {
    fn take(&mut self, block: PcapBlockOwned, see: &mut impl FnMut(Captured)) -> Result<(), Damage> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                self.interfaces.push(Interface::new(header.network.0, header.snaplen, (resolution, 0)));
            }
            PcapBlockOwned::Legacy(packet) => {
                let resolution = self.interfaces.first().map_or(1, |interface| interface.clock.0);
                let stamp = u64::from(packet.ts_sec) * resolution + u64::from(packet.ts_usec);
                self.frame(0, Some(stamp), packet.data, packet.origlen, see)?;
            }
            PcapBlockOwned::NG(Block::SectionHeader(section)) => {
                self.interfaces.clear();
                self.is_big_endian = section.big_endian();
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(InterfaceDescriptionBlock {
                linktype,
                snaplen,
                if_tsresol,
                if_tsoffset,
                ..
            })) => {
                let resolution = pcap_parser::build_ts_resolution(if_tsresol).unwrap_or(1_000_000);
                self.interfaces.push(Interface::new(linktype.0, snaplen, (resolution, if_tsoffset)));
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let stamp = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                self.frame(packet.if_id as usize, Some(stamp), packet.packet_data(), packet.origlen, see)?;
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => {
                let longest = self.interfaces.first().map_or(0, |interface| interface.snap_length);
                let bytes = packet.packet_data();
                self.frame(0, None, &bytes[..bytes.len().min(longest)], packet.origlen, see)?;
            }
            PcapBlockOwned::NG(Block::Unknown(block)) => self.obsolete_packet(&block, see)?,
            PcapBlockOwned::NG(_) => {}
        }
        Ok(())
    }

    fn frame(
        &mut self,
        interface: usize,
        stamp: Option<u64>,
        bytes: &[u8],
        original: u32,
        see: &mut impl FnMut(Captured),
    ) -> Result<(), Damage> {
        let Some(interface) = self.interfaces.get(interface) else {
            return Err(Damage::NoInterface { frames: self.frames });
        };
        self.frames += 1;
        let at = stamp.and_then(|stamp| interface.nanos(stamp));
        let is_whole = bytes.len() >= original as usize;
        see(Captured { number: self.frames, at, link: interface.link, bytes, is_whole });
        Ok(())
    }

    /// The Packet Block that pcapng had before the Enhanced Packet Block: interface (2 bytes), drops (2),
    /// time (8), captured and original length (4 each), bytes.
    fn obsolete_packet(
        &mut self,
        block: &UnknownBlock,
        see: &mut impl FnMut(Captured),
    ) -> Result<(), Damage> {
        let (kind, word): (_, fn([u8; 4]) -> u32) = if self.is_big_endian {
            (block.block_type.swap_bytes(), u32::from_be_bytes)
        } else {
            (block.block_type, u32::from_le_bytes)
        };
        let Some(([interface, _, _, length, original], bytes)) =
            block.data.split_first_chunk::<20>().map(|(head, bytes)| {
                let words =
                    [0, 4, 8, 12, 16].map(|at| word([head[at], head[at + 1], head[at + 2], head[at + 3]]));
                (words, bytes)
            })
        else {
            return Ok(());
        };
        if kind != 2 {
            return Ok(());
        }
        let interface = if self.is_big_endian { interface >> 16 } else { interface & 0xffff };
        self.frame(interface as usize, None, &bytes[..bytes.len().min(length as usize)], original, see)
    }
}
