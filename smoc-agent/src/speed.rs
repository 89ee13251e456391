//! How fast interfaces are, as their drivers say (`SIOCETHTOOL`, ethtool(8)).

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

/// `ETHTOOL_GSET` of linux/ethtool.h: one call, and every kernel has it.
const GET_SETTINGS: u32 = 1;
/// `SPEED_UNKNOWN`, and what drivers say that have 16 bits for it.
const UNKNOWN: [u32; 2] = [u32::MAX, 0xffff];

/// `struct ethtool_cmd` of linux/ethtool.h.
#[repr(C)]
#[derive(Default)]
struct Settings {
    command: u32,
    supported: u32,
    advertising: u32,
    speed: u16,
    duplex: u8,
    port: u8,
    phy_address: u8,
    transceiver: u8,
    autonegotiation: u8,
    mdio: u8,
    most_sent: u32,
    most_received: u32,
    speed_high: u16,
    twisted: u8,
    twisted_wanted: u8,
    partner: u32,
    reserved: [u32; 2],
}

/// Asks in the namespace of the thread that opened it.
pub struct Speeds(OwnedFd);

impl Speeds {
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
    pub fn of(&self, interface: &str) -> u32 {
        let mut settings = Settings { command: GET_SETTINGS, ..Settings::default() };
        // SAFETY: all zero is a request.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        let name = interface.as_bytes();
        // One byte is left for the end of the text.
        if name.len() >= request.ifr_name.len() {
            return 0;
        }
        for (place, byte) in request.ifr_name.iter_mut().zip(name) {
            *place = *byte as libc::c_char;
        }
        request.ifr_ifru.ifru_data = (&raw mut settings).cast();
        // SAFETY: the request names the interface and leads to the settings; both outlive the call, which writes the latter.
        let failed = unsafe { libc::ioctl(self.0.as_raw_fd(), libc::SIOCETHTOOL as _, &raw mut request) } < 0;
        let speed = u32::from(settings.speed_high) << 16 | u32::from(settings.speed);
        if failed || UNKNOWN.contains(&speed) { 0 } else { speed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_is_none_or_has_no_driver_has_no_speed() {
        let speeds = Speeds::open().unwrap();
        for name in ["lo", "no-such-one", "a-name-that-is-far-too-long", ""] {
            assert_eq!(speeds.of(name), 0, "{name}");
        }
        assert_eq!(size_of::<Settings>(), 44);
    }
}
