//! Files that users name: opened, decompressed, or standard input.

use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead as _, BufReader, Cursor, IsTerminal as _, Read},
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
};

use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use ruzstd::decoding::{
    BlockDecodingStrategy, FrameDecoder,
    errors::{FrameDecoderError, ReadFrameHeaderError},
};
use smoc_paths::input::text_of;

/// What stands for standard input in the place of a file's name.
const STANDARD_INPUT: &str = "-";
/// The longest magic number below.
const LONGEST_MAGIC: usize = 6;
/// How far back compressed data may refer: what `zstd --long` and `xz -9` need, twice as much for the latter.
const LARGEST_WINDOW: u64 = 128 << 20;

/// The contents of a file, or of standard input for `-`; decompressed if they are gzip, zstd or xz, whatever the
/// file's name ends in.
///
/// # Errors
/// It cannot be opened or read, or is packed in another way; the message says what to do.
pub(super) fn open(path: &Path) -> io::Result<Box<dyn Read>> {
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    if !is_standard_input(path) {
        return decompressed(File::open(path)?).map_err(|error| match error.kind() {
            io::ErrorKind::IsADirectory => {
                io::Error::new(error.kind(), "this is a directory: name a file in it")
            }
            _ => error,
        });
    }
    let input = io::stdin();
    if input.is_terminal() {
        return Err(io::Error::other("it is a terminal: pipe a file into it"));
    }
    if IS_TAKEN.swap(true, Ordering::Relaxed) {
        return Err(io::Error::other("it can be read once only: name a file in one of the places"));
    }
    decompressed(input)
}

/// A text file, opened as [`open`] does.
///
/// # Errors
/// As [`open`], or it is no text.
pub(super) fn text(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    open(path)?.read_to_end(&mut bytes)?;
    text_of(bytes)
}

/// The name of a file in messages.
pub(super) fn name(path: &Path) -> Cow<'_, str> {
    if is_standard_input(path) { "standard input".into() } else { path.to_string_lossy() }
}

fn is_standard_input(path: &Path) -> bool {
    path == Path::new(STANDARD_INPUT)
}

fn decompressed(mut file: impl Read + 'static) -> io::Result<Box<dyn Read>> {
    let mut magic = Vec::with_capacity(LONGEST_MAGIC);
    file.by_ref().take(LONGEST_MAGIC as u64).read_to_end(&mut magic)?;
    let whole = |magic| Cursor::new(magic).chain(file);
    let packed = |by| {
        let message = format!("it is packed with {by}: unpack it first, or pack it with gzip, zstd or xz");
        Err(io::Error::new(io::ErrorKind::InvalidData, message))
    };
    match magic[..] {
        [0x1f, 0x8b, ..] => Ok(unpacked("gzip", MultiGzDecoder::new(whole(magic)))),
        [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => {
            Ok(unpacked("zstd", Zstd::new(whole(magic))))
        }
        [0xfd, b'7', b'z', b'X', b'Z', 0] => {
            let limit = (LARGEST_WINDOW >> 10) as u32;
            Ok(unpacked("xz", XzReader::new_mem_limit(BufReader::new(whole(magic)), true, limit)))
        }
        [b'B', b'Z', b'h', ..] => packed("bzip2"),
        [0x04, 0x22, 0x4d, 0x18, ..] => packed("lz4"),
        [b'P', b'K', 3, 4, ..] => packed("zip"),
        _ => Ok(Box::new(whole(magic))),
    }
}

fn unpacked(by: &'static str, contents: impl Read + 'static) -> Box<dyn Read> {
    Box::new(Unpacked { by, contents })
}

/// Contents whose errors say that they come from unpacking.
struct Unpacked<R> {
    by: &'static str,
    contents: R,
}

impl<R: Read> Read for Unpacked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.contents.read(buffer).map_err(|error| {
            let message = format!("the file is packed with {} and cut off or damaged: {error}", self.by);
            io::Error::new(error.kind(), message)
        })
    }
}

/// The frames of a zstd file, one after the other; the library decodes one.
struct Zstd<R> {
    source: BufReader<R>,
    frame: FrameDecoder,
}

impl<R: Read> Zstd<R> {
    fn new(source: R) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(LARGEST_WINDOW);
        Self { source: BufReader::new(source), frame }
    }

    /// Goes on to the next frame; false at the end of the file.
    fn next_frame(&mut self) -> io::Result<bool> {
        let sum = self.frame.get_checksum_from_data();
        if sum.is_some() && sum != self.frame.get_calculated_checksum() {
            return Err(io::Error::other("a checksum is wrong"));
        }
        while !self.source.fill_buf()?.is_empty() {
            match self.frame.reset(&mut self.source) {
                Ok(()) => return Ok(true),
                Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame {
                    length,
                    ..
                })) => {
                    io::copy(&mut self.source.by_ref().take(length.into()), &mut io::sink())?;
                }
                Err(error) => return Err(io::Error::other(error)),
            }
        }
        Ok(false)
    }
}

impl<R: Read> Read for Zstd<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.frame.can_collect() == 0 {
            if self.frame.is_finished() && !self.next_frame()? {
                return Ok(0);
            }
            let one = BlockDecodingStrategy::UptoBlocks(1);
            let decoded = self.frame.decode_blocks(&mut self.source, one);
            decoded.map_err(io::Error::other)?;
        }
        self.frame.read(buffer)
    }
}
