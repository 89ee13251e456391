//! Wire formats, one file per protocol; each opens with the fields as the specification has them.

pub mod announcement;
pub mod ethernet;
pub mod headers;
pub mod ip;
pub mod mptcp;
pub mod presence;
pub mod probe;
pub mod signal;
pub mod tcp;
#[cfg(test)]
mod tests;

use headers::Headers;
use mptcp::Handshake;

/// A frame as the pipeline sees it; numbers in it are big endian. The kernel adapter implements it over an XDP buffer, everything else
/// uses [`Bytes`].
pub trait Frame: Sized {
    /// `N` bytes from `offset`; `None` if the frame ends before.
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]>;

    /// `N` 16-bit numbers from `offset`, which is even; `None` if the frame ends before.
    fn halves<const N: usize>(&self, offset: usize) -> Option<[u16; N]>;

    /// `N` 32-bit numbers from `offset`, which is even; `None` if the frame ends before.
    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]>;

    /// Overwrites `N` 16-bit numbers from `offset`, which is even; `None`, and nothing written, if the frame
    /// ends before.
    fn write<const N: usize>(&mut self, offset: usize, halves: [u16; N]) -> Option<()>;

    /// `length` (1 to [`tcp::OPTIONS_LENGTH`]) bytes from `offset` and, behind them, anything; `None` if the
    /// frame ends before or `length` is out of range. An implementation without a buffer of its own copies
    /// them to `room`.
    fn options<'a>(
        &self,
        offset: usize,
        length: usize,
        room: &'a mut tcp::OptionBuffer,
    ) -> Option<&'a tcp::OptionBuffer>;

    /// Destination and source as three 32-bit numbers, and EtherType or TPID; `None` if the frame is shorter.
    #[inline(always)]
    fn ethernet(&self) -> Option<([u32; 3], u16)> {
        let [ether_type] = self.halves(12)?;
        Some((self.words(0)?, ether_type))
    }

    /// `N` 32-bit numbers from where the payload of a frame without tags begins; `None` if the frame ends before.
    #[inline(always)]
    fn untagged<const N: usize>(&self) -> Option<[u32; N]> {
        self.words(ethernet::UNTAGGED)
    }

    /// Overwrites destination and source, as three 32-bit numbers; `None`, and nothing written, if the frame is
    /// shorter.
    fn set_addresses(&mut self, addresses: [u32; 3]) -> Option<()>;

    // What follows is the same everywhere. The kernel adapter makes functions of it that the verifier checks
    // once each, whatever led to them, instead of once for every way there.

    /// [`Headers::read`], to `room` unless the implementation has a place of its own; `None` where it is false.
    #[inline(always)]
    fn headers<'a>(&self, room: &'a mut Headers) -> Option<&'a Headers> {
        if room.read(self) { Some(room) } else { None }
    }

    /// [`Handshake::read`], to `room` unless the implementation has a place of its own; `None` without any
    /// MPTCP option.
    #[inline(always)]
    fn handshake<'a>(&self, segment: &tcp::Segment, room: &'a mut Handshake) -> Option<&'a Handshake> {
        room.read(self, segment.options, segment.options_length, mptcp::Carrier::of(segment));
        if room.kind == mptcp::Kind::None { None } else { Some(room) }
    }

    /// [`mptcp::step`].
    #[inline(always)]
    fn step(options: &tcp::OptionBuffer, at: u32, length: u32, carrier: mptcp::Carrier) -> u32 {
        mptcp::step(options, at, length, carrier)
    }

    /// Forgets what [`Frame::handshake`] read: an implementation that keeps it in a place of its own clears that, for
    /// keys are in it.
    #[inline(always)]
    fn forget(&self) {}
}

/// A frame in ordinary memory.
#[derive(Debug)]
pub struct Bytes<'a>(pub &'a mut [u8]);

impl Bytes<'_> {
    fn part(&self, offset: usize, length: usize) -> Option<&[u8]> {
        self.0.get(offset..offset.checked_add(length)?)
    }
}

impl Frame for Bytes<'_> {
    fn read<const N: usize>(&self, offset: usize) -> Option<[u8; N]> {
        self.part(offset, N)?.try_into().ok()
    }

    fn halves<const N: usize>(&self, offset: usize) -> Option<[u16; N]> {
        let (chunks, _) = self.part(offset, 2 * N)?.as_chunks();
        Some(core::array::from_fn(|at| u16::from_be_bytes(chunks[at])))
    }

    fn words<const N: usize>(&self, offset: usize) -> Option<[u32; N]> {
        let (chunks, _) = self.part(offset, 4 * N)?.as_chunks();
        Some(core::array::from_fn(|at| u32::from_be_bytes(chunks[at])))
    }

    fn write<const N: usize>(&mut self, offset: usize, halves: [u16; N]) -> Option<()> {
        let place = self.0.get_mut(offset..offset.checked_add(2 * N)?)?;
        let (chunks, _) = place.as_chunks_mut();
        for (chunk, half) in chunks.iter_mut().zip(halves) {
            *chunk = half.to_be_bytes();
        }
        Some(())
    }

    fn set_addresses(&mut self, addresses: [u32; 3]) -> Option<()> {
        let place: &mut [u8; 12] = self.0.first_chunk_mut()?;
        place.copy_from_slice(addresses.map(u32::to_be_bytes).as_flattened());
        Some(())
    }

    fn options<'a>(
        &self,
        offset: usize,
        length: usize,
        room: &'a mut tcp::OptionBuffer,
    ) -> Option<&'a tcp::OptionBuffer> {
        if length == 0 || length > tcp::OPTIONS_LENGTH {
            return None;
        }
        room[..length].copy_from_slice(self.part(offset, length)?);
        Some(room)
    }
}
