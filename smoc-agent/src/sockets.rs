//! A packet socket on one interface (packet(7)): hears frames that XDP passed on, before the bridge takes them.

use std::{
    io::{self, ErrorKind},
    mem::MaybeUninit,
    os::fd::AsRawFd,
};

use socket2::{Domain, MaybeUninitSlice, MsgHdrMut, Protocol, SockAddr, SockFilter, Socket, Type};
use tokio::io::unix::AsyncFd;

use smoc_common::wire::{ethernet, presence};
use smoc_control::discovery::{announcement, lldp, neighbor};
use smoc_control::interfaces::IfIndex;

/// The frames that a socket hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// ARP and neighbour discovery, requests to DHCP servers, a sample of other IP, LLDP, and what tells of switches and loops ([`presence`]); and announcements, which no host
    /// should send.
    Neighbors,
    /// Announcements of other agents, LLDP, and the same.
    Announcements,
}

/// Room for any frame that is wanted.
const BUFFER: usize = 2048;
/// Room for what the kernel tells of one.
const CONTROL: usize = 64;
/// Where a tag is in a frame.
const TAG: usize = 12;

/// Sends and receives whole frames at one interface.
pub struct PacketSocket(AsyncFd<Socket>);

impl PacketSocket {
    /// Opens a socket that hears only what is wanted, and nothing that this machine itself sends.
    ///
    /// # Errors
    /// No CAP_NET_RAW, or no such interface.
    pub fn open(interface: IfIndex, wanted: Wanted) -> io::Result<Self> {
        // Protocol 0 hears nothing until the filter is in place and the socket is bound.
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        tell_tags(&socket)?;
        socket.attach_filter(&filter(wanted))?;
        socket.set_nonblocking(true)?;
        socket.bind(&address(interface)?)?;
        // SAFETY: the socket owns its file descriptor, which is the same as long as it lives.
        unsafe { AsyncFd::register(socket) }.map(Self).map_err(Into::into)
    }

    /// Waits for a frame, which has the tag that it came with; what is longer than any wanted one is cut off.
    ///
    /// # Errors
    /// The interface is gone or down.
    pub async fn receive(&self) -> io::Result<Vec<u8>> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.try_io(|socket| receive(socket.get_ref())) {
                Ok(frame) => return frame,
                Err(_) => continue,
            }
        }
    }

    /// Sends a frame; one that finds no room in the queue is lost, as frames are.
    ///
    /// # Errors
    /// The interface is gone or down.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        match self.0.get_ref().send(frame) {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Sends whole frames at any interface and hears nothing.
pub struct SendingSocket(Socket);

impl SendingSocket {
    /// Opens it in the namespace of the calling thread.
    ///
    /// # Errors
    /// No CAP_NET_RAW.
    pub fn open() -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        socket.set_nonblocking(true)?;
        Ok(Self(socket))
    }

    /// Sends a frame; one that finds no room in the queue is lost, as frames are.
    ///
    /// # Errors
    /// The interface is gone or down.
    pub fn send(&self, interface: IfIndex, frame: &[u8]) -> io::Result<()> {
        match self.0.send_to(frame, &address(interface)?) {
            Err(error) if !matches!(error.kind(), ErrorKind::WouldBlock) => Err(error),
            _ => Ok(()),
        }
    }
}

/// Has the kernel tell of each frame which tag it has taken off.
fn tell_tags(socket: &Socket) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the option's value is an integer that lives as long as the call, and its size is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_AUXDATA,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn receive(socket: &Socket) -> io::Result<Vec<u8>> {
    let (mut buffer, mut control) = ([MaybeUninit::uninit(); BUFFER], [MaybeUninit::new(0); CONTROL]);
    let mut buffers = [MaybeUninitSlice::new(&mut buffer)];
    let mut message = MsgHdrMut::new().with_buffers(&mut buffers).with_control(&mut control);
    let length = socket.recvmsg(&mut message, 0)?;
    let told = message.control_len().min(CONTROL);
    // SAFETY: `recvmsg` has written this many bytes, and the control buffer was initialized as a whole.
    let (mut frame, control) = unsafe {
        let assumed = |bytes: &[MaybeUninit<u8>]| bytes.iter().map(|byte| byte.assume_init()).collect();
        let (frame, control): (Vec<u8>, Vec<u8>) = (assumed(&buffer[..length]), assumed(&control[..told]));
        (frame, control)
    };
    if let Some(tag) = taken_off(&control)
        && frame.len() >= ethernet::UNTAGGED
    {
        frame.splice(TAG..TAG, tag);
    }
    Ok(frame)
}

/// The tag that the kernel has taken off a frame, as it says in a control message (packet(7), `PACKET_AUXDATA`): a `cmsghdr`,
/// then a `tpacket_auxdata`.
///
/// | bytes of the latter | what |
/// |---|---|
/// | 0..4 | status: `TP_STATUS_VLAN_VALID`, `TP_STATUS_VLAN_TPID_VALID` |
/// | 16..18 | priority and VID |
/// | 18..20 | TPID |
fn taken_off(control: &[u8]) -> Option<[u8; 4]> {
    let data = control.get(size_of::<libc::cmsghdr>()..)?;
    let half = |at: usize| Some(u16::from_ne_bytes(data.get(at..at + 2)?.try_into().ok()?));
    let status = u32::from_ne_bytes(data.get(..4)?.try_into().ok()?);
    let kind = size_of::<libc::size_t>();
    let of_kind = |at: usize| Some(i32::from_ne_bytes(control.get(at..at + 4)?.try_into().ok()?));
    let is_one = of_kind(kind)? == libc::SOL_PACKET && of_kind(kind + 4)? == libc::PACKET_AUXDATA;
    if !is_one || status & libc::TP_STATUS_VLAN_VALID == 0 {
        return None;
    }
    let has_kind = status & libc::TP_STATUS_VLAN_TPID_VALID != 0;
    let tpid = if has_kind { half(18)? } else { ethernet::TPID_CUSTOMER };
    let ([a, b], [c, d]) = (tpid.to_be_bytes(), half(16)?.to_be_bytes());
    Some([a, b, c, d])
}

fn address(interface: IfIndex) -> io::Result<SockAddr> {
    let invalid = |_| io::Error::from(ErrorKind::InvalidInput);
    let link = libc::sockaddr_ll {
        sll_family: libc::AF_PACKET as u16,
        sll_protocol: (libc::ETH_P_ALL as u16).to_be(),
        sll_ifindex: i32::try_from(interface.0).map_err(invalid)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: a `sockaddr_ll` fits into the storage, which holds any socket address, and its length is given.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            storage.cast::<libc::sockaddr_ll>().write(link);
            *length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
            Ok(())
        })?
    };
    Ok(address)
}

const LOAD_BYTE: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const LOAD_HALF: u16 = (libc::BPF_LD | libc::BPF_H | libc::BPF_ABS) as u16;
const JUMP_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
const LOAD_WORD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const JUMP_ANY: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
/// A random number (packet(7), `SKF_AD_RANDOM`).
const RANDOM: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_RANDOM) as u32;
/// One frame in so many of other IP shows whose address is there; a power of two.
const SAMPLED: u32 = 16;
const UDP: u32 = 17;
const PACKET_TYPE: u32 = (libc::SKF_AD_OFF + libc::SKF_AD_PKTTYPE) as u32;

/// The classic BPF program that lets through what is wanted. The kernel has taken an outer VLAN tag off, so that frames with
/// one tag are let through as those without, and none that have two.
fn filter(wanted: Wanted) -> Vec<SockFilter> {
    let outgoing = u32::from(libc::PACKET_OUTGOING);
    match wanted {
        Wanted::Announcements => vec![
            SockFilter::new(LOAD_BYTE, 0, 0, PACKET_TYPE),
            SockFilter::new(JUMP_EQUAL, 5, 0, outgoing),
            SockFilter::new(LOAD_HALF, 0, 0, 12),
            SockFilter::new(JUMP_EQUAL, 2, 0, announcement::ETHER_TYPE.into()),
            SockFilter::new(JUMP_EQUAL, 1, 0, lldp::ETHER_TYPE.into()),
            SockFilter::new(JUMP_EQUAL, 0, 1, presence::ETHER_TYPE.into()),
            SockFilter::new(RETURN, 0, 0, BUFFER as u32),
            SockFilter::new(RETURN, 0, 0, 0),
        ],
        Wanted::Neighbors => vec![
            SockFilter::new(LOAD_BYTE, 0, 0, PACKET_TYPE),
            SockFilter::new(JUMP_EQUAL, 19, 0, outgoing),
            SockFilter::new(LOAD_HALF, 0, 0, 12),
            SockFilter::new(JUMP_EQUAL, 16, 0, neighbor::ARP.into()),
            SockFilter::new(JUMP_EQUAL, 15, 0, announcement::ETHER_TYPE.into()),
            SockFilter::new(JUMP_EQUAL, 14, 0, lldp::ETHER_TYPE.into()),
            SockFilter::new(JUMP_EQUAL, 13, 0, presence::ETHER_TYPE.into()),
            SockFilter::new(JUMP_EQUAL, 5, 0, ethernet::IPV6.into()),
            SockFilter::new(JUMP_EQUAL, 0, 12, ethernet::IPV4.into()),
            // IPv4: what goes to a DHCP server, as far as the header has no options.
            SockFilter::new(LOAD_BYTE, 0, 0, 14 + 9),
            SockFilter::new(JUMP_EQUAL, 0, 7, UDP),
            SockFilter::new(LOAD_HALF, 0, 0, 14 + 20 + 2),
            SockFilter::new(JUMP_EQUAL, 7, 5, neighbor::DHCP_SERVER.into()),
            // IPv6: neighbour discovery.
            SockFilter::new(LOAD_BYTE, 0, 0, 14 + 6),
            SockFilter::new(JUMP_EQUAL, 0, 3, neighbor::ICMP_V6.into()),
            SockFilter::new(LOAD_BYTE, 0, 0, 14 + 40),
            SockFilter::new(JUMP_EQUAL, 3, 0, neighbor::SOLICITATION.into()),
            SockFilter::new(JUMP_EQUAL, 2, 0, neighbor::ADVERTISEMENT.into()),
            // Of all other IP one frame in so many, at random.
            SockFilter::new(LOAD_WORD, 0, 0, RANDOM),
            SockFilter::new(JUMP_ANY, 1, 0, SAMPLED - 1),
            SockFilter::new(RETURN, 0, 0, BUFFER as u32),
            SockFilter::new(RETURN, 0, 0, 0),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the kernel tells of a frame.
    fn control(kind: i32, status: u32, tci: u16, tpid: u16) -> Vec<u8> {
        let head = [size_of::<libc::cmsghdr>() + 20].map(usize::to_ne_bytes).concat();
        let kinds = [libc::SOL_PACKET, kind].map(i32::to_ne_bytes).concat();
        let tag = [tci, tpid].map(u16::to_ne_bytes).concat();
        [head, kinds, status.to_ne_bytes().to_vec(), vec![0; 12], tag].concat()
    }

    #[test]
    fn a_tag_that_was_taken_off_is_read_and_nothing_else_is_one() {
        let (one, kind) = (libc::TP_STATUS_VLAN_VALID, libc::TP_STATUS_VLAN_TPID_VALID);
        let aux = libc::PACKET_AUXDATA;
        assert_eq!(taken_off(&control(aux, one | kind, 0x2005, 0x88a8)), Some([0x88, 0xa8, 0x20, 5]));
        assert_eq!(taken_off(&control(aux, one, 5, 0)), Some([0x81, 0, 0, 5]));
        assert_eq!(taken_off(&control(aux, kind, 5, 0x8100)), None, "there was none");
        assert_eq!(taken_off(&control(aux + 1, one, 5, 0)), None);
        let whole = control(aux, one | kind, 5, 0x8100);
        (0..whole.len()).for_each(|length| assert_eq!(taken_off(&whole[..length]), None, "{length} bytes"));
    }
}
