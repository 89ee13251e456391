//! What drivers say of their interfaces, and their offloads (`SIOCETHTOOL`, ethtool(8), linux/ethtool.h).
//!
//! By ioctl, which every kernel and driver has; the crate ethtool (over netlink) cannot set features. A request is a row of 32-bit
//! words in the host's byte order that begins with its command:
//!
//! | command | number | words |
//! |---|---|---|
//! | speed | 1 | 11; low half of the speed at byte 12, high half at byte 28 |
//! | driver | 3 | 49; its name of 32 bytes at byte 4 |
//! | strings | 0x1b | set, number, 32 bytes for each |
//! | size of a set of strings | 0x37 | reserved, mask of sets (64 bits), number |
//! | features, set features | 0x3a, 0x3b | blocks; for each 32 features: available, requested, active, never changed; or valid, requested |
//! | channels | 0x3c | 9: maxima of receive, transmit, other, combined; then what is used |

use std::{
    collections::BTreeMap,
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use smoc_control::doctor::Channels;

const GET_SPEED: u32 = 0x01;
const GET_DRIVER: u32 = 0x03;
const GET_STRINGS: u32 = 0x1b;
const GET_SET_SIZES: u32 = 0x37;
const GET_FEATURES: u32 = 0x3a;
const SET_FEATURES: u32 = 0x3b;
const GET_CHANNELS: u32 = 0x3c;
/// `ETH_SS_FEATURES`.
const FEATURE_NAMES: u32 = 4;
/// `ETH_GSTRING_LEN`, in words.
const NAME_WORDS: usize = 8;
/// `SPEED_UNKNOWN`, and what drivers say that have 16 bits for it.
const UNKNOWN: [u32; 2] = [u32::MAX, 0xffff];

/// Asks in the namespace of the thread that opened it.
pub struct Ethtool(OwnedFd);

impl Ethtool {
    /// Opens a socket to ask through.
    ///
    /// # Errors
    /// There is none to be had.
    pub fn open() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let number = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(number) }))
    }

    /// What an interface carries, in Mbit/s; 0 if that is not known.
    pub fn speed(&self, interface: &str) -> u32 {
        let mut words = [0; 11];
        words[0] = GET_SPEED;
        if self.ask(interface, &mut words).is_err() {
            return 0;
        }
        let bytes = bytes_of(&words);
        let half = |at: usize| u32::from(u16::from_ne_bytes([bytes[at], bytes[at + 1]]));
        let speed = half(28) << 16 | half(12);
        if UNKNOWN.contains(&speed) { 0 } else { speed }
    }

    /// The name of its driver.
    pub fn driver(&self, interface: &str) -> Option<String> {
        let mut words = [0; 49];
        words[0] = GET_DRIVER;
        self.ask(interface, &mut words).ok()?;
        Some(text(&words[1..=NAME_WORDS]))
    }

    /// Its channels, a pair of queues or one queue each.
    pub fn channels(&self, interface: &str) -> Option<Channels> {
        let mut words = [0; 9];
        words[0] = GET_CHANNELS;
        self.ask(interface, &mut words).ok()?;
        Some(Channels { used: words[5] + words[8], most: words[1] + words[4] })
    }

    /// Its features by the kernel's names: whether each is on.
    pub fn features(&self, interface: &str) -> BTreeMap<String, bool> {
        let Ok(names) = self.names(interface) else { return BTreeMap::new() };
        let Ok(words) = self.feature_words(interface, names.len()) else { return BTreeMap::new() };
        let is_on = |bit: usize| words[2 + bit / 32 * 4 + 2] >> (bit % 32) & 1 == 1;
        names.into_iter().enumerate().map(|(bit, name)| (name, is_on(bit))).collect()
    }

    /// Switches those of these features that it knows and lets be changed.
    ///
    /// # Errors
    /// The kernel's answer, or it has left one as it was.
    pub fn switch(&self, interface: &str, features: &[&str], on: bool) -> io::Result<()> {
        let names = self.names(interface)?;
        let state = self.feature_words(interface, names.len())?;
        let blocks = state[1] as usize;
        let mut words = vec![0; 2 + 2 * blocks];
        (words[0], words[1]) = (SET_FEATURES, blocks as u32);
        for bit in (0..names.len()).filter(|bit| features.contains(&names[*bit].as_str())) {
            let (block, mask) = (bit / 32, 1 << (bit % 32));
            if state[2 + 4 * block] & mask != 0 {
                words[2 + 2 * block] |= mask;
                words[3 + 2 * block] |= if on { mask } else { 0 };
            }
        }
        self.ask(interface, &mut words)?;
        let after = self.features(interface);
        match features.iter().find(|name| after.get(**name).is_some_and(|is_on| *is_on != on)) {
            Some(name) => Err(io::Error::other(format!("its driver leaves {name} as it is"))),
            None => Ok(()),
        }
    }

    /// The names of all features, by bit.
    fn names(&self, interface: &str) -> io::Result<Vec<String>> {
        let mask = (1u64 << FEATURE_NAMES).to_ne_bytes();
        let half =
            |from: usize| u32::from_ne_bytes([mask[from], mask[from + 1], mask[from + 2], mask[from + 3]]);
        let mut size = [GET_SET_SIZES, 0, half(0), half(4), 0];
        self.ask(interface, &mut size)?;
        let count = size[4] as usize;
        let mut words = vec![0; 3 + count * NAME_WORDS];
        words[..3].copy_from_slice(&[GET_STRINGS, FEATURE_NAMES, size[4]]);
        self.ask(interface, &mut words)?;
        Ok(words[3..].chunks(NAME_WORDS).map(text).collect())
    }

    fn feature_words(&self, interface: &str, count: usize) -> io::Result<Vec<u32>> {
        let blocks = count.div_ceil(32);
        let mut words = vec![0; 2 + 4 * blocks];
        (words[0], words[1]) = (GET_FEATURES, blocks as u32);
        self.ask(interface, &mut words)?;
        Ok(words)
    }

    /// Hands a request to the driver, which answers in its place. It must have room for whatever its command answers.
    fn ask(&self, interface: &str, words: &mut [u32]) -> io::Result<()> {
        // SAFETY: all zero is a request.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let name = interface.as_bytes();
        // One byte is left for the end of the text.
        if name.len() >= request.ifr_name.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        for (place, byte) in request.ifr_name.iter_mut().zip(name) {
            *place = *byte as libc::c_char;
        }
        request.ifr_ifru.ifru_data = words.as_mut_ptr().cast();
        // The kernel writes no more words than the table above says, for which callers have made room.
        // SAFETY: the request names the interface and leads to the words; both outlive the call.
        match unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) } {
            failed if failed < 0 => Err(io::Error::last_os_error()),
            _ => Ok(()),
        }
    }
}

fn bytes_of(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

/// A text that ends at its first zero byte.
fn text(words: &[u32]) -> String {
    let bytes = bytes_of(words);
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    String::from_utf8_lossy(&bytes[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_none_or_has_no_driver_has_no_speed() {
        let ethtool = Ethtool::open().unwrap();
        for name in ["lo", "no-such-one", "a-name-that-is-far-too-long", ""] {
            assert_eq!(ethtool.speed(name), 0, "{name}");
            assert_eq!(ethtool.channels(name), None, "{name}");
        }
        assert!(ethtool.features("no-such-one").is_empty() && ethtool.driver("no-such-one").is_none());
    }

    #[test]
    fn the_loopback_interface_computes_no_checksums_and_merges_what_it_receives() {
        let features = Ethtool::open().unwrap().features("lo");
        assert_eq!(features.get("tx-checksum-ip-generic"), Some(&true), "{features:?}");
        assert_eq!(features.get("rx-lro"), Some(&false), "{features:?}");
        assert!(features.len() > 40, "{features:?}");
    }
}
