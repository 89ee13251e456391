//! What the programs of `cargo xtask build-ebpf --log` say through aya-log, in the agent's log: outcomes of the slow path
//! at trace, notes at debug, all under the target `smoc_ebpf`.

use std::{io, thread};

use aya::Ebpf;
use aya_log::{EbpfLogger, Level};
use log::{Log, Metadata, Record};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::os::fd::AsFd;
use tracing::{debug, enabled, info, trace, warn};

/// The variable of the object that says which records are written at all.
pub(super) const LEVEL: &str = aya_log::LEVEL;

/// The records that are worth writing, by what the agent logs.
pub(super) fn level() -> u8 {
    let level = if enabled!(target: "smoc_ebpf", tracing::Level::TRACE) {
        Level::Trace
    } else if enabled!(target: "smoc_ebpf", tracing::Level::DEBUG) {
        Level::Debug
    } else {
        Level::Error
    };
    level as u8
}

/// Writes records to the agent's log.
struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = line(&record.args().to_string());
        match record.level() {
            log::Level::Trace => trace!(target: "smoc_ebpf", "{line}"),
            _ => debug!(target: "smoc_ebpf", "{line}"),
        }
    }

    fn flush(&self) {}
}

/// As people write it: the programs map IPv4 addresses into IPv6 ones, call no port 0 and pad texts with blanks.
fn line(said: &str) -> String {
    said.replace("::ffff:", "").replace(", to port 0", "").replace("to port 0: ", "").trim_end().to_owned()
}

/// Starts to log what the programs of an object say, if it is one that does. A thread of its own writes it, so that a flood
/// of it delays nothing else; it ends with the agent.
///
/// # Errors
/// The thread cannot be started.
pub(super) fn start(ebpf: &mut Ebpf) -> io::Result<()> {
    let mut logger = match EbpfLogger::init_with_logger(ebpf, Lines) {
        Ok(logger) => logger,
        Err(aya_log::Error::MapNotFound) => return Ok(()),
        Err(error) => {
            warn!(%error, "the programs' log cannot be read");
            return Ok(());
        }
    };
    info!("this BPF object logs what its slow path decides: outcomes at trace, notes at debug");
    let read = move || {
        while let Ok(_) | Err(nix::Error::EINTR) =
            poll(&mut [PollFd::new(logger.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE)
        {
            logger.flush();
        }
        warn!("the programs' log cannot be waited for any more");
    };
    thread::Builder::new().name("kernel log".into()).spawn(read).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_reads_as_addresses_are_written() {
        let said = "::ffff:10.0.0.1 43210 > fd00::2 80, to port 1: handshake: Sent.   ";
        assert_eq!(line(said), "10.0.0.1 43210 > fd00::2 80, to port 1: handshake: Sent.");
        assert_eq!(
            line("::ffff:10.0.0.1 1 > fd00::2 2, to port 0: no_path: No."),
            "10.0.0.1 1 > fd00::2 2: no_path: No."
        );
        assert_eq!(line("to port 0: not_for_us: No.  "), "not_for_us: No.");
    }
}
