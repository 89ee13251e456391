//! Whole Ethernet frames: sent as they are (AF_PACKET), and captured as they arrive (tcpdump).

use std::fs;
use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::ifaddrs::getifaddrs;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, bind, send, socket};
use nix::unistd::Pid;
use socket2::{SockFilter, Socket};

use crate::netns::Namespace;

/// Sends frames out of one interface, past everything above the driver.
#[derive(Debug)]
pub struct FrameSender {
    socket: OwnedFd,
}

impl FrameSender {
    /// A sender at an interface of a namespace.
    ///
    /// # Errors
    /// Without root, or when there is no such interface.
    pub fn open(namespace: &Namespace, interface: &str) -> Result<Self> {
        Ok(Self { socket: packet_socket(namespace, interface)? })
    }

    /// Sends one frame, from the destination MAC to the end of the payload.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        send(self.socket.as_raw_fd(), frame, MsgFlags::empty()).context("send a frame")?;
        Ok(())
    }
}

/// A packet socket at an interface of a namespace.
fn packet_socket(namespace: &Namespace, interface: &str) -> Result<OwnedFd> {
    let _inside = namespace.enter()?;
    let (family, kind) = (AddressFamily::Packet, SockType::Raw);
    let socket =
        socket(family, kind, SockFlag::SOCK_CLOEXEC, SockProtocol::EthAll).context("open a packet socket")?;
    let mut links =
        getifaddrs().context("list interfaces")?.filter(|entry| entry.interface_name == interface);
    let link = links.find_map(|entry| entry.address.and_then(|address| address.as_link_addr().copied()));
    let link = link.with_context(|| format!("{} has no interface {interface}", namespace.name()))?;
    bind(socket.as_raw_fd(), &link).with_context(|| format!("bind to {interface}"))?;
    Ok(socket)
}

/// Receives frames of one length that come in at an interface: all others are left out in the kernel, so that no flood
/// of them fills the socket's buffer.
#[derive(Debug)]
pub struct FrameReceiver {
    socket: Socket,
}

impl FrameReceiver {
    /// A receiver at an interface of a namespace, for frames of so many bytes.
    ///
    /// # Errors
    /// Without root, or when there is no such interface.
    pub fn open(namespace: &Namespace, interface: &str, length: usize) -> Result<Self> {
        let socket = Socket::from(packet_socket(namespace, interface)?);
        // <linux/filter.h>: a frame that was sent here is none that came in, a frame of another length is none of these.
        let (load_word, load_length, jump_equal, give) = (0x20, 0x80, 0x15, 0x06);
        let (packet_type, outgoing) = (0xffff_f000_u32 + 4, 4);
        socket.attach_filter(&[
            SockFilter::new(load_word, 0, 0, packet_type),
            SockFilter::new(jump_equal, 2, 0, outgoing),
            SockFilter::new(load_length, 0, 0, 0),
            SockFilter::new(jump_equal, 1, 0, length as u32),
            SockFilter::new(give, 0, 0, 0),
            SockFilter::new(give, 0, 0, u32::MAX),
        ])?;
        socket.set_recv_buffer_size(4 << 20)?;
        let receiver = Self { socket };
        // What came before the filter.
        while receiver.receive(Duration::from_millis(50))?.is_some() {}
        Ok(receiver)
    }

    /// The next frame, or `None` if none comes in time.
    ///
    /// # Errors
    /// The interface is gone.
    pub fn receive(&self, patience: Duration) -> Result<Option<Vec<u8>>> {
        self.socket.set_read_timeout(Some(patience))?;
        let mut frame = vec![0; 2048];
        match (&self.socket).read(&mut frame) {
            Ok(length) => {
                frame.truncate(length);
                Ok(Some(frame))
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Ok(None),
            Err(error) => Err(error).context("receive a frame"),
        }
    }
}

/// A tcpdump that records whole frames, VLAN tags included (a packet socket would not show them).
#[derive(Debug)]
pub struct Capture {
    tcpdump: Child,
    file: PathBuf,
}

impl Capture {
    /// Starts capturing what a filter (pcap-filter(7)) selects, and returns once it does.
    ///
    /// # Errors
    /// When tcpdump is not installed or refuses.
    pub fn start(namespace: &Namespace, interface: &str, filter: &str) -> Result<Self> {
        let file = std::env::temp_dir().join(format!(
            "smoc-capture-{}-{}.pcap",
            std::process::id(),
            namespace.name()
        ));
        let mut command = namespace.command("tcpdump");
        command
            .args(["-i", interface, "-n", "-U", "--immediate-mode", "-Z", "root", "-w"])
            .arg(&file)
            .arg(filter);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut tcpdump = command.spawn().context("start tcpdump (apt-get install tcpdump)")?;
        let said = BufReader::new(tcpdump.stderr.take().context("tcpdump without output")?);
        let mut heard = String::new();
        for line in said.lines() {
            let line = line?;
            if line.contains("listening on") {
                return Ok(Self { tcpdump, file });
            }
            heard = line;
        }
        let _ = tcpdump.wait();
        bail!("tcpdump at {interface} of {} ended: {heard}", namespace.name());
    }

    /// Waits until that many frames have been captured or the time is up, and returns those there are.
    pub fn finish(mut self, enough: usize, patience: Duration) -> Result<Vec<Vec<u8>>> {
        let deadline = Instant::now() + patience;
        while self.frames().len() < enough && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(20));
        }
        kill(Pid::from_raw(self.tcpdump.id() as i32), Signal::SIGTERM)?;
        self.tcpdump.wait()?;
        Ok(self.frames())
    }

    /// The frames in the file so far; pcap of this machine's byte order (pcap-savefile(5)).
    fn frames(&self) -> Vec<Vec<u8>> {
        let bytes = fs::read(&self.file).unwrap_or_default();
        let mut rest = bytes.get(24..).unwrap_or_default();
        let mut frames = Vec::new();
        while let Some(length) =
            rest.get(8..12).and_then(|field| field.try_into().ok()).map(u32::from_ne_bytes)
        {
            let Some(frame) = rest.get(16..16 + length as usize) else { break };
            frames.push(frame.to_vec());
            rest = &rest[16 + length as usize..];
        }
        frames
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        let _ = self.tcpdump.kill();
        let _ = self.tcpdump.wait();
        let _ = fs::remove_file(&self.file);
    }
}
