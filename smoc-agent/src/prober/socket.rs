//! The rim of the prober: one packet socket that only sends, and the interfaces' counters.

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd},
};

use smoc_common::wire::probe;

use smoc_control::interfaces::IfIndex;

/// Sends whole frames out of any interface.
pub(super) struct Sender(OwnedFd);

impl Sender {
    /// Opens a socket in the namespace of the calling thread that hears nothing.
    pub(super) fn open() -> io::Result<Self> {
        // SAFETY: no pointers are passed.
        let number = unsafe {
            libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC, 0)
        };
        if number < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made, and nobody else has it.
        let socket = unsafe { OwnedFd::from_raw_fd(number) };
        let on: libc::c_int = 1;
        // What XDP redirects goes past the queueing discipline as well, so a probe meets what frames meet.
        // SAFETY: the option's value is an int, which outlives the call.
        let bypassed = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_QDISC_BYPASS,
                (&raw const on).cast(),
                size_of_val(&on) as libc::socklen_t,
            )
        };
        if bypassed < 0 { Err(io::Error::last_os_error()) } else { Ok(Self(socket)) }
    }

    /// Sends a probe; whether it was really sent.
    pub(super) fn send(&self, interface: IfIndex, frame: &[u8; probe::LENGTH]) -> bool {
        let address = libc::sockaddr_ll {
            sll_family: libc::AF_PACKET as u16,
            sll_protocol: probe::ETHER_TYPE.to_be(),
            sll_ifindex: interface.0 as i32,
            sll_hatype: 0,
            sll_pkttype: 0,
            sll_halen: 0,
            sll_addr: [0; 8],
        };
        // SAFETY: frame and address outlive the call, and their lengths are given.
        let sent = unsafe {
            libc::sendto(
                self.0.as_raw_fd(),
                frame.as_ptr().cast(),
                frame.len(),
                0,
                (&raw const address).cast(),
                size_of_val(&address) as libc::socklen_t,
            )
        };
        sent == frame.len() as isize
    }
}

/// Hands the number of frames that each interface has received to `each`, modulo 2^32 (`rtnl_link_stats`).
pub(super) fn received_frames(mut each: impl FnMut(IfIndex, u32)) -> io::Result<()> {
    let mut first: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the pointer outlives the call, which writes a list to it.
    if unsafe { libc::getifaddrs(&raw mut first) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut next = first;
    // SAFETY: the list is as getifaddrs(3) describes it, until it is freed below.
    while let Some(entry) = unsafe { next.as_ref() } {
        next = entry.ifa_next;
        // SAFETY: an address, if there is one, begins with its family.
        let Some(address) = (unsafe { entry.ifa_addr.as_ref() }) else { continue };
        if i32::from(address.sa_family) != libc::AF_PACKET || entry.ifa_data.is_null() {
            continue;
        }
        // SAFETY: the address is a `sockaddr_ll`, and the data a `rtnl_link_stats`, whose first field counts frames.
        let (index, frames) = unsafe {
            ((*entry.ifa_addr.cast::<libc::sockaddr_ll>()).sll_ifindex, *entry.ifa_data.cast::<u32>())
        };
        each(IfIndex(index as u32), frames);
    }
    // SAFETY: the list is not used any more.
    unsafe { libc::freeifaddrs(first) };
    Ok(())
}
